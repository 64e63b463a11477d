"""An event as text that an inbox keeps, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
from attrs import evolve

from mettl_async.codec import dumps, loads, to_wire
from mettl_async.models import TestGraded
from mettl_async.models._event_samples import wire_time
from mettl_async.models._wire import places_of
from mettl_async.models.event import EVENTS, Event, SignedContext, TestEvent
from mettl_async.webhooks.parse import parse_event


def event_text(event: Event) -> str:
    """Write an event as JSON text, with what its receiver has verified.

    An event that came is kept as it came; one that was made from a result as it would have come, its times to
    the second.
    """
    kept: dict[str, Any] = {"event": _plain(event.raw) if event.raw else _as_it_would_come(event)}
    if event.context is not None:
        expiry = event.context.expires_at
        kept["own_id"] = event.context.own_id
        kept["expires_at"] = None if expiry is None else expiry.timestamp()
    if isinstance(event, TestEvent) and event.reconciled:
        kept["reconciled"] = True
    return dumps(kept)


def read_event(text: str) -> Event:
    """Read what `event_text` wrote.

    Raises:
        ValueError: It is no such text.
        EventDecodeError: It has no event.
    """
    kept = loads(text.encode())
    if not isinstance(kept, dict):
        raise ValueError("not an event that was kept")  # noqa: TRY004 - the text is wrong, not the type
    event = parse_event(dumps(kept.get("event")).encode())
    if "own_id" in kept:
        expiry = kept["expires_at"]
        expires_at = None if expiry is None else datetime.fromtimestamp(expiry, UTC)
        event = evolve(event, context=SignedContext(own_id=kept["own_id"], expires_at=expires_at))
    if isinstance(event, TestEvent) and kept.get("reconciled"):
        event = evolve(event, reconciled=True)
    return event


def _as_it_would_come(event: Event) -> dict[str, Any]:
    wire: dict[str, Any] = to_wire(event)
    if isinstance(event, TestEvent):
        wire["EVENT_TYPE"] = EVENTS[type(event)].event_type
    _put_times(event, wire)
    if isinstance(event, TestGraded) and event.test_status is not None:
        _put_times(event.test_status, wire["testStatus"])
    return wire


def _put_times(value: attrs.AttrsInstance, wire: dict[str, Any]) -> None:
    """Write the times of a model as the server does."""
    for attribute in attrs.fields(type(value)):
        moment = getattr(value, attribute.name)
        if isinstance(moment, datetime):
            *path, last = places_of(type(value), attribute)[0]
            target = wire
            for part in path:
                target = target[part]
            target[last] = wire_time(moment, UTC, "GMT")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
