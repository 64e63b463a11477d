"""From a client's first use to its end: one event loop, background work, closed or not."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import anyio
from attrs import define, field

from mettl_async.core.tasks import Work, begin, running_loop
from mettl_async.errors import ClientClosedError, ConfigurationError

T = TypeVar("T")


class Prefetched(Generic[T]):
    """A value that is being read ahead: `get` it, or `drop` it."""

    def __init__(self, work: Work[T]) -> None:
        self._work = work

    async def get(self) -> T:
        """Wait for it, and return it or raise its error.

        Raises:
            ClientClosedError: The client was closed meanwhile.
        """
        await self._work.wait()
        if self._work.was_stopped:
            # Closing stopped what was read ahead; to the reader that must not look like its own end.
            raise ClientClosedError("the client was closed before this was read")
        return self._work.value()

    def drop(self) -> None:
        """Cancel it, and let no error of it be reported."""
        self._work.stop()


@define(eq=False)
class Lifecycle:
    """Shared by a client and its clones."""

    closing: bool = False
    closed: bool = False
    _loop: object = field(default=None, repr=False)
    _waiting: set[anyio.CancelScope] = field(factory=set, repr=False)
    _ahead: set[Work[Any]] = field(factory=set, repr=False)
    _work: dict[Work[None], Callable[[], None]] = field(factory=dict, repr=False)

    def check(self) -> None:
        """Refuse use after closing, and from a second event loop.

        Raises:
            ClientClosedError: The former.
            ConfigurationError: The latter.
        """
        if self.closed:
            raise ClientClosedError("this client is closed; make a new one")
        self.check_loop()

    def check_loop(self) -> None:
        """Refuse use from a second event loop.

        Raises:
            ConfigurationError: It is another one than at first use.
        """
        running = running_loop()
        if self._loop is None:
            self._loop = running
        elif self._loop is not running:
            raise ConfigurationError(
                "this client was first used in another event loop, and its connections live there; "
                "make one client per event loop, inside it"
            )

    @contextmanager
    def until_closing(self) -> Iterator[None]:
        """Cancel what waits inside ``with`` as soon as the client begins to close.

        Raises:
            ClientClosedError: The client closes, or did already.
        """
        if not self.closing:
            with anyio.CancelScope() as scope:
                self._waiting.add(scope)
                try:
                    yield
                finally:
                    self._waiting.discard(scope)
            if not scope.cancelled_caught:
                return
        raise ClientClosedError("the client was closed before this was sent")

    def start(self, work: Coroutine[None, None, None], abandon: Callable[[], None]) -> None:
        """Run something that may outlive its caller; ``abandon`` tells it to come to an end."""
        started = begin(work, self._work.pop)
        self._work[started] = abandon

    def prefetch(self, work: Coroutine[None, None, T]) -> Prefetched[T]:
        """Run a read ahead of its use; closing the client cancels it."""
        started = begin(work, self._ahead.discard)
        self._ahead.add(started)
        return Prefetched(started)

    async def drain(self) -> None:
        """Have all background work come to an end, and wait for it; calls are not tried again."""
        self.closing = True
        for scope in tuple(self._waiting):
            scope.cancel()
        for ahead in tuple(self._ahead):
            ahead.stop()
        while self._work:
            for abandon in self._work.values():
                abandon()
            for work in tuple(self._work):
                await work.wait()
        while self._ahead:
            for ahead in tuple(self._ahead):
                await ahead.wait()
