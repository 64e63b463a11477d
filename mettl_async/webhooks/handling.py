"""One event, from the claim over its handlers to the mark that it is done."""

from __future__ import annotations

import hashlib
import logging
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import anyio
from attrs import frozen

from mettl_async.errors import WebhookError
from mettl_async.webhooks.handlers import Handlers
from mettl_async.webhooks.patience import within
from mettl_async.webhooks.seen import Claim, Refused, SeenEvents

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mettl_async.models.event import Event
    from mettl_async.webhooks.handlers import Declared

logger = logging.getLogger("mettl_async.webhooks")

Identify: TypeAlias = "Callable[[Event], str]"
Sleep: TypeAlias = "Callable[[float], Awaitable[None]]"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between two looks at an event that is busy
_GIVING_BACK = 5.0  # seconds that a cancelled delivery may still take to release its claim
_SHOWN = 8  # characters


class Handled(Enum):
    """What became of an event that was not refused."""

    HANDLED = "handled"
    """All its handlers succeeded, and it is marked as done."""
    ALREADY_DONE = "already done"
    """It was handled before: no handler was called."""
    BUSY = "busy"
    """Someone else is still handling it: no handler was called, it must come again."""
    NO_HANDLER = "no handler"
    """No handler is declared for its class; it was not marked."""


@frozen(kw_only=True)
class Handling:
    """What handling one event takes; see `WebhookReceiver` for the promises."""

    handlers: Handlers
    seen: SeenEvents
    identify: Identify
    timeout: float
    busy_wait: float
    sleep: Sleep

    async def run(self, event: Event) -> Handled:
        """Handle an event unless it was.

        Raises:
            WebhookError: The store failed, or the claim was lost meanwhile.
            Exception: What a handler (or ``identify``) raised; the claim was released.
        """
        handlers = self.handlers.of(event)
        if not handlers:
            logger.debug("no handler for %s", type(event).__name__)
            return Handled.NO_HANDLER
        try:
            key = self.identify(event)
        except Exception as error:
            _failed("identify", event, "", error)
            raise
        claim = await self._claim(event, key)
        if claim is Refused.DONE:
            return Handled.ALREADY_DONE
        if claim is Refused.BUSY:
            logger.warning(
                "busy: %s %s is claimed by another delivery, until its end or that of its lease (%g s)",
                type(event).__name__,
                _shown(key),
                self.seen.lease,
            )
            return Handled.BUSY
        try:
            await within(self.timeout, _call(handlers, event, claim))
        except BaseException as error:
            _failed("handle", event, key, error)
            await self._at_last("release", self.seen.release, event, claim)
            raise
        await self._complete(event, claim)
        return Handled.HANDLED

    async def _claim(self, event: Event, key: str) -> Claim | Refused:
        """Claim it; while someone else has it, wait a little for the end of that."""
        left, pause = self.busy_wait, _FIRST_PAUSE
        while True:
            try:
                claim = await self.seen.claim(key)
            except Exception as error:
                _failed("claim", event, key, error)
                raise WebhookError("the store of seen events failed at claim") from error
            if claim is not Refused.BUSY or left <= 0:
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
                await self._at_last("complete", self.seen.complete, event, claim)
                raise
        except Exception as error:
            _failed("complete", event, claim.key, error)
            raise WebhookError(
                "handled, but the store of seen events failed at complete"
            ) from error
        if not mine:
            lost = WebhookError("handled, but its claim was lost meanwhile")
            _failed("complete", event, claim.key, lost)
            raise lost

    async def _at_last(
        self, operation: str, step: Callable[[Claim], Awaitable[bool]], event: Event, claim: Claim
    ) -> None:
        """Settle a claim, also while cancelled; if that fails, the end of the lease does it."""
        try:
            with anyio.move_on_after(_GIVING_BACK, shield=True):
                await step(claim)
        except Exception as error:  # noqa: BLE001 - what happened before is the one to raise
            _failed(operation, event, claim.key, error)


async def _call(handlers: tuple[Declared, ...], event: Event, claim: Claim) -> None:
    for one in handlers:
        await (one.call(event, claim) if one.with_claim else one.call(event))


def _failed(operation: str, event: Event, key: str, error: BaseException) -> None:
    """Log a failure by type and place only: the text of an exception may hold a candidate's data."""
    logger.error(
        "%s failed with %s%s: %s %s",
        operation,
        type(error).__name__,
        _place(error),
        type(event).__name__,
        _shown(key),
    )


def _shown(key: str) -> str:
    """Enough to find the lines of one event; the key itself is personal if ``identify`` makes it so."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_SHOWN] if key else ""


def _place(error: BaseException) -> str:
    """Where it was raised: file and line of the innermost frame, without its text."""
    frame = error.__traceback__
    if frame is None:
        return ""
    while frame.tb_next is not None:
        frame = frame.tb_next
    return f" at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}"
