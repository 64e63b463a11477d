"""A mapping that cannot change, hashes, pickles and shows only its size."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from typing import Any, TypeVar

V = TypeVar("V")


class FrozenMap(Mapping[str, V]):
    """An immutable mapping from text.

    ``types.MappingProxyType`` neither pickles nor hashes, and shows its content; values of this
    package do the first two and never the third, because the content is personal.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, V]) -> None:
        self._entries = dict(entries)

    @classmethod
    def taking(cls, entries: dict[str, V]) -> FrozenMap[V]:
        """Make a map of a dict that nobody else keeps: without a copy, half the time."""
        new: FrozenMap[V] = cls.__new__(cls)
        new._entries = entries
        return new

    def __getitem__(self, key: str) -> V:
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> ItemsView[str, V]:
        """Give the pairs; a dict's own view of them is several times as fast as that of `Mapping`."""
        return self._entries.items()

    def __hash__(self) -> int:
        return hash(frozenset(self._entries.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._entries)} entries)"

    def __reduce__(self) -> tuple[type[FrozenMap[Any]], tuple[dict[str, V]]]:
        return type(self), (self._entries,)

    def after(self, head: dict[str, V]) -> dict[str, V]:
        """Add the entries to ``head``, which is the caller's own, and return it."""
        head.update(self._entries)
        return head


EMPTY: FrozenMap[Any] = FrozenMap({})
