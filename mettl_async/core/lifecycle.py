"""From a client's first use to its end: one event loop, work in flight, closed or not."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import anyio
from attrs import define, field

from mettl_async.core.deadline import Limit
from mettl_async.core.tasks import Work, begin, running_loop
from mettl_async.errors import ClientClosedError, ConfigurationError

T = TypeVar("T")

CLOSE_SECONDS: Final = 30.0
"""How long requests in flight may take while the client closes: as long as reading an answer may."""

CANCELLED_CLOSE_SECONDS: Final = 5.0
"""The same where ``async with`` is left by a cancellation: somebody waits, such as an `asyncio.timeout`."""

_CUT_SECONDS: Final = 2.0
"""How long what was cut off may take to tell and record it."""


@define(eq=False)
class Lifecycle:
    """Shared by a client and its clones.

    Attributes:
        closing: Whether nothing further is sent.
        cut: Whether requests in flight were cut off.
        closed: Whether the connections are closed.
    """

    closing: bool = False
    cut: bool = False
    closed: bool = False
    _loop: object = field(default=None, repr=False)
    _waiting: set[anyio.CancelScope] = field(factory=set, repr=False)
    _work: dict[Work[Any], Callable[[], None]] = field(factory=dict, repr=False)
    _in_flight: set[Limit] = field(factory=set, repr=False)
    _quiet: anyio.Event | None = field(default=None, repr=False)
    _patience: anyio.CancelScope | None = field(default=None, repr=False)
    _closing_work: Work[None] | None = field(default=None, repr=False)

    def check(self) -> None:
        """Refuse use after closing, and from a second event loop.

        Raises:
            ClientClosedError: The former.
            ConfigurationError: The latter.
        """
        if self.closing:
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
    def until_closing(self, undone: str = "sent") -> Iterator[None]:
        """Cancel what waits inside ``with`` as soon as the client begins to close.

        Args:
            undone: What was not done then, for the error.

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
        raise ClientClosedError(f"the client was closed before this was {undone}")

    def sent(self, limit: Limit) -> None:
        """Note that a request is in flight; ``limit`` cuts it off."""
        self._in_flight.add(limit)

    def ended(self, limit: Limit) -> None:
        """Note that it no longer is."""
        self._in_flight.discard(limit)
        if self._quiet is not None and not self._in_flight:
            self._quiet.set()

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
        if self._in_flight:
            self._quiet = anyio.Event()
            await self._quiet.wait()

    async def close(self, close_connections: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Drain, cut off what takes longer, and close the connections.

        It happens in a task of its own, which a caller's cancellation does not reach: a caller who is
        cancelled while it waits here only has the rest cut off at once.
        """
        if self._closing_work is None:
            self.closing = True
            self._patience = anyio.CancelScope(deadline=anyio.current_time() + seconds)
            self._closing_work = begin(
                self._close(close_connections, self._patience), lambda _: None
            )
        else:
            self._hurry(seconds)
        try:
            with anyio.CancelScope(shield=True):  # asyncio's own cancellations pass through
                await self._closing_work.result()
        except BaseException:
            self._hurry(0.0)
            raise

    def _hurry(self, seconds: float) -> None:
        if self._patience is not None:
            self._patience.deadline = min(self._patience.deadline, anyio.current_time() + seconds)

    async def _close(
        self, close_connections: Callable[[], Awaitable[None]], patience: anyio.CancelScope
    ) -> None:
        try:
            with patience:
                await self.drain()
        finally:
            # The event loop may end, and cancel this task too.
            with anyio.CancelScope(shield=True):
                try:
                    await self._cut_off()
                finally:
                    self.closed = True
                    await close_connections()

    async def _cut_off(self) -> None:
        self.cut = True
        for limit in tuple(self._in_flight):
            limit.cancel()
        with anyio.move_on_after(_CUT_SECONDS):
            await self.drain()
        for work in tuple(self._work):
            work.stop()
        with anyio.move_on_after(_CUT_SECONDS):
            await self.drain()
