"""Handling of one event: claim it, call its handlers, mark it as done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from traceback import walk_tb
from typing import Final, TypeAlias, TypeVar

import anyio
import sniffio
from attrs import field, frozen

from mettl_async.errors import (
    ConfigurationError,
    HandlerCancelledError,
    WebhookError,
    WorkerEndedError,
)
from mettl_async.models.event import Event
from mettl_async.webhooks.handlers import EventHandlers
from mettl_async.webhooks.seen_events import Claim, EventStore, Refused, SeenEvents, key_digest
from mettl_async.webhooks.unhandled import MAYBE_SECOND, UnhandledTypes, is_timeless

logger = logging.getLogger("mettl_async.webhooks")

# This package, the standard library, and what is installed.
_LIBRARIES: Final = (
    Path(__file__).parents[1],
    Path(asyncio.__file__).parents[1],
    Path(anyio.__file__).parents[1],
)

T = TypeVar("T")
Identify: TypeAlias = Callable[[Event], str]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]
OnError: TypeAlias = Callable[[Exception, Event], Awaitable[None]]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between two tries to claim a busy event
_SETTLE_TIMEOUT = 5.0  # seconds that a cancelled delivery may still take to settle its claim
_DIGEST_SHOWN: Final = 8  # characters


class Handled(Enum):
    """The outcome of an event that was not refused."""

    HANDLED = "handled"
    """All its handlers succeeded, and it is marked as done."""
    ALREADY_DONE = "already done"
    """It was handled before: no handler was called."""
    BUSY = "busy"
    """Another delivery of it is being handled, or the store is full of others: no handler was called, it must
    come again."""
    NO_HANDLER = "no handler"
    """No handler is declared for its class; it was not marked."""
    STORED = "stored"
    """It is committed to the ``store``, now or before, whose workers handle it."""


@frozen(kw_only=True)
class EventProcessor:
    """Handle events, each once; see `WebhookReceiver` for the promises and the attributes.

    Attributes:
        handlers: What is called for each class.
    """

    seen: SeenEvents
    identify: Identify
    handler_timeout: float
    busy_wait: float
    sleep: Sleep
    store: EventStore | None = None
    handlers: EventHandlers = field(factory=EventHandlers)
    unhandled: UnhandledTypes = field(init=False, factory=UnhandledTypes)
    strict: bool = False

    async def process(self, event: Event) -> Handled:
        """Handle an event unless it was handled before.

        Raises:
            WebhookError: The store failed, or the claim was lost meanwhile.
            Exception: What a handler (or ``identify``) raised; the claim was released.
        """
        if self.store is not None:
            return await self._keep(self.store, event)
        if not self.handlers.has(type(event)):
            if not self.strict:  # else it is refused, and not lost
                self.unhandled.warn_once(event)
            return Handled.NO_HANDLER
        key = self._key(event)
        claim = await self._claim(event, key)
        if claim is Refused.DONE:
            if is_timeless(event):
                logger.warning(MAYBE_SECOND, type(event).__name__, shown_digest(key))
            return Handled.ALREADY_DONE
        if claim is Refused.FULL:
            logger.warning(
                "busy: the store has no room to claim %s %s: it is full of events being handled",
                type(event).__name__,
                shown_digest(key),
            )
            return Handled.BUSY
        if claim is Refused.BUSY:
            logger.warning(
                "busy: %s %s is claimed by another delivery until that ends, or its lease of %g s",
                type(event).__name__,
                shown_digest(key),
                self.seen.lease,
            )
            return Handled.BUSY
        try:
            await within(self.handler_timeout, self.handlers.call(event, claim))
        except BaseException as error:
            log_failure("handle", event, key, error)
            await self._settle("release", self.seen.release, event, claim)
            raise
        await self._complete(event, claim)
        return Handled.HANDLED

    def _key(self, event: Event) -> str:
        try:
            return self.identify(event)
        except Exception as error:
            log_failure("identify", event, "", error)
            raise

    async def _keep(self, store: EventStore, event: Event) -> Handled:
        key = self._key(event)
        try:
            is_new = await store.add(event, key)
        except WorkerEndedError as error:
            logger.warning("%s: %s %s", error, type(event).__name__, shown_digest(key))
            raise
        except Exception as error:
            log_failure("store", event, key, error)
            raise WebhookError("the store failed at add") from error
        if not is_new and is_timeless(event):
            logger.warning(MAYBE_SECOND, type(event).__name__, shown_digest(key))
        return Handled.STORED

    async def _claim(self, event: Event, key: str) -> Claim | Refused:
        """Claim an event; while another delivery has it, try again for ``busy_wait`` seconds."""
        left, pause = self.busy_wait, _FIRST_PAUSE
        while True:
            try:
                claim = await self.seen.claim(key)
            except Exception as error:
                log_failure("claim", event, key, error)
                raise WebhookError("the store of seen events failed at claim") from error
            if isinstance(claim, Claim) or claim is Refused.DONE or left <= 0:
                return claim
            pause = min(pause, left)
            await self.sleep(pause)
            left -= pause
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _complete(self, event: Event, claim: Claim) -> None:
        try:
            try:
                mine = await self.seen.complete(claim)
            except anyio.get_cancelled_exc_class():
                # The work is done: mark it in spite of the cancellation, or it is done again.
                await self._settle("complete", self.seen.complete, event, claim)
                raise
        except Exception as error:
            log_failure("complete", event, claim.key, error)
            raise WebhookError(
                "handled, but the store of seen events failed at complete"
            ) from error
        if not mine:
            lost = WebhookError("handled, but its claim was lost meanwhile")
            log_failure("complete", event, claim.key, lost)
            raise lost

    async def _settle(
        self, operation: str, step: Callable[[Claim], Awaitable[bool]], event: Event, claim: Claim
    ) -> None:
        """Release or complete a claim, even while cancelled; if that fails, its lease ends it."""
        try:
            with anyio.move_on_after(_SETTLE_TIMEOUT, shield=True):
                await step(claim)
        except Exception as error:  # noqa: BLE001 - the error before it is the one to raise
            log_failure(operation, event, claim.key, error)


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """Await something, and cancel it when the time is over.

    Raises:
        TimeoutError: The time is over.
        HandlerCancelledError: It raised CancelledError, and nobody has cancelled this task. Unchanged it
            would end this task, which has to answer or to take the next event.
    """
    if (
        sniffio.thread_local.name is not None
    ):  # Trio says its name there; to ask asyncio takes longer.
        with anyio.fail_after(seconds):
            return await awaitable
    try:
        # A third of the cost of anyio's: two of those cost more than all checks of a delivery.
        async with asyncio.timeout(seconds):
            return await awaitable
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        failed = HandlerCancelledError("raised CancelledError, and nobody had cancelled it")
        raise failed.with_traceback(error.__traceback__) from error


def is_cancelled() -> bool:
    """Tell whether somebody has cancelled the task that runs, rather than something that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def log_failure(operation: str, event: Event, key: str, error: BaseException) -> None:
    """Log a failure by type and place only: the text of an exception may hold a candidate's data.

    Those of wrong set-up are ours, and hold none.
    """
    logger.error(
        "%s failed with %s: %s %s",
        operation,
        shown_error(error),
        type(event).__name__,
        shown_digest(key),
    )


def shown_error(error: BaseException) -> str:
    """Give type and place of an exception, or the text of one of wrong set-up."""
    own = isinstance(error, ConfigurationError)
    return f"{error if own else type(error).__name__}{place_of(error)}"


def shown_digest(key: str) -> str:
    """Give enough to find the lines of one event; a key of the user's ``identify`` may be personal."""
    return key_digest(key)[:_DIGEST_SHOWN] if key else ""


def place_of(error: BaseException) -> str:
    """Give file and line of the user's innermost frame, and of the library's that it led to, without text."""
    frames = [(Path(one.f_code.co_filename), line) for one, line in walk_tb(error.__traceback__)]
    if not frames:
        return ""
    inner = frames[-1]
    users = [one for one in frames if not _is_library(one[0])]
    places = [users[-1]] if users and users[-1] != inner else []
    return " at " + ", in ".join(f"{path.name}:{line}" for path, line in [*places, inner])


def _is_library(path: Path) -> bool:
    return not path.is_absolute() or any(path.is_relative_to(one) for one in _LIBRARIES)
