"""Workbooks of real programs and formats; ``tests/data/workbooks/make.py`` and ``make.cjs`` have made them."""

import sys
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.doubts import DoubtError
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import ReadOptions, Source
from mettl_async.cli.reading.workbooks.books import open_book
from mettl_async.cli.reading.workbooks.cell import Broken, Unsure
from mettl_async.cli.reading.workbooks.ods_cells import cell_of
from mettl_async.cli.reading.workbooks.sheet import Area, SheetName

DATA = Path(__file__).parents[1] / "data" / "workbooks"
MOMENT, DAY = "2026-01-31T09:30:00", "2026-01-31"
FULL = [
    ["a@x.org", "Åsa", "00042", MOMENT, "", "IIT Pune", "r", "hidden"],
    ["b@x.org", "Bo", "EMP-00042", DAY, "2"],
    ["c@x.org", " C  y ", "919845000001", MOMENT, "error"],
    ["d@x.org", "Di\tx", "1,234.50", DAY, "TRUE"],
    ["e@x.org", "E\nf", "75%", MOMENT, "09:30:00"],
    ["f@x.org", "F", "1.5", DAY, "30:00:00"],
    ["g@x.org", "G", "3.14 or 3.14159", MOMENT, "Jan-26 or 2026-01-01"],
    ["h@x.org", "H", "-5", DAY, "xy"],
    ["i@x.org", "I", "digits", MOMENT],
]
FEWER = [
    ["a@x.org", "Åsa", "00042", MOMENT],
    ["b@x.org", "Bo", "EMP-00042", MOMENT, "2"],
    ["c@x.org", " C  y ", "919845000001", MOMENT, "xy"],
    ["d@x.org", "Di\tx", "1,234.50", MOMENT, "TRUE"],
    ["e@x.org", "E\nf", "75%", MOMENT, "text"],
]


def plain(cell):
    if isinstance(cell, Unsure):
        return f"{cell.shown} or {cell.stored}"
    if isinstance(cell, Broken):
        return "digits" if "15 digits" in cell.problem else "error" if cell.text else "0"
    return cell


def content(name):
    with (DATA / name).open("rb") as file, closing(open_book(name, file)) as book:
        read = book.read(0)
        rows = [(row.line, row.hidden, [plain(cell) for cell in row.cells]) for row in read.rows]
        for _, _, cells in rows:
            while cells and not cells[-1]:
                cells.pop()
        return book.sheets, rows, read


@pytest.mark.parametrize(
    "name", ["full.xlsx", *(f"libreoffice.{one}" for one in ("xlsx", "xls", "ods"))]
)
def test_one_workbook_in_each_format_of_libreoffice_is_the_same(name):
    sheets, rows, read = content(name)
    assert sheets == [SheetName("People", visible=True), SheetName("Old", visible=False)]
    expected = [list(row) for row in FULL]
    if name == "libreoffice.xls":
        expected[7][4] = "0"  # not computed when LibreOffice wrote it
    assert [cells for _, _, cells in rows[1:]] == expected
    assert [line for line, hidden, _ in rows if hidden] == [6]
    assert [line for line, _, _ in rows] == list(range(1, 11))
    assert read.merged == [Area(2, 5, 4, 5)]
    assert read.hidden == [range(7, 8)]


@pytest.mark.parametrize("name", ["exceljs.xlsx", "sheetjs.xlsx", "sheetjs.xls"])
def test_workbooks_of_javascript_are_read(name):
    sheets, rows, _ = content(name)
    assert [one.visible for one in sheets] == [True, False]
    assert [cells for _, _, cells in rows[1:]] == FEWER


def test_an_ods_without_formats_is_read():
    _, rows, _ = content("sheetjs.ods")
    assert [cells[2] for _, _, cells in rows[1:]] == ["42", "42", "919845000001", "1234.5", "0.75"]


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_each_format_is_asked_about_and_read_by_its_options(kind):
    source = Source(DATA / f"libreoffice.{kind}", ReadOptions(drop=["Secret", "Joined"]))
    with pytest.raises(DoubtError, match="1 row is hidden"):
        list(source.rows())
    options = {
        "drop": ["Secret"],
        "hidden_rows": "skip",
        "merged_cells": "fill",
        "numbers": "stored",
    }
    with closing(Source(DATA / f"libreoffice.{kind}", ReadOptions(**options))) as source:
        rows = [row for row in source.rows() if not isinstance(row, BadRow)]
        assert source.unit == "row"
    assert [row.candidate.fields.get("College") for row in rows[:2]] == ["IIT Pune", "IIT Pune"]
    assert [row.candidate.fields["ID"] for row in rows if row.line in (2, 8)] == [
        "00042",
        "3.14159",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("password.xlsx", "has a password; save it without one"),
        ("sheetjs.xlsb", "is a binary workbook of Excel's (.xlsb); open it"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_nature(name, words):
    with pytest.raises(CommandError) as caught:
        list(Source(DATA / name).rows())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("part", "content", "words"),
    [
        ("META-INF/manifest.xml", b"<manifest:encryption-data/>", "has a password"),
        ("mimetype", b"application/vnd.oasis.opendocument.text", "without sheets"),
        ("content.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "is damaged"),
        ("content.xml", None, "is damaged"),
    ],
)
def test_other_open_documents_are_told(part, content, words):
    with ZipFile(DATA / "libreoffice.ods") as old, ZipFile("p.ods", "w") as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
            elif content is not None:
                new.writestr(name, content)
        new.writestr("xl/x", b"")
    with pytest.raises(CommandError) as caught:
        list(Source(Path("p.ods")).rows())
    assert words in str(caught.value)


def test_without_the_extra_for_xls_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "xlrd", None)
    with pytest.raises(CommandError) as caught:
        list(Source(DATA / "libreoffice.xls").rows())
    assert 'save it as .xlsx, or pip install "mettl-async[xlsx]"' in str(caught.value)


@pytest.mark.parametrize("engine", ["openpyxl", "xlsxwriter", "odf"])
def test_workbooks_of_pandas_are_read(engine):
    name = "p.ods" if engine == "odf" else "p.xlsx"
    frame = pd.DataFrame(
        {
            "Email Address": ["a@x.org", "b@x.org"],
            "First Name": ["Åsa", "Bo"],
            "ID": ["007", None],
            "Count": [7, 8],
            "Share": [0.5, float("nan")],
            "Day": pd.to_datetime(["2026-01-31 00:00", "2026-02-01 09:30"]),
        }
    )
    frame.to_excel(name, index=False, engine=engine)
    first, second = Source(Path(name)).rows()
    assert first.candidate.fields == {
        "ID": "007",
        "Count": "7",
        "Share": "0.5",
        "Day": "2026-01-31",
    }
    assert second.candidate.fields == {"Count": "8", "Day": "2026-02-01T09:30:00"}


@pytest.mark.parametrize("name", ["full.xlsx", "libreoffice.xls", "libreoffice.ods"])
def test_damaged_workbooks_are_told_in_our_words(name):
    whole = (DATA / name).read_bytes()
    told = set()
    for place in range(8, len(whole), max(1, len(whole) // 60)):
        for broken in (whole[:place], whole[:place] + b"\xff" * 8 + whole[place + 8 :]):
            Path(name).write_bytes(broken)
            try:
                list(Source(Path(name), ReadOptions(drop=["Secret"])).cells())
            except CommandError as error:
                told.add(str(error).split("\n", maxsplit=1)[0])
    assert f"{name}: is damaged, or not a workbook; open it and save it as .xlsx" in told
    assert (
        f"{name}: 1 row is hidden, by a filter or by hand; nothing was sent. Pass one of:" in told
    )


@pytest.mark.parametrize(
    ("stored", "shown", "text"),
    [
        ("PT09H29M59.999999S", "09:30:00", "09:30:00"),
        ("PT09H30M59.7S", "09:31", "09:31:00"),
        ("PT09H30M59.7S", None, "09:31:00"),
        ("PT09H30M59.25S", "09:30:59.25", "09:30:59.250"),
        ("PT09H30M59,25S", "09:30:59,25", "09:30:59.250"),
        ("PT29H59M59.9999S", "30:00:00", "30:00:00"),
        ("PT09H30M00S", "9:30 AM", "09:30:00"),
    ],
)
def test_times_of_ods_are_rounded_as_those_of_xlsx(stored, shown, text):
    office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    given = {f"{office} value-type": "time", f"{office} time-value": stored}
    assert cell_of(given, shown) == text
