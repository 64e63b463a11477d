"""Asking until something is there: with pauses that grow, and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
from attrs import field, frozen

from mettl_async.errors import InvalidInputError, NotReadyError
from mettl_async.models import DetailedStatus, OverallStatus, TestState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from attrs import Attribute

    from mettl_async.core.pipeline import Effects
    from mettl_async.models import CandidateResult

T = TypeVar("T")


def _seconds(_: object, attribute: Attribute[float], value: object) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):  # type: ignore[operator]
        raise InvalidInputError(
            {"most": "poll_every"}.get(attribute.name, attribute.name),
            "is not a number above 0",
            "pass seconds",
        )


@frozen(kw_only=True)
class Patience:
    """How long and how often to ask.

    Attributes:
        timeout: Seconds in all.
        first: Seconds before the second look; doubled each time.
        most: Seconds between two looks at most.
    """

    timeout: float = field(validator=_seconds)
    first: float
    most: float = field(validator=_seconds)

    def pause(self, looks: int, chance: float) -> float:
        """Seconds after that many looks; a tenth is random, so that many waiters spread out."""
        full = min(self.most, self.first * 2.0 ** min(looks - 1, 30))
        return full * (0.9 + 0.1 * chance)


@frozen
class NotYet:
    """Ask again; ``why`` is for the error if time runs out."""

    why: str


@frozen
class Never:
    """Asking again is no use."""

    why: str


async def until_ready(
    look: Callable[[], Awaitable[T]],
    judge: Callable[[T], NotYet | Never | None],
    patience: Patience,
    effects: Effects,
) -> T:
    """Look until ``judge`` has no objection.

    Raises:
        NotReadyError: ``judge`` says never, or the time is over.
    """
    began, looks = effects.monotonic(), 0
    verdict: NotYet | Never | None = NotYet("the first look took too long")
    while True:
        left = patience.timeout - (effects.monotonic() - began)
        with anyio.move_on_after(left) as scope:
            found = await look()
            verdict = judge(found)
            if verdict is None:
                return found
        looks += 1
        if scope.cancelled_caught and verdict is not None:
            raise NotReadyError(verdict.why, waited=effects.monotonic() - began, final=False)
        waited = effects.monotonic() - began
        pause = min(patience.pause(looks, effects.chance()), patience.timeout - waited)
        if verdict is not None and (isinstance(verdict, Never) or pause <= 0):
            raise NotReadyError(verdict.why, waited=waited, final=isinstance(verdict, Never))
        await effects.sleep(pause)


_SHUT_OUT = {TestState.ACCESS_REVOKED, TestState.INVALID}


def judge_result(result: CandidateResult | NotYet) -> NotYet | Never | None:
    """Whether a result is final: over and with marks, or blocked, which is never graded; pure."""
    if isinstance(result, NotYet):
        return result
    status = result.test_status
    if status is None:
        return NotYet("the answer has no test status yet")
    graded = status.result is not None and status.result.total_marks is not None
    if status.is_in_progress:
        return NotYet("the test is in progress")
    if graded:
        return None
    if status.status in _SHUT_OUT:
        return Never(f"the candidate may not take the test: {status.status}")
    if status.is_finished:
        blocked = (
            status.overall_status is OverallStatus.BLOCKED
            or status.detailed_status is DetailedStatus.AUTHORIZER_BLOCKED
        )
        return None if blocked else NotYet("the test is finished, but not graded yet")
    if status.is_startable:
        return NotYet("the test was not started")
    words = (status.detailed_status, status.overall_status, status.status)
    known = [str(word) for word in words if word is not None and word.is_known]
    if not known:
        return NotYet("the status of the test is not known")
    return Never(f"the test will not be taken: {known[0]}")
