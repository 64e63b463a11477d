"""Any table of text that programs write as a workbook is read letter for letter, or refused."""

import io
import shutil
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P
from openpyxl import Workbook
from openpyxl.utils.escape import unescape

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import Source
from mettl_async.cli.reading.workbooks.books import open_book

HEADER = ("Email Address", "First Name", "Note")
# All that XML 1.0 can have; the rest is what the format escapes.
PLAIN = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
ODD = st.sampled_from(
    ["_x000D_", "_x0041_", "_x005F_", "_", "\n", "\t", "  ", "=1+1", "'", '"', "&amp;", "<v>", "]]>", "00042",
     "#N/A", "TRUE", "1e5", "2026-01-31", "é", "e\u0301", "\u202e", "\ufeff", "\u00a0", "\N{GRINNING FACE}"]
)  # fmt: skip
CONTROLS = st.sampled_from(["\r", "\x0b", "\x00", "\x1f", "\r\n", "\x7f", "\x85"])
TEXT = st.lists(st.one_of(ODD, st.text(PLAIN, max_size=8)), max_size=4).map("".join)
ANY_TEXT = st.lists(st.one_of(ODD, CONTROLS, st.text(PLAIN, max_size=8)), max_size=4).map("".join)


def tables(texts):
    return st.lists(st.tuples(texts, texts), min_size=1, max_size=4)


def openpyxl_file(path, rows):
    book = Workbook()
    for line, row in enumerate(rows, 1):
        for place, text in enumerate(row, 1):
            cell = book.active.cell(line, place)
            cell.value, cell.data_type = text, "s"
    book.save(path)


def xlsxwriter_file(path, rows):
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for line, row in enumerate(rows):
            for place, text in enumerate(row):
                sheet.write_string(line, place, text)


def odfpy_file(path, rows):
    document = OpenDocumentSpreadsheet()
    table = Table(name="People")
    document.spreadsheet.addElement(table)
    for row in rows:
        line = TableRow()
        table.addElement(line)
        for text in row:
            cell = TableCell(valuetype="string", stringvalue=text)
            line.addElement(cell)
            for part in text.split("\n"):
                cell.addElement(P(text=part))
    document.save(path)


def check(write, name, table, expected):
    rows = [(f"p{n}@x.org", *texts) for n, texts in enumerate(table)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path, [HEADER, *rows])
        with closing(Source(path)) as source:
            cells, read = list(source.cells()), list(source.rows())
    for line, (wanted, there, row) in enumerate(zip(rows, cells, read, strict=True), 2):
        assert row.line == there.line == line
        email, first_name, note = (expected(text) for text in wanted)
        own = there.own
        assert own["Email Address"] == email
        assert own["First Name"] == first_name or not first_name.strip()
        assert own["Note"] == note or not note.strip()
        if not isinstance(row, BadRow):
            assert row.candidate.email == email
            assert row.candidate.first_name == first_name
            assert row.candidate.fields.get("Note") == (note if note.strip() else None)


@given(tables(TEXT))
def test_text_of_openpyxl_is_read_as_excel_reads_it(table):
    check(openpyxl_file, "p.xlsx", table, unescape)  # which openpyxl does not escape


@given(tables(ANY_TEXT))
def test_text_of_xlsxwriter_is_read_letter_for_letter(table):
    check(xlsxwriter_file, "p.xlsx", table, str)


SIMPLE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Cn", "Co"]), max_size=8)


@given(tables(SIMPLE))
def test_text_of_odfpy_is_read_letter_for_letter(table):
    check(odfpy_file, "p.ods", table, str)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_text_that_libreoffice_converts_is_the_same_in_each_format(kind, tmp_path):
    letters = [f"{before}{odd}{after}" for before in ("", "a ") for after in ("", " b")
               for odd in ("_x0041_", "  ", "é", "e\u0301", "\N{GRINNING FACE}", "<v>", "&amp;", "00042", "\t",
                           "\n", "\u202e", "\u00a0", "'", '"', "=1", "#N/A")]  # fmt: skip
    rows = [HEADER, *((f"p{n}@x.org", "A", text) for n, text in enumerate(letters))]
    xlsxwriter_file(tmp_path / "p.xlsx", rows)
    subprocess.run(  # noqa: S603 - of this test
        ["soffice", f"-env:UserInstallation={(tmp_path / 'home').as_uri()}", "--headless",  # noqa: S607
         "--convert-to", kind, "--outdir", tmp_path / "out", tmp_path / "p.xlsx"],
        check=True, capture_output=True, timeout=50,
    )  # fmt: skip
    with closing(Source(tmp_path / "out" / f"p.{kind}")) as source:
        notes = [row.own["Note"] for row in source.cells()]
    assert notes == [text if text.strip() else "" for text in letters]


@given(st.binary(max_size=300))
@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_bytes_that_are_no_workbook_are_told(start, content):
    with pytest.raises(CommandError):
        open_book("p.xlsx", io.BytesIO(start + content))
