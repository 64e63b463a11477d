"""How an event of a webhook is printed: an aligned line, one with tabs, or JSON."""

from datetime import datetime
from itertools import cycle
from typing import Any, Final

import attrs
from rich.console import Console
from rich.text import Text

from mettl_async.cli.printing import (
    at_terminal,
    json_document,
    number,
    plain,
    print_text,
    printable,
    utc_text,
)
from mettl_async.models import EVENTS, Event, TestGraded, UnknownEvent

COLUMNS: Final = ("time", "event", "access_key", "attempt", "candidate", "marks", "ended")
_WIDTHS: Final = (20, 17, 10, 9, 26, 9, 0)
_COLORS: Final = dict(
    zip(
        (cls.__name__ for cls in EVENTS),
        cycle(("cyan", "blue", "green", "yellow")),
        strict=False,
    )
)
_PERSONAL: Final = {"test_status"}  # besides the attributes that a repr does not show


def masked(email: str | None) -> str | None:
    """Hide an address but for its first letter, which tells two people apart at a glance."""
    return None if email is None else f"{email.strip()[:1]}***@***"


def cells(event: Event, at: datetime, *, personal: bool) -> tuple[str, ...]:
    """Give the texts of one line, in the order of `COLUMNS`.

    Args:
        event: The event.
        at: When it came, aware.
        personal: Whether the candidate's address is shown.
    """
    ended = getattr(event, "finish_mode", None)
    if isinstance(event, UnknownEvent):
        ended = event.problem or event.event_type
    values = (
        utc_text(at.replace(microsecond=0)),
        type(event).__name__,
        event.access_key,
        event.candidate_instance_id,
        event.email if personal else masked(event.email),
        _marks(event) if isinstance(event, TestGraded) else None,
        ended,
    )
    return tuple(map(printable, values))


def _marks(event: TestGraded) -> str:
    scored, reachable = (
        "?" if marks is None else str(number(round(marks, 2)))
        for marks in (event.marks_scored, event.max_marks)
    )
    return f"{scored} / {reachable}"


def print_line(texts: tuple[str, ...], style: str = "") -> None:
    """Print the texts of a line: aligned on a terminal, elsewhere with tabs between them."""
    if not at_terminal():
        print_text("\t".join(texts) + "\n")
        return
    line = Text("  ".join(text.ljust(width) for text, width in zip(texts, _WIDTHS, strict=True)))
    line.rstrip()
    line.stylize(style or _COLORS.get(texts[1], "magenta"))
    # Never folded: one event, one line, as wide as it is.
    Console(highlight=False, soft_wrap=True).print(line)


def document(event: Event, at: datetime, *, personal: bool) -> str:
    """Write a line of JSON: the whole event with ``personal``, else what identifies no candidate."""
    told: dict[str, Any] = {"event": type(event).__name__, "received_at": at}
    for one in attrs.fields(type(event)):
        if personal or (one.repr and one.name not in _PERSONAL):
            told[one.name] = getattr(event, one.name)
        elif one.name == "email":
            told["email"] = masked(event.email)
    return json_document(plain(told)) + "\n"
