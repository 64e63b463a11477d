"""Which columns are sent, and which are not: told before, and as text whatever they were."""

import json
from pathlib import Path

import pytest
from openpyxl import Workbook

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import ReadOptions, Source

PERSON = {
    "Email Address": "a@x.org",
    "First Name": "A",
    "Nachname": "N",
    "Telefon": "7",
    "context_data": "c",
}


def made(name, *people):
    """A file of these people, in the format of its name."""
    path = Path(name)
    if path.suffix == ".xlsx":
        book = Workbook()
        for row in (people[0].keys(), *(one.values() for one in people)):
            book.active.append(list(row))
        book.save(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(one) + "\n" for one in people), "utf-8")
    else:
        rows = [people[0].keys(), *(one.values() for one in people)]
        path.write_text("".join(",".join(row) + "\n" for row in rows), "utf-8")
    return path


NAMES = pytest.mark.parametrize("name", ["p.csv", "p.xlsx", "p.jsonl"])


@NAMES
def test_extra_columns_are_named_in_one_line_before_anything_is_sent(mettl, sandbox, name):
    made(name, PERSON)
    done = mettl("register", name, "--sandbox", "--map", "Telefon=Phone Number")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[0] == "also sends: Nachname, Phone Number"


def test_without_extra_columns_nothing_is_said(mettl, sandbox, people):
    people(1, "p.csv")
    assert "also sends" not in mettl("register", "p.csv", "--sandbox").stderr


def test_a_name_cannot_break_the_line():
    source = Source(made("p.jsonl", PERSON | {"a\n\x1b[1mb": "x"}))
    check_file(source)
    assert source.also_sends == "Nachname, Telefon, a [1mb"


def test_so_many_names_are_shortened():
    source = Source(made("p.jsonl", *(PERSON | {f"n{i}": "x"} for i in range(200))))
    check_file(source)
    assert source.also_sends.endswith(", n97, ...")


@NAMES
def test_a_dropped_column_is_not_sent_and_not_named(mettl, sandbox, name):
    made(name, PERSON)
    dropped = ("--drop", "Nachname", "--drop", "context_data")
    done = mettl("register", name, "--sandbox", *dropped)
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[0] == "also sends: Telefon"
    [one] = sandbox.candidates
    assert one.candidate.fields.keys() == {"Email Address", "First Name", "Telefon"}
    assert not one.candidate.context_data


@NAMES
def test_a_dropped_column_that_is_not_there_is_told_with_the_one_that_is_meant(name):
    path = made(name, PERSON)
    with pytest.raises(CommandError, match="no column 'Nachnme'; did you mean 'Nachname'"):
        check_file(Source(path, ReadOptions(drop=["Nachnme"])))


@pytest.mark.parametrize(
    ("drop", "mapping", "words"),
    [
        ("Email Address", [], "nobody can be registered without it"),
        (" First Name ", [], "nobody can be registered without it"),
        ("Telefon", ["Telefon=City"], "is mapped, too"),
        (" ", [], "give the name of a column"),
    ],
)
def test_what_is_needed_cannot_be_dropped(drop, mapping, words):
    with pytest.raises(CommandError, match=words):
        ReadOptions(drop=[drop], mapping=mapping)


@NAMES
def test_a_dropped_column_makes_room_for_a_mapped_one(name):
    path = made(name, {"Mail": "m@x.org", **PERSON})
    chosen = ReadOptions(drop=["Email Address"], mapping=["Mail=Email Address"])
    [row] = Source(path, chosen).rows()
    assert row.candidate.email == "m@x.org"


@NAMES
def test_a_row_with_nothing_but_dropped_cells_is_skipped(name):
    path = made(name, PERSON, dict.fromkeys(PERSON, "") | {"Telefon": "total"})
    assert len(list(Source(path, ReadOptions(drop=["Telefon"])).rows())) == 1


def test_a_dropped_column_of_a_sheet_may_hold_errors():
    path = made("p.xlsx", PERSON | {"Telefon": "#N/A"})
    assert isinstance(next(Source(path).rows()), BadRow)
    [row] = Source(path, ReadOptions(drop=["Telefon"])).rows()
    assert row.candidate.fields == {"Nachname": "N"}


def field_of(text):
    person = f'{{"Email Address": "a@x.org", "First Name": "A", "Note": {text}}}\n'
    Path("p.jsonl").write_text(person, "utf-8")
    [row] = Source(Path("p.jsonl")).rows()
    return row.problem if isinstance(row, BadRow) else row.candidate.fields.get("Note")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("1", "1"),
        ("-3", "-3"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("1.5", "1.5"),
        ("919845000001", "919845000001"),
        ("12345678901234567890", "12345678901234567890"),
        (
            "1.2345678901234567e19",
            "Note: has more digits than such a number keeps; put it in quotes",
        ),
        (
            "0.1234567890123456789",
            "Note: has more digits than such a number keeps; put it in quotes",
        ),
        ("123456789.5", "123456789.5"),
        ("0.00012", "0.00012"),
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ("[1]", "Note: is not text; put it in quotes"),
        ("{}", "Note: is not text; put it in quotes"),
        ("NaN", "Note: is not a finite number; put text in quotes"),
        ("1e999", "Note: is not a finite number; put text in quotes"),
    ],
)
def test_plain_values_of_json_lines_are_sent_as_text(text, sent):
    assert field_of(text) == sent


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_a_mapping_the_wrong_way_round_is_told_with_the_right_one(name):
    path = made(name, {"E-Mail-Adresse": "a@x.org", "First Name": "A"})
    with pytest.raises(CommandError, match="the order is YOURS=OURS") as caught:
        check_file(Source(path, ReadOptions(mapping=["Email Address=E-Mail-Adresse"])))
    assert '--map "E-Mail-Adresse=Email Address"' in str(caught.value)


@pytest.mark.parametrize("cells", [["Remarks"], []])
def test_a_sheet_without_the_columns_is_named_with_the_others_and_the_option(cells):
    book = Workbook()
    book.active.title = "Notes"
    if cells:
        book.active.append(cells)
    for title in ("People", "Old"):
        book.create_sheet(title).append(["Email Address", "First Name"])
    book.save("p.xlsx")
    words = "sheet 'Notes' was read; for 'People' or 'Old' pass --sheet"
    with pytest.raises(CommandError, match=words):
        check_file(Source(Path("p.xlsx")))
    with pytest.raises(CommandError, match="for 'Notes' or 'Old' pass --sheet"):
        check_file(Source(Path("p.xlsx"), ReadOptions(sheet="People", drop=frozenset({"City"}))))


def test_of_one_sheet_it_says_that_there_is_no_other():
    path = made("p.xlsx", {"Remarks": "x"})
    with pytest.raises(CommandError, match="'Sheet' is the only sheet"):
        check_file(Source(path))
