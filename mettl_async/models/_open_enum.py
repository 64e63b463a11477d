"""Enums of words the server may add to at any time."""

from enum import StrEnum
from typing import Self


class OpenStrEnum(StrEnum):
    """A string enum that takes words it does not know.

    A known word in another case, or with spaces around it, is the known member: the pages and the
    server differ in that. An unknown word becomes a member of its own with ``is_known == False``,
    equal to any other of the same text. It is made anew each time, so nothing grows.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        folded = value.strip().casefold()
        for known in cls:
            if known.value.casefold() == folded:
                return known
        unknown = str.__new__(cls, value)
        unknown._name_ = ""
        unknown._value_ = str(value)
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows the word."""
        return bool(self._name_)

    def __repr__(self) -> str:
        name = f"{type(self).__name__}.{self._name_}" if self._name_ else type(self).__name__
        return f"<{name}: {self._value_!r}{'' if self._name_ else ', unknown'}>"

    def __reduce_ex__(self, _protocol: object) -> tuple[type[Self], tuple[str]]:
        # By value: an unknown member has no name to be found by.
        return type(self), (self._value_,)
