"""Columns by other names: what is mapped arrives, and what cannot be mapped is told by name."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.columns import did_you_mean, parse_mapping
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import ReadOptions, Source


def source(content, *mapping, name="p.csv"):
    path = Path(name)
    path.write_text(content, encoding="utf-8")
    return Source(path, ReadOptions(mapping=mapping))


def test_mapped_columns_arrive_under_their_new_names():
    [row] = source(
        "E-mail ; Name;Handy;Bonus\na@x.org;Asha;123;15\n",
        "E-mail=Email Address",
        " Name = First Name",
        "Handy=Phone Number",
        "Bonus=compensatory_time",
    ).rows()
    assert row.candidate.email == "a@x.org"
    assert row.candidate.first_name == "Asha"
    assert row.candidate.fields == {"Phone Number": "123"}
    assert row.candidate.compensatory_time == timedelta(minutes=15)


def test_mapped_columns_tell_the_delimiter():
    [row] = source(
        "E-mail;Name, given, family, other\na@x.org;A\n",
        "E-mail=Email Address",
        "Name, given, family, other=First Name",
    ).rows()
    assert row.candidate.first_name == "A"


def test_two_columns_can_change_places():
    [row] = source(
        "Email Address,First Name\nAsha,a@x.org\n",
        "Email Address=First Name",
        "First Name=Email Address",
    ).rows()
    assert (row.candidate.email, row.candidate.first_name) == ("a@x.org", "Asha")


def test_the_last_equals_sign_separates():
    assert parse_mapping(["a=b=City"]) == {"a=b": "City"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["E-mail"], "write it as --map"),
        (["=Email Address"], "write it as --map"),
        (["E-mail="], "write it as --map"),
        (["a=x", "a=y"], "column 'a' is mapped twice"),
        (["a=City", "b=City"], "two columns are mapped to 'City'"),
        (["E-mail=email address"], "did you mean 'Email Address'"),
        (["x=Context Data"], "did you mean 'context_data'"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(options, words):
    with pytest.raises(CommandError, match=words):
        parse_mapping(options)


@pytest.mark.parametrize(
    ("header", "options", "words"),
    [
        (
            "E-mail,First Name",
            ["E-mial=Email Address"],
            "no column 'E-mial'; did you mean 'E-mail'?",
        ),
        ("E-mail,First Name", ["Xyz=Email Address"], "no column 'Xyz'$"),
        ("E-mail,Email Address,First Name", ["E-mail=Email Address"], "there already"),
        ("E-mail,E-mail ,First Name", ["E-mail=Email Address"], "two columns are named 'E-mail'"),
        ("E-mail,First Name", [], 'pass --map "E-mail=Email Address"'),
        ("Email Address,Given Name", [], 'pass --map "Given Name=First Name"'),
        ("Email Address,Frist Name", [], "did you mean 'Frist Name'"),
        ("Email Address,Xyz", [], 'pass --map "NAME=First Name"'),
        ("secret@x.org,Secret", [], "column 1 holds an address; the first line must name"),
    ],
)
def test_a_header_that_does_not_fit_is_told_with_what_to_do(header, options, words):
    with pytest.raises(CommandError, match=words) as caught:
        check_file(source(f"{header}\nsecret@x.org,Secret,\n", *options))
    assert str(caught.value).startswith("p.csv:1: ")
    assert "ecret" not in str(caught.value)


def people(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_json_lines_are_mapped_line_by_line():
    found = list(
        source(
            people(
                {"mail": "a@x.org", "First Name": "A", "minutes": 5},
                {"mail": "b@x.org", "First Name": "B", "minutes": None},
                {"Email Address": "c@x.org", "First Name": "C"},
                {"Email Address": "c@x.org", "mail": "secret@x.org", "First Name": "D"},
            ),
            "mail=Email Address",
            "minutes=compensatory_time",
            name="p.jsonl",
        ).rows()
    )
    assert [row.candidate.email for row in found[:3]] == ["a@x.org", "b@x.org", "c@x.org"]
    assert found[0].candidate.compensatory_time == timedelta(minutes=5)
    assert isinstance(found[3], BadRow)
    assert "mapped to 'Email Address', which is there already" in found[3].problem
    assert "secret" not in found[3].problem


def test_a_column_that_no_json_line_has_is_told_once_all_are_read():
    rows = people({"E-mail": "secret@x.org", "First Name": "Secret"})
    with pytest.raises(CommandError, match="no column 'E-mial'; did you mean 'E-mail'") as caught:
        check_file(source(rows, "E-mial=Email Address", name="p.jsonl"))
    assert "ecret" not in str(caught.value)


def test_did_you_mean_says_nothing_where_nothing_is_alike():
    assert did_you_mean("Email Address", ["Phone", "City"]) == ""


def test_the_command_maps(mettl, sandbox):
    Path("p.csv").write_text("E-mail;Name\na@x.org;A\n", encoding="utf-8")
    arguments = ("register", "p.csv", "--sandbox")
    maps = ("--map", "E-mail=Email Address", "--map", "Name=First Name")
    refused = mettl(*arguments)
    assert refused.exit_code == 2
    assert 'pass --map "E-mail=Email Address"' in refused.stderr
    assert mettl(*arguments, *maps).exit_code == 0
    assert [one.email for one in sandbox.candidates] == ["a@x.org"]
