"""What all pages look like: the frame around them, and the pieces that repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from mettl_async.sandbox.pages.html import Attributes, Content, Html, join, tag
from mettl_async.sandbox.pages.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence


@frozen
class Frame:
    """What stands around a page: who it is for, and the names of its ways by their addresses."""

    brand: str
    ways: Mapping[str, str]
    narrow: bool = False


CANDIDATES: Final = Frame("Mettl sandbox", {}, narrow=True)


def page(frame: Frame, title: str, *content: Content, here: str = "", head: str = "") -> Html:
    """Make a whole page; ``head`` is its one heading where that isn't the title."""
    ways = [
        tag("a", {"href": address, "aria-current": "page" if address == here else None}, name)
        for address, name in frame.ways.items()
    ]
    return join(
        Html("<!DOCTYPE html>\n"),
        tag(
            "html",
            {"lang": "en"},
            tag(
                "head",
                None,
                tag("meta", {"charset": "utf-8"}),
                tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
                tag("meta", {"name": "robots", "content": "noindex"}),
                tag("title", None, f"{title} - {frame.brand}"),
                tag("style", None, STYLE),
            ),
            tag(
                "body",
                {"class": "narrow" if frame.narrow else None},
                tag("a", {"class": "skip", "href": "#main"}, "Skip to the content"),
                tag(
                    "header",
                    None,
                    tag("p", None, frame.brand),
                    tag("nav", {"aria-label": "Pages"}, ways) if ways else None,
                ),
                tag("main", {"id": "main"}, tag("h1", None, head or title), *content),
                tag("footer", None, "A sandbox for developers: no real test, no real marks."),
            ),
        ),
        "\n",
    )


def note(text: Content, *, bad: bool = False) -> Html:
    """Make a message that assistive software reads out by itself."""
    return tag("p", {"role": "status", "class": "note bad" if bad else "note"}, text)


def card(heading: str, *content: Content) -> Html:
    """Make a part of a page with a heading of the second rank."""
    return tag("section", {"class": "card"}, tag("h2", None, heading), *content)


def facts(pairs: Sequence[tuple[str, Content]]) -> Html:
    """Make a list of names and values."""
    return tag("dl", None, [(tag("dt", None, k), tag("dd", None, v)) for k, v in pairs])


def badge(text: str, kind: str = "") -> Html:
    """Make a small mark with a state in it; ``kind`` is good, bad, warn or nothing."""
    return tag("span", {"class": f"badge {kind}".strip()}, text)


def button(value: str, text: str, kind: str = "", *, label: str | None = None) -> Html:
    """Make a button that sends ``action``; ``kind`` is main, danger or nothing.

    ``label`` says more than the text where a page has several of the same text.
    """
    attributes = {
        "type": "submit", "name": "action", "value": value, "class": kind or None,
        "aria-label": label,
    }  # fmt: skip
    return tag("button", attributes, text)


def form(action: str, *content: Content, kind: str | None = None) -> Html:
    """Make a form that posts."""
    return tag("form", {"method": "post", "action": action, "class": kind}, *content)


def hidden(name: str, value: str) -> Html:
    """Make a field that nobody sees."""
    return tag("input", {"type": "hidden", "name": name, "value": value})


def number(name: str, label: str, value: str, *, step: str = "1", least: str = "0") -> Html:
    """Make a field for a number, with its label; ``name`` is unique in the page."""
    attributes: Attributes = {
        "type": "number", "id": name, "name": name, "value": value, "min": least, "step": step,
        "inputmode": "decimal", "required": True,
    }  # fmt: skip
    return tag(
        "div", {"class": "field"}, tag("label", {"for": name}, label), tag("input", attributes)
    )


def check(name: str, label: str, *, checked: bool) -> Html:
    """Make a box to tick, with its label; ``name`` is unique in the page."""
    attributes: Attributes = {"type": "checkbox", "id": name, "name": name, "checked": checked}
    return tag(
        "p", {"class": "check"}, tag("input", attributes), tag("label", {"for": name}, label)
    )


def search(path: str, label: str, value: str) -> Html:
    """Make a form that asks for the same page with a word to look for."""
    attributes = {"type": "search", "id": "q", "name": "q", "value": value}
    found = tag(
        "div", {"class": "field"}, tag("label", {"for": "q"}, label), tag("input", attributes)
    )
    go = tag("button", {"type": "submit"}, "Search")
    return tag(
        "form", {"method": "get", "action": path, "role": "search", "class": "line card"}, found, go
    )
