"""The emails that a run has met, in some 17 bytes each however long the run."""

from __future__ import annotations

from array import array

from mettl_async.models._fold_email import fold_email

_SHARDS = 64
_FIRST_SLOTS = 16
_FULL = 0.75
_MASK = (1 << 64) - 1


class SeenEmails:
    """A set of emails without regard to case, kept as 64-bit hashes.

    A Python set of a million emails takes 100 MB, and a run may be endless. Two different emails
    share a hash with a probability of 3 in 100 million among a million candidates. Hashes lie in
    shards that grow one by one, so growing never needs much memory at once.
    """

    def __init__(self) -> None:
        self._shards = [array("Q", bytes(8 * _FIRST_SLOTS)) for _ in range(_SHARDS)]
        self._sizes = [0] * _SHARDS

    def __len__(self) -> int:
        return sum(self._sizes)

    def add(self, email: str) -> bool:
        """Add an email; return False if it was there already."""
        mark = (hash(fold_email(email)) & _MASK) or 1  # 0 means an empty slot
        shard = mark % _SHARDS
        if not _put(self._shards[shard], mark):
            return False
        self._sizes[shard] += 1
        if self._sizes[shard] > _FULL * len(self._shards[shard]):
            old = self._shards[shard]
            grown = array("Q", bytes(16 * len(old)))
            for one in old:
                if one:
                    _put(grown, one)
            self._shards[shard] = grown
        return True


def _put(slots: array[int], mark: int) -> bool:
    last = len(slots) - 1
    place = (mark // _SHARDS) & last
    while slots[place]:
        if slots[place] == mark:
            return False
        place = (place + 1) & last
    slots[place] = mark
    return True
