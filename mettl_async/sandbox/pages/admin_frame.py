"""What the admin's pages share: their frame, what was done, searches, and long lists in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

from mettl_async.sandbox.pages.html import Content, Html, join, tag
from mettl_async.sandbox.pages.layout import Frame, hidden, note, page
from mettl_async.sandbox.pages.paths import ADMIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DELIVERIES: Final = f"{ADMIN}/deliveries"
FAULTS: Final = f"{ADMIN}/faults"
CLOCK: Final = f"{ADMIN}/clock"
ROWS: Final = 200
KEPT: Final = ("q", "p")
"""What of an address stays when a button was pressed: the search, and the part of a long list."""
_FRAME: Final = Frame(
    "Mettl sandbox: admin",
    {ADMIN: "Schedules", DELIVERIES: "Deliveries", FAULTS: "Faults", CLOCK: "Clock"},
)
# What a page may say of the button that led to it: these words, whatever the address says.
_DONE: Final = {
    "started": "The test was started.",
    "finished": "The test was finished.",
    "resumed": "The candidate may go on with the test: the link opens again.",
    "redelivered": "The delivery is being sent once more.",
    "faults": "The faults were changed.",
    "rules": "The rules of delivery were changed.",
    "clock": "The clock was put forward.",
    "pace": "The pace of grading was changed.",
}
_REFUSED: Final = {
    "state": "Nothing was changed: the test has gone on meanwhile, and this isn't possible now.",
    "number": "Nothing was changed: a number is missing or out of its range.",
}

T = TypeVar("T")


def admin_page(title: str, here: str, query: Mapping[str, str], *content: Content) -> Html:
    """Make a page of the admin, with a message of what was done or refused."""
    done, refused = _DONE.get(query.get("done", "")), _REFUSED.get(query.get("refused", ""))
    said = note(done) if done else note(refused, bad=True) if refused else None
    return page(_FRAME, title, said, *content, here=here)


def schedule_path(access_key: str) -> str:
    """Give the address of a schedule's page."""
    return f"{ADMIN}/schedules/{access_key}"


def address(path: str, query: Mapping[str, str]) -> str:
    """Make an address with what of the query isn't empty."""
    text = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{text}" if text else path


def has_word(q: str, *texts: str) -> bool:
    """Tell whether what was searched for stands in any of the texts, case ignored."""
    word = q.strip().lower()
    return any(word in text.lower() for text in texts)


def kept(query: Mapping[str, str]) -> list[Html]:
    """Make fields that bring a button's page back to the same search and part."""
    return [hidden(name, query[name]) for name in KEPT if query.get(name)]


def in_part(found: Sequence[T], path: str, query: Mapping[str, str]) -> tuple[Sequence[T], Html]:
    """Take the part of a long list that ``p`` asks for; gives also the ways to its neighbours."""
    last = max(1, -(-len(found) // ROWS))
    asked = query.get("p", "")
    number = min(last, max(1, int(asked[:9]))) if asked.isascii() and asked.isdecimal() else 1
    first = (number - 1) * ROWS
    shown = found[first : first + ROWS]
    if last == 1:
        return shown, tag("p", {"class": "soft"}, f"{len(found)} in all." if found else "None.")
    ways = [
        tag("a", {"href": address(path, {"q": query.get("q", ""), "p": str(there)})}, text)
        for there, text in ((number - 1, "Previous part"), (number + 1, "Next part"))
        if 1 <= there <= last
    ]
    told = tag("p", {"class": "soft"}, f"{first + 1} to {first + len(shown)} of {len(found)}.")
    return shown, join(
        told, tag("nav", {"aria-label": "Parts of the list", "class": "parts"}, ways)
    )
