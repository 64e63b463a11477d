"""From a client's first use to its end: one event loop, background work, closed or not."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
from attrs import define, field

from mettl_async.core.tasks import Work, begin, running_loop
from mettl_async.errors import ClientClosedError, ConfigurationError

T = TypeVar("T")


@define(eq=False)
class Lifecycle:
    """Shared by a client and its clones."""

    closing: bool = False
    closed: bool = False
    _loop: object = field(default=None, repr=False)
    _waiting: set[anyio.CancelScope] = field(factory=set, repr=False)
    _work: dict[Work[Any], Callable[[], None]] = field(factory=dict, repr=False)

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

    def start(
        self, work: Coroutine[None, None, T], abandon: Callable[[], None] | None = None
    ) -> Work[T]:
        """Run something that may outlive its caller.

        Args:
            work: What to run.
            abandon: Tells it to come to an end when the client closes; by default it is stopped.
        """
        started = begin(work, self._work.pop)
        self._work[started] = abandon or started.stop
        return started

    async def drain(self) -> None:
        """Have all background work come to an end, and wait for it; calls are not tried again."""
        self.closing = True
        for scope in tuple(self._waiting):
            scope.cancel()
        while self._work:
            for abandon in tuple(self._work.values()):
                abandon()
            for work in tuple(self._work):
                await work.wait()
