"""Make the files of LibreOffice, with ``soffice`` 7.4, and of xlwt; ``make.cjs`` those of SheetJS and exceljs."""

import csv
import subprocess
from pathlib import Path

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
    import xlwt  # noqa: PLC0415 - not needed for the others

    book = xlwt.Workbook()
    sheet = book.add_sheet("People", cell_overwrite_ok=True)
    for line, row in enumerate(ROWS):
        for place, text in enumerate(row):
            sheet.write(line, place, text)
    sheet.write(1, 2, xlwt.Formula('UPPER("pune")'))
    book.save(name)


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
    formulas("xlwt.xls")
    Path("out").rmdir()
    Path("people.csv").unlink()


if __name__ == "__main__":
    main()
