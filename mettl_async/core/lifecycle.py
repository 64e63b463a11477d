"""From a client's first use to its end: one event loop, background work, closed or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import define, field

from mettl_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Coroutine


T = TypeVar("T")


class Prefetched(Generic[T]):
    """Something that is being read ahead: `get` it, or `drop` it."""

    def __init__(self, task: asyncio.Task[T]) -> None:
        self._task = task

    async def get(self) -> T:
        """Wait for it; raises what reading it raised.

        Raises:
            ConfigurationError: The client was closed meanwhile.
        """
        try:
            return await self._task
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if waiter is not None and waiter.cancelling():
                raise
        # Closing cancelled what was read ahead; to the reader that must not look like its own end.
        raise ConfigurationError("the client was closed before this was read")

    def drop(self) -> None:
        """Nobody wants it: stop, and let no error of it be reported."""
        if not self._task.done():
            self._task.cancel()
        elif not self._task.cancelled():
            self._task.exception()


@define(eq=False)
class Lifecycle:
    """Shared by a client and its clones."""

    closing: bool = False
    closed: bool = False
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False)
    _ahead: set[asyncio.Task[Any]] = field(factory=set, repr=False)
    _work: dict[asyncio.Task[None], Callable[[], None]] = field(factory=dict, repr=False)

    def check(self) -> None:
        """Refuse use after closing, and from a second event loop.

        Raises:
            ConfigurationError: Either of them.
        """
        if self.closed:
            raise ConfigurationError("this client is closed; make a new one")
        self.check_loop()

    def check_loop(self) -> None:
        """Refuse use from a second event loop.

        Raises:
            ConfigurationError: It is another one than at first use.
        """
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        elif self._loop is not running:
            raise ConfigurationError(
                "this client was first used in another event loop, and its connections live there; "
                "make one client per event loop, inside it"
            )

    def start(self, work: Coroutine[None, None, None], abandon: Callable[[], None]) -> None:
        """Run something that may outlive its caller; ``abandon`` tells it to come to an end."""
        task = asyncio.get_running_loop().create_task(work)
        self._work[task] = abandon
        task.add_done_callback(self._work.pop)

    def prefetch(self, work: Coroutine[None, None, T]) -> Prefetched[T]:
        """Run a read ahead of its use; it is cancelled when nobody wants it any more."""
        task = asyncio.get_running_loop().create_task(work)
        self._ahead.add(task)
        task.add_done_callback(self._ahead.discard)
        return Prefetched(task)

    async def drain(self) -> None:
        """Have all background work come to an end, and wait for it; calls are not tried again."""
        self.closing = True
        for task in tuple(self._ahead):
            task.cancel()
        while self._work:
            for abandon in self._work.values():
                abandon()
            await asyncio.wait(tuple(self._work))
        while self._ahead:
            await asyncio.wait(tuple(self._ahead))
