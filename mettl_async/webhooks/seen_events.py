"""Stores of the events that were handled: the contract, and a store in memory."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import count
from numbers import Real
from typing import Protocol

from attrs import field, frozen

from mettl_async.errors import ConfigurationError
from mettl_async.models.event import Event

DAY = 86_400.0
LEASE = 60.0
"""Seconds; twice what a handler may take by default."""
REMEMBER = 7 * DAY
"""Seconds. [assumed] The vendor does not say how long it delivers again; a week outlasts any outage."""


class Refused(Enum):
    """Reason why an event can't be claimed."""

    DONE = "done"
    """It was handled."""
    BUSY = "busy"
    """Another claim of it holds."""
    FULL = "full"
    """The store has no room for one more claim."""


@frozen(kw_only=True)
class Claim:
    """The right to handle one event, until the lease is over.

    Attributes:
        key: Key of the event, as from `event_identity`.
        token: Name of this claim; a later claim of the same event has another.
    """

    key: str = field(repr=False)
    token: str = field(repr=False)


class SeenEvents(Protocol):
    """A store of the events that were handled, so that none is handled twice.

    Of any number of claims for one key at one time exactly one succeeds. A claim is a lease: a process that
    dies loses it after ``lease`` seconds, and the event can be claimed again. A claim holds until
    the event is claimed again, so a late `complete` may still succeed.

    A receiver makes these three calls for you.

    Example::

        claim = await seen.claim(event_identity(event))
        if isinstance(claim, Claim):
            try:
                ...  # handle the event
            except BaseException:
                await seen.release(claim)
                raise
            await seen.complete(claim)

    Attributes:
        lease: Seconds that a claim holds; longer than all handlers of an event may take.
    """

    @property
    def lease(self) -> float: ...  # noqa: D102 - described above

    async def claim(self, key: str) -> Claim | Refused:
        """Claim an event, or give the reason why it can't be claimed."""
        ...

    async def complete(self, claim: Claim) -> bool:
        """Mark the event as handled.

        Returns:
            Whether the event is marked by this claim, now or before. False, and nothing is changed, when
            the event was claimed again since.
        """
        ...

    async def release(self, claim: Claim) -> bool:
        """Release the event, so that it can be claimed at once.

        Returns:
            False, and nothing is changed, when it was completed or claimed again since.
        """
        ...


class EventStore(Protocol):
    """A place where a receiver leaves events, so that it can answer before they are handled.

    Example::

        class Queue:  # lost with the process
            def __init__(self) -> None:
                self.events = {}

            async def add(self, event: Event, key: str) -> bool:
                return self.events.setdefault(key, event) is event


        receiver = WebhookReceiver(auth=None, store=Queue())
    """

    async def add(self, event: Event, key: str) -> bool:
        """Keep an event for good, once for each key, before this returns.

        Returns:
            Whether it was not there before.
        """
        ...


def key_digest(key: str) -> str:
    """Compute the digest of a key; ``identify`` of a user may give a readable one, of any text."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def check_positive(**numbers: float) -> None:
    """Refuse what is not a number above 0.

    Raises:
        ConfigurationError: The first one that is not.
    """
    for name, value in numbers.items():
        check_number(name, value)
        if not value > 0:
            raise ConfigurationError(f"{name}: must be more than 0")


def check_number(name: str, value: object) -> None:
    """Refuse what is no number.

    Raises:
        ConfigurationError: Names the argument and the type.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ConfigurationError(f"{name}: is {type(value).__name__}; give a number")


class MemorySeenEvents:
    """A store in memory, for one process: it is lost when the process ends.

    When it is full, the event that was handled longest ago is forgotten; an event that is being handled
    never is, so beyond ``limit`` of those a claim is ``FULL``.

    Example::

        seen = MemorySeenEvents(limit=100_000, remember=86_400)
        receiver = WebhookReceiver(auth=None, seen=seen)

    Args:
        limit: Number of events that it holds, above 0.
        remember: Seconds for which a handled event is remembered, above 0.
        lease: Seconds that a claim holds, above 0.
        clock: Gives seconds that never go back.

    Attributes:
        lease: Seconds that a claim holds.

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
        self.lease = lease
        self._clock = clock
        self._tokens = count(1)
        # In the order in which they end, as all last equally long. A plain dict would search for its
        # first entry past all that were deleted.
        self._held: OrderedDict[str, tuple[str, float]] = OrderedDict()  # token, end of the lease
        self._done: OrderedDict[str, tuple[str, float]] = OrderedDict()  # token, end of the memory

    def __len__(self) -> int:
        return len(self._held) + len(self._done)

    async def claim(self, key: str) -> Claim | Refused:
        """Claim an event; see `SeenEvents`."""
        now = self._clock()
        self._forget(now)
        if key in self._done:
            return Refused.DONE
        if (held := self._held.get(key)) is not None:
            if now < held[1]:
                return Refused.BUSY
            del self._held[key]
        if not self._has_room(now):
            return Refused.FULL
        token = str(next(self._tokens))
        self._held[key] = token, now + self.lease
        return Claim(key=key, token=token)

    async def complete(self, claim: Claim) -> bool:
        """Mark the event as handled; see `SeenEvents`."""
        if self._is_of(claim, self._done):
            return True
        if not self._is_of(claim, self._held):
            return False
        del self._held[claim.key]
        self._done[claim.key] = claim.token, self._clock() + self._remember
        return True

    async def release(self, claim: Claim) -> bool:
        """Release the event; see `SeenEvents`."""
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
