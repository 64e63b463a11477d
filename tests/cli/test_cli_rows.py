"""Rows of CSV and JSON Lines: what is written is what is read, and what is wrong is told by line."""

import csv
import io
import json
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.cli.bad_rows import SHOWN, report
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.checking import check_file
from mettl_async.cli.reading.columns import Layout
from mettl_async.cli.reading.people import address_problem, name_problem, text_problem
from mettl_async.cli.reading.rows import BadRow, Row, row_of
from mettl_async.cli.reading.source import Source
from mettl_async.cli.reading.text_rows import csv_rows, json_rows
from mettl_async.models import Candidate

DATA = Path(__file__).parent.parent / "data"
HEADER = ["Email Address", "First Name", "Größe, in cm", "context_data", "compensatory_time"]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\\"), max_size=20)
seen = st.characters(
    categories=["L", "N", "P", "S", "Zs"], exclude_characters="\\"
) | st.sampled_from(" ,;|\t-")
names = st.text(seen, min_size=1, max_size=20).filter(lambda text: name_problem(text) is None)
fields = st.text(seen | st.sampled_from("\n\r"), max_size=20).filter(
    lambda text: text_problem(text) is None
)
people = st.fixed_dictionaries(
    {
        "Email Address": st.from_regex(
            r"[a-z][a-z+=-]{0,9}@[a-z]{1,9}\.org", fullmatch=True
        ).filter(lambda text: address_problem(text) is None),
        "First Name": names,
        "Größe, in cm": fields,
        "context_data": texts.filter(lambda text: "\ufffd" not in text),
        "compensatory_time": st.sampled_from(["", "0", "15", "007"]),
    }
)


def expected(person):
    minutes = person["compensatory_time"]
    extra = person["Größe, in cm"]
    return Candidate(
        email=person["Email Address"],
        first_name=person["First Name"],
        fields={"Größe, in cm": extra} if extra.strip() else {},
        context_data=person["context_data"] if person["context_data"].strip() else None,
        compensatory_time=int(minutes) if minutes else None,
    )


def line_breaks(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


@given(st.lists(st.tuples(people, st.integers(0, 2)), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_a_csv_is_read_as_it_was_written_with_the_lines_where_rows_begin(rows, ending):
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER)
    lines = []
    for person, blanks in rows:
        file.write(ending * blanks)
        lines.append(1 + line_breaks(file.getvalue()))
        writer.writerow([person[name] for name in HEADER])
    # Split where a file opened with newline="" splits.
    again = io.TextIOWrapper(io.BytesIO(file.getvalue().encode()), encoding="utf-8", newline="")
    layout = Layout(name="p.csv")
    read = [row_of(layout, one) for one in csv_rows(layout, again)]
    assert read == [Row(line, expected(one)) for line, (one, _) in zip(lines, rows, strict=True)]


@given(st.lists(people, max_size=8), st.booleans())
def test_json_lines_are_read_as_they_were_written(rows, ascii_only):
    text = "".join(json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in rows)
    again = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline="\n")
    layout = Layout(name="p.jsonl")
    assert [row_of(layout, one) for one in json_rows(layout, again)] == [
        Row(i, expected(one)) for i, one in enumerate(rows, 1)
    ]


def test_the_two_samples_hold_the_same_people():
    in_csv = [row.candidate for row in Source(DATA / "candidates.csv").rows()]
    assert in_csv == [row.candidate for row in Source(DATA / "candidates.jsonl").rows()]
    assert len(in_csv) == 25


def bad(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(one.line, one.problem) for one in Source(path).rows() if isinstance(one, BadRow)]


@pytest.mark.parametrize(
    ("row", "line", "words"),
    [
        (b"a@x.org", 2, "cells: 1, columns in the header: 3"),
        (b"a@x.org,A,x,y", 2, "cells: 4, columns in the header: 3"),
        (b"secret-at-x.org,A,", 2, "Email Address: is not an email address"),
        (b"a@x.org,  ,x", 2, "First Name: is blank"),
        (b",A,x", 2, "Email Address: is blank"),
        (b"a@x.org,A\x00,", 2, "First Name: holds a NUL"),
        (b'a@x.org,A,"\nb@x.org,B,', 2, "in line 2 is never closed"),
        (b'a@x.org,"A"B,', 2, "in line 2 closes in the middle"),
        (b'a@x.org,A,"A\nA"\r\n\r\n,,\nb@,B,', 6, "Email Address: is not an email address"),
    ],
)
def test_a_bad_csv_row_is_told_by_line_and_column_but_not_by_content(tmp_path, row, line, words):
    found = bad(tmp_path / "p.csv", b"Email Address,First Name,Note\n" + row + b"\n")
    assert [one for one, _ in found] == [line]
    assert words in found[0][1]
    assert "secret" not in found[0][1]


@pytest.mark.parametrize("minutes", ["1.5", "-1", "ten", "1 h", "٣", "9" * 5000])
def test_compensatory_time_is_whole_minutes(tmp_path, minutes):
    header = "Email Address,First Name,compensatory_time\n"
    [(line, problem)] = bad(tmp_path / "p.csv", f"{header}a@x.org,A,{minutes}\n")
    assert (line, problem) == (2, "compensatory_time: is not a whole number of minutes")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7", "is not a JSON object"),
        ("{bad", "is not a JSON value"),
        ('{"a":' + "[" * 100_000, "is not a JSON value"),
        ('{"Email Address": "a@x.org", "Email Address": "b@x.org"}', "names a column twice"),
        ('{"Email Address": "a@x.org", "First Name": 7}', "First Name: is not text"),
        ('{"Email Address": "a@x.org", "First Name": "\\ud800"}', "half of a character"),
        ('{"First Name": "A", "Email Address": null}', "Email Address: is blank"),
        ('{"Email Address": "a@x.org", "First Name": "A", "compensatory_time": true}', "not text"),
    ],
)
def test_a_bad_json_line_is_told_by_line(tmp_path, text, words):
    text = text if isinstance(text, bytes) else text.encode()
    first = b'\xef\xbb\xbf{"Email Address": "z@x.org", "First Name": "Z"}\n'
    [(line, problem)] = bad(tmp_path / "p.jsonl", first + text + b"\n")
    assert line == 2
    assert words in problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("Email Address;First Name\n", "names its columns, but holds no candidates"),
        ("email_address,First Name\n", "did you mean 'email_address'"),
        ("Email Address,Name\n", "there is no column 'First Name'"),
        ("Email Address,First Name,A,A\n", "two columns are named 'A'"),
        ("Asha,Asha,asha@x.org\n", "p.csv:1: column 3 holds an address"),
        (
            "Email Address,First Name,\na@x.org,A,x\n",
            "p.csv:2: has a cell in column 3 .C., which has no",
        ),
        ("\ufeff\r\n \n", "is empty"),
        ("Email Address,First Name".encode("utf-16"), "holds no candidates"),
        ("Email Address,First Name\n\n,\n", "holds no candidates"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(tmp_path, content, words):
    path = tmp_path / "p.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CommandError, match=words):
        check_file(Source(path))


def test_a_directory_and_a_missing_file_are_refused(tmp_path):
    (tmp_path / "d.csv").mkdir()
    for name, words in [("d.csv", "is a directory"), ("no.csv", "no such"), ("no.xlsx", "no such")]:
        with pytest.raises(CommandError, match=words):
            check_file(Source(tmp_path / name))


def test_repeated_emails_are_told_with_both_lines(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("Email Address,First Name\na@x.org,A\nb@x.org,B\n A@X.ORG ,C\na@x.org,D\n")
    checked = check_file(Source(path))
    assert (checked.good_total, checked.bad_total) == (2, 2)
    assert checked.repeated_total == 2
    bad_rows = list(checked.bad_rows())
    assert [one.line for one in bad_rows] == [4, 5]
    assert all("the same as in line 2 " in one.problem for one in bad_rows)


def test_a_long_report_shows_the_first_and_counts_the_rest(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("Email Address,First Name\n" + "nobody,A\n" * 1234)
    with closing(Source(Path("p.csv"))) as source:
        checked = check_file(source)
        lines = report(source, checked, None).splitlines()
        assert [row.line for row in checked.bad_rows()] == list(range(2, 1236))
        assert next(checked.bad_rows()).own == {"Email Address": "nobody", "First Name": "A"}
    assert lines[0].startswith("p.csv:2: Email Address: ")
    assert len(lines) == SHOWN + 2
    assert lines[-2] == "... and 1,214 more"
    assert lines[-1] == "mettl: 1,234 rows of 1,234 cannot be sent; nothing was sent; correct them"


def test_line_ends_inside_a_cell_are_kept_and_count_as_lines(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(
        b'\xef\xbb\xbfEmail Address,First Name,Note\r\na@x.org,A,"A\r\nB"\r\nb@x.org,B,\r\n'
    )
    first, second = Source(path).rows()
    assert (first.line, first.candidate.fields["Note"]) == (2, "A\r\nB")
    assert (second.line, second.candidate.email) == (4, "b@x.org")


def test_only_a_newline_ends_a_json_line(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"Email Address": "a@x.org",\r "First Name": "A", "N": "A\u2028B"}\r\n',
        "utf-8",
        newline="",
    )
    [row] = Source(path).rows()
    assert (row.line, row.candidate.fields["N"]) == (1, "A\u2028B")


@pytest.mark.parametrize(
    "name", ["Context Data", "compensatory time", "COMPENSATORY_TIME", "context-data"]
)
def test_a_column_that_was_meant_for_ours_does_not_become_a_registration_field(tmp_path, name):
    path = tmp_path / "people.csv"
    path.write_text(f"Email Address,First Name,{name}\na@x.org,A,20\n", encoding="utf-8")
    with pytest.raises(CommandError, match="rename it to"):
        list(Source(path).rows())
