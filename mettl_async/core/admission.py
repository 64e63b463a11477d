"""When the next request may be sent: slots, the client's pace, a shared rate, and closing.

First come, first served. The transport never makes a request wait, because the queue of an HTTP pool is
slow and unfair.
"""

import copy
from typing import Protocol, Self, runtime_checkable

import anyio
from attrs import define, field

from mettl_async.core.effects import Effects
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.core.pacing import Pacer
from mettl_async.errors import CallFacts, ClientClosedError, RateLimitError


@runtime_checkable
class RateLimiter(Protocol):
    """Something that many processes ask before each request, such as a counter in Redis."""

    async def acquire(self) -> None:
        """Return when one more request may be sent."""


@runtime_checkable
class SharesPauses(RateLimiter, Protocol):
    """A shared rate that also shares the pauses that the server asks for."""

    async def pause(self, seconds: float) -> None:
        """Let `acquire` return nowhere for so many seconds from now; return soon, and raise nothing."""


@define(eq=False)
class _Queues:
    """Where callers of a client and of its copies wait, made on first use.

    A client may be built before an event loop runs.
    """

    slots: anyio.Semaphore | None = None
    pace: anyio.Lock | None = None


@define(eq=False)
class Admission:
    """Admits the requests of a client and of its copies.

    Attributes:
        slots: Requests in flight at once.
        pacer: The client's own pace, and the pauses that the server asks for.
        rate_limiter: The rate that many processes share, if any.
        lifecycle: Tells when the client closes.
        effects: Clock and pauses.
    """

    slots: int
    pacer: Pacer = field(factory=Pacer)
    rate_limiter: RateLimiter | None = None
    lifecycle: Lifecycle = field(factory=Lifecycle)
    effects: Effects = field(factory=Effects)
    _queues: _Queues = field(factory=_Queues, init=False, repr=False)  # of the copies, too

    @property
    def has_rate(self) -> bool:
        """Whether the user has set a rate, which then holds for single calls too."""
        return self.pacer.fixed is not None or self.rate_limiter is not None

    def under(self, rate_limiter: RateLimiter) -> Self:
        """Copy with another shared rate; slots, pace and closing are shared with this one."""
        clone = copy.copy(self)
        clone.rate_limiter = rate_limiter
        return clone

    async def acquire_slot(self) -> None:
        """Acquire a slot in FIFO order; a cancelled caller gets none.

        Raises:
            ClientClosedError: The client is closed, or began to close meanwhile.
        """
        semaphore = self._queues.slots
        if semaphore is None:
            semaphore = self._queues.slots = anyio.Semaphore(self.slots, fast_acquire=True)
        if semaphore.value:
            await semaphore.acquire()
            may_send = not self.lifecycle.closed
        else:
            with self.lifecycle.until_closing():
                await semaphore.acquire()
            may_send = not self.lifecycle.closing
        if not may_send:
            semaphore.release()
            raise ClientClosedError("the client was closed before this was sent")

    def release_slot(self) -> None:
        """Give a slot back to the caller that has waited longest."""
        if self._queues.slots is not None:
            self._queues.slots.release()

    async def wait_for_turn(self, deadline: float) -> None:
        """Wait until the pace and the shared rate allow one more request, in FIFO order.

        Args:
            deadline: Seconds that the next turn may be away at most, whichever caller has it.

        Raises:
            RateLimitError: The next turn is further away.
            ClientClosedError: The client closes.
        """
        if self.pacer.idle and self.rate_limiter is None:
            return
        with self.lifecycle.until_closing():
            if not self.pacer.idle:
                await self._keep_pace(deadline)
            if self.rate_limiter is not None:
                with anyio.move_on_after(deadline) as scope:
                    await self.rate_limiter.acquire()
                if scope.cancelled_caught:
                    raise RateLimitError(
                        f"rate limited: no slot of the shared rate within the {deadline:g} s deadline"
                    )

    async def share_pause(self, seconds: float | None) -> None:
        """Tell those who share the rate that the server asks for a pause, if the rate can."""
        if seconds and isinstance(self.rate_limiter, SharesPauses):
            await self.rate_limiter.pause(min(seconds, self.pacer.max_pause))

    async def _keep_pace(self, deadline: float) -> None:
        if self._queues.pace is None:
            self._queues.pace = anyio.Lock(fast_acquire=True)
        async with self._queues.pace:
            while (seconds := self.pacer.take(self.effects.monotonic())) > 0:
                if seconds > deadline:
                    raise RateLimitError(
                        f"rate limited: next slot in {seconds:.0f} s, beyond the {deadline:g} s deadline",
                        CallFacts(retry_after=seconds),
                    )
                await self.effects.sleep(seconds)
