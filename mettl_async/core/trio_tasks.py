"""trio's part of `mettl_async.core.tasks`; the only module that names trio."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import trio

from mettl_async.errors import ClientClosedError

T = TypeVar("T")

logger = logging.getLogger("mettl_async")


def running_trio() -> object:
    """Return the token of this run of trio: another one for each `trio.run`."""
    return trio.lowlevel.current_trio_token()


class TrioWork(Generic[T]):
    """A system task: no nursery of the caller's owns it, and trio ends it when the main task is over.

    An exception that left it would end the program as an internal error of trio's, so none does.
    """

    def __init__(
        self, work: Coroutine[Any, Any, T], at_end: Callable[[TrioWork[T]], object]
    ) -> None:
        self._at_end = at_end
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._unwanted = False
        # The caller's context, as asyncio's tasks have it: spans and log fields live there.
        trio.lowlevel.spawn_system_task(self._run, work, context=copy_context())

    async def _run(self, work: Coroutine[Any, Any, T]) -> None:
        try:
            with self._scope:
                self._values.append(await work)
        except trio.Cancelled:
            pass  # trio is at its end, or it came out of somebody's code
        except BaseException as exc:  # noqa: BLE001 - see the class
            self._error = None if self._unwanted else exc
            if _has_interrupt(exc):
                # Ctrl-C met a task below this one. From here trio gives it to the main task.
                signal.raise_signal(signal.SIGINT)
        finally:
            self._ended.set()
            self._at_end(self)

    async def wait(self) -> None:
        """See `Work`."""
        await self._ended.wait()

    async def result(self) -> T:
        """See `Work`."""
        await self._ended.wait()
        error, self._error = self._error, None
        if error is None and not self._values:
            raise ClientClosedError("the client was closed before this was read")
        if error is None:
            return self._values[0]
        try:
            raise error
        finally:
            del error  # its frames would hold it, and it them

    def stop(self) -> None:
        """See `Work`."""
        self._unwanted, self._error = True, None
        self._scope.cancel()

    def __del__(self) -> None:
        # As asyncio logs a task whose exception was never retrieved. Only its type: it may hold data.
        if self._error is not None:
            logger.error("background work ended with %s", type(self._error).__name__)


def _has_interrupt(exc: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return exc.subgroup(KeyboardInterrupt) is not None
    return isinstance(exc, KeyboardInterrupt)
