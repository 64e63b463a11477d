"""Samples have the shapes of the vendor's, and are read back as what was put in."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mettl_async.errors import InvalidInputError
from mettl_async.models import CompletionMode, DetailedStatus, FinishMode, OverallStatus
from mettl_async.webhooks import (
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
    parse_event,
    sample_event,
)

PAYLOADS = Path(__file__).parents[1] / "data" / "webhooks"
PAGES = {
    TestStarted: "doc_start",
    TestFinished: "doc_finish",
    TestGraded: "doc_graded",
    TestResumeEnabled: "doc_resume",
}
KINDS = [*PAGES, UnknownEvent]
AT = datetime(2024, 8, 16, 18, 44, 21, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def shape(value):
    """The names and types of a JSON value, without its content."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


@pytest.mark.parametrize("kind", PAGES)
def test_the_shape_is_that_of_the_pages(kind):
    sample = json.loads(sample_event(kind))
    page = json.loads((PAYLOADS / f"{PAGES[kind]}.json").read_bytes())
    assert sample["EVENT_TYPE"] == page["EVENT_TYPE"]
    assert list(sample) == list(page)
    if kind is TestGraded:
        # [seen] in use, not in the pages.
        seen = {
            name: sample["testStatus"].pop(name)
            for name in ("compensatoryTime", "pdfReport", "htmlReport")
        }
        assert seen["compensatoryTime"] == "false"
        assert shape(json.loads(sample["sectional_scores"])) == shape(
            json.loads(page["sectional_scores"])
        )
    assert shape(sample) == shape(page)
    assert sample["name"].endswith(" ") is page["name"].endswith(" ")
    assert sample["timestamp_GMT"].endswith(" GMT")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_put_in_is_read_back(kind):
    event = parse_event(
        sample_event(
            kind,
            access_key="key",
            email="Ravi@x.org",
            name="Ravi",
            context_data="c",
            at=AT,
            assessment_id=7,
            candidate_instance_id=8,
            source_app="app",
            notification_url="https://example.org/hook",
            finish_mode=FinishMode.TEST_EXPIRED,
            marks_scored=-1.5,
            max_marks=20.0,
        )
    )
    assert type(event) is kind
    assert (event.access_key, event.email, event.context_data) == ("key", "Ravi@x.org", "c")
    assert event.timestamp == AT
    assert event.candidate_instance_id == 8
    assert event.raw["notification_url"] == "https://example.org/hook"
    if isinstance(event, TestEvent):
        assert (event.name, event.assessment_id, event.source_app) == ("Ravi", 7, "app")
        assert event.notification_url == "https://example.org/hook"
    if isinstance(event, (TestFinished, TestGraded)):
        assert event.finish_mode is FinishMode.TEST_EXPIRED
    if isinstance(event, TestGraded):
        assert event.end_time == AT
        assert event.end_time.tzinfo is UTC
        assert event.start_time == AT - timedelta(seconds=event.total_attempt_time)
        assert event.raw["end_time"] == "Fri, 16 Aug 2024 18:44:21 IST"
        assert (event.marks_scored, event.max_marks) == (-1.5, 20.0)
        assert event.sectional_scores[0].section_score == -1.5
        status = event.test_status
        assert status.end_time == AT
        assert status.result.total_marks == -1.5
        assert status.completion_mode is CompletionMode.EXPIRED


@pytest.mark.parametrize("mode", FinishMode)
def test_the_states_of_a_graded_sample_agree(mode):
    status = parse_event(sample_event(TestGraded, finish_mode=mode)).test_status
    assert status.completion_mode is mode.completion_mode
    assert type(status.detailed_status) is DetailedStatus
    assert status.detailed_status.overall is status.overall_status
    assert type(status.overall_status) is OverallStatus
    assert status.is_finished


def test_the_same_arguments_give_the_same_bytes():
    for kind in KINDS:
        assert sample_event(kind) == sample_event(kind)


def test_beyond_ascii_it_is_utf_8():
    body = sample_event(TestStarted, name="आशा")
    assert "आशा".encode() in body
    assert parse_event(body).name == "आशा"


def test_what_cannot_be_made_is_told():
    with pytest.raises(InvalidInputError, match="time zone"):
        sample_event(TestStarted, at=datetime(2024, 1, 1))  # noqa: DTZ001 - the point
    for kind in (TestEvent, dict, None):
        with pytest.raises(InvalidInputError, match="no kind of event"):
            sample_event(kind)
