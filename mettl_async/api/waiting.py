"""Polling: asking again, with growing pauses and a timeout, until something is ready."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from attrs import frozen

from mettl_async.core.effects import Effects
from mettl_async.errors import NotReadyError
from mettl_async.models import CandidateResult, DetailedStatus, OverallStatus, TestState, _check

T = TypeVar("T")


@frozen
class NotReady:
    """Something is not there yet, or never will be.

    Attributes:
        reason: For the error, if time runs out.
        final: Whether asking again is no use.
    """

    reason: str
    final: bool = False


async def poll(
    attempt: Callable[[], Awaitable[T | NotReady]],
    effects: Effects,
    *,
    timeout: float,  # noqa: ASYNC109 - a bound of polling, not a cancellation
    first_pause: float,
    max_pause: float,
) -> T:
    """Repeat an attempt until it gives something else than `NotReady`.

    Args:
        attempt: What is repeated.
        effects: Clock, pauses and chance.
        timeout: Seconds in all.
        first_pause: Seconds before the second attempt; doubled each time. A tenth of a pause is
            random, so that many waiters spread out.
        max_pause: Seconds between two attempts at most.

    Raises:
        InvalidInputError: The timeout is not above 0.
        NotReadyError: It never will, or the timeout is over.
    """
    _check.seconds("timeout", timeout)
    began, pause = effects.monotonic(), first_pause
    verdict = NotReady("the first answer took too long")
    while True:
        left = timeout - (effects.monotonic() - began)
        with anyio.move_on_after(left) as scope:
            found = await attempt()
            if not isinstance(found, NotReady):
                return found
            verdict = found
        waited = effects.monotonic() - began
        spread = min(pause, max_pause) * (0.9 + 0.1 * effects.chance())
        if scope.cancelled_caught or verdict.final or waited >= timeout:
            raise NotReadyError(verdict.reason, waited=waited, final=verdict.final)
        await effects.sleep(min(spread, timeout - waited))
        pause = min(pause * 2, max_pause)


_SHUT_OUT = {TestState.ACCESS_REVOKED, TestState.INVALID}


def judge_result(result: CandidateResult) -> NotReady | None:
    """Tell whether a result is final: over and with marks, or blocked, which is never graded; pure.

    Returns:
        None if it is, else why not.
    """
    status = result.test_status
    if status is None:
        return NotReady("the answer has no test status yet")
    graded = status.result is not None and status.result.total_marks is not None
    if status.is_in_progress:
        return NotReady("the test is in progress")
    if graded:
        return None
    if status.status in _SHUT_OUT:
        return NotReady(f"the candidate may not take the test: {status.status}", final=True)
    if status.is_finished:
        blocked = (
            status.overall_status is OverallStatus.BLOCKED
            or status.detailed_status is DetailedStatus.AUTHORIZER_BLOCKED
        )
        return None if blocked else NotReady("the test is finished, but not graded yet")
    if status.is_startable:
        return NotReady("the test was not started")
    words = (status.detailed_status, status.overall_status, status.status)
    known = [str(word) for word in words if word is not None and word.is_known]
    if not known:
        return NotReady("the status of the test is not known")
    return NotReady(f"the test will not be taken: {known[0]}", final=True)
