"""Connections between two requests: which may carry another one, and when they are closed."""

import select
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, Protocol, TypeVar

from mettl_async.core.tasks import later
from mettl_async.core.transports.common import KEEPALIVE_SECONDS

SWEEP_SECONDS = 1.0
"""How long a connection that the server closed may go unnoticed."""


class IdleLane(Protocol):
    """A connection that can be kept.

    Attributes:
        born: When it was made, by the transport's clock.
        idle_since: When it was last used.
    """

    born: float
    idle_since: float

    def clean(self) -> bool:
        """Tell whether it is open, and holds nothing that the server said unasked."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


L = TypeVar("L", bound=IdleLane)


class LaneKeeper(Generic[L]):
    """Keeps connections for the next request, the most recently used first.

    So no more stay warm than are needed. One that was idle or lived for too long is closed (a name may
    mean another address by now), and so is one that ended or holds bytes that nobody asked for: they
    would be taken for the answer to the next request. That is looked at before each use, and every
    second while any are kept.
    """

    def __init__(self, max_age: float, clock: Callable[[], float] = monotonic) -> None:
        self._max_age, self._clock = max_age, clock
        self._free: list[L] = []
        self._closed = False
        self._stop_sweep: Callable[[], Awaitable[None]] | None = None

    async def _take_lane(self) -> L | None:
        while self._free:
            lane = self._free.pop()
            if self._usable(lane):
                return lane
            await lane.aclose()
        return None

    async def _give_back(self, lane: L, *, healthy: bool) -> None:
        """Keep a lane, unless it failed or its call was cancelled: such a one is never used again."""
        lane.idle_since = now = self._clock()
        if not healthy or self._closed or now - lane.born > self._max_age:
            await lane.aclose()
            return
        self._free.append(lane)
        if self._stop_sweep is None:
            self._stop_sweep = later(SWEEP_SECONDS, self._sweep)

    def _usable(self, lane: L) -> bool:
        now = self._clock()
        return (
            now - lane.idle_since <= KEEPALIVE_SECONDS
            and now - lane.born <= self._max_age
            and lane.clean()
        )

    async def _sweep(self) -> None:
        ended = [lane for lane in self._free if not self._usable(lane)]
        self._free[:] = [lane for lane in self._free if lane not in ended]
        try:
            for lane in ended:
                await lane.aclose()
        finally:
            again = self._free and not self._closed
            self._stop_sweep = later(SWEEP_SECONDS, self._sweep) if again else None

    async def _close_idle(self) -> None:
        self._closed = True
        lanes, self._free = self._free, []
        stop, self._stop_sweep = self._stop_sweep, None
        for lane in lanes:
            await lane.aclose()
        if stop is not None:
            await stop()


def unread(socket: object) -> Callable[[], bool]:
    """Make a function that tells whether bytes or the end have arrived at a socket, or it is closed.

    Args:
        socket: Anything with a ``fileno()``; None for one that is not known.
    """
    fileno: Callable[[], int] | None = getattr(socket, "fileno", None)
    if fileno is None:
        return lambda: False
    number = fileno()
    if number < 0:
        return lambda: True
    if not hasattr(select, "poll"):  # Windows, where select has no bound on descriptors
        return lambda: fileno() != number or bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return lambda: fileno() != number or bool(poll.poll(0))
