"""Workbooks: what the file alone does not tell is asked for, and what a cell cannot be is refused."""

from contextlib import closing
from pathlib import Path

import pytest
from made_workbooks import (
    HEADER,
    NAME,
    PERSON,
    SHEET,
    book,
    doubt,
    edited,
    notes,
    refused,
    sheets,
    written,
)

from mettl_async.cli.reading.source import ReadOptions, Source


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


def test_hiding_unused_rows_hides_none_of_those_that_are_there():
    written(HEADER, PERSON, change=lambda _, sheet: sheet.set_default_row(hide_unused_rows=True))
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
        ("C2: 3.14", "C4: (what it shows is not known; its row is refused)"), ("C2: 3.14159", "C4: 0.5"),
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


@pytest.mark.parametrize(
    ("place", "own", "sent_as"),
    [(1, "First Name", "First Name"), (2, "context_data", "context_data")],
)
def test_a_recognised_column_that_the_sheet_hides_is_sent_only_if_asked_for(place, own, sent_as):
    def hide(sheet):
        sheet.column_dimensions["ABC"[place]].hidden = True

    book((*HEADER[:2], "context_data"), PERSON, change=hide)
    said = refused()
    assert f"column {own!r} ({'ABC'[place]}) is hidden in the sheet; " in said
    assert said.endswith(f'--map "{own}={sent_as}" to send it')
    assert ("--drop" in said) == (place > 1)
    with closing(Source(Path(NAME), ReadOptions(mapping=[f"{own}={sent_as}"]))) as source:
        assert len(list(source.rows())) == 1


def test_the_header_is_in_the_row_that_is_asked_for():
    book(("List of people",), ("Made by", "HR"), HEADER, PERSON, ("b@x.org", "Bo", "m"))
    assert "row 3 names them: pass --header-row 3; 'Sheet' is the only sheet" in refused()
    assert notes(header_row=3) == ["n", "m"]
    assert "has nothing in row 9" in refused(header_row=9)


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


def test_the_command_sends_nothing_before_the_doubt_is_settled(mettl):
    book(HEADER, PERSON, ("b@x.org", "Bo"), change=lambda sheet: sheet.merge_cells("C2:C3"))
    done = mettl("register", NAME, "--sandbox", "--out", "links.csv")
    assert done.exit_code == 2
    assert "cells are merged (C2:C3)" in done.stderr
    assert "--merged-cells fill" in done.stderr
    assert not Path("links.csv").exists()
    done = mettl("register", NAME, "--sandbox", "--out", "links.csv", "--merged-cells", "fill")
    assert done.exit_code == 0, done.stderr
    lines = Path("links.csv").read_text("utf-8-sig").splitlines()
    assert [line.split(",")[2] for line in lines] == ["Note", "n", "n"]
