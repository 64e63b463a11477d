"""How an event of a webhook is printed: a line for people, one with tabs, or JSON for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from attrs import frozen
from rich.console import Console
from rich.text import Text

from mettl_async.cli.plain import number, plain, utc_text
from mettl_async.cli.tables import shown
from mettl_async.models import TestEvent, TestFinished, TestGraded, UnknownEvent

COLUMNS: Final = ("time", "event", "access_key", "attempt", "candidate", "marks", "ended")
_WIDTHS: Final = (20, 17, 10, 9, 26, 9, 0)
_STYLES: Final = {
    "TestStarted": "cyan",
    "TestFinished": "blue",
    "TestGraded": "green",
    "TestResumeEnabled": "yellow",
}


@frozen(kw_only=True)
class Came:
    """An event, and when it came."""

    event: TestEvent | UnknownEvent
    at: datetime

    @property
    def kind(self) -> str:
        """Name of its class, as handlers and ``mettl webhooks send`` know it."""
        return type(self.event).__name__


def masked(email: str | None) -> str | None:
    """Leave of an address what tells two people apart at a glance, and not who they are."""
    return None if email is None else f"{email.strip()[:1]}***@***"


def cells(came: Came, *, personal: bool) -> tuple[str, ...]:
    """Give the texts of one line, in the order of `COLUMNS`."""
    event = came.event
    mode = getattr(event, "finish_mode", None)
    ended = event.problem or event.event_type if isinstance(event, UnknownEvent) else mode
    return tuple(
        shown(cell)
        for cell in (
            utc_text(came.at.replace(microsecond=0)),
            came.kind,
            event.access_key,
            event.candidate_instance_id,
            event.email if personal else masked(event.email),
            _marks(event) if isinstance(event, TestGraded) else None,
            ended,
        )
    )


def _marks(event: TestGraded) -> str:
    got, most = (
        "?" if marks is None else str(number(round(marks, 2)))
        for marks in (event.marks_scored, event.max_marks)
    )
    return f"{got} / {most}"


def tabbed(texts: tuple[str, ...]) -> str:
    """Join the texts of a line for programs and files."""
    return "\t".join(texts) + "\n"


def print_aligned(texts: tuple[str, ...], style: str = "") -> None:
    """Print the texts of a line under each other on a terminal."""
    line = Text("  ".join(text.ljust(width) for text, width in zip(texts, _WIDTHS, strict=True)))
    line.rstrip()
    line.stylize(style or _STYLES.get(texts[1], "magenta"))
    # Never folded: one event, one line, as wide as it is.
    Console(highlight=False, soft_wrap=True).print(line)


def document(came: Came, *, personal: bool) -> dict[str, Any]:
    """Give what ``--json`` prints: everything with ``personal``, else what names nobody."""
    event = came.event
    head: dict[str, Any] = {"event": came.kind, "received_at": utc_text(came.at)}
    if personal:
        return {**head, **plain(event)}
    told: dict[str, Any] = {
        "access_key": event.access_key,
        "email": masked(event.email),
        "candidate_instance_id": event.candidate_instance_id,
        "timestamp": event.timestamp,
    }
    if isinstance(event, UnknownEvent):
        told |= {"event_type": event.event_type, "problem": event.problem}
    else:
        told |= {"assessment_id": event.assessment_id, "source_app": event.source_app}
    if isinstance(event, TestFinished | TestGraded):
        told |= {"finish_mode": event.finish_mode}
    if isinstance(event, TestGraded):
        told |= {
            "start_time": event.start_time,
            "end_time": event.end_time,
            "marks_scored": event.marks_scored,
            "max_marks": event.max_marks,
            "percentile": event.percentile,
            "sectional_scores": event.sectional_scores,
        }
    return {**head, **plain(told)}
