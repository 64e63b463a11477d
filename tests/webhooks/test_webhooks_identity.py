"""A second delivery has the same identity; another event has another."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.models import TestResult, TestStatus
from mettl_async.models._frozen_map import FrozenMap
from mettl_async.webhooks import (
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
    event_identity,
    parse_event,
    sample_event,
)

KNOWN = [TestStarted, TestFinished, TestGraded, TestResumeEnabled]
KINDS = [*KNOWN, UnknownEvent]
AT = datetime(2024, 8, 16, 13, 14, 13, tzinfo=UTC)
IST = timezone(timedelta(hours=5, minutes=30))


def sample(kind, /, **changes):
    return parse_event(sample_event(kind, **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_sixty_four_digits_with_nothing_personal_in_them(kind):
    event = sample(kind, email="dead@beef.org", name="cafe")
    assert re.fullmatch("[0-9a-f]{64}", event_identity(event))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bytes_are_the_same_event_in_any_order_of_properties(kind):
    body = sample_event(kind)
    turned = json.dumps(dict(reversed(json.loads(body).items()))).encode()
    assert event_identity(parse_event(body)) == event_identity(parse_event(turned))


def test_it_is_the_same_in_every_process():
    # Kept by databases: a change of the rule must be wanted.
    assert event_identity(sample(TestFinished)) == (
        "3ef4a291abab51050bde9900dd58683ee8f6878e87e60fc16d7dedcb9d705229"
    )
    assert event_identity(sample(UnknownEvent)) == (
        "88586980b487c4a3d64b05fbcb3c87c858ce6d12e5bae830dece25def9b3ed41"
    )
    program = (
        "from mettl_async.webhooks import *\n"
        "print(event_identity(parse_event(sample_event(UnknownEvent))))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert done.stdout.strip() == event_identity(sample(UnknownEvent))


@pytest.mark.parametrize(
    ("event", "identity"),
    [
        (
            TestGraded(access_key="a1b2c3", email="asha.rao@example.org", end_time=AT, marks_scored=3.5),
            "ed5c082092d52c322d8f78651a38907017299f39f6f7354f05714525dd8834ec",
        ),
        (
            TestStarted(access_key="a1b2c3", email="asha.rao@example.org",
                        timestamp=AT + timedelta(microseconds=7)),
            "8c3eb1accb50cf1ec7e75bad27315d583f0651a0fcc0a19e628c3f1ea98b743e",
        ),
        (
            UnknownEvent(event_type="newKind"),
            "43f1766769162afbe25cda1fb3c2816a7f7efe71f3d6c9faf5914ecf9aba2a35",
        ),
    ],
)  # fmt: skip
def test_it_is_the_same_in_every_version(event, identity):
    # As above: a database has them, and an event must not be handled again after an update.
    assert event_identity(event) == identity


def test_kinds_keys_emails_and_times_differ():
    events = [sample(kind) for kind in KINDS]
    events += [sample(kind, access_key="other") for kind in KINDS]
    events += [sample(kind, email="other@example.org") for kind in KINDS]
    events += [sample(kind, at=AT) for kind in KINDS]
    assert len({event_identity(event) for event in events}) == len(events)


@pytest.mark.parametrize("kind", KNOWN)
def test_case_and_spaces_of_the_email_do_not_count(kind):
    event = sample(kind, email="Asha.Rao@Example.org")
    same = evolve(event, email=" asha.rao@example.ORG ")
    assert event_identity(event) == event_identity(same)


@pytest.mark.parametrize("kind", KNOWN)
def test_only_what_a_reconciled_event_has_too_counts(kind):
    event = sample(kind, at=AT, marks_scored=3.0)
    bare = kind(
        access_key=event.access_key,
        email=event.email,
        timestamp=AT.astimezone(IST),
        reconciled=True,
        **({"end_time": AT.astimezone(IST), "marks_scored": 3} if kind is TestGraded else {}),
    )
    assert event_identity(bare) == event_identity(event)


def test_another_grading_is_another_event():
    graded = sample(TestGraded, marks_scored=3.0)
    assert event_identity(graded) != event_identity(evolve(graded, marks_scored=4.0))
    assert event_identity(graded) != event_identity(
        evolve(graded, end_time=graded.end_time + timedelta(seconds=1))
    )
    # The time of sending may differ.
    assert event_identity(graded) == event_identity(evolve(graded, timestamp=AT))
    zero = evolve(graded, marks_scored=0.0)
    assert event_identity(zero) == event_identity(evolve(graded, marks_scored=-0.0))


def test_end_and_marks_may_stand_in_the_result_only():
    graded = sample(TestGraded, at=AT, marks_scored=3.0)
    status = TestStatus(end_time=AT, result=TestResult(total_marks=3.0))
    bare = evolve(graded, end_time=None, marks_scored=None, test_status=status)
    assert event_identity(bare) == event_identity(graded)
    assert event_identity(bare) != event_identity(evolve(bare, test_status=None))


@pytest.mark.parametrize("kind", KNOWN)
def test_without_any_time_all_that_came_counts(kind):
    event = evolve(sample(kind), timestamp=None)
    if kind is TestGraded:
        event = evolve(event, end_time=None, test_status=None)
    other = evolve(event, raw=FrozenMap({**event.raw, "candidate_instance_id": 1}))
    assert event_identity(event) == event_identity(evolve(event))
    assert event_identity(event) != event_identity(other)


def test_of_an_unknown_event_everything_counts():
    body = json.loads(sample_event(UnknownEvent))
    other = parse_event(json.dumps({**body, "more": {"a": [1, {"b": None}]}}).encode())
    another = parse_event(json.dumps({**body, "more": {"a": [1, {"b": False}]}}).encode())
    assert len({event_identity(one) for one in (sample(UnknownEvent), other, another)}) == 3
    assert event_identity(UnknownEvent(event_type="a")) != event_identity(
        UnknownEvent(event_type="b")
    )


@pytest.mark.parametrize(
    "at",
    [datetime(1, 1, 1, tzinfo=IST), datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=23)))],
)  # fmt: skip
def test_times_at_the_ends_of_the_calendar_do_no_harm(at):
    for kind in KNOWN:
        assert event_identity(kind(access_key="k", email="e", timestamp=at))


TEXT = st.text(alphabet=st.characters(exclude_categories=[]), min_size=1, max_size=6)


@given(TEXT, TEXT, TEXT, TEXT)
def test_nothing_moves_from_the_key_to_the_email(key, email, other_key, other_email):
    one = TestStarted(access_key=key, email=email, timestamp=AT)
    other = TestStarted(access_key=other_key, email=other_email, timestamp=AT)
    same = (key, email.strip().lower()) == (other_key, other_email.strip().lower())
    assert (event_identity(one) == event_identity(other)) is same
    split = TestStarted(access_key=key + email[:1], email=email[1:], timestamp=AT)
    assert event_identity(one) != event_identity(split)
