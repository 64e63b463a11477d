"""Make the files of LibreOffice, with ``soffice`` 7.4, and of xlwt; ``make.cjs`` those of SheetJS and exceljs.

Run it in this folder, with the packages of the extra ``dev``: ``python make.py``.
"""

import csv
import subprocess
from pathlib import Path

import xlsxwriter
import xlwt

UTF_8, WINDOWS = 76, 1
ROWS = (
    ("Email Address", "First Name", "Town"),
    ("asha@example.org", "Asha", "Pune"),
    ("zoe@example.org", "Zo\u00eb", "M\u00fcnchen"),
)
# Filter of "Text - txt - csv": delimiter and quote as numbers, then the encoding (76 UTF-8, 1 Windows-1252,
# 0xFFFF UTF-16, 2 Mac Roman).
TABLES = {
    "comma.csv": "44,34,76",
    "semicolon-windows.csv": "59,34,1",
    "quoted.csv": "44,34,76,1,,0,true",
    "tab-utf-16.csv": "9,34,65535",
    "mac.csv": "44,34,2",
}
KINDS = ("fods", "html", "pdf", "slk", "dif", "xls", "ods", "xlsx", "xml:MS Excel 2003 XML")


def convert(to: str, name: str, read_as: int = UTF_8) -> None:
    """Convert the table, read as of that encoding."""
    read = f"--infilter=CSV:44,34,{read_as},1"
    command = ("soffice", "--headless", read, "--convert-to", to, "--outdir", "out", "people.csv")
    subprocess.run(command, check=True)  # noqa: S603 - of this file
    [made] = Path("out").iterdir()
    made.rename(f"libreoffice.{name}")


def formulas(name: str) -> None:
    """Write the table with a formula, which xlwt does not compute."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("People", cell_overwrite_ok=True)
    for line, row in enumerate(ROWS):
        for place, text in enumerate(row):
            sheet.write(line, place, text)
    sheet.write(1, 2, xlwt.Formula('UPPER("pune")'))
    book.save(name)


def rules(name: str) -> None:
    """Write a workbook with a conditional format that changes what numbers show, and one that does not."""
    with xlsxwriter.Workbook("rules.xlsx") as book:
        sheet = book.add_worksheet("People")
        for line, row in enumerate(ROWS):
            sheet.write_row(line, 0, row)
        sheet.write_column(0, 3, ("ID", 42, 7))
        for place, shown in ((2, {"bold": True}), (3, {"num_format": "00000"})):
            rule = {"type": "cell", "criteria": "!=", "value": 1, "format": book.add_format(shown)}
            sheet.conditional_format(1, place, 9, place, rule)
    command = ("soffice", "--headless", "--convert-to", "ods", "--outdir", "out", "rules.xlsx")
    subprocess.run(command, check=True)  # noqa: S603 - of this file
    Path("out", "rules.ods").rename(name)
    Path("rules.xlsx").unlink()


def main() -> None:
    """Make all."""
    Path("out").mkdir(exist_ok=True)
    with Path("people.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(ROWS)
    for name, options in TABLES.items():
        convert(f"csv:Text - txt - csv (StarCalc):{options}", name)
    convert("csv:Text - txt - csv (StarCalc):44,34,76", "misread.csv", WINDOWS)
    for kind in KINDS:
        convert(kind, "xlml.xml" if ":" in kind else kind)
    rules("libreoffice.rules.ods")
    formulas("xlwt.xls")
    Path("out").rmdir()
    Path("people.csv").unlink()


if __name__ == "__main__":
    main()
