"""Those whose answer was lost, until they are sent once more; pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field, frozen

from mettl_async.bulk.details import rd_length
from mettl_async.bulk.part import Part
from mettl_async.errors import MettlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mettl_async.bulk.outcomes import Outcome

KEPT: Final = 2_000
"""Candidates that wait for the end of the run; if there are more, the oldest are sent at once."""


@frozen
class Lost:
    """A part without an answer, and how that was lost."""

    part: Part
    error: MettlError

    def as_it_is(self) -> list[Outcome]:
        """The outcomes, if it is not sent again."""
        return self.part.unsettled(self.error)


@define(eq=False)
class SecondPass:
    """A queue with a bound that its users keep, by taking from it while it is `too_long`."""

    size: int
    room: int | None
    kept: int = KEPT
    _lost: deque[Lost] = field(factory=deque, init=False)
    _count: int = field(default=0, init=False)

    def __len__(self) -> int:
        return self._count

    @property
    def too_long(self) -> bool:
        """Whether the oldest cannot wait for the end of the run."""
        return self._count > self.kept

    def add(self, part: Part, error: MettlError) -> None:
        """Keep a part for later."""
        self._lost.append(Lost(part, error))
        self._count += len(part.entries)

    def take(self) -> list[Lost]:
        """The oldest ones, as many as one call may have; empty when there are none."""
        count = next(_packed((one.part for one in self._lost), self.size, self.room), 0)
        taken = [self._lost.popleft() for _ in range(count)]
        self._count -= sum(len(one.part.entries) for one in taken)
        return [evolve(one, part=evolve(one.part, repeated=True)) for one in taken]


def packed(parts: Sequence[Part], size: int, room: int | None) -> list[list[Part]]:
    """Cut parts into calls of at most ``size`` candidates and ``room`` bytes; no part is cut."""
    calls, start = [], 0
    for count in _packed(parts, size, room):
        calls.append(list(parts[start : start + count]))
        start += count
    return calls


def _packed(parts: Iterable[Part], size: int, room: int | None) -> Iterator[int]:
    """How many parts go into each call, one after the other."""
    count = entries = length = 0
    for part in parts:
        more = 0 if room is None else rd_length(part.entries)
        if count and (
            entries + len(part.entries) > size or (room is not None and length + more > room)
        ):
            yield count
            count = entries = length = 0
        count, entries, length = count + 1, entries + len(part.entries), length + more
    if count:
        yield count
