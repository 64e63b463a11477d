"""What Mettl sends, in every form that is known of, becomes an event; what is none, a typed error."""

import json
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from corpus import PAYLOADS, payload, wire

from mettl_async.models import (
    CompletionMode,
    CredibilityIndex,
    DetailedStatus,
    FinishMode,
    TestState,
)
from mettl_async.webhooks import (
    EventDecodeError,
    SectionalScore,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
    event_identity,
    parse_event,
)

pytestmark = pytest.mark.usefixtures("both_readers")


def parsed(name="doc_finish", /, **changes):
    return parse_event(json.dumps(wire(name, **changes)).encode())


@pytest.mark.parametrize(
    ("name", "cls"),
    [("start", TestStarted), ("finish", TestFinished), ("resume", TestResumeEnabled)],
)
def test_the_pages_samples_are_read_whole(name, cls):
    event = parse_event(payload(f"doc_{name}"))
    assert type(event) is cls
    assert (event.access_key, event.email) == ("0x0x0x0x0x", "name@email")
    assert (event.assessment_id, event.candidate_instance_id) == (999999, 99999999)
    assert event.context_data is None
    assert event.timestamp == datetime(2022, 2, 11, 23, 8, 2, tzinfo=UTC)
    assert (event.source_app, event.name) == ("App Name", "Name")  # without its trailing space
    assert event.notification_url is None
    assert event.reconciled is False
    assert event.raw["name"] == "Name "
    if cls is TestFinished:
        assert event.finish_mode is FinishMode.NORMAL_SUBMISSION


def test_the_pages_graded_sample_is_read_whole():
    event = parse_event(payload("doc_graded"))
    assert type(event) is TestGraded
    assert event.assessment_id == 999999  # assessmentId here
    assert event.timestamp == datetime(2021, 10, 29, 9, 27, 1, tzinfo=UTC)
    assert event.finish_mode is FinishMode.NORMAL_SUBMISSION
    assert event.start_time == datetime(2021, 10, 29, 9, 25, 56, tzinfo=UTC)
    assert event.end_time == datetime(2021, 10, 29, 9, 27, 1, tzinfo=UTC)
    assert (event.marks_scored, event.max_marks, event.percentile) == (5.0, 10.0, 100.0)
    assert event.total_attempt_time == 64.0
    assert (event.assessment_name, event.schedule_title) == ("Assessment Name", "Test Link Name")
    assert event.client_id == 99999
    assert event.sectional_scores == (
        SectionalScore(section_name="Section #1", section_score=5.0, section_max_score=10.0),
    )
    assert event.grading_type == "NormalGrading"
    assert event.registration_details == {"Email Address": "name@email.com", "First Name": "Name"}
    assert event.proctoring_details is None
    status = event.test_status
    assert status.status is TestState.COMPLETED
    assert status.detailed_status is DetailedStatus.TEST_TAKER_COMPLETED
    assert status.completion_mode is CompletionMode.COMPLETED
    assert status.start_time == event.start_time
    assert status.start_time.utcoffset() == timedelta(0)  # served by start_time_GMT beside it
    assert status.result.candidate_credibility_index is CredibilityIndex.LOW
    assert status.result.section_marks[0].skill_marks[0].difficulty_marks[0].total_question == 2
    assert status.analysis.response_styles[0].title == "Genuine"  # beside the result here
    assert status.analysis.recommendations[0].value == "Not Recommended"


def test_the_graded_sample_as_it_is_printed_is_no_json():
    printed = (PAYLOADS / "doc_graded_as_printed.txt").read_bytes()
    with pytest.raises(EventDecodeError, match=r"^not JSON: line \d+, column \d+ \(\d+ bytes\)$"):
        parse_event(printed)
    # It has spaces that are none, a comma too many and a brace too many; each is enough.
    spaced = printed.replace("\u00a0".encode(), b" ").strip()
    for faulty in (spaced[:-1].rstrip(), spaced.replace(b"},\n}\n}", b"}\n}\n}")):
        with pytest.raises(EventDecodeError):
            parse_event(faulty)
    mended = spaced[:-1].replace(b"},\n}", b"}\n}")
    assert parse_event(mended) == parse_event(payload("doc_graded"))


def test_the_events_seen_in_use_are_read_whole():
    start, finish, graded, resume = (
        parse_event(payload(f"seen_{name}")) for name in ("start", "finish", "graded", "resume")
    )
    assert type(start) is TestStarted
    assert start.notification_url == "https://lms.example.org/hooks/start?t=1"
    assert json.loads(start.context_data) == {"token": "abc.def.ghi"}
    assert type(finish) is TestFinished
    assert finish.name == "X"
    assert type(graded) is TestGraded
    assert graded.marks_scored == 0.0
    assert graded.test_status.compensatory_time is None
    assert graded.test_status.analysis.recommendations[0].value == "Poor"  # within the result here
    assert graded.test_status.pdf_report.endswith("url=a%252Fb")
    assert graded.test_status.start_time == datetime(2024, 8, 16, 13, 14, 13, tzinfo=UTC)
    assert resume == TestResumeEnabled(
        access_key="2b5e0c7a1f", email="x@example.com", raw=resume.raw
    )


def test_times_in_ist_count_when_there_is_none_in_gmt():
    data = wire("doc_graded")
    for name in ("start_time_GMT", "end_time_GMT"):
        del data[name]
    event = parse_event(json.dumps(data).encode())
    assert event.start_time == datetime(2021, 10, 29, 9, 25, 56, tzinfo=UTC)
    assert event.start_time.utcoffset() == timedelta(hours=5, minutes=30)
    event = parsed("doc_graded", end_time_GMT="yesterday")
    assert event.end_time == datetime(2021, 10, 29, 9, 27, 1, tzinfo=UTC)
    assert event.test_status.end_time == event.end_time


@pytest.mark.parametrize(
    "word", ["finishTest", " finishTest ", "FINISHTEST", "finishtest\n", "FinishTest"]
)
def test_case_and_spaces_of_the_type_do_not_matter(word):
    assert type(parsed(EVENT_TYPE=word)) is TestFinished


@pytest.mark.parametrize(
    ("word", "shown"),
    [("startTest", "startTest"), (" x ", "x")],
)
def test_an_unknown_type_is_an_unknown_event_with_all_that_came(word, shown):
    event = parsed(EVENT_TYPE=word)
    assert type(event) is UnknownEvent
    assert event.event_type == shown
    assert (event.access_key, event.email) == ("0x0x0x0x0x", "name@email")
    assert event.candidate_instance_id == 99999999
    assert event.timestamp == datetime(2022, 2, 11, 23, 8, 2, tzinfo=UTC)
    assert event.problem is None
    assert event.raw["finish_mode"] == "NormalSubmission"


@pytest.mark.parametrize(
    ("word", "problem"),
    [("", " is blank"), (" \t", " is blank"), (None, ": expected str, got null"), (7, ": expected str, got int"),
     (["finishTest"], ": expected str, got array"), ({"a": 1}, ": expected str, got object")],
)  # fmt: skip
def test_what_has_no_usable_type_is_no_event(word, problem):
    with pytest.raises(EventDecodeError) as caught:
        parsed(EVENT_TYPE=word)
    assert caught.value.problem == f"EVENT_TYPE{problem}"


@pytest.mark.parametrize("body", [b"{}", b'{"a": 1}', b'[{"a": 1}]', b'{"data": {"a": 1}}'])
def test_an_object_without_a_type_is_no_event(body):
    with pytest.raises(EventDecodeError, match="it has no EVENT_TYPE"):
        parse_event(body)


@pytest.mark.parametrize("name", ["email", "invitation_key"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [(None, "expected str, got null"), (7, "expected str, got int"), ({"a": 1}, "expected str, got object"),
     (["a@x.org"], "expected str, got array"), (True, "expected str, got bool"), ("", "is blank"), (" \t", "is blank"),
     ("secret\0@x.org", "has a NUL")],
)  # fmt: skip
def test_a_known_event_of_nobody_is_an_unknown_event_that_says_why(name, value, problem):
    if (name, value) == ("invitation_key", 7):
        value, problem = 7.0, "expected str, got float"  # see below
    event = parsed(**{name: value})
    assert type(event) is UnknownEvent
    assert event.event_type == "finishTest"
    assert event.problem == f"$.{name}: {problem}"
    attribute = "email" if name == "email" else "access_key"
    other = "access_key" if name == "email" else "email"
    assert getattr(event, attribute) is None
    assert getattr(event, other) is not None
    assert event.raw["EVENT_TYPE"] == "finishTest"


@pytest.mark.parametrize("number", [0, 12345678, 2**63 - 1])
def test_a_key_of_digits_may_come_as_a_number(number):
    event = parsed(invitation_key=number)
    assert type(event) is TestFinished
    assert event.access_key == str(number)
    assert event_identity(event) == event_identity(parsed(invitation_key=str(number)))
    assert parsed(invitation_key=number, EVENT_TYPE="other").access_key == str(number)


@pytest.mark.parametrize("number", [-1, 2**63, 10**400, 1.5])
def test_a_number_that_is_no_key_is_a_problem(number):
    assert type(parsed(invitation_key=number)) is UnknownEvent


def test_all_problems_are_told():
    event = parse_event(b'{"EVENT_TYPE": "finishTest"}')
    assert (
        event.problem == "$.invitation_key: expected str, got null; $.email: expected str, got null"
    )


def test_key_and_email_lose_the_spaces_around_them():
    event = parsed(email=" a@x.org\n", invitation_key="\tkey ")
    assert (event.email, event.access_key) == ("a@x.org", "key")


ODD = [7, 7.5, -1, "x", "", True, [], [1], {}, {"a": [{}]}, 10**30, 1e300, "\0", None]
KEPT = {"EVENT_TYPE", "invitation_key", "email"}


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", sorted(wire("seen_graded").keys() - KEPT))
def test_a_surprise_in_one_field_touches_no_other(name, odd):
    expected = attrs.asdict(parse_event(payload("seen_graded")), recurse=False)
    event = attrs.asdict(parsed("seen_graded", **{name: odd}), recurse=False)
    may_differ = {
        "assessmentId": {"assessment_id"},
        "timestamp_GMT": {"timestamp"},
        "start_time_GMT": {"start_time", "test_status"},
        "end_time_GMT": {"end_time", "test_status"},
        "start_time": set(),  # the one in GMT counts
        "end_time": set(),
        "registrationDetails": {"registration_details"},
        "proctoringDetails": {"proctoring_details"},
        "testStatus": {"test_status"},
    }.get(name, {name}) | {"raw"}
    assert {field for field in event if event[field] != expected[field]} <= may_differ


@pytest.mark.parametrize("name", ["assessment_id", "candidate_instance_id"])
@pytest.mark.parametrize(
    ("value", "read"),
    [(7, 7), (7.0, 7), ("7", 7), (2**63 - 1, 2**63 - 1), (2**63, None), (-(2**64), None), (1e300, None),
     (7.5, None), (True, None), ("seven", None), ([7], None)],
)  # fmt: skip
def test_ids_are_integers_a_database_has_room_for(name, value, read):
    assert getattr(parsed(**{name: value}), name) == read


def test_an_integer_of_five_thousand_digits_is_not_read():
    with pytest.raises(EventDecodeError):
        parse_event(b'{"EVENT_TYPE": "finishTest", "assessment_id": ' + b"9" * 5000 + b"}")


def test_the_first_readable_form_of_the_assessment_counts():
    assert parsed(assessment_id=None, assessmentId="8").assessment_id == 8
    assert parsed(assessment_id=7, assessmentId=8).assessment_id == 7


@pytest.mark.parametrize(
    ("scores", "count"),
    [('[{"sectionName":"A"},{"sectionName":"B"}]', 2), ([{"sectionName": "A"}], 1), ({"sectionName": "A"}, 1),
     ('{"sectionName":"A"}', 1), ('[{"sectionName":"A"}, 7, null]', 1), ("[]", 0), ("", 0), ("[{", 0), (None, 0),
     ("7", 0), (7, 0), ("[" * 5000, 0), ("\ud800", 0)],
)  # fmt: skip
def test_sectional_scores_are_json_text_or_json(scores, count):
    scores_read = parsed("doc_graded", sectional_scores=scores).sectional_scores
    assert len(scores_read) == count
    assert all(one.section_name in {"A", "B"} for one in scores_read)


@pytest.mark.parametrize(
    ("context", "kept"),
    [("", ""), (" a ", " a "), ('{"a": 1}', '{"a": 1}'), ({"a": [1, None]}, '{"a":[1,null]}'), ([], "[]"),
     (42, "42"), (None, None)],
)  # fmt: skip
def test_context_data_is_text_as_it_came_or_the_json_text_of_the_rest(context, kept):
    assert parsed(context_data=context).context_data == kept


@pytest.mark.parametrize("depth", [100, 300, 600, 900, 1020])
def test_a_context_nested_beyond_reason_is_none(depth):
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    body = b'{"context_data": %s, %s' % (
        deep,
        payload("doc_finish").replace(b'"context_data": null,', b"").strip()[1:],
    )
    try:
        event = parse_event(body)
    except EventDecodeError:
        assert depth > 600  # where the reader itself gives up depends on the interpreter
    else:
        assert event.context_data in {None, deep.decode()}
        assert event.context_data or depth > 600
        assert event.email == "name@email"


def test_nobody_can_send_a_verified_context_or_claim_to_be_reconciled():
    for word in ("finishTest", "gradedAssessment", "whatever"):
        event = parsed(
            EVENT_TYPE=word,
            context={"own_id": "42", "expires_at": None},
            reconciled=True,
            raw={"a": 1},
            problem="p",
            access_key="other",
            **{"": {"b": 2}},
        )
        assert event.context is None
        assert getattr(event, "reconciled", False) is False
        assert getattr(event, "problem", None) is None
        assert event.access_key == "0x0x0x0x0x"
        assert event.raw["context"] == {"own_id": "42", "expires_at": None}
        assert event.raw[""] == {"b": 2}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda event: [event],
        lambda event: {"data": event},
        lambda event: {"payload": event, "id": 7},
        lambda event: {"event": [event]},
        lambda event: {"data": {"payload": {"event": event}}},
        lambda event: {"data": None, "payload": "x", "event": event},
    ],
)
def test_wrapping_is_taken_off(wrap):
    assert parse_event(json.dumps(wrap(wire())).encode()) == parsed()


def test_properties_called_as_the_wrappers_do_no_harm():
    assert type(parsed(data={"EVENT_TYPE": "startAssessment"}, event="x")) is TestFinished
