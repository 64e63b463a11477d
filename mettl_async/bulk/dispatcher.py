"""Sending batches, until each of their candidates has an outcome or waits for the second pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
from attrs import evolve, frozen

from mettl_async.bulk.details import Entry
from mettl_async.bulk.fallback import mended
from mettl_async.bulk.outcomes import Rejected
from mettl_async.bulk.part import Part, by_email
from mettl_async.bulk.progress import log_stop
from mettl_async.bulk.second_pass import SecondPass, packed
from mettl_async.bulk.splitting import Splitting
from mettl_async.bulk.stop_policy import (
    StopPolicy,
    is_call_wide,
    is_too_long,
    not_mentioned,
    stops_the_run,
    unexpected,
)
from mettl_async.core.tasks import is_cancelled
from mettl_async.errors import CallError, ConfigurationError, MettlError
from mettl_async.models import Registration

if TYPE_CHECKING:
    from mettl_async.bulk.outcomes import Outcome
    from mettl_async.bulk.progress import ProgressTracker
    from mettl_async.bulk.run_options import RunOptions
    from mettl_async.models import Candidate


@frozen
class BatchResponse:
    """What one call came to: the server's items, how many requests it took, and when they were sent."""

    registrations: Sequence[Registration]
    attempts: int
    sent_at: tuple[datetime, ...] = ()


Send = Callable[[Sequence[Entry]], Awaitable[BatchResponse]]


@frozen
class _NotSent:
    """The run was stopped before it was a group's turn."""

    error: MettlError


class Dispatcher:
    """What all workers of a run send through.

    Attributes:
        later: Those whose answer was lost.
        broken: What is to be raised at the end of the run.
    """

    def __init__(
        self,
        send: Send,
        options: RunOptions,
        room: int | None,
        tracker: ProgressTracker,
        *,
        when_broken: Callable[[], None],
    ) -> None:
        self._send, self._size, self._room = send, options.batch_size, room
        self._tracker, self._fallback = tracker, options.candidate_fallback
        self._when_broken = when_broken
        self._turns = anyio.Semaphore(options.concurrency, fast_acquire=True)
        self._stop_policy = StopPolicy(options.concurrency)
        self._stopped_by: MettlError | None = None
        self.later = SecondPass(self._size, room)
        self.broken: Exception | None = None

    @property
    def going_on(self) -> bool:
        """Whether nothing has put an end to the run."""
        return self._stopped_by is None and self.broken is None

    def stop(self, error: MettlError) -> None:
        """Send nothing further: the rest of the input comes out as not sent."""
        if self._stopped_by is None:
            self._stopped_by = error
            log_stop(error)

    def leave(self) -> None:
        """Send nothing further, for nobody listens."""
        if self._stopped_by is None:
            self._stopped_by = ConfigurationError("the run was left before its end")

    def break_off(self, exc: BaseException) -> None:
        """Something that is not about candidates went wrong: raise it when the drain is over."""
        # A cancellation that is not ours came out of somebody's code, and would look like ours.
        if not isinstance(exc, Exception):
            exc = ConfigurationError(
                "cancelled from inside: by the input, a hook, a middleware or credentials"
            )
        if self.broken is None:
            self.broken = exc
            log_stop(exc)
        self._when_broken()

    async def register(self, parts: list[Part], *, may_mend: bool) -> list[Outcome]:
        """Send parts together, and in splits as long as a candidate makes the whole call fail.

        Args:
            parts: Of one call's size together.
            may_mend: Whether refused ones are shown to the caller's fallback, and sent once more.
        """
        may_mend = may_mend and self._fallback is not None
        outcomes: list[Outcome] = []
        refused: list[tuple[Part, Rejected, CallError | None]] = []
        splitting = Splitting(parts)
        while group := splitting.take():
            answer = await self._call(_together(group))
            if isinstance(answer, BatchResponse):
                splitting.went_through(group)
                settled = self._after_answer(group, answer)
            elif isinstance(answer, CallError):
                settled = self._after_failure(splitting, group, answer, may_mend=may_mend)
            else:
                splitting.was_lost(group)
                settled = self._unsettled(
                    group, answer.error if isinstance(answer, _NotSent) else answer
                )
            rejected = [one for one in settled if isinstance(one, Rejected)]
            if may_mend and rejected and isinstance(answer, (BatchResponse, CallError)):
                after = [part.after(0, handled=False, sent_at=answer.sent_at) for part in group]
                by_index = {one.index: part for part in after for one in part.entries}
                error = answer if isinstance(answer, CallError) else None
                refused += [(by_index[one.index], one, error) for one in rejected]
                settled = [one for one in settled if not isinstance(one, Rejected)]
            outcomes += settled
        return outcomes + await self._mend(refused) if refused else outcomes

    async def _call(self, entries: Sequence[Entry]) -> BatchResponse | MettlError | _NotSent:
        answer: BatchResponse | MettlError
        async with self._turns:
            if self._stopped_by is not None:
                return _NotSent(self._stopped_by)
            self._tracker.in_flight += 1
            try:
                answer = await self._send(entries)
            except MettlError as error:
                answer = error
            except (Exception, anyio.get_cancelled_exc_class()) as exc:
                if is_cancelled(exc):
                    raise
                # A middleware's, or a bug: siblings still finish.
                self.break_off(exc)
                answer = unexpected(exc)
            finally:
                self._tracker.in_flight -= 1
        self._tracker.ended(
            answer.attempts if isinstance(answer, (BatchResponse, CallError)) else 0
        )
        if isinstance(answer, ConfigurationError):
            self.stop(answer)
        return answer

    def _after_answer(self, group: Sequence[Part], answer: BatchResponse) -> list[Outcome]:
        self._stop_policy.went_through()
        outcomes: list[Outcome] = []
        answers = by_email(answer.registrations)
        for part in group:
            done, missing = part.after(answer.attempts, handled=True, sent_at=answer.sent_at).match(
                answers
            )
            outcomes += done
            if missing.entries:
                outcomes += self._unsettled([missing], not_mentioned())
        return outcomes

    def _after_failure(
        self, splitting: Splitting, group: Sequence[Part], error: CallError, *, may_mend: bool
    ) -> list[Outcome]:
        group = [
            part.after(error.attempts, handled=error.may_have_been_handled, sent_at=error.sent_at)
            for part in group
        ]
        if is_call_wide(error):
            alone = splitting.was_refused(group, too_long=is_too_long(error))
            # One who may be mended counts when that was of no use.
            if self._stop_policy.was_refused(error, alone=alone and not may_mend):
                self.stop(error)
            if not alone:
                return []
            # After a lost answer even a refusal is not certain.
            if not group[0].handled:
                return group[0].refused(error)
        else:
            splitting.was_lost(group)
            if stops_the_run(error) or self._stop_policy.was_lost():
                self.stop(error)
        return self._unsettled(group, error)

    def _unsettled(self, group: Sequence[Part], error: MettlError) -> list[Outcome]:
        """Keep those for the second pass whose answer was lost; outcomes of the others."""
        outcomes: list[Outcome] = []
        for part in group:
            if part.handled and not part.repeated:
                self.later.add(part, error)
            else:
                outcomes += part.unsettled(error)
        return outcomes

    async def _mend(
        self, refused: Sequence[tuple[Part, Rejected, CallError | None]]
    ) -> list[Outcome]:
        """Send those once more whom the caller has mended; an outcome for each, mended or not."""
        outcomes: list[Outcome] = []
        parts: list[Part] = []
        for part, rejected, error in refused:
            made = await self._ask(rejected)
            if made is None:
                outcomes.append(rejected)
                if error is not None and self._stop_policy.record_rejection(error):
                    self.stop(error)
            else:
                entries = (Entry(rejected.index, made),)
                # The refusal was certain, whatever was lost before it.
                parts.append(
                    evolve(part, entries=entries, attempts=rejected.attempts, handled=False)
                )
        for together in packed(parts, self._size, self._room):
            outcomes += await self.register(together, may_mend=False)
        return outcomes

    async def _ask(self, rejected: Rejected) -> Candidate | None:
        if self._fallback is None or not self.going_on:
            return None
        try:
            return await mended(self._fallback, rejected)
        except (Exception, anyio.get_cancelled_exc_class()) as exc:
            if is_cancelled(exc):
                raise
            self.break_off(exc)  # the caller's own; raised after the drain
        return None


def _together(group: Sequence[Part]) -> Sequence[Entry]:
    return group[0].entries if len(group) == 1 else [one for part in group for one in part.entries]
