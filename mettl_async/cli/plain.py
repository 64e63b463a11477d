"""Models as plain data for programs: names as in the library, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import attrs

_MINUTE = timedelta(minutes=1)


def plain(value: object) -> Any:
    """Make a model what JSON can hold.

    Moments become ``2026-01-31T09:30:00Z``, extra times minutes, tuples lists; words stay as the server
    wrote them, and what is absent is null.
    """
    match value:
        case Enum():
            return value.value
        case datetime():
            return utc_text(value)
        case timedelta():
            return number(value / _MINUTE)
        case tuple() | list():
            return [plain(item) for item in value]
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
    kind: type[Any] = type(value)
    if attrs.has(kind):
        return {one.name: plain(getattr(value, one.name)) for one in attrs.fields(kind)}
    return value


def utc_text(moment: datetime) -> str:
    """Write an aware datetime in UTC: ``2026-01-31T09:30:00Z``.

    One at the very ends of the calendar, which is in another year in UTC, keeps its own offset.
    """
    try:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        return moment.isoformat()


def number(value: float) -> int | float:
    """Drop the ``.0`` of whole numbers: marks are floats on the wire, and mostly whole."""
    return int(value) if value == int(value) else value
