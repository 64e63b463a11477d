"""Make the workbooks of LibreOffice, and one with a password; ``make.cjs`` makes those of exceljs and SheetJS.

Run it in this folder: ``pip install xlsxwriter msoffcrypto-tool && python make.py``, with ``soffice`` 7.4.
"""

import subprocess
from datetime import date, datetime, time
from pathlib import Path

import msoffcrypto.format.ooxml
import xlsxwriter

HEADER = (
    "Email Address", "First Name", "ID", "Joined", "Score", "College", "Remark", "Secret",
)  # fmt: skip
JOINED = datetime(2026, 1, 31, 9, 30)  # noqa: DTZ001 - sheets know no zones
ROWS = (
    ("a@x.org", "Åsa", 42, "00000"),
    ("b@x.org", "Bo", 42, '"EMP-"00000'),
    ("c@x.org", " C  y ", 919845000001, "0"),
    ("d@x.org", "Di\tx", 1234.5, "#,##0.00"),
    ("e@x.org", "E\nf", 0.75, "0%"),
    ("f@x.org", "F", 1.5, "General"),
    ("g@x.org", "G", 3.14159, "0.00"),
    ("h@x.org", "H", -5, "0"),
    ("i@x.org", "I", 12345678901234567890, "0"),
)


def full() -> None:
    """Write one of each kind of cell, a hidden row, a hidden column, merged cells, a hidden sheet."""
    with xlsxwriter.Workbook("full.xlsx") as book:
        people, old = book.add_worksheet("People"), book.add_worksheet("Old")
        old.hide()
        old.write_row(0, 0, HEADER[:2])
        people.write_row(0, 0, HEADER)
        shown = {code: book.add_format({"num_format": code}) for code in
                 (*(row[3] for row in ROWS), "dd/mm/yyyy hh:mm", "d. mmmm yyyy", "h:mm", "[h]:mm:ss",
                  "mmm-yy")}  # fmt: skip
        for line, (email, name, number, code) in enumerate(ROWS, 1):
            people.write_row(line, 0, (email, name))
            people.write_number(line, 2, number, shown[code])
            if line % 2:
                people.write_datetime(line, 3, JOINED, shown["dd/mm/yyyy hh:mm"])
            else:
                people.write_datetime(line, 3, date(2026, 1, 31), shown["d. mmmm yyyy"])
        people.write_formula(1, 4, '=IF(1=1,"","x")', None, "")
        people.write_formula(2, 4, "=1+1", None, 2)
        people.write_formula(3, 4, "=1/0", None, "#DIV/0!")
        people.write_boolean(4, 4, True)  # noqa: FBT003 - the value of the cell
        people.write_datetime(5, 4, time(9, 30), shown["h:mm"])
        people.write_number(6, 4, 1.25, shown["[h]:mm:ss"])
        people.write_datetime(7, 4, date(2026, 1, 1), shown["mmm-yy"])
        people.write_formula(8, 4, '="x"&"y"', None, "xy")
        people.merge_range(1, 5, 3, 5, "IIT Pune")
        people.set_row(5, None, None, {"hidden": True})
        people.set_column(7, 7, None, None, {"hidden": True})
        people.write_row(1, 6, ("r", "hidden"))
        people.write_comment(1, 6, "a note")


def main() -> None:
    """Make all."""
    full()
    Path("out").mkdir(exist_ok=True)
    for kind in ("xlsx", "xls", "ods"):
        command = ("soffice", "--headless", "--convert-to", kind, "--outdir", "out", "full.xlsx")
        subprocess.run(command, check=True)  # noqa: S603 - of this file
        Path("out", f"full.{kind}").rename(f"libreoffice.{kind}")
    Path("out").rmdir()
    with Path("full.xlsx").open("rb") as plain, Path("password.xlsx").open("wb") as locked:
        msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt("secret", locked)


if __name__ == "__main__":
    main()
