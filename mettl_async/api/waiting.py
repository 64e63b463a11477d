"""Asking until something is there: with pauses that grow, and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import field, frozen

from mettl_async.errors import InvalidInputError, NotReadyError
from mettl_async.models import OverallStatus

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
    while True:
        found = await look()
        looks += 1
        verdict = judge(found)
        if verdict is None:
            return found
        waited = effects.monotonic() - began
        pause = min(patience.pause(looks, effects.chance()), patience.timeout - waited)
        if isinstance(verdict, Never) or pause <= 0:
            raise NotReadyError(verdict.why, waited=waited, final=isinstance(verdict, Never))
        await effects.sleep(pause)


def judge_result(result: CandidateResult) -> NotYet | Never | None:
    """Whether a result is final: finished and graded, or blocked, which is never graded."""
    status = result.test_status
    if status is None:
        return NotYet("the answer has no test status yet")
    if status.is_finished:
        graded = status.result is not None or status.overall_status is OverallStatus.BLOCKED
        return None if graded else NotYet("the test is finished, but not graded yet")
    if status.is_in_progress:
        return NotYet("the test is in progress")
    if status.is_startable:
        return NotYet("the test was not started")
    words = status.detailed_status or status.overall_status or status.status
    if words is None or not words.is_known:
        return NotYet("the status of the test is not known")
    return Never(f"the test will not be taken: {words}")
