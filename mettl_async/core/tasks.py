"""Work in the background, on asyncio or trio, whichever runs.

Such work belongs to no caller: leaving, failing or cancelling one ends nothing that is under way, and it
may begin in an async generator, which must not keep a nursery open over its yields. So it is a task of
the event loop in asyncio and a system task in trio; the client that began it waits for it in its end.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Generic, Protocol, TypeVar

import anyio
import sniffio

from mettl_async.errors import ClientClosedError, ConfigurationError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Work(Protocol[T_co]):
    """Something that runs by itself."""

    async def wait(self) -> None:
        """Wait until it has ended, with or without an error; its error is not raised here."""
        ...

    async def result(self) -> T_co:
        """Wait until it has ended; return its result, or raise what it raised.

        Raises:
            ClientClosedError: It was stopped, or has ended with the event loop.
        """
        ...

    def stop(self) -> None:
        """Cancel it, and let no error of it be reported."""
        ...


class _AsyncioWork(Generic[T]):
    def __init__(self, work: Coroutine[None, None, T], at_end: Callable[[Work[T]], object]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(lambda _: at_end(self))

    async def wait(self) -> None:
        await asyncio.wait((self._task,))

    async def result(self) -> T:
        await self.wait()
        if self._task.cancelled():
            raise ClientClosedError("the client was closed before this was read")
        return self._task.result()

    def stop(self) -> None:
        if not self._task.done():
            self._task.cancel()
        elif not self._task.cancelled():
            self._task.exception()


def _library() -> str:
    try:
        name = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        name = "no event loop"
    if name not in {"asyncio", "trio"}:
        raise ConfigurationError(f"the client runs on asyncio and trio, not on {name}")
    return name


def running_loop() -> object:
    """Return an object that identifies the running event loop, to be compared by ``is``.

    Raises:
        ConfigurationError: None runs, or neither asyncio's nor trio's.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    if task is not None:  # what nearly every call finds, a little sooner
        return task.get_loop()
    if _library() == "asyncio":
        return asyncio.get_running_loop()
    from mettl_async.core.trio_tasks import running_trio  # noqa: PLC0415 - trio is an extra

    return running_trio()


def begin(work: Coroutine[Any, Any, T], at_end: Callable[[Work[T]], object]) -> Work[T]:
    """Run something in the background, in a copy of the caller's context.

    Args:
        work: What to run.
        at_end: Called with it once, when it has ended.

    Raises:
        ConfigurationError: Neither asyncio nor trio runs.
    """
    if _library() == "asyncio":
        return _AsyncioWork(work, at_end)
    from mettl_async.core.trio_tasks import TrioWork  # noqa: PLC0415 - trio is an extra

    return TrioWork(work, at_end)


def later(
    seconds: float, work: Callable[[], Coroutine[Any, Any, None]]
) -> Callable[[], Awaitable[None]]:
    """Run something in the background after a pause.

    In asyncio the pause is a timer, not a task: nothing is left behind when the event loop ends.

    Returns:
        What prevents it, or waits until it has ended if it has begun.
    """
    if _library() == "asyncio":
        loop, begun = asyncio.get_running_loop(), list[Work[None]]()
        # A context of its own: that of the call may hold its user's data, and outlive the call here.
        timer = loop.call_later(
            seconds,
            lambda: begun.append(_AsyncioWork(work(), lambda _: None)),
            context=Context(),
        )

        async def prevent() -> None:
            timer.cancel()
            for one in begun:
                await one.wait()
    else:

        async def pause_and_work() -> None:
            await anyio.sleep(seconds)
            await work()

        waiting = begin(pause_and_work(), lambda _: None)

        async def prevent() -> None:
            waiting.stop()
            await waiting.wait()

    return prevent


@contextmanager
def catching(handle: Callable[[Exception], object]) -> Iterator[None]:
    """Give what the block raises to ``handle``, and go on after the block; a cancellation of ours passes.

    It is ours if a cancel scope around the caller was cancelled. Otherwise it came out of somebody's
    code, where it must not look like the end, and `ConfigurationError` stands for it. A task of asyncio's
    that is cancelled without a scope is not noticed: use this inside of a task group, which has one.
    """
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - the caller's own code may raise anything
        handle(exc)
    except anyio.get_cancelled_exc_class():
        if anyio.current_effective_deadline() == -math.inf:
            raise
        handle(
            ConfigurationError(
                "cancelled from inside: by the input, a hook, a middleware or credentials"
            )
        )
