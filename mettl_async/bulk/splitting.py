"""Finding those of a batch who make it fail, in few calls; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from mettl_async.bulk.part import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

SURPLUS: Final = 6
"""Calls more than candidates that a batch may take, whoever of it is bad: log2(20) and one more."""


@define(eq=False)
class Splitting:
    """What of a batch to send next, until everybody is settled.

    The server refuses a whole call for one bad candidate, without telling which [assumed, from what
    clients do]. The bad one that
    comes first is found by halving; a half that must hold it, because the other one went through, is
    not sent as a whole. Then comes a group as long as the stretch in which one was bad so far, so that
    groups grow while all is well, and shrink to single ones where every other candidate is bad.

    n candidates take at most ``n + SURPLUS`` calls: two or more are sent together only while fewer
    than ``SURPLUS`` calls have settled nobody, and a call for one always settles that one. With one bad
    they take at most ``1 + 2 * ceil(log2(n))``, without any a single call. Every bad one is sent alone
    before it is called bad, so what is inferred can cost calls and never an outcome.
    """

    _left: list[Part]
    _calls: int = 0
    _settled: int = 0
    _bad: int = 0
    _suspects: int = 0  # so many of the first ones left hold a bad one
    _most: int = 0  # a group may not be larger; 0 for any size

    def take(self) -> Sequence[Part]:
        """What to send in the next call; nothing when everybody is settled."""
        size = self._size()
        group, self._left = self._left[:size], self._left[size:]
        self._calls += 1
        return group

    def _size(self) -> int:
        if self._calls - self._settled >= SURPLUS:
            return 1
        size = len(self._left)
        if self._suspects:
            size = max(1, self._suspects // 2)
        elif self._bad:
            size = max(1, self._settled // self._bad)
        return min(size, self._most) if self._most else size

    def went_through(self, group: Sequence[Part]) -> None:
        """The server took these."""
        count = _count(group)
        self._settled += count
        self._suspects = max(0, self._suspects - count)

    def was_lost(self, group: Sequence[Part]) -> None:
        """Nothing was learned about these, and they are not to be sent again."""
        self._settled += _count(group)
        self._suspects = 0

    def was_refused(self, group: Sequence[Part], *, too_long: bool = False) -> bool:
        """The server took none of these; gives whether it was a single one, who is bad then.

        Args:
            group: What was sent. More than one come again in later calls.
            too_long: They were too many, so that it need not be anybody's fault.
        """
        count = _count(group)
        if count == 1:
            self._settled += 1
            self._bad += 1
            self._suspects = 0
            return True
        self._left[:0] = [single for part in group for single in part.singles()]
        if too_long:
            self._most, self._suspects = count // 2, 0
        else:
            self._suspects = count
        return False


def _count(group: Sequence[Part]) -> int:
    return sum([len(part.entries) for part in group])
