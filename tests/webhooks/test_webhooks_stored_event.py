"""An event that is kept as text comes back as it was."""

from datetime import UTC, datetime

import pytest
from attrs import evolve
from corpus import PAYLOADS, payload, wire

from mettl_async.codec import dumps
from mettl_async.models._frozen_map import EMPTY
from mettl_async.webhooks import SignedContext, TestEvent, parse_event
from mettl_async.webhooks.stored_event import event_text, read_event

EVENTS = [parse_event(payload(path.stem)) for path in sorted(PAYLOADS.glob("*.json"))]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_that_came(event):
    assert read_event(event_text(event)) == event


@pytest.mark.parametrize(
    "event", [one for one in EVENTS if isinstance(one, TestEvent)], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("expires_at", [None, datetime(2031, 1, 2, tzinfo=UTC)])
def test_an_event_that_was_made_from_a_result(event, expires_at):
    context = SignedContext(own_id="17", expires_at=expires_at)
    made = evolve(event, raw=EMPTY, reconciled=True, context=context)
    assert evolve(read_event(event_text(made)), raw=EMPTY) == made


@pytest.mark.parametrize("odd", ["a\0b", "\U0001f600", "ä'\"\\", {"x": [[1, 2.5, None, True]]}])
def test_whatever_it_holds(odd):
    event = parse_event(dumps(wire(own=odd)).encode())
    assert read_event(event_text(event)) == event


@pytest.mark.parametrize("text", ["[]", "", "null"])
def test_what_is_no_event_is_an_error(text):
    with pytest.raises(ValueError, match="not"):
        read_event(text)
