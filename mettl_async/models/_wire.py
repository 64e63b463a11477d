"""Names of properties on the wire, where they do not follow from the attribute's."""

from __future__ import annotations

from typing import Final

WIRE: Final = "wire"
"""Key of a field's metadata."""


def wire(*places: str) -> dict[str, tuple[str, ...]]:
    """Name the places of a property, best first, as a field's ``metadata``.

    Without it a property has the attribute's name in lower camel case.

    Args:
        places: Names; one within another object is written ``"result.analysis"``. The first is what
            is written, and the first that can be read counts. None at all: it never travels.
    """
    return {WIRE: places}
