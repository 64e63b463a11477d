"""Where each email's record begins in a file, in some 20 bytes a record however many there are."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHARDS: Final = 64
_FIRST_SLOTS: Final = 16
_FULL: Final = 0.75
_OFFSET_BITS: Final = 40
_OFFSETS: Final = (1 << _OFFSET_BITS) - 1
_TAGS: Final = (1 << 24) - 1


class Offsets:
    """From folded emails to offsets, kept as 64-bit words: 24 bits of a hash, 40 of the offset.

    A dict of a million emails takes 150 MB. `of` gives every offset that may be the email's: who asks
    reads the record and compares, so that nobody ever gets another's. Words lie in shards that grow
    one by one, so growing never needs much memory at once. Offsets are below 1 TB.
    """

    def __init__(self) -> None:
        self._shards = [array("Q", bytes(8 * _FIRST_SLOTS)) for _ in range(_SHARDS)]
        self._sizes = [0] * _SHARDS

    def __len__(self) -> int:
        return sum(self._sizes)

    def add(self, key: str, offset: int) -> None:
        """Remember where a record begins; earlier ones of the same key are not forgotten."""
        shard, tag = _hashed(key)
        _put(self._shards[shard], tag << _OFFSET_BITS | (offset + 1))  # 0 means an empty slot
        self._sizes[shard] += 1
        if self._sizes[shard] > _FULL * len(self._shards[shard]):
            old = self._shards[shard]
            grown = array("Q", bytes(16 * len(old)))
            for word in old:
                if word:
                    _put(grown, word)
            self._shards[shard] = grown

    def of(self, key: str) -> Iterator[int]:
        """Offsets that may be this key's, the last one first; now and then others' among them."""
        shard, tag = _hashed(key)
        slots = self._shards[shard]
        last = len(slots) - 1
        place, found = tag & last, []
        while word := slots[place]:
            if word >> _OFFSET_BITS == tag:
                found.append((word & _OFFSETS) - 1)
            place = (place + 1) & last
        return iter(sorted(found, reverse=True))


def _hashed(key: str) -> tuple[int, int]:
    mark = hash(key)
    return mark % _SHARDS, (mark // _SHARDS) & _TAGS


def _put(slots: array[int], word: int) -> None:
    last = len(slots) - 1
    place = (word >> _OFFSET_BITS) & last
    while slots[place]:
        place = (place + 1) & last
    slots[place] = word
