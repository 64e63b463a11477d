"""Webhooks that were sent, are waiting, or were given up; and their sending over HTTP.

Whether Mettl repeats a webhook, keeps an order or waits for an answer is not known: all rules here are
[assumed]. httpx's transports are used without its client: no redirects, no cookies, no proxies of the
environment, and no log of URLs, which may hold a token.
"""

import asyncio
import base64
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any, Final

import httpx
from attrs import define, field, frozen
from attrs.validators import ge, gt, le

from mettl_async.sandbox.state import fold_email

PENDING: Final = "pending"
HELD: Final = "held"
DELIVERED: Final = "delivered"
GIVEN_UP: Final = "given up"
# How often new events and waits are looked at.
TICK_SECONDS: Final = 0.05
_LONGEST_DELAY: Final = 3600.0
_AT_ONCE: Final = 32
_UNWANTED: Final = frozenset("\r\n\x00")

_log = logging.getLogger("mettl_async.sandbox")


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


class Deliveries(list[Delivery]):
    """All deliveries of a sandbox, oldest first; ``deliveries[0]`` has number 1.

    Example::

        deliveries = server.sandbox.deliveries
        await deliveries.settled()
        for one in deliveries:
            print(one.event_type, one.state)
            deliveries.redeliver(one.number)

    Attributes:
        rules: The `DeliveryRules` in force.
        lock: Held while tests move on and deliveries are chosen: a test may do so beside a sandbox that is
            served in another thread.
    """

    def __init__(
        self,
        *,
        random: Random,
        now: Callable[[], float],
        settle: Callable[[], None],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        super().__init__()
        self.rules = DeliveryRules()
        self.lock = threading.RLock()
        self._random = random
        self._now = now
        self._settle = settle
        self._transport = transport
        # Those to be sent, by access key and folded email: order is kept among them.
        self._queues: dict[tuple[str, str], deque[Delivery]] = {}
        self._busy: set[int] = set()

    def __repr__(self) -> str:
        waiting = sum(len(queue) for queue in self._queues.values())
        return f"Deliveries({len(self)}, of which {waiting} are to be sent)"

    @property
    def uses_sockets(self) -> bool:
        """Whether they go out over sockets, and not through a transport that was given."""
        return self._transport is None

    def add(self, *, at: float, **event: Any) -> None:
        """Queue an event that happened ``at`` this time, and its duplicates behind it.

        Args:
            at: Seconds of the sandbox's clock.
            event: The attributes of a `Delivery` that say what goes where.
        """
        whole = int(self.rules.duplicates)
        more = whole + (self._random.random() < self.rules.duplicates - whole)
        first = len(self) + 1
        reorder = self.rules.reorder
        self.restore(
            Delivery(
                **event,
                number=number,
                state=HELD if reorder else PENDING,
                due_at=at + (self.rules.hold if reorder else 0.0),
                duplicate_of=None if number == first else first,
            )
            for number in range(first, first + 1 + more)
        )

    def restore(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries; those that are open are to be sent."""
        for delivery in deliveries:
            self.append(delivery)
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
        if not 1 <= number <= len(self):
            raise KeyError(number)
        delivery = self[number - 1]
        with self.lock:
            delivery.state, delivery.tries, delivery.due_at = PENDING, 0, self._now()
            self._queue(delivery)
        return delivery

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Record the outcome of a try, and when the next one is due."""
        delivery.attempts = (*delivery.attempts, attempt)
        delivery.tries += 1
        if attempt.status in range(200, 300):  # [assumed]: so the receiver took it
            delivery.state = DELIVERED
        elif delivery.tries >= self.rules.max_attempts:
            delivery.state = GIVEN_UP
        else:
            delay = self.rules.first_delay * 2.0 ** min(delivery.tries - 1, 30)
            delivery.state, delivery.due_at = PENDING, attempt.at + min(_LONGEST_DELAY, delay)
        self._queue(delivery)

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
        async with asyncio.timeout(timeout):
            await self._send_all(skip_waits=skip_waits, until_done=True)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send in the background while the block runs; what is in flight at the end stays to be sent."""
        task = asyncio.create_task(self._send_all(skip_waits=False, until_done=False))
        try:
            yield
        finally:
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(outcome, Exception):
                raise outcome

    async def _send_all(self, *, skip_waits: bool, until_done: bool) -> None:
        transport = self._transport
        sent = asyncio.Event()
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            while True:
                sent.clear()
                with self.lock:
                    self._settle()
                    ready = self._ready(skip_waits=skip_waits)
                    self._busy.update(delivery.number for delivery in ready)
                for delivery in ready:
                    if transport is None:  # only now: its TLS context is slow to make
                        transport = httpx.AsyncHTTPTransport(trust_env=False)
                        await stack.enter_async_context(transport)
                    group.create_task(self._try(delivery, transport, sent))
                if until_done and not self._busy and (not skip_waits or not self._queues):
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS):
                        await sent.wait()

    def _ready(self, *, skip_waits: bool) -> list[Delivery]:
        """List what may be sent now: one for each candidate, and none beside one that is being sent."""
        ready = [
            queue[0]
            for queue in self._queues.values()
            if (skip_waits or queue[0].due_at <= self._now())
            and self._busy.isdisjoint(one.number for one in queue)
        ]
        return ready[: max(0, _AT_ONCE - len(self._busy))]

    async def _try(
        self, delivery: Delivery, transport: httpx.AsyncBaseTransport, sent: asyncio.Event
    ) -> None:
        status = problem = None
        try:
            async with asyncio.timeout(self.rules.timeout):
                request = httpx.Request(
                    "POST",
                    delivery.url,
                    headers=_headers(delivery.basic_auth),
                    content=delivery.body,
                )
                response = await transport.handle_async_request(request)
                status = response.status_code  # the rest of the answer is not looked at
                await response.aclose()
        except Exception as error:  # noqa: BLE001 - any error of the receiver is its failure
            problem = type(error).__name__  # the message may hold the URL
        finally:
            with self.lock:
                self._busy.discard(delivery.number)
                if status or problem:  # else it was cut off
                    self.attempted(
                        delivery, Attempt(at=self._now(), status=status, problem=problem)
                    )
            sent.set()
        _log.info("webhook %d (%s): %s", delivery.number, delivery.event_type, status or problem)


def _headers(basic_auth: str | None) -> list[tuple[bytes, bytes]]:
    """Make the headers of a delivery; the last two only if the value is base64 of ``user:password`` [doc]."""
    made = [(b"content-type", b"application/json")]
    if basic_auth is None:
        return made
    made.append((b"authorization", b"Basic " + basic_auth.encode()))
    try:
        text = base64.b64decode(basic_auth, validate=True).decode()
    except ValueError:
        return made
    user, colon, password = text.partition(":")
    if colon and _UNWANTED.isdisjoint(text):
        made += [(b"php-auth-user", user.encode()), (b"php-auth-pw", password.encode())]
    return made
