"""What is said of events that nobody handles, or that may be lost."""

import logging
import re
from typing import Final

from attrs import field, frozen

from mettl_async.models.event import Event, UnknownEvent

_LOGGER: Final = logging.getLogger("mettl_async.webhooks")
_MOST_TYPES: Final = 100  # that are remembered as said
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")  # has no room for an address
MAYBE_SECOND: Final = (
    "not handled again: %s %s has no time, so it may be a second event or a second delivery; "
    "if both must be handled, give the receiver another identify"
)


@frozen
class UnhandledTypes:
    """The types of events that nobody handles; each is told once."""

    _said: set[str] = field(init=False, factory=set)

    def warn_once(self, event: Event) -> None:
        """Say that nobody handles such events, once for each type."""
        if isinstance(event, UnknownEvent) and event.problem:
            return  # Refused: that is said each time.
        name = shown_type(event)
        if len(self._said) >= _MOST_TYPES:
            name = "further types"
        if name not in self._said:
            self._said.add(name)
            _LOGGER.warning(
                "no handler for %s: such events are lost (this is said once); declare one with "
                "@receiver.on(%s), or refuse them with strict=True",
                name,
                type(event).__name__,
            )


def shown_type(event: Event) -> str:
    """Name the type of an event; the word of an unknown one only if it is one, as anyone may send it."""
    if not isinstance(event, UnknownEvent):
        return type(event).__name__
    word = event.event_type or ""
    return f"events of type {word}" if _WORD.fullmatch(word) else "events whose type is no word"


def is_timeless(event: Event) -> bool:
    """Tell whether an event says no time, so that a second one looks like a second delivery."""
    return event.timestamp is None and getattr(event, "end_time", None) is None
