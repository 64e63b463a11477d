"""Rows and columns made of results, and plain data made of models."""

import csv
import io
import json
from datetime import datetime, timedelta, timezone

from mettl_async.cli.flat import flatten, headings
from mettl_async.cli.outfile import csv_lines
from mettl_async.cli.printing import plain, printable, utc_text
from mettl_async.codec import from_wire
from mettl_async.models import CandidateResult, TestState, TestStatus

FIXED = (
    "status", "overall_status", "detailed_status", "start_time", "end_time", "completion_mode",
    "total_marks", "max_marks", "percentile", "credibility", "performance_category", "pdf_report",
    "html_report",
)  # fmt: skip


def result(email="a@x.org", sections=(), registration=None, **marks):
    made = {"sectionMarks": [{"sectionName": n, "totalMarks": t} for n, t in sections], **marks}
    return from_wire(
        CandidateResult,
        {
            "email": email,
            "registration": registration or {},
            "testStatus": {"status": "Completed", "result": made},
        },
        where="$",
    )


def table(*results):
    rows = [flatten(plain(one)) for one in results]
    columns = headings(key for row in rows for key in row)
    header = list(columns.values())
    return header, [{columns[key]: row.get(key) for key in columns} for row in rows]


def test_different_sections_and_fields_share_one_table():
    header, (a, b, c) = table(
        result(sections=[("Maths", 1.0), ("भाषा", 2.5)], registration={"City": "Kochi"}),
        result("b@x.org", sections=[("Code", 3.0), ("Maths", -0.5)], registration={"Land": "IN"}),
        result("c@x.org"),
    )
    assert header[:3] == ["email", "City", "Land"]
    assert tuple(header[3 : 3 + len(FIXED)]) == FIXED
    assert header[3 + len(FIXED) :: 2] == ["Maths marks", "भाषा marks", "Code marks"]
    assert (a["Maths marks"], a["भाषा marks"], a["Code marks"]) == (1, 2.5, None)
    assert (b["Maths marks"], b["Land"], b["City"]) == (-0.5, "IN", None)
    assert (c["Maths marks"], c["status"]) == (None, "Completed")


def test_no_two_columns_have_the_same_name():
    header, (a, b) = table(
        result(
            sections=[("A", 1), ("A", 2), (None, 3), ("email", 4)],
            registration={"email": "x", "status": "y", "A marks": "z"},
        ),
        result("b@x.org", registration={"A max": "later"}),
    )
    assert len(set(header)) == len(header)
    assert (a["email"], a["email (2)"], a["status (2)"], a["A marks"]) == ("a@x.org", "x", "y", "z")
    assert (a["A marks (2)"], a["A (2) marks"], a["section 3 marks"]) == (1, 2, 3)
    assert b["A max (2)"] == "later"


def test_a_candidate_without_a_test_status_has_a_row():
    _, [row] = table(CandidateResult(email="a@x.org"))
    assert row == {"email": "a@x.org", **dict.fromkeys(FIXED)}


def test_numbers_are_never_taken_for_formulas_and_texts_never_run_as_one():
    line = csv_lines([[-2.5, "-2.5", "=A1", "\tx", "+49", "@a", 'say "hi"', None, "a\nb"]])
    [cells] = csv.reader(io.StringIO(line, newline=""))
    assert cells == ["-2.5", "'-2.5", "'=A1", "␉x", "'+49", "'@a", 'say "hi"', "", "a␊b"]
    assert csv_lines([["=evil marks"]]) == "'=evil marks\n"  # names of sections too


def test_plain_data_has_the_librarys_names_and_no_python_in_it():
    status = TestStatus(
        status=TestState("Quite New"),
        start_time=datetime(2026, 1, 31, 15, 0, tzinfo=timezone(timedelta(hours=5.5))),
        compensatory_time=timedelta(minutes=15),
    )
    found = json.loads(json.dumps(plain(CandidateResult(email="a@x.org", test_status=status))))
    assert (found["email"], found["registration"]) == ("a@x.org", {})
    assert found["test_status"]["status"] == "Quite New"
    assert found["test_status"]["start_time"] == "2026-01-31T09:30:00Z"
    assert found["test_status"]["compensatory_time"] == 15
    assert found["test_status"]["result"] is None


def test_moments_are_written_so_that_they_can_be_read_again():
    moment = datetime(2026, 1, 31, 9, 30, 1, 5000, tzinfo=timezone(timedelta(hours=-3)))
    assert utc_text(moment) == "2026-01-31T12:30:01.005000Z"
    assert datetime.fromisoformat(utc_text(moment)) == moment


def test_what_a_terminal_would_obey_is_not_shown():
    assert printable("a\x1b[31m\tb\nc\u202e") == "a\ufffd[31m b c\ufffd"
    assert (printable(None), printable(0), printable("आशा")) == ("", "0", "आशा")
