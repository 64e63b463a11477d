"""Names of properties on the wire, where they do not follow from the attribute's name."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from attrs import Attribute, fields

Place: TypeAlias = tuple[str, ...]  # names from the object inwards

WHOLE: Final = ""
"""Name of the place of a whole event as it came."""

MERGED: Final[Place] = ("*",)
"""Place of a value whose own properties stand in its owner's object."""

_KEY: Final = "wire"


def wire(*places: str) -> dict[str, tuple[Place, ...]]:
    """Name the places of a property, best first; the ``metadata`` of a field.

    Without it a property has the attribute's name in lower camel case, or the very name where the class
    sets ``snake_case_on_wire``.

    Args:
        places: Names; one within another object is written ``"result.analysis"``. The first is what
            is written, and the first that can be read counts. After ``"*"``: those of the value's own
            properties, which then stand in its owner's object. None at all: it never travels.
    """
    return {_KEY: tuple(tuple(place.split(".")) for place in places)}


def names_of(cls: type) -> set[str]:
    """List the wire names that the attributes of a class have in its object."""
    names = set()
    for attribute in fields(cls):
        places = places_of(cls, attribute)
        names |= {place[0] for place in (places[1:] if places[:1] == (MERGED,) else places[:1])}
    return names


def places_of(cls: type, attribute: Attribute[Any]) -> tuple[Place, ...]:
    """Tell where an attribute of a class stands on the wire, best place first."""
    given: tuple[Place, ...] | None = attribute.metadata.get(_KEY)
    if given is not None:
        return given
    if getattr(cls, "snake_case_on_wire", False):
        return ((attribute.name,),)
    first, *rest = attribute.name.split("_")
    return ((first + "".join(map(str.title, rest)),),)
