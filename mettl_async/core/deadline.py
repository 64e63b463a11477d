"""A bound on the time that something may take, on asyncio or trio."""

from __future__ import annotations

import asyncio
import math
from contextvars import Context
from typing import TYPE_CHECKING, Self

import anyio
from attrs import define, field

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType


@define(eq=False)
class Deadlines:
    """The bounds of all attempts of a client.

    On asyncio they share one timer. Every attempt has a bound and nearly none is reached: a timer each,
    or a cancel scope, costs several times as much as being on a list.
    """

    _bounds: dict[_Bound, None] = field(factory=dict, init=False, repr=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False, repr=False)
    _next: float = field(default=math.inf, init=False, repr=False)

    def give_up_after(self, seconds: float) -> AbstractContextManager[object]:
        """Cancel what is inside ``with`` when the time is over, and go on behind it.

        A cancellation that comes from elsewhere passes through, also one that comes at the same time.
        """
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        if (
            task is None or seconds <= 0
        ):  # over already: a cancel scope keeps anything from being begun
            return anyio.move_on_after(seconds)
        loop = task.get_loop()
        at = loop.time() + seconds
        if at < self._next:
            self._look_at(at, loop)
        return _Bound(self._bounds, task, at)

    def rest(self) -> None:
        """Leave no timer behind, unless something is under way."""
        if not self._bounds:
            self._drop_timer()

    def _look_at(self, when: float, loop: asyncio.AbstractEventLoop) -> None:
        self._drop_timer()
        # In a context of its own: that of the call which happens to be first may hold its user's data.
        timer = loop.call_at(when, self._look, loop, context=Context())
        self._timer, self._next = timer, when

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._next = None, math.inf

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._next = None, math.inf
        now = loop.time()
        left = [bound for bound in self._bounds if not bound.ends(now)]
        if left:
            self._look_at(min(bound.at for bound in left), loop)


class _Bound:
    """As `asyncio.timeout`, but silent."""

    __slots__ = ("_all", "_before", "_passed", "_task", "at")

    def __init__(self, every: dict[_Bound, None], task: asyncio.Task[object], at: float) -> None:
        self._all, self._task, self.at, self._passed = every, task, at, False
        self._before = task.cancelling()

    def ends(self, now: float) -> bool:
        """Whether its time is over; what is inside is cancelled then, once."""
        if not self._passed and self.at <= now:
            self._passed = True
            self._task.cancel()
        return self._passed

    def __enter__(self) -> Self:
        self._all[self] = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        del self._all[self]
        if not self._passed:
            return False
        # Ours is taken back; if others are left, theirs goes on.
        others = self._task.uncancel() > self._before
        return kind is not None and issubclass(kind, asyncio.CancelledError) and not others
