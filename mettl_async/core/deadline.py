"""A bound on the time that something may take, on asyncio or trio."""

import asyncio
from contextlib import AbstractContextManager
from contextvars import Context
from types import TracebackType
from typing import Protocol, Self

import anyio


class Limit(Protocol):
    """What bounds a piece of work."""

    def cancel(self) -> None:
        """Cancel the work at once, as if its time were over."""
        ...


def give_up_after(seconds: float) -> AbstractContextManager[Limit]:
    """Cancel what is inside ``with`` when the time is over, and go on behind it.

    A cancellation that comes from elsewhere passes through, also one that comes at the same time.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    # Where the time is over already, a cancel scope keeps anything from being begun.
    if task is None or seconds <= 0:
        return anyio.move_on_after(seconds)
    return _Timeout(task, seconds)


class _Timeout:
    """Like `asyncio.timeout`, but silent; every attempt needs one, and a cancel scope costs three times as much."""

    __slots__ = ("_before", "_passed", "_task", "_timer")

    def __init__(self, task: asyncio.Task[object], seconds: float) -> None:
        self._task, self._passed, self._before = task, False, task.cancelling()
        # A context of its own: that of the call may hold its user's data, and outlive the call here.
        loop = task.get_loop()
        self._timer = loop.call_at(loop.time() + seconds, self._end, context=Context())

    def _end(self) -> None:
        self._passed = True
        self._task.cancel()

    def cancel(self) -> None:
        if not self._passed:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._timer.cancel()
        if not self._passed:
            return False
        # Ours is taken back; if others are left, theirs goes on.
        others = self._task.uncancel() > self._before
        return kind is not None and issubclass(kind, asyncio.CancelledError) and not others
