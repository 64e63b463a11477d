"""How many requests are in flight, and how many a second: the only queues of the client.

First come, first served: a slot that is given back goes to whoever has waited longest. The transport
never makes anyone wait, for an HTTP pool's own queue is slow and unfair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import anyio

from mettl_async.errors import CallFacts, ClientClosedError, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mettl_async.core.lifecycle import Lifecycle
    from mettl_async.core.pacing import Pacer


_LATE = "its turn comes after the deadline, at this rate or for a pause the server asked for"
_CLOSED = "the client was closed before its turn"

LOOK_UP = 0.5
"""Seconds of a long pause after which is looked whether the client is being closed."""


@runtime_checkable
class RateLimiter(Protocol):
    """Something that many processes ask before each request, such as a counter in Redis."""

    async def acquire(self) -> None:
        """Return when one more request may be sent."""


class Slots:
    """``total`` slots: `take` one, and `give_back`."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._made: anyio.Semaphore | None = None

    @property
    def _semaphore(self) -> anyio.Semaphore:
        # Made on first use: a client may be built before an event loop runs.
        if self._made is None:
            self._made = anyio.Semaphore(self.total, fast_acquire=True)
        return self._made

    async def take(self, client: Lifecycle) -> None:
        """Take one when it is free; who is cancelled already does not get one.

        Raises:
            ClientClosedError: The client was closed, or began to close meanwhile; nothing was sent.
        """
        semaphore = self._semaphore
        waits = semaphore.value == 0
        await semaphore.acquire()
        if client.closed or (waits and client.closing):
            self.give_back()
            raise ClientClosedError(_CLOSED)

    def give_back(self) -> None:
        """Let the next one have it."""
        self._semaphore.release()


class RateGate:
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
            RateLimitError: It is further away, for the server asked everyone for a long pause or others
                use up the shared rate; nothing was sent.
            ClientClosedError: The client is being closed; nothing was sent.
        """
        if not self.pacer.idle:
            if self._lock is None:
                self._lock = anyio.Lock(fast_acquire=True)
            async with self._lock:
                while not self._closing() and (seconds := self.pacer.take(self._now())) > 0:
                    if seconds > patience:
                        raise RateLimitError(_LATE, CallFacts(retry_after=seconds))
                    await self._sleep(min(seconds, LOOK_UP))
            if self._closing():
                raise ClientClosedError(_CLOSED)
        if self._shared is not None:
            await self._ask(self._shared, patience)

    async def _ask(self, shared: RateLimiter, patience: float) -> None:
        """Ask what other processes share, no longer than anyone has patience for, or than we are open."""
        acquired, failure = False, None
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_with_the_client, group.cancel_scope)
            group.cancel_scope.deadline = anyio.current_time() + patience
            try:
                await shared.acquire()
                acquired = True
            except Exception as exc:  # noqa: BLE001 - raised below, outside of the group that would wrap it
                failure = exc
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if self._closing():
            raise ClientClosedError(_CLOSED)
        if not acquired:
            raise RateLimitError(_LATE)

    async def _end_with_the_client(self, scope: anyio.CancelScope) -> None:
        while not self._closing():  # noqa: ASYNC110 - a flag that is looked at rarely
            await anyio.sleep(LOOK_UP)
        scope.cancel()
