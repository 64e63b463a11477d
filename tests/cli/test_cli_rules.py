"""Conditional formats that change what numbers show: none of them is passed over, in no format of workbooks."""

import struct
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest
import xlwt
from made_workbooks import HEADER, SHEET, doubt, edited, notes, written

from mettl_async.cli.reading.doubts import DoubtError
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.source import Source

DATA = Path(__file__).parents[1] / "data" / "kinds"
X14 = (
    '<extLst><ext uri="{78C0D931-6437-407d-A8EE-F0AAD7539E65}" xmlns:x14="http://schemas.microsoft.com/office/'
    'spreadsheetml/2009/9/main"><x14:conditionalFormattings><x14:conditionalFormatting '
    'xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"><x14:cfRule type="expression" priority="1" '
    'id="{1}"><xm:f>Sheet2!$A$1=1</xm:f>%s</x14:cfRule><xm:sqref>%s</xm:sqref></x14:conditionalFormatting>'
    "</x14:conditionalFormattings></ext></extLst></worksheet>"
)
ZEROS = '<x14:dxf><numFmt numFmtId="170" formatCode="00000"/></x14:dxf>'
PEOPLE = (HEADER, ("a@x.org", "Asha", 42))


def asks(name, **options):
    """Say what is asked about the file, or nothing where it is read."""
    with closing(Source(Path(name), ReadOptions(**options))) as source:
        try:
            list(source.rows())
        except DoubtError as error:
            return error.question.partition(": ")[2]
    return None


def words(area):
    return f"a conditional format changes what the numbers in {area} show"


@pytest.mark.parametrize(
    ("rule", "cells", "area"),
    [
        (ZEROS, "C2:C9", "C2:C9"),
        (ZEROS, "F2:F9 C2", "C2:C2"),
        ('<x14:iconSet showValue="0"/>', "C2:C9", "C2:C9"),
        (ZEROS, "F2:F9", None),
        ("<x14:dxf><font><b/></font></x14:dxf>", "C2:C9", None),
        ("<x14:iconSet/>", "C2:C9", None),
        (ZEROS.replace("00000", "General"), "C2:C9", None),
    ],
)
def test_rules_of_excel_since_2010_are_seen(rule, cells, area):
    written(*PEOPLE)
    edited(SHEET, (b"</worksheet>", (X14 % (rule, cells)).encode()))
    if area is None:
        assert notes() == ["42"]
    else:
        assert words(area) in doubt().question
        assert notes(numbers="stored") == ["42"]


@pytest.mark.parametrize("kind", ["icon_set", "data_bar"])
def test_pictures_in_the_place_of_a_number_are_asked_about(kind):
    only = {
        "icon_set": {"icons_only": True, "icon_style": "3_arrows"},
        "data_bar": {"bar_only": True},
    }
    for more in (only[kind], {one: only[kind][one] for one in only[kind] if one == "icon_style"}):
        written(
            *PEOPLE,
            change=lambda _, sheet, more=more: sheet.conditional_format(
                1, 2, 9, 2, {"type": kind, **more}
            ),
        )
        if any(one.endswith("only") for one in more):
            assert words("C2:C10") in doubt().question
        else:
            assert notes() == ["42"]


def test_those_of_libreoffice_are_asked_about():
    name = DATA / "libreoffice.rules.ods"
    assert asks(name) == words("D2:D3")
    assert asks(name, numbers="stored") is None
    assert asks(name, drop=("ID",)) is None


def ods(*changes):
    """Edit the file of LibreOffice."""
    with ZipFile(DATA / "libreoffice.rules.ods") as old, ZipFile("p.ods", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "content.xml":
                for before, after in changes:
                    assert before in text, before
                    text = text.replace(before, after)
            new.writestr(name, text)
    return asks("p.ods")


def test_a_rule_that_gives_the_same_format_changes_nothing():
    same = b'style:parent-style-name="Default" style:data-style-name="N144"><style:map'
    assert ods((b'style:parent-style-name="Default"><style:map', same)) is None


def test_the_style_of_a_column_or_a_row_counts_where_cells_have_none():
    own = b'<table:table-cell table:style-name="ce2" office:value-type="float"'
    bare = b'<table:table-cell office:value-type="float"'
    assert ods((own, bare)) is None
    column = b'table:default-cell-style-name="Default"'
    assert ods((own, bare), (column, column.replace(b"Default", b"ce2"))) == words("D2:D3")
    row = b'<table:table-row table:style-name="ro1"'
    assert ods((own, bare), (row, row + b' table:default-cell-style-name="ce2"')) == words("D2:D3")


def test_pictures_of_ods_are_seen_whatever_the_sheet_is_called():
    rule = b'<calcext:icon-set calcext:show-value="false"/></calcext:conditional-format>'
    end, cells = b"</calcext:conditional-format>", b"People.D2:People.D10"
    quiet = (b"style:map", b"style:nothing")
    assert ods(quiet) is None
    for named in (cells, b"$'A.B1 o''x'.$D$2:$'A.B1 o''x'.$D$10"):
        assert ods(quiet, (cells, named), (end, rule)) in {words("D2:D10"), words("C2:C10")}


def xls(*records):
    """Write a workbook of xlwt with more records at the end of its sheet."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("People")
    for line, row in enumerate(PEOPLE):
        for place, value in enumerate(row):
            sheet.write(line, place, value)
    data, end = sheet.get_biff_data(), struct.pack("<HH", 0x0A, 0)
    assert data.endswith(end)
    more = b"".join(struct.pack("<HH", kind, len(content)) + content for kind, content in records)
    sheet.get_biff_data = lambda: data[: -len(end)] + more + end
    book.save("p.xls")
    return asks("p.xls")


NUMBERS = struct.pack("<IH", 1 << 25, 0) + b"\0\xaa"
PATTERNS = struct.pack("<IH", 1 << 29, 0) + b"\0\0"
BOUNDS = struct.pack("<4H", 1, 8, 2, 2)
COND_FMT = 0x01B0, struct.pack("<HH", 1, 0) + BOUNDS + struct.pack("<H", 1) + BOUNDS
COND_FMT_12 = 0x0879, struct.pack("<HH", 0x0879, 1) + BOUNDS + COND_FMT[1]


def cf(format_):
    return 0x01B1, struct.pack("<BBHH", 2, 0, 0, 0) + format_


def cf_12(format_):
    head = struct.pack("<HH", 0x087A, 0) + bytes(8) + struct.pack("<BBHH", 2, 0, 0, 0)
    return 0x087A, head + struct.pack("<I", len(format_)) + format_ + bytes(20)


def cf_ex(format_):
    head = struct.pack("<HH", 0x087B, 1) + BOUNDS + struct.pack("<IH", 0, 0)
    rule = struct.pack("<HBBHBB", 0, 0, 0, 1, 1, bool(format_))
    return 0x087B, head + rule + struct.pack("<I", len(format_)) + format_


def test_those_of_xls_are_asked_about():
    for records in (
        (COND_FMT, cf(NUMBERS)),
        (COND_FMT_12, cf_12(NUMBERS)),
        (COND_FMT, cf(PATTERNS), cf_ex(NUMBERS)),
    ):
        assert xls(*records) == words("C2:C9")
    for records in (
        (),
        (COND_FMT, cf(PATTERNS)),
        (COND_FMT_12, cf_12(PATTERNS)),
        (COND_FMT_12, cf_12(b"")),
        (COND_FMT, cf(PATTERNS), cf_ex(PATTERNS)),
        (COND_FMT, cf(PATTERNS), cf_ex(b"")),
        (COND_FMT, (0x01B1, b"\0\0")),
    ):
        assert xls(*records) is None
