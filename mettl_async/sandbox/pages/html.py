"""Markup that can't be forgotten to be escaped: text is escaped unless it is `Html` already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final, TypeAlias

_VOID: Final = frozenset({"br", "hr", "input", "link", "meta"})
_ADDRESSES: Final = frozenset({"href", "action"})
_HARMLESS: Final = ("/", "?", "#", "http://", "https://")


class Html(str):
    """Text that is markup: goes into a page as it is. Only `tag`, `join` and constants make it."""

    __slots__ = ()


Content: TypeAlias = str | Iterable["Content"] | None
Attributes: TypeAlias = Mapping[str, str | bool | None]


def join(*content: Content) -> Html:
    """Put contents after each other: markup as it is, other text escaped, None left out."""
    pieces: list[str] = []
    for one in content:
        if isinstance(one, Html):
            pieces.append(one)
        elif isinstance(one, str):
            pieces.append(escape(one))
        elif one is not None:
            pieces.append(join(*one))
    return Html("".join(pieces))


def tag(name: str, attributes: Attributes | None = None, *content: Content) -> Html:
    """Make an element; an attribute that is True stands alone, one that is False or None is left out.

    Raises:
        ValueError: An address that is neither http nor of this site, such as ``javascript:``.
    """
    written = ""
    for key, value in (attributes or {}).items():
        if value is None or value is False:
            continue
        if key in _ADDRESSES and not (value is True or value.startswith(_HARMLESS)):
            raise ValueError(f"{name} has an address that is not http")
        written += f" {key}" if value is True else f' {key}="{escape(value)}"'
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*content)}</{name}>")
