"""The insides of XLSX: formulas, escapes, dates, and what is damaged."""

from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest
import xlsxwriter
from made_workbooks import HEADER, NAME, PERSON, SHEET, book, doubt, edited, notes, refused, written

from mettl_async.cli.reading.source import Source

EMPTY = (b"<v></v>", b"<v/>", b"<v />")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (b"<f>A1</f>", "holds a formula without its value"),
        *((b"<f>A1</f>" + value, None) for value in EMPTY),
        (b"<f>A1</f><v>7</v>", "7"),
        (b"<f>A1</f><v>0</v>", "holds a formula whose 0 may stand for a value"),
        (b"", None),
    ],
)
def test_formulas_count_by_the_value_that_a_program_has_found(formula, words):
    written(HEADER, ("a@x.org", "A", 77))
    edited(SHEET, (b"<v>77</v>", formula))
    [found] = notes()
    assert found == words or words in found


@pytest.mark.parametrize("value", [b"", *EMPTY])
def test_formulas_of_openpyxl_have_no_values(value):
    book(HEADER, ("a@x.org", "A", "=1+1"))
    # With the parser lxml it writes <v></v>.
    edited(SHEET, (b"<f>1+1</f><v />", b"<f>1+1</f>" + value))
    assert "holds a formula without its value" in notes()[0]


@pytest.mark.parametrize("value", EMPTY)
def test_a_formula_whose_text_is_empty_is_empty(value):
    for write in (book, written):
        write(HEADER, ("a@x.org", "A", 77))
        with ZipFile(NAME) as parts:
            cell = (
                b'<c r="C2" t="n">' if b'<c r="C2" t="n">' in parts.read(SHEET) else b'<c r="C2">'
            )
        edited(SHEET, (cell + b"<v>77</v>", b'<c r="C2" t="str"><f>""</f>' + value))
        assert notes() == [None]
    edited(SHEET, (value, b""))
    assert "holds a formula without its value" in notes()[0]


def test_formulas_of_xlsxwriter_and_pandas_are_refused_if_nobody_has_computed_them():
    written(HEADER, ("a@x.org", "A", "=1+1"))
    assert "whose 0 may stand for a value that was never computed" in notes()[0]


def test_text_has_its_escaped_characters():
    written(HEADER, ("a@x.org", "A", "1_x000D_\r\n2\x0b"))
    assert notes() == ["1_x000D_\r\n2\x0b"]


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("_x0041_", "A"), ("_x005F_x0041_", "_x0041_"), ("_x00e9_", "é"), ("_xZZZZ_", "_xZZZZ_"),
        ("_xD83D__xDE00_", "\N{GRINNING FACE}"), ("_x41_", "_x41_"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("inline", [True, False])
def test_escapes_are_read_as_the_format_has_them(escaped, text, inline):
    if inline:
        book(HEADER, ("a@x.org", "A", "here"))
        edited("xl/sharedStrings.xml" if shared() else SHEET,
               (b"here", escaped.encode()))  # fmt: skip
    else:
        written(HEADER, ("a@x.org", "A", "here"))
        edited("xl/sharedStrings.xml", (b"here", escaped.encode()))
    assert notes() == [text]


def shared():
    with ZipFile(NAME) as parts:
        return "xl/sharedStrings.xml" in parts.namelist()


def test_rich_text_is_whole_without_the_readings_of_words():
    written(HEADER, ("a@x.org", "A", "here"))
    runs = "<r><rPr><b/></rPr><t>東</t></r><r><t xml:space='preserve'>京 </t></r>"
    reading = "<rPh sb='0' eb='2'><t>トウキョウ</t></rPh><phoneticPr fontId='1'/>"
    edited("xl/sharedStrings.xml", (b"<t>here</t>", (runs + reading).encode()))
    assert notes() == ["東京 "]


def test_dates_of_workbooks_that_count_from_1904():
    with xlsxwriter.Workbook(NAME, {"date_1904": True}) as made:
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, PERSON[:2])
        sheet.write_datetime(1, 2, date(2026, 1, 31), made.add_format({"num_format": "d/m/yyyy"}))
    assert notes() == ["2026-01-31"]


@pytest.mark.parametrize(
    ("code", "stored", "text"),
    [
        (14, "2026-01-31T00:00:00.000", "2026-01-31"),
        (14, "2026-01-31", "2026-01-31"),
        (14, "1901-02-28", "1901-02-28"),
        (21, "1899-12-31T09:30:00", "09:30:00"),
        (21, "T09:30:00", "09:30:00"),
        (1, "2026-01-31T09:30:00Z", "2026-01-31T09:30:00"),
        (1, "2026-01-31T00:00:00", "2026-01-31"),
        (14, "x", "Note (C2): is formatted as a date, but holds a number that is none; mend it"),
    ],
)
def test_strict_open_xml_has_other_names_and_dates(code, stored, text):
    def style(made, sheet):
        sheet.write_number(1, 2, 1, made.add_format({"num_format": code}))

    written(HEADER, PERSON, change=style)
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strict = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    office = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    edited(SHEET, (main, strict), (b'<c r="C2" s="1">', b'<c r="C2" s="1" t="d">'),
           (b"<v>1</v></c></row></sheet", b"<v>%s</v></c></row></sheet" % stored.encode()))  # fmt: skip
    edited("xl/sharedStrings.xml", (main, strict))
    edited("xl/styles.xml", (main, strict))
    edited(
        "xl/workbook.xml", (main, strict), (office, b"http://purl.oclc.org/ooxml/officeDocument/r")
    )
    assert notes() == [text]


def test_names_with_a_prefix_and_cells_without_places_are_read():
    written(HEADER, PERSON)
    rows = (
        '<x:row><x:c t="inlineStr"><x:is><x:t>Email Address</x:t></x:is></x:c>'
        '<x:c t="inlineStr"><x:is><x:t>First Name</x:t></x:is></x:c></x:row>'
        '<x:row/><x:row><x:c t="str"><x:v>a@x.org</x:v></x:c><x:c t="b"><x:v>1</x:v></x:c></x:row>'
    )
    sheet = (
        '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"<x:sheetData>{rows}</x:sheetData></x:worksheet>"
    )
    with ZipFile(NAME) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[SHEET] = sheet.encode()
    with ZipFile(NAME, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    [row] = Source(Path(NAME)).rows()
    assert row.line == 3
    assert row.candidate.first_name == "TRUE"


BOMB = b"""<!DOCTYPE x [<!ENTITY a "%s"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>""" % (b"x" * 99)


@pytest.mark.parametrize(
    ("part", "root"),
    [("xl/workbook.xml", b"<workbook"), ("xl/sharedStrings.xml", b"<sst"), ("xl/styles.xml", b"<styleSheet"),
     (SHEET, b"<worksheet"), ("xl/_rels/workbook.xml.rels", b"<Relationships")],
)  # fmt: skip
def test_document_types_and_their_entities_are_refused(part, root):
    written(HEADER, PERSON)
    edited(part, (root, BOMB + root))
    assert "is damaged, or not a workbook" in refused()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'r="C2"', b'r="A2"'), (b'r="C2"', b'r="ZZZZ2"'), (b'r="C2"', b'r="c2"'),
        (b'<row r="2"', b'<row r="1"'), (b'<row r="2"', b'<row r="1048577"'),
        (b"<v>77</v>", b"<v>nan</v>"), (b"<v>77</v>", b"<v>secret</v>"), (b"<v>77</v>", b"<v>"),
        (b'<c r="C2">', b'<c r="C2" t="s">'), (b'<c r="C2">', b'<c r="C2" s="99">'),
        (b'<c r="C2">', b'<c r="C2" s="-1">'), (b'<c r="C2">', b'<c r="C2" t="new">'),
        (b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="secret"/></mergeCells>'),
    ],
)  # fmt: skip
def test_a_broken_sheet_is_told_without_its_words(before, after):
    written(HEADER, ("a@x.org", "A", 77))
    edited(SHEET, (before, after))
    assert refused() == "p.xlsx: is damaged, or not a workbook; open it and save it as .xlsx"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("xl/workbook.bin", "is a binary workbook of Excel's (.xlsb); open it"),
        ("word/document.xml", "is a Word document"),
        ("Index/Document.iwa", "in Numbers, export it as Excel"),
        ("people.csv", "is a zip archive; unpack it"),
    ],
)
def test_what_else_is_zipped_is_told_by_its_nature(part, words):
    with ZipFile(NAME, "w") as made:
        made.writestr(part, b"x")
    assert words in refused()


def test_conditional_formats_are_asked_about_where_they_change_numbers_that_are_sent():
    def rule(place, **format_):
        def change(made, sheet):
            shown = made.add_format(format_)
            bold = {"type": "no_blanks", "format": made.add_format({"bold": True})}
            sheet.conditional_format(1, 0, 9, 9, bold)
            sheet.conditional_format(1, place, 9, place, {"type": "no_blanks", "format": shown})

        return change

    people = [HEADER, ("a@x.org", "Asha", 42)]
    written(*people, change=rule(2, num_format="00000"))
    asked = doubt()
    assert "a conditional format changes what the numbers in C2:C10 show" in asked.question
    assert [one.flag for one in asked.choices] == ["--numbers stored"]
    assert notes(numbers="stored") == ["42"]
    for change in (rule(2, bold=True), rule(5, num_format="00000")):
        written(*people, change=change)
        assert notes() == ["42"]


@pytest.mark.parametrize("encoding", [b"UTF-9", b"shift_jis", b"rot13"])
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml"])
def test_xml_of_an_encoding_that_cannot_be_is_damage(part, encoding):
    written(HEADER, PERSON)
    edited(part, (b'encoding="UTF-8"', b'encoding="%s"' % encoding))
    assert "is damaged, or not a workbook" in refused()
