"""Kinds of files that are workbooks, and of those that are neither workbooks nor text of rows."""

import gzip
import lzma
import sqlite3
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import xlsxwriter
from kinds import HEADER, ROWS, TABLE, TEXT, Kind, content, data, kept, refused
from kinds import asked as asked_for
from openpyxl import Workbook

ASHA, ZOE = ROWS
BOOK = "people.xlsx"
EXCEL = "Excel (as it writes)"
OPEN = "open it in a spreadsheet, and save it as XLSX"
EXPORT = "export the table as CSV UTF-8 or XLSX"


def by_openpyxl(*more, change=None):
    """Write the people, and more rows."""

    def make(name):
        book = Workbook()
        for row in (*TABLE, *more):
            book.active.append(row)
        if change is not None:
            change(book)
        book.save(name)

    return make


def by_xlsxwriter(change=None):
    def make(name):
        with xlsxwriter.Workbook(name) as book:
            sheet = book.add_worksheet("People")
            for line, row in enumerate(TABLE):
                sheet.write_row(line, 0, row)
            if change is not None:
                change(book, sheet)

    return make


def cell(value, number_format=None):
    """Have this in the column D, named ID, of the first person."""

    def change(book, sheet):
        shown = book.add_format({"num_format": number_format}) if number_format else None
        sheet.write(0, 3, "ID")
        sheet.write(1, 3, value, shown)

    return by_xlsxwriter(change)


def ruled(book, sheet, number_format="00000"):
    sheet.write(0, 3, "ID")
    sheet.write(1, 3, 42)
    shown = book.add_format({"num_format": number_format, "bold": True})
    rule = {"type": "cell", "criteria": ">", "value": 1, "format": shown}
    sheet.conditional_format(1, 3, 9, 3, rule)


def formula(text, value):
    def change(_, sheet):
        sheet.write(0, 3, "ID")
        sheet.write_formula(1, 3, text, None, value)

    return by_xlsxwriter(change)


def by_pandas(name):
    import pandas as pd  # noqa: PLC0415

    pd.DataFrame(TABLE[1:], columns=HEADER).to_excel(name, index=False)


def strict(name):
    """Have the names of Strict Open XML, which Excel alone writes."""
    by_xlsxwriter()(name)
    old, new = (b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                b"http://purl.oclc.org/ooxml/spreadsheetml/main")  # fmt: skip
    with ZipFile(name) as book:
        parts = {part: book.read(part) for part in book.namelist()}
    with ZipFile(name, "w") as book:
        for part, whole in parts.items():
            book.writestr(part, whole.replace(old, new))


def second_sheet(book):
    book.active.title = "Batch 1"
    sheet = book.create_sheet("Batch 2")
    sheet.append(HEADER)
    sheet.append(("li@example.org", "Li", "Pune"))


def hidden_sheet(book):
    second_sheet(book)
    book["Batch 2"].sheet_state = "hidden"


def filtered(book):
    book.active.auto_filter.ref = "A1:C3"
    book.active.row_dimensions[3].hidden = True


def merged(book):
    book.active["C2"] = "Pune"
    book.active.merge_cells("C2:C3")


def cut_off(name):
    by_openpyxl()(name)
    Path(name).write_bytes(Path(name).read_bytes()[:-900])


def zipped(part, whole=TEXT):
    def make(name):
        with ZipFile(name, "w") as archive:
            archive.writestr(part, whole)

    return make


def database(name):
    with closing(sqlite3.connect(name)) as made:
        made.execute("create table people (email, name)")
        made.commit()


def with_id(text):
    return ((*ASHA, text), ZOE)


WORKBOOKS = (
    Kind(name="XLSX", by="openpyxl", make=by_openpyxl(), file=BOOK),
    Kind(name="XLSX", by="xlsxwriter", make=by_xlsxwriter(), file=BOOK),
    Kind(name="XLSX", by="pandas", make=by_pandas, file=BOOK),
    kept("XLSX", "exceljs", "exceljs.xlsx", BOOK),
    kept("XLSX", "SheetJS", "sheetjs.xlsx", BOOK),
    kept("XLSX", "LibreOffice", "libreoffice.xlsx", BOOK),
    kept("XLSX with macros (.xlsm)", "SheetJS", "sheetjs.xlsm", "people.xlsm"),
    Kind(name="Strict Open XML", by=EXCEL, make=strict, file=BOOK),
    kept("XLS of Excel 97", "LibreOffice", "libreoffice.xls", "people.xls"),
    kept("XLS of Excel 97", "SheetJS", "sheetjs.xls", "people.xls"),
    kept("XLS of Excel 95", "SheetJS", "sheetjs.biff5.xls", "people.xls",
         people=(ASHA, ("zoe@example.org", "Zoe", "Delhi"))),
    kept("ODS", "LibreOffice", "libreoffice.ods", "people.ods"),
    kept("ODS", "SheetJS", "sheetjs.ods", "people.ods"),
    Kind(name="ODS", by="pandas", make=by_pandas, file="people.ods"),
    Kind(name="XLSX named .csv", by="openpyxl", make=lambda name: (by_openpyxl()(BOOK), Path(BOOK).rename(name))),
    Kind(name="A second sheet that is hidden", by="openpyxl", make=by_openpyxl(change=hidden_sheet), file=BOOK),
    Kind(name="Numbers shown with zeros", by="xlsxwriter", make=cell(42, "00000"), file=BOOK, people=with_id("00042")),
    Kind(name="Numbers shown with letters", by="xlsxwriter", make=cell(42, '"EMP-"00000'), file=BOOK,
         people=with_id("EMP-00042")),
    Kind(name="Dates", by="xlsxwriter", make=cell(46053, "d. mmmm yyyy"), file=BOOK, people=with_id("2026-01-31")),
    Kind(name="A formula whose result is an empty text", by="xlsxwriter", make=formula('=IF(1=1,"","x")', ""), file=BOOK),
    Kind(name="A formula with its result", by="xlsxwriter", make=formula('="x"&"y"', "xy"), file=BOOK,
         people=with_id("xy")),
    asked_for("Several sheets with a table", "openpyxl", by_openpyxl(change=second_sheet), "--sheet", "Batch 2",
              file=BOOK, people=(("li@example.org", "Li", "Pune"),)),
    asked_for("Rows that a filter hides", "openpyxl", by_openpyxl(change=filtered), "--hidden-rows", "skip",
              file=BOOK, people=(ASHA,)),
    asked_for("Merged cells", "openpyxl", by_openpyxl(change=merged), "--merged-cells", "fill", file=BOOK,
              people=(ASHA, (*ZOE[:2], "Pune"))),
    asked_for("A number that is shown shorter than it is", "xlsxwriter", cell(3.14159, "0.00"), "--numbers", "stored",
              file=BOOK, people=with_id("3.14159")),
    asked_for("A conditional format that changes what numbers show", "xlsxwriter", by_xlsxwriter(ruled), "--numbers", "stored",
              file=BOOK, people=with_id("42")),
    asked_for("A conditional format of ODS that does", "LibreOffice", data("kinds/libreoffice.rules.ods"), "--numbers",
              "stored", file="people.ods", people=((*ASHA, "42"), (*ZOE, "7"))),
    refused("A hidden column", "xlsxwriter", by_xlsxwriter(lambda _, sheet: sheet.set_column(2, 2, None, None, {"hidden": True})),
            "", file=BOOK, answer=("--map", "Town=Town"), people=ROWS),
    refused("A hidden column that is recognised", "xlsxwriter",
            by_xlsxwriter(lambda _, sheet: sheet.set_column(1, 1, None, None, {"hidden": True})),
            "", file=BOOK, answer=("--map", "First Name=First Name"), people=ROWS),
    refused("Cells of several columns that are merged", "openpyxl",
            by_openpyxl(change=lambda book: book.active.merge_cells("B3:C3")), "unmerge them", file=BOOK),
    refused("A number of more than 15 digits", "xlsxwriter", cell(12345678901234567890, "0"),
            "format the column as text, and type the numbers anew", file=BOOK),
    refused("A line break of Excel's in a name (`_x000D_`)", "xlsxwriter",
            by_xlsxwriter(lambda _, sheet: sheet.write(1, 1, "Asha\r\nRao")), "write the name on one line", file=BOOK),
    refused("A formula that was never computed", "openpyxl",
            by_openpyxl(("li@example.org", '=PROPER("li")', "Pune")), "open it in a spreadsheet, and save it", file=BOOK),
    refused("XLS with formulas that were never computed", "xlwt", data("kinds/xlwt.xls"),
            "open it in a spreadsheet, and save it as XLSX", file="people.xls"),
    refused("A formula with an error", "xlsxwriter", formula("=1/0", "#DIV/0!"), "correct the formula", file=BOOK),
    refused("A workbook with a password", EXCEL, data("workbooks/password.xlsx"), "save it without one", file=BOOK),
    refused("A workbook without people", "openpyxl", lambda name: Workbook().save(name), "give the right file", file=BOOK),
    refused("A workbook that was cut off", "openpyxl", cut_off, "get the file again", file=BOOK),
)  # fmt: skip

OTHERS = (
    refused("XLSB", "SheetJS", data("kinds/sheetjs.xlsb"), OPEN, file="people.xlsb"),
    refused("A web page named .xls", "SheetJS", data("kinds/sheetjs.html.xls"), OPEN, file="people.xls"),
    refused("A web page", "LibreOffice", data("kinds/libreoffice.html"), OPEN, file="people.html"),
    refused("A workbook of Excel 2003 (XML)", "LibreOffice", data("kinds/libreoffice.xlml.xml"), OPEN, file="people.xml"),
    refused("The same, named .xls", "SheetJS", data("kinds/sheetjs.xlml.xls"), OPEN, file="people.xls"),
    refused("XLS of Excel 2", "SheetJS", data("kinds/sheetjs.biff2.xls"), OPEN, file="people.xls"),
    refused("A flat OpenDocument sheet (.fods)", "LibreOffice", data("kinds/libreoffice.fods"), OPEN, file="people.fods"),
    refused("SYLK", "LibreOffice", data("kinds/libreoffice.slk"), OPEN, file="people.slk"),
    refused("DIF", "LibreOffice", data("kinds/libreoffice.dif"), OPEN, file="people.dif"),
    refused("dBase", "SheetJS", data("kinds/sheetjs.dbf"), OPEN, file="people.dbf"),
    refused("Lotus 1-2-3", "SheetJS", data("kinds/sheetjs.wk3"), OPEN, file="people.wk3"),
    refused("PDF", "LibreOffice", data("kinds/libreoffice.pdf"), EXPORT, file="people.pdf"),
    refused("RTF", "SheetJS", data("kinds/sheetjs.rtf"), EXPORT, file="people.rtf"),
    refused("A Word document", "Word (as it writes)", zipped("word/document.xml", "<w/>"), EXPORT, file="people.docx"),
    refused("A Numbers document", "Numbers (as it writes)", zipped("Index/Document.iwa", "x"), EXPORT,
            file="people.numbers"),
    refused("A Numbers document that is a folder", "Numbers (as it writes)", lambda name: Path(name).mkdir(), EXPORT,
            file="people.numbers"),
    refused("gzip", "Python's gzip", content(gzip.compress(TEXT.encode(), mtime=0)), "unpack it", file="people.csv.gz"),
    refused("xz", "Python's lzma", content(lzma.compress(TEXT.encode())), "unpack it", file="people.csv.xz"),
    refused("A zip archive", "Python's zipfile", zipped("people.csv"), "unpack it", file="people.zip"),
    refused("A database", "SQLite", database, EXPORT, file="people.db"),
    refused("A picture", "a phone (as it writes)", content(b"\x89PNG\r\n\x1a\n"), EXPORT, file="people.png"),
    refused("Contacts (vCard)", "Outlook (as it writes)", content("BEGIN:VCARD\r\nFN:Asha\r\nEND:VCARD\r\n"), EXPORT,
            file="people.vcf"),
    refused("The mark of an open file", EXCEL, content(b"\5Asha "), "give the file without `~$`", file="~$people.xlsx"),
    refused("A pointer of Git LFS", "Git LFS (as it writes)",
            content("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"), "fetch the file"),
)  # fmt: skip
