"""What was sent to webhooks, is waiting, or was given up: the records and their rules.

No network here and no clock; `delivery_http` sends. Whether Mettl repeats a webhook, keeps an order or
waits for an answer is not known: all rules here are [assumed].
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, overload

from attrs import define, field, frozen
from attrs.validators import ge, gt, le

from mettl_async.sandbox.state import fold_email

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from collections.abc import Set as AbstractSet
    from random import Random

    from mettl_async.sandbox.events import Notification

PENDING: Final = "pending"
HELD: Final = "held"
DELIVERED: Final = "delivered"
GIVEN_UP: Final = "given up"
_LONGEST_DELAY: Final = 3600.0


@define(kw_only=True, eq=False)
class DeliveryRules:
    """How webhooks are delivered; every field may be changed while the sandbox runs.

    Attributes:
        max_attempts: How often one delivery is tried before it is given up; 1 to 1000.
        first_delay: Seconds of the sandbox's clock before the second try; doubled for each further
            one, an hour at most.
        timeout: Seconds, of real time, that one try may take, answer included.
        duplicates: How many more times each event is delivered: 1 is once more, 0.25 once more for a
            quarter of them, drawn from the sandbox's seeded randomness.
        reorder: Whether new deliveries are held for ``hold`` seconds, and those of one candidate that
            are held together go out newest first. Otherwise they go out in order, and one that fails
            keeps back the later ones of its candidate.
        hold: Seconds of the sandbox's clock.
    """

    # Two minutes in all: longer than a receiver's claim that a killed process left behind.
    max_attempts: int = field(default=8, validator=[ge(1), le(1000)])
    first_delay: float = field(default=1.0, validator=ge(0.0))
    timeout: float = field(default=10.0, validator=gt(0.0))
    duplicates: float = field(default=0.0, validator=ge(0.0))
    reorder: bool = False
    hold: float = field(default=5.0, validator=ge(0.0))


@frozen(kw_only=True)
class Attempt:
    """One try: the HTTP status of the answer, or the kind of problem when there was none."""

    at: float
    status: int | None = None
    problem: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took it: any status from 200 to 299 [assumed]."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP


@define(kw_only=True)
class Delivery:
    """One event for one URL, as it stands now; the repr shows no personal data.

    Attributes:
        number: Counted from 1.
        event_type: ``EVENT_TYPE`` of the payload.
        url: Where it goes; it may hold a token.
        access_key: Key of the schedule.
        email: Email of the candidate.
        body: The payload, JSON.
        basic_auth: What the schedule has as ``testNotificationBasicAuthHeader``.
        state: ``pending``, ``held`` (see `DeliveryRules.reorder`), ``delivered`` or ``given up``.
        attempts: All tries, oldest first.
        tries: Number of tries since it was made, or since it was last asked to be redelivered.
        due_at: Not before this time of the sandbox's clock.
        duplicate_of: Number of the delivery that this repeats on purpose.
    """

    number: int
    event_type: str
    url: str = field(repr=False)
    access_key: str
    email: str = field(repr=False)
    body: bytes = field(repr=False)
    basic_auth: str | None = field(default=None, repr=False)
    state: str = PENDING
    attempts: tuple[Attempt, ...] = ()
    tries: int = 0
    due_at: float = 0.0
    duplicate_of: int | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to be sent."""
        return self.state in (PENDING, HELD)


class Deliveries(Sequence[Delivery]):
    """All deliveries of a sandbox, oldest first; ``deliveries[0]`` has number 1.

    Attributes:
        rules: The `DeliveryRules` in force.
    """

    def __init__(
        self,
        *,
        random: Random,
        now: Callable[[], float],
        drain: Callable[[float, bool], Awaitable[None]],
    ) -> None:
        self.rules = DeliveryRules()
        self._random = random
        self._now = now
        self._drain = drain
        self._all: list[Delivery] = []
        # Those to be sent, by access key and folded email: order is kept among them.
        self._queues: dict[tuple[str, str], deque[Delivery]] = {}

    def __repr__(self) -> str:
        waiting = sum(len(queue) for queue in self._queues.values())
        return f"Deliveries({len(self._all)}, of which {waiting} are to be sent)"

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Delivery: ...

    @overload
    def __getitem__(self, index: slice) -> list[Delivery]: ...

    def __getitem__(self, index: int | slice) -> Delivery | list[Delivery]:
        return self._all[index]

    def add(self, notification: Notification, access_key: str, email: str, *, at: float) -> None:
        """Queue an event, and its duplicates behind it."""
        whole = int(self.rules.duplicates)
        more = whole + (self._random.random() < self.rules.duplicates - whole)
        first = len(self._all) + 1
        for number in range(first, first + 1 + more):
            delivery = Delivery(
                number=number,
                event_type=notification.event_type,
                url=notification.url,
                access_key=access_key,
                email=email,
                body=notification.body,
                basic_auth=notification.basic_auth,
                state=HELD if self.rules.reorder else PENDING,
                due_at=at + (self.rules.hold if self.rules.reorder else 0.0),
                duplicate_of=None if number == first else first,
            )
            self._all.append(delivery)
            self._queue(delivery)

    def restore(self, deliveries: Iterable[Delivery]) -> None:
        """Fill an empty list with saved deliveries; what was to be sent still is."""
        for delivery in deliveries:
            self._all.append(delivery)
            self._queue(delivery)

    def _queue(self, delivery: Delivery) -> None:
        """Keep a delivery in its queue as long as it is to be sent."""
        person = (delivery.access_key, fold_email(delivery.email))
        queue = self._queues.setdefault(person, deque())
        waits = any(one is delivery for one in queue)
        if waits and not delivery.open:
            queue.remove(delivery)
        elif delivery.open and not waits:
            # What is held goes out newest first, before what waited longer.
            (queue.appendleft if delivery.state == HELD else queue.append)(delivery)
        if not queue:
            del self._queues[person]

    def redeliver(self, number: int) -> Delivery:
        """Send a delivery again, at once and with all its tries.

        It goes behind what its candidate has waiting. One that waits already is not doubled.

        Raises:
            KeyError: No delivery has this number.
        """
        if not 1 <= number <= len(self._all):
            raise KeyError(number)
        delivery = self._all[number - 1]
        delivery.state, delivery.tries, delivery.due_at = PENDING, 0, self._now()
        self._queue(delivery)
        return delivery

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Record the outcome of a try, and when the next one is due."""
        delivery.attempts = (*delivery.attempts, attempt)
        delivery.tries += 1
        if attempt.succeeded:
            delivery.state = DELIVERED
        elif delivery.tries >= self.rules.max_attempts:
            delivery.state = GIVEN_UP
        else:
            delay = self.rules.first_delay * 2.0 ** min(delivery.tries - 1, 30)
            delivery.state, delivery.due_at = PENDING, attempt.at + min(_LONGEST_DELAY, delay)
        self._queue(delivery)

    def ready(self, now: float, *, skip_waits: bool, busy: AbstractSet[int]) -> list[Delivery]:
        """List what may be sent now: one for each candidate, and none beside one that is ``busy``.

        With ``skip_waits`` also what waits for its next try or is held.
        """
        return [
            queue[0]
            for queue in self._queues.values()
            if (skip_waits or queue[0].due_at <= now)
            and busy.isdisjoint(one.number for one in queue)
        ]

    @property
    def quiet(self) -> bool:
        """Whether nothing is to be sent, now or later."""
        return not self._queues

    async def settled(self, *, timeout: float = 10.0, skip_waits: bool = True) -> None:  # noqa: ASYNC109 - a limit for tests, in seconds
        """Wait until all events were sent or given up.

        Sends by itself what nobody sends yet, so it is all that is needed in process, and works beside
        a sandbox that is served. First makes happen what is due by the sandbox's clock. What waits for
        its next try, or is held, goes out at once: the sandbox's clock stays where it is, nothing is
        waited for, and a receiver that is down has soon used up its tries.

        Args:
            timeout: Seconds of real time that this may take.
            skip_waits: Whether waits are skipped. Otherwise only what is due by the sandbox's clock is
                sent; together with ``clock.advance`` this shows the waits one by one.

        Raises:
            TimeoutError: It took longer.
        """
        await self._drain(timeout, skip_waits)
