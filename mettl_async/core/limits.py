"""How many requests are in flight, and how many a second: the only queues of the client.

First come, first served: a slot that is given back goes to whoever has waited longest. The transport
never makes anyone wait, for an HTTP pool's own queue is slow and unfair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import anyio

from mettl_async.errors import CallFacts, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from mettl_async.core.pacing import Pacer


LOOK_UP = 0.5
"""Seconds of a long pause after which is looked whether the client is being closed."""


@runtime_checkable
class RateLimiter(Protocol):
    """Something that many processes ask before each request, such as a counter in Redis."""

    async def acquire(self) -> None:
        """Return when one more request may be sent."""


class Slots:
    """``async with slots:`` holds one of ``total`` slots."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._semaphore: anyio.Semaphore | None = None

    async def __aenter__(self) -> None:
        # Made on first use: a client may be built before an event loop runs.
        if self._semaphore is None:
            self._semaphore = anyio.Semaphore(self.total, fast_acquire=True)
        await self._semaphore.acquire()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._semaphore is not None:
            self._semaphore.release()


class Turns:
    """Lets requests go one by one, at the rate of a pacer and of what other processes share with us."""

    def __init__(
        self,
        pacer: Pacer,
        shared: RateLimiter | None,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        closing: Callable[[], bool],
    ) -> None:
        self.pacer = pacer
        self._shared, self._now, self._sleep, self._closing = shared, now, sleep, closing
        self._lock: anyio.Lock | None = None

    async def wait(self, patience: float) -> None:
        """Return when it is this request's turn.

        Args:
            patience: Seconds that the next turn may be away at most, whoever has it.

        Raises:
            ThrottledError: It is further away, for the server asked everyone for a long pause, or the
                client is being closed; nothing was sent.
        """
        if not self.pacer.idle:
            if self._lock is None:
                self._lock = anyio.Lock(fast_acquire=True)
            async with self._lock:
                while not self._closing() and (seconds := self.pacer.take(self._now())) > 0:
                    if seconds > patience:
                        raise ThrottledError(
                            "its turn comes after the deadline, at this rate or for a pause the server asked for",
                            CallFacts(retry_after=seconds),
                        )
                    await self._sleep(min(seconds, LOOK_UP))
            if self._closing():
                raise ThrottledError("the client was closed before its turn")
        if self._shared is not None:
            await self._shared.acquire()
