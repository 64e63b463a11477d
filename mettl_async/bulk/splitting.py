"""Finding the candidates of a batch that make its call fail, in few calls; pure."""

from typing import Final

from attrs import define

from mettl_async.bulk.batch import Batch

SURPLUS: Final = 6
"""Calls more than candidates that a batch may take, whichever are bad: log2(20) and one more."""


@define(eq=False)
class Splitting:
    """What of a batch to send next, until every candidate is settled.

    The server refuses a whole call for one bad candidate, without saying which [assumed, from what
    clients do]. The first bad one is found by halving; a half that must hold it, because the other
    half succeeded, is not sent as a whole. Then comes a group as long as the stretch in which one was
    bad so far, so that groups grow while all is well, and shrink to single ones where every other
    candidate is bad.

    n candidates take at most ``n + SURPLUS`` calls: two or more are sent together only while fewer
    than ``SURPLUS`` calls have settled no candidate, and a call for one always settles that one. With one
    bad they take at most ``1 + 2 * ceil(log2(n))``, without any a single call. Every bad one is sent alone
    before it is called bad, so what is inferred can cost calls and never an outcome.
    """

    _left: Batch
    _calls: int = 0
    _settled: int = 0
    _bad: int = 0
    _suspects: int = 0  # so many of the first ones left hold a bad one
    _most: int = 0  # a group may not be larger; 0 for any size

    def take(self) -> Batch:
        """Return what to send in the next call; empty when every candidate is settled."""
        size = self._size()
        if size >= len(self._left):
            group, self._left = self._left, Batch()
        else:
            group, self._left = Batch(self._left[:size]), Batch(self._left[size:])
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

    def record_success(self, group: Batch) -> None:
        """Note that the server took these."""
        self._settled += len(group)
        self._suspects = max(0, self._suspects - len(group))

    def record_no_answer(self, group: Batch) -> None:
        """Note that nothing was learned about these, and that they are not to be sent again."""
        self._settled += len(group)
        self._suspects = 0

    def record_rejection(self, group: Batch, *, too_long: bool = False) -> bool:
        """Note that the server took none of these; return whether it was a single one, which is bad then.

        Args:
            group: What was sent. More than one come again in later calls.
            too_long: The call was too long, which need not be any candidate's fault.
        """
        if len(group) == 1:
            self._settled += 1
            self._bad += 1
            self._suspects = 0
            return True
        self._left = Batch(group + self._left)
        if too_long:
            self._most, self._suspects = len(group) // 2, 0
        else:
            self._suspects = len(group)
        return False
