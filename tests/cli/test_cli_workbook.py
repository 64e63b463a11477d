"""Workbooks: what the file alone does not tell is asked for, and what a cell cannot be is refused."""

from contextlib import closing
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest
import xlsxwriter
from openpyxl import Workbook

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.doubts import DoubtError
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import ReadOptions, Source

HEADER = ("Email Address", "First Name", "Note")
PERSON = ("a@x.org", "Asha", "n")
NAME = "p.xlsx"
SHEET = "xl/worksheets/sheet1.xml"


def book(*rows, change=None):
    made = Workbook()
    for row in rows:
        made.active.append(row)
    if change is not None:
        change(made.active)
    made.save(NAME)


def written(*rows, change=None):
    with xlsxwriter.Workbook(NAME) as made:
        sheet = made.add_worksheet()
        for line, row in enumerate(rows):
            sheet.write_row(line, 0, row)
        if change is not None:
            change(made, sheet)


def notes(**options):
    with closing(Source(Path(NAME), ReadOptions(**options))) as source:
        return [
            row.problem if isinstance(row, BadRow) else row.candidate.fields.get("Note")
            for row in source.rows()
        ]


def doubt(**options):
    with pytest.raises(DoubtError) as caught:
        notes(**options)
    return caught.value


def refused(**options):
    with pytest.raises(CommandError) as caught:
        notes(**options)
    return str(caught.value)


def edited(part, *changes):
    with ZipFile(NAME) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for before, after in changes:
        assert before in parts[part]
        parts[part] = parts[part].replace(before, after)
    with ZipFile(NAME, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)


def sheets(**tables):
    made = Workbook()
    made.remove(made.active)
    for title, rows in tables.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return made


def test_several_sheets_with_tables_are_asked_for():
    sheets(One=[HEADER, PERSON], Two=[HEADER, ("b@x.org", "Bo", "m")]).save(NAME)
    asked = doubt()
    assert asked.question == "p.xlsx: 2 sheets have a table: 'One', 'Two'"
    assert [(one.option, one.value) for one in asked.choices] == [
        ("sheet", "One"),
        ("sheet", "Two"),
    ]
    assert asked.choices[1].shown == ("Email Address | First Name | Note", "b@x.org | Bo | m")
    assert notes(sheet="Two") == ["m"]


def test_sheets_that_are_hidden_or_have_no_table_are_no_doubt():
    made = sheets(
        Cover=[("Please fill in the second sheet",), (), ("Thank you",)],
        People=[HEADER, PERSON],
        Empty=[],
        Title=[("Only", "a", "header")],
        Old=[HEADER, ("b@x.org", "Bo", "m")],
    )
    made["Old"].sheet_state = "veryHidden"
    made.save(NAME)
    assert notes() == ["n"]
    assert notes(sheet="Old") == ["m"]


@pytest.mark.parametrize("rows", [[("b@x.org",)], [("x",), ("Bo", "b@x.org")]])
def test_a_sheet_with_one_address_may_be_of_people(rows):
    sheets(One=[HEADER, PERSON], Two=rows).save(NAME)
    assert [one.value for one in doubt().choices] == ["One", "Two"]


def test_a_header_that_cannot_be_used_names_the_sheets():
    sheets(One=[("a", "b"), ("c", "d")], Two=[]).save(NAME)
    assert refused().endswith("sheet 'One' was read; for 'Two' pass --sheet")


def test_rows_that_the_sheet_hides_are_asked_for():
    def hide(sheet):
        sheet.row_dimensions[3].hidden = True
        sheet.row_dimensions[6].hidden = True  # and empty

    book(HEADER, PERSON, ("b@x.org", "Bo", "h"), ("c@x.org", "Cy", "h"), ("d@x.org", "Di", "o"),
         change=hide)  # fmt: skip
    edited(SHEET, (b'<row r="4"', b'<row r="4" ht="0" customHeight="1"'))
    asked = doubt()
    assert asked.question == "p.xlsx: 2 rows are hidden, by a filter or by hand"
    assert [one.flag for one in asked.choices] == ["--hidden-rows skip", "--hidden-rows send"]
    assert asked.choices[1].shown == ("row 3: b@x.org | Bo | h", "row 4: c@x.org | Cy | h")
    assert notes(hidden_rows="skip") == ["n", "o"]
    assert notes(hidden_rows="send") == ["n", "h", "h", "o"]


def test_rows_are_hidden_all_at_once_too():
    written(HEADER, PERSON)
    edited(
        SHEET,
        (b"<sheetFormatPr", b'<sheetFormatPr zeroHeight="1"'),
        (b'<row r="1"', b'<row r="1" hidden="0"'),
    )
    assert "1 row is hidden" in doubt().question
    edited(SHEET, (b'<row r="2"', b'<row r="2" hidden="false"'))
    assert notes() == ["n"]


def test_merged_cells_are_asked_for_with_their_range():
    book(HEADER, PERSON, ("b@x.org", "Bo"), ("c@x.org", "Cy"), ("d@x.org", "Di", "o"),
         change=lambda sheet: sheet.merge_cells("C2:C4"))  # fmt: skip
    asked = doubt()
    assert "cells are merged (C2:C4)" in asked.question
    assert [one.flag for one in asked.choices] == ["--merged-cells fill"]
    assert asked.choices[0].shown == ("C2:C4: 'n' in each row",)
    assert notes(merged_cells="fill") == ["n", "n", "n", "o"]


def test_what_merged_cells_cover_is_not_sent():
    book(HEADER, ("a@x.org", "A"), ("b@x.org", "Bo", "unseen"))
    edited(
        SHEET,
        (b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="C2:C3"/></mergeCells>'),
    )
    assert "cells are merged (C2:C3)" in doubt().question
    assert notes(merged_cells="fill") == [None, None]


def test_of_merged_cells_that_are_broken_no_row_is_sent():
    book(HEADER, ("a@x.org", "A", "#N/A"), ("b@x.org", "Bo"), ("c@x.org", "Cy", "o"),
         change=lambda sheet: sheet.merge_cells("C2:C3"))  # fmt: skip
    assert notes(merged_cells="fill") == [
        "Note (C2): holds an error such as #N/A; mend its formula",
        "the merged cells C2:C3 cannot be read; mend the first one",
        "o",
    ]


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ("B2:C2", "the cells B2:C2 of several columns are merged; unmerge them"),
        ("B1:C1", "the cells B1:C1 of the header are merged"),
        ("C1:C2", "the cells C1:C2 of the header are merged"),
    ],
)
def test_merged_cells_without_a_meaning_are_refused(area, words):
    book(HEADER, PERSON)
    edited(
        SHEET,
        (
            b"</sheetData>",
            f'</sheetData><mergeCells><mergeCell ref="{area}"/></mergeCells>'.encode(),
        ),
    )
    assert words in refused(merged_cells="fill")


@pytest.mark.parametrize("area", ["A7:C9", "D1:F3", "C3:C4", "C2:E2"])
def test_merged_cells_that_say_nothing_are_no_doubt(area):
    book(HEADER, PERSON, ("b@x.org", "Bo"), ("c@x.org", "Cy"))
    edited(
        SHEET,
        (
            b"</sheetData>",
            f'</sheetData><mergeCells><mergeCell ref="{area}"/></mergeCells>'.encode(),
        ),
    )
    assert notes() == ["n", None, None]


def numbers(made, sheet):
    for line, (number, code) in enumerate([(3.14159, "0.00"), (42, "00000"), (0.5, "# ?/?")], 1):
        sheet.write_row(line, 0, ("abc"[line - 1] + "@x.org", "A"))
        sheet.write_number(line, 2, number, made.add_format({"num_format": code}))


def test_numbers_that_the_sheet_does_not_show_whole_are_asked_for():
    written(HEADER, change=numbers)
    asked = doubt()
    assert asked.question == "p.xlsx: 2 cells do not show what is stored (C2)"
    assert [one.flag for one in asked.choices] == ["--numbers shown", "--numbers stored"]
    assert [one.shown for one in asked.choices] == [
        ("C2: 3.14", "C4: ?"), ("C2: 3.14159", "C4: 0.5"),
    ]  # fmt: skip
    assert notes(numbers="stored") == ["3.14159", "00042", "0.5"]
    assert notes(numbers="shown") == [
        "3.14",
        "00042",
        "Note (C4): has a number format of which is not known what it shows; pass --numbers stored",
    ]
    assert notes(drop=["Note"]) == [None, None, None]
    edited(
        SHEET,
        *((f'<row r="{n}"'.encode(), f'<row r="{n}" hidden="1"'.encode()) for n in (2, 4)),
    )
    assert notes(hidden_rows="skip") == ["00042"]


def test_numbers_beyond_15_digits_are_refused_with_the_cell():
    written(HEADER, ("a@x.org", "A", 12345678901234567890), ("b@x.org", "B", 123456789012345))
    first, second = notes()
    assert first.startswith("Note (C2): holds a number of more than 15 digits")
    assert first.endswith("format the cell as text and type it anew")
    assert second == "123456789012345"


def test_columns_that_the_sheet_hides_are_sent_only_if_asked_for():
    book(HEADER, PERSON, change=lambda sheet: setattr(sheet.column_dimensions["C"], "hidden", True))
    assert refused() == (
        "p.xlsx: column 'Note' (C) is hidden in the sheet; "
        'pass --drop "Note" to leave it out, or --map "Note=Note" to send it'
    )
    assert notes(drop=["Note"]) == [None]
    assert notes(mapping=["Note=Note"]) == ["n"]
    book(
        HEADER,
        PERSON[:2],
        change=lambda sheet: setattr(sheet.column_dimensions["C"], "hidden", True),
    )
    assert notes() == [None]


def test_the_header_is_in_the_row_that_is_asked_for():
    book(("List of people",), ("Made by", "HR"), HEADER, PERSON, ("b@x.org", "Bo", "m"))
    assert "row 3 names them: pass --header-row 3; 'Sheet' is the only sheet" in refused()
    assert notes(header_row=3) == ["n", "m"]
    assert "has nothing in row 9" in refused(header_row=9)


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
    ("stored", "text"),
    [("2026-01-31T00:00:00", "2026-01-31"), ("2026-01-31", "2026-01-31"), ("1901-02-28", "1901-02-28"),
     ("x", "Note (C2): is formatted as a date, but holds a number that is none; mend it")],
)  # fmt: skip
def test_strict_open_xml_has_other_names_and_dates(stored, text):
    def style(made, sheet):
        sheet.write_number(1, 2, 1, made.add_format({"num_format": 14}))

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


def test_a_workbook_is_read_once_and_its_rows_are_kept(monkeypatch):
    written(HEADER, *((f"p{n}@x.org", "A", n) for n in range(1, 1_700)))
    with closing(Source(Path(NAME))) as source:
        first = list(source.cells())
        Path(NAME).write_bytes(b"changed")
        one, two = source.cells(), source.cells()
        assert [next(one), next(one), next(two), *one] == [*first[:2], first[0], *first[2:]]
    assert len(first) == 1_699


def test_what_was_read_and_what_was_not_is_found():
    made = sheets(
        People=[("Title",), HEADER, PERSON, ("b@x.org", "B")], Notes=[("x",)], Old=[HEADER]
    )
    made["Old"].sheet_state = "hidden"
    made["People"].row_dimensions[4].hidden = True
    made.save(NAME)
    for option, words in (("skip", "left out"), ("send", "sent as well")):
        with closing(Source(Path(NAME), ReadOptions(header_row=2, hidden_rows=option))) as source:
            list(source.rows())
            assert source.findings.sheet == "People"
            assert source.findings.header_line == 2
            assert source.findings.notes == ["sheet 'Notes' not read", f"1 hidden row {words}"]
