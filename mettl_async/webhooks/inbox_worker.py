"""A worker of an inbox: it takes events, calls their handlers, and says what came of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, TypeAlias

import anyio
from attrs import define, field, frozen

from mettl_async.errors import ConfigurationError, EventDecodeError, WebhookError
from mettl_async.models.event import Event, UnknownEvent
from mettl_async.webhooks.handlers import EventHandlers
from mettl_async.webhooks.processing import (
    OnError,
    is_cancelled,
    log_failure,
    logger,
    place_of,
    shown_digest,
    shown_error,
    within,
)
from mettl_async.webhooks.seen_events import Claim, check_positive
from mettl_async.webhooks.stored_event import read_event
from mettl_async.webhooks.unhandled import UnhandledTypes

_FIRST_IDLE: Final = 0.02  # seconds between two looks at an inbox that has just become empty
_AWAY: Final = 1.0  # seconds before the database is asked again after a failure
_SETTLE_TIMEOUT: Final = 5.0  # seconds that a cancelled worker may take to give an event back


@frozen(kw_only=True)
class Taken:
    """An event that a worker has, and how often it was tried, this time included."""

    id: int
    claim: Claim
    kind: str
    body: str = field(repr=False)
    tries: int


@frozen(kw_only=True)
class DeadLetter:
    """An event that kept failing. It holds no personal data, and so can be shown.

    Attributes:
        id: Number in the inbox.
        kind: Name of the event's class.
        tries: How often it was tried.
        problem: Type and place of the last failure.
        received_at: When it came, in seconds since 1970.
        dead_at: When it was given up, in seconds since 1970.
    """

    id: int
    kind: str
    tries: int
    problem: str
    received_at: float
    dead_at: float


OnPoison: TypeAlias = Callable[[Event | None, DeadLetter], Awaitable[None]]


class Inbox(Protocol):
    """What a worker asks of an inbox; each answer about a claim tells whether it still held."""

    lease: float
    max_tries: int
    first_pause: float
    longest_pause: float

    async def take(self, most: int) -> Sequence[Taken]: ...  # noqa: D102 - see `SqlEventInbox`
    async def complete(self, claim: Claim) -> bool: ...  # noqa: D102
    async def give_back(self, claim: Claim) -> bool: ...  # noqa: D102
    async def try_again(self, claim: Claim, pause: float, problem: str) -> bool: ...  # noqa: D102
    async def give_up(self, claim: Claim, problem: str) -> bool: ...  # noqa: D102
    async def dead_letters(self, ids: Sequence[int] | None = None) -> Sequence[DeadLetter]: ...  # noqa: D102


@define(kw_only=True, eq=False)
class InboxWorker:
    """Handle events of an inbox; see `SqlEventInbox.run` for the promises and the attributes.

    Attributes:
        looked: Set when the inbox was looked at for the first time.
    """

    inbox: Inbox
    handlers: EventHandlers
    concurrency: int
    handler_timeout: float
    longest_idle: float
    strict: bool
    on_poison: OnPoison | None
    on_error: OnError | None
    looked: asyncio.Event = field(factory=asyncio.Event, init=False)
    _came: asyncio.Event = field(factory=asyncio.Event, init=False)
    _has_taken: bool = field(default=False, init=False)
    _told: set[str] = field(factory=set, init=False)
    _stopping: bool = field(default=False, init=False)
    _at_work: set[asyncio.Task[None]] = field(factory=set, init=False)
    _unhandled: UnhandledTypes = field(factory=UnhandledTypes, init=False)

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ConfigurationError: No handlers, or a number out of its bounds.
        """
        check_positive(
            concurrency=self.concurrency,
            handler_timeout=self.handler_timeout,
            longest_idle=self.longest_idle,
        )
        if not self.handlers:
            raise ConfigurationError(
                "handlers: none is declared; import the module that declares them before"
            )
        if not self.inbox.lease > self.handler_timeout:
            raise ConfigurationError(
                f"handler_timeout: {self.handler_timeout:g} s is not shorter than the lease of the inbox "
                f"({self.inbox.lease:g} s): an event could be taken from a handler at work"
            )

    def stop(self) -> None:
        """Take no more events."""
        self._stopping = True
        self._came.set()

    def wake(self) -> None:
        """Look at the inbox at once: an event was added in this process."""
        self._came.set()

    async def run(self) -> None:
        """Handle events until it is stopped and the last one is done."""
        idle = _FIRST_IDLE
        try:
            while not self._stopping:
                self._came.clear()
                free = self.concurrency - len(self._at_work)
                taken = await self._take(free) if free else ()
                self.looked.set()
                for one in taken:
                    task = asyncio.create_task(self._handle(one))
                    self._at_work.add(task)
                    task.add_done_callback(self._ended)
                idle = _FIRST_IDLE if taken else min(2 * idle, self.longest_idle)
                if len(taken) < free or not free:
                    # Not wait_for: until Python 3.12 it forgets a cancellation at the time of a wake.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(idle):
                            await self._came.wait()
            while self._at_work:
                await asyncio.wait(self._at_work)
        finally:
            # Cancelled: each of them gives its event back.
            for task in self._at_work:
                task.cancel()
            with anyio.move_on_after(2 * _SETTLE_TIMEOUT, shield=True):
                while self._at_work:
                    await asyncio.wait(self._at_work)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a worker failed with %s", shown_error(error))
        self._came.set()  # there is room, and perhaps the next event of the same candidate

    async def _take(self, most: int) -> Sequence[Taken]:
        try:
            taken = await self.inbox.take(most)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            # Wrong from the beginning. Later a table is away like a database: it may come back.
            if isinstance(error, ConfigurationError) and not self._has_taken:
                raise
            self._say(shown_error(error))
            self.looked.set()
            await anyio.sleep(_AWAY)
            return ()
        self._has_taken = True
        if self._told:
            logger.warning("take succeeds again")
            self._told.clear()
        return taken

    def _say(self, problem: str) -> None:
        """Say of each problem once that the inbox cannot be read, until it can."""
        if problem not in self._told:
            self._told.add(problem)
            logger.error("take failed with %s; it is tried again each %g s", problem, _AWAY)

    async def _handle(self, one: Taken) -> None:
        try:
            event = read_event(one.body)
        except (ValueError, EventDecodeError, KeyError):
            await self._give_up(one, None, "it cannot be read")
            return
        if one.tries > self.inbox.max_tries:
            await self._give_up(one, event, "its worker died while it was handled")
            return
        if not self.handlers.has(type(event)) and await self._is_refused(one, event):
            return
        try:
            await within(self.handler_timeout, self.handlers.call(event, one.claim))
        except Exception as error:  # noqa: BLE001 - a handler may raise anything
            log_failure("handle", event, one.claim.key, error)
            await self._settled(self._failed(one, event, error), event, one)
            await self._tell(error, event)
        except BaseException as error:
            # What ends a worker counts as a try: an event that always does so is given up in the end.
            given = (
                self.inbox.give_back(one.claim)
                if is_cancelled()
                else self._failed(one, event, error)
            )
            with anyio.move_on_after(_SETTLE_TIMEOUT, shield=True):
                await self._settled(given, event, one)
            raise
        else:
            await self._settled(self._complete(one, event), event, one)

    async def _is_refused(self, one: Taken, event: Event) -> bool:
        """Give up an event that nobody handles, if that would lose it."""
        if isinstance(event, UnknownEvent) and event.problem:
            await self._give_up(one, event, f"it cannot be read: {event.problem}")
            return True
        if self.strict:
            await self._give_up(one, event, "no handler is declared for its type")
            return True
        self._unhandled.warn_once(event)
        return False

    async def _complete(self, one: Taken, event: Event) -> None:
        try:
            mine = await self.inbox.complete(one.claim)
        except ConfigurationError as error:  # the handler did not commit what it had marked
            log_failure("complete", event, one.claim.key, error)
            await self._failed(one, event, error)
            await self._tell(error, event)
            return
        if not mine:
            lost = WebhookError("handled, but its claim was lost meanwhile")
            log_failure("complete", event, one.claim.key, lost)

    async def _failed(self, one: Taken, event: Event, error: BaseException) -> None:
        problem = f"{type(error).__name__}{place_of(error)}"
        if one.tries >= self.inbox.max_tries:
            await self._give_up(one, event, problem)
            return
        doubled = self.inbox.first_pause * 2.0 ** min(one.tries - 1, 60)
        pause = min(doubled, self.inbox.longest_pause) * random.uniform(0.5, 1)  # noqa: S311 - spreads
        await self.inbox.try_again(one.claim, pause, problem)

    async def _give_up(self, one: Taken, event: Event | None, problem: str) -> None:
        if not await self.inbox.give_up(one.claim, problem):
            return  # its handler has committed it, or another worker has it
        logger.error(
            "given up after %d tries: %s %s, %s; it is dead letter %d",
            one.tries,
            one.kind,
            shown_digest(one.claim.key),
            problem,
            one.id,
        )
        if self.on_poison is None:
            return
        letters = await self.inbox.dead_letters([one.id])
        for letter in letters:
            try:
                await within(self.handler_timeout, self.on_poison(event, letter))
            except Exception as error:  # noqa: BLE001 - the dead letter is kept all the same
                logger.error("on_poison failed with %s", shown_error(error))

    async def _tell(self, error: Exception, event: Event) -> None:
        if self.on_error is None:
            return
        try:
            await within(self.handler_timeout, self.on_error(error, event))
        except Exception as another:  # noqa: BLE001 - a hook must not decide what becomes of an event
            logger.error("on_error failed with %s", shown_error(another))

    async def _settled(self, step: Awaitable[object], event: Event, one: Taken) -> None:
        """Say what came of an event; if that fails, its lease ends it."""
        try:
            await step
        except Exception as error:  # noqa: BLE001 - another try follows
            log_failure("settle", event, one.claim.key, error)
