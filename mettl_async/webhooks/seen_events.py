"""Which events were handled already: the promise, and a memory of one process."""

from __future__ import annotations

import time
from collections import OrderedDict
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

from mettl_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY = 86_400.0
LEASE = 60.0
"""Seconds; twice what a handler may take by default."""
REMEMBER = 7 * DAY
"""Seconds. [assumed] Nobody says how long Mettl goes on delivering; a week outlasts any outage."""


class Refused(Enum):
    """Why an event can't be claimed."""

    DONE = "done"
    """It was handled."""
    BUSY = "busy"
    """Someone is handling it, or there is no room to remember one more."""


@frozen(kw_only=True)
class Claim:
    """The right to handle one event, until the lease is over.

    Attributes:
        key: Of the event, as from `event_identity`.
        token: Of this claim; a later claim of the same event has another.
    """

    key: str = field(repr=False)
    token: str = field(repr=False)


class SeenEvents(Protocol):
    """Remembers which events were handled, so that none is handled twice.

    Of any number of claims for one key at one time exactly one succeeds. A claim is a lease: who dies
    midway loses it after ``lease`` seconds, and the event can be claimed again. A claim counts until
    someone else has the event, so a late `complete` is still worth something.

    Attributes:
        lease: Seconds that a claim holds; longer than all handlers of an event may take.
    """

    @property
    def lease(self) -> float: ...  # noqa: D102 - described above

    async def claim(self, key: str) -> Claim | Refused:
        """Take an event, or say why not."""
        ...

    async def complete(self, claim: Claim) -> bool:
        """Remember the event as handled.

        Returns:
            Whether this claim's handling is what is remembered: also True when it was before. False,
            and nothing is changed, when someone else has taken the event since.
        """
        ...

    async def release(self, claim: Claim) -> bool:
        """Give the event back, so that it can be claimed at once.

        Returns:
            False, and nothing is changed, when it was completed or someone else has taken it since.
        """
        ...


def check_positive(**numbers: float) -> None:
    """Refuse a number that is not above 0.

    Raises:
        ConfigurationError: The first one that is not.
    """
    for name, value in numbers.items():
        if not value > 0:
            raise ConfigurationError(f"{name}: must be more than 0")


class MemorySeenEvents:
    """`SeenEvents` within one process: forgotten when it ends, and unknown to any other.

    It holds ``limit`` keys at most. When it is full, the event that was handled longest ago is
    forgotten; one that is being handled never is, so beyond ``limit`` of those a claim is ``BUSY``.
    All times are seconds by ``clock``.

    Raises:
        ConfigurationError: A number is not positive.
    """

    def __init__(
        self,
        *,
        limit: int = 100_000,
        remember: float = REMEMBER,
        lease: float = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_positive(limit=limit, remember=remember, lease=lease)
        self._limit = limit
        self._remember = remember
        self._lease = lease
        self._clock = clock
        self._tokens = count(1)
        # What is over stands first, as all wait equally long. A plain dict would search for its first
        # entry past all that were deleted.
        self._held: OrderedDict[str, tuple[str, float]] = OrderedDict()  # token, end of the lease
        self._done: OrderedDict[str, tuple[str, float]] = OrderedDict()  # token, end of the memory

    def __len__(self) -> int:
        return len(self._held) + len(self._done)

    @property
    def lease(self) -> float:
        """Seconds that a claim holds."""
        return self._lease

    async def claim(self, key: str) -> Claim | Refused:
        """Take an event, or say why not."""
        now = self._clock()
        self._forget(now)
        if key in self._done:
            return Refused.DONE
        if (held := self._held.get(key)) is not None:
            if now < held[1]:
                return Refused.BUSY
            del self._held[key]
        if not self._has_room(now):
            return Refused.BUSY
        token = str(next(self._tokens))
        self._held[key] = token, now + self._lease
        return Claim(key=key, token=token)

    async def complete(self, claim: Claim) -> bool:
        """Remember the event as handled; see `SeenEvents`."""
        if self._is_of(claim, self._done):
            return True
        if not self._is_of(claim, self._held):
            return False
        del self._held[claim.key]
        self._done[claim.key] = claim.token, self._clock() + self._remember
        return True

    async def release(self, claim: Claim) -> bool:
        """Give the event back; see `SeenEvents`."""
        if not self._is_of(claim, self._held):
            return False
        del self._held[claim.key]
        return True

    @staticmethod
    def _is_of(claim: Claim, kept: Mapping[str, tuple[str, float]]) -> bool:
        return claim.key in kept and kept[claim.key][0] == claim.token

    def _forget(self, now: float) -> None:
        while self._done and (oldest := next(iter(self._done.items())))[1][1] <= now:
            del self._done[oldest[0]]

    def _has_room(self, now: float) -> bool:
        if len(self) < self._limit:
            return True
        if self._done:
            self._done.popitem(last=False)
            return True
        # Only now: a claim that nobody took over may still be completed late.
        oldest = next(iter(self._held))
        if self._held[oldest][1] > now:
            return False
        del self._held[oldest]
        return True
