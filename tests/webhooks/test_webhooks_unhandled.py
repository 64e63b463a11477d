"""Nothing is acknowledged and lost in silence: what is no event, nobody's event, or perhaps a second one."""

import json
from datetime import UTC, datetime

import pytest
from asgi_calls import call

from mettl_async.webhooks import (
    Handled,
    TestEvent,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
    WebhookReceiver,
    parse_event,
    sample_event,
)

WHO = {"access_key": "a1b2c3", "email": "asha.rao@example.org"}
STARTED = sample_event(TestStarted, **WHO)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def receiver_of(*kinds, **given):
    receiver, came = WebhookReceiver(**{"auth": None, **given}), []

    async def handler(event):
        came.append(event)

    for kind in kinds:
        receiver.on(kind)(handler)
    return receiver, came


def body_of(**changes):
    whole = {**json.loads(STARTED), **changes}
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def warnings(caplog):
    assert WHO["email"] not in caplog.text
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"EVENT_TYPE": ...}, "it has no EVENT_TYPE"),
        ({"EVENT_TYPE": " "}, "EVENT_TYPE is blank"),
        ({"EVENT_TYPE": 7}, "EVENT_TYPE: expected str, got int"),
    ],
)
async def test_a_body_without_a_usable_type_is_refused_whoever_handles_unknown_events(
    changes, problem, caplog
):
    receiver, came = receiver_of(TestEvent, UnknownEvent)
    assert (await call(receiver, body_of(**changes))).status == 400
    assert warnings(caplog) == [f"400: not an event: {problem}"]
    assert not came


async def test_what_nobody_handles_is_said_once_for_each_type(caplog):
    receiver, came = receiver_of(TestGraded)
    for word in (
        "startAssessment",
        "tomorrow",
        "startAssessment",
        "tomorrow",
        "asha.rao@example.org",
    ):
        assert (await call(receiver, body_of(EVENT_TYPE=word))).status == 200
    rest = "such events are lost (this is said once); declare one with @receiver.on"
    assert [line.partition(rest)[0::2] for line in warnings(caplog)] == [
        (f"no handler for {name}: ", f"({cls}), or refuse them with strict=True")
        for name, cls in (
            ("TestStarted", "TestStarted"),
            ("events of type tomorrow", "UnknownEvent"),
            ("events whose type is no word", "UnknownEvent"),
        )
    ]
    assert not came


async def test_types_without_number_are_not_all_remembered(caplog):
    receiver, _ = receiver_of(TestGraded)
    for number in range(150):
        assert (await call(receiver, body_of(EVENT_TYPE=f"type{number}"))).status == 200
    assert len(warnings(caplog)) == 101
    assert warnings(caplog)[-1].startswith("no handler for further types: ")


async def test_a_strict_receiver_refuses_each_of_them(caplog):
    receiver, came = receiver_of(TestGraded, strict=True)
    for body in (STARTED, STARTED, body_of(EVENT_TYPE="tomorrow")):
        answer = await call(receiver, body)
        assert answer.status == 503
        assert answer.headers[b"retry-after"].isdigit()
    assert warnings(caplog) == [
        "503: no handler for TestStarted",
        "503: no handler for TestStarted",
        "503: no handler for events of type tomorrow",
    ]
    assert (await call(receiver, sample_event(TestGraded, **WHO))).status == 200
    assert len(came) == 1


async def test_a_second_event_without_a_time_is_not_swallowed_in_silence(caplog):
    receiver, came = receiver_of(TestResumeEnabled)
    resumed = sample_event(TestResumeEnabled, **WHO)
    for _ in range(2):
        assert (await call(receiver, resumed)).status == 200
    assert not warnings(caplog)
    timeless = json.loads(resumed)
    del timeless["timestamp_GMT"]
    for _ in range(2):
        assert (await call(receiver, json.dumps(timeless).encode())).status == 200
    (line,) = warnings(caplog)
    assert line.startswith("not handled again: TestResumeEnabled ")
    assert "has no time, so it may be a second event or a second delivery" in line
    assert len(came) == 2
    # Another attempt is another event, of course.
    timeless["candidate_instance_id"] = 7
    assert (await call(receiver, json.dumps(timeless).encode())).status == 200
    assert len(came) == 3


# --- time -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "status", "said"),
    [
        (0, 200, []),
        (-3600, 200, []),
        (3600, 200, []),
        (-3601, 400, ["400: the event is 3601 s old, and max_age is 3600 s"]),
        (3601, 400, ["400: the event is 3601 s in the future, and max_age is 3600 s"]),
    ],
)
async def test_an_old_event_is_refused_if_that_was_said(seconds, status, said, caplog):
    body = sample_event(TestStarted, at=NOW, **WHO)
    given = {"clock": lambda: NOW.timestamp() - seconds}
    receiver, came = receiver_of(TestEvent, max_age=3600.0, **given)
    assert (await call(receiver, body)).status == status
    assert warnings(caplog) == said
    assert len(came) == (status == 200)
    receiver, came = receiver_of(TestEvent, clock=lambda: NOW.timestamp() + 1e9)
    assert (await call(receiver, body)).status == 200


async def test_an_event_without_a_time_has_no_known_age(caplog):
    receiver, came = receiver_of(TestEvent, max_age=3600.0)
    assert (await call(receiver, body_of(timestamp_GMT=...))).status == 400
    assert warnings(caplog) == ["400: the event has no timestamp, and max_age is set"]
    # What reconcile gives comes from the API, and late.
    old = parse_event(sample_event(TestStarted, **WHO))
    assert await receiver.handle(old) is Handled.HANDLED
    assert len(came) == 1
