"""Sending batches, until each of their candidates has an outcome or waits for the second pass."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from inspect import isawaitable
from typing import Final

import anyio
from attrs import frozen

from mettl_async.bulk.batch import Batch, Entry, first_batch
from mettl_async.bulk.outcomes import (
    NO_USABLE_LINK,
    JournalError,
    Outcome,
    Registered,
    Rejected,
    Unknown,
)
from mettl_async.bulk.progress import OPERATION, ProgressTracker, log_stop
from mettl_async.bulk.run_options import CandidateFallback, RunOptions
from mettl_async.bulk.splitting import Splitting
from mettl_async.bulk.stop_policy import (
    StopPolicy,
    is_too_long,
    may_be_one_candidates_fault,
    stops_the_run,
)
from mettl_async.core.tasks import catching
from mettl_async.errors import (
    CallError,
    CallFacts,
    ConfigurationError,
    InvalidInputError,
    MettlDecodeError,
    MettlError,
    TransportTimeoutError,
)
from mettl_async.models import Candidate, Registration
from mettl_async.models._fold_email import fold_email

MAX_LOST: Final = 2_000
"""Candidates that wait for the end of the run; if there are more, the oldest are sent at once."""

GRACE: Final = 5.0
"""Seconds that calls in flight have when their caller leaves the run.

Most batches are answered by then, and whoever is not is asked again by a run that is resumed."""


@frozen
class BatchResponse:
    """What one call came to: the server's items, how many requests it took, and when they were sent."""

    registrations: Sequence[Registration]
    attempts: int
    sent_at: tuple[datetime, ...] = ()


Send = Callable[[Batch], Awaitable[BatchResponse]]


class Dispatcher:
    """Send batches for all workers of a run.

    Attributes:
        failure: What is to be raised at the end of the run.
    """

    def __init__(
        self,
        send: Send,
        options: RunOptions,
        max_rd_bytes: int | None,
        tracker: ProgressTracker,
        *,
        stop_reading: Callable[[], None],
    ) -> None:
        self._send, self._options, self._max_rd_bytes = send, options, max_rd_bytes
        self._tracker, self._stop_reading = tracker, stop_reading
        self._slots = anyio.Semaphore(options.concurrency, fast_acquire=True)
        self._stop_policy = StopPolicy(options.concurrency)
        self._stopped_by: MettlError | None = None
        self._lost: dict[Entry, Outcome] = {}  # what becomes of them unless asked; the oldest first
        self._in_flight: set[anyio.CancelScope] = set()
        self.failure: Exception | None = None

    @property
    def lost(self) -> int:
        """Candidates whose answer was lost, or had no usable link, and who wait for the second pass."""
        return len(self._lost)

    def stop(self, error: MettlError) -> None:
        """Send nothing further: the rest of the input comes out as not sent."""
        if self._stopped_by is None:
            self._stopped_by = error
            log_stop(error)

    def abandon(self) -> None:
        """Send nothing further, because the caller left."""
        self._stopped_by = self._stopped_by or ConfigurationError("the run was left before its end")

    def end_in_flight(self) -> None:
        """Give calls in flight up after `GRACE`."""
        for scope in self._in_flight:
            scope.deadline = min(scope.deadline, anyio.current_time() + GRACE)

    def fail(self, exc: Exception) -> None:
        """Read nothing further, and keep what is not about candidates for the end of the run.

        Once the journal has failed, nothing further is sent either.
        """
        if isinstance(exc, JournalError):
            self.stop(exc)
        elif self.failure is None:
            log_stop(exc)
        # What could not be recorded comes before all else: nothing else says that it was registered.
        if self.failure is None or (isinstance(exc, JournalError) and exc.unrecorded):
            self.failure = exc
        self._stop_reading()

    async def register(self, batch: Batch) -> list[Outcome]:
        """Send a batch, and those of it once more whom the caller's fallback has mended.

        Returns:
            Outcomes of its candidates, but for those that wait for the second pass.
        """
        mended: list[Entry] = []
        outcomes = await self._register(batch, mended)
        while mended:
            group = first_batch(mended, self._options.batch_size, self._max_rd_bytes)
            del mended[: len(group)]
            outcomes += await self._register(group, mended)
        return outcomes

    async def register_lost(self) -> list[Outcome]:
        """Send the candidates again, in one call, that have waited longest; see `lost`."""
        batch = first_batch(self._lost, self._options.batch_size, self._max_rd_bytes)
        last = [self._lost.pop(entry) for entry in batch]
        return await self.register(batch) if self._is_going_on else last

    @property
    def _is_going_on(self) -> bool:
        return self._stopped_by is None and self.failure is None

    async def _register(self, batch: Batch, mended: list[Entry]) -> list[Outcome]:
        """Send a batch, and splits of it as long as a candidate makes the whole call fail.

        Args:
            batch: At least one.
            mended: Receives rejected candidates that the caller's fallback has mended, which have no
                outcome yet.
        """
        outcomes: list[Outcome] = []
        splitting = Splitting(batch)
        while group := splitting.take():
            async with self._slots:
                not_sent = self._stopped_by
                answer = not_sent or await self._call(group)
            settled: Sequence[Outcome]
            if isinstance(answer, BatchResponse):
                splitting.record_success(group)
                settled = self._after_success(group, answer)
            elif isinstance(answer, CallError) and not_sent is None:
                settled = self._after_failure(splitting, group, answer)
            else:
                splitting.record_no_answer(group)
                settled = self._unanswered(group, answer)
            for outcome in settled:
                if isinstance(outcome, Rejected):
                    entry = next(one for one in group if one.index == outcome.index)
                    if self._may_be_mended(entry) and await self._mend(entry, outcome, answer):
                        mended.append(entry)
                        continue
                outcomes.append(outcome)
        return outcomes

    async def _call(self, group: Batch) -> BatchResponse | MettlError:
        answer: BatchResponse | MettlError
        raised: list[Exception] = []
        self._tracker.in_flight += 1
        try:
            with anyio.CancelScope() as scope, catching(raised.append):
                self._in_flight.add(scope)
                try:
                    answer = await self._send(group)
                except MettlError as error:
                    answer = error
        finally:
            self._in_flight.discard(scope)
            self._tracker.in_flight -= 1
        if scope.cancelled_caught:
            answer = TransportTimeoutError(
                f"given up {GRACE:g} s after the run was left",
                CallFacts(
                    operation=OPERATION,
                    attempts=1,
                    sent=True,
                    may_have_been_handled=True,
                    safe_to_repeat=True,
                ),
            )
        elif raised:
            # A middleware's, or a bug: siblings still finish.
            self.fail(raised[0])
            # Only its type: the exception itself is raised at the end of the run, unwrapped.
            answer = CallError(
                f"{type(raised[0]).__name__} was raised while sending",
                CallFacts(operation=OPERATION, sent=True, may_have_been_handled=True),
            )
        self._tracker.record_call(
            answer.attempts if isinstance(answer, (BatchResponse, CallError)) else 0
        )
        if isinstance(answer, ConfigurationError):
            self.stop(answer)
        return answer

    def _after_success(self, group: Batch, answer: BatchResponse) -> Sequence[Outcome]:
        """Give each candidate the item with its own email; the order of the items does not matter."""
        self._stop_policy.record_success()
        outcomes: list[Outcome] = []
        not_mentioned: list[Entry] = []
        found = _by_email(answer.registrations)
        for entry in group:
            entry.record_call(answer.attempts, answer.sent_at, may_be_registered=True)
            registration = found.get(fold_email(entry.candidate.email))
            if registration is None:
                not_mentioned.append(entry)
                continue
            outcome = entry.answered(registration)
            if (
                isinstance(outcome, Registered)
                or outcome.code != NO_USABLE_LINK
                or entry.without_link
            ):
                outcomes.append(outcome)
            else:
                entry.without_link = self._lost[entry] = outcome
        if not_mentioned:
            facts = CallFacts(
                operation=OPERATION, sent=True, may_have_been_handled=True, safe_to_repeat=True
            )
            error = MettlDecodeError("the server's answer does not mention this candidate", facts)
            outcomes += self._unanswered(not_mentioned, error)
        return outcomes

    def _after_failure(
        self, splitting: Splitting, group: Batch, error: CallError
    ) -> Sequence[Outcome]:
        for entry in group:
            entry.record_call(
                error.attempts, error.sent_at, may_be_registered=error.may_have_been_handled
            )
        if not may_be_one_candidates_fault(error):
            splitting.record_no_answer(group)
            if stops_the_run(error) or self._stop_policy.record_no_answer():
                self.stop(error)
            return self._unanswered(group, error)
        self._stop_policy.record_refusal()
        if not splitting.record_rejection(group, too_long=is_too_long(error)):
            return ()
        (entry,) = group
        # A candidate that may be mended counts when that was of no use.
        if not self._may_be_mended(entry) and self._stop_policy.record_rejection(error):
            self.stop(error)
        # Whatever was lost before: registering is repeatable, so the last answer is the truth [seen].
        code = error.code or f"HTTP {error.status_code}"
        return (entry.rejected(error.server_message or error.problem, code),)

    def _unanswered(self, group: Iterable[Entry], error: MettlError) -> Sequence[Outcome]:
        """Keep those for the second pass whose answer was lost; return outcomes of the others."""
        outcomes: list[Outcome] = []
        for entry in group:
            outcome = entry.unanswered(error)
            if isinstance(outcome, Unknown) and not entry.repeated:
                entry.repeated = True
                self._lost[entry] = outcome
            else:
                outcomes.append(outcome)
        return outcomes

    def _may_be_mended(self, entry: Entry) -> bool:
        return self._options.candidate_fallback is not None and not entry.asked_about

    async def _mend(
        self, entry: Entry, rejected: Rejected, answer: BatchResponse | MettlError
    ) -> bool:
        """Ask the caller's fallback for other values; return whether the candidate is to be sent again."""
        candidate: Candidate | None = None
        fallback, entry.asked_about = self._options.candidate_fallback, True
        with catching(self.fail):
            if fallback is not None and self._is_going_on:
                candidate = await ask_fallback(fallback, rejected)
        if candidate is None:
            if isinstance(answer, CallError) and self._stop_policy.record_rejection(answer):
                self.stop(answer)
            return False
        entry.mend(candidate)
        return True


async def ask_fallback(fallback: CandidateFallback, rejected: Rejected) -> Candidate | None:
    """Call the caller's fallback with a rejected candidate.

    Raises:
        InvalidInputError: It returned something else, or another person.
        Exception: What the fallback raises.
    """
    returned: object = fallback(rejected.candidate, rejected)
    if isawaitable(returned):
        returned = await returned
    if returned is None:
        return None
    place = f"candidate_fallback for candidates[{rejected.index}]"
    if not isinstance(returned, Candidate):
        raise InvalidInputError(
            place,
            f"returned a {type(returned).__name__}",
            "return a Candidate, or None to leave it rejected",
        )
    if fold_email(returned.email) != fold_email(rejected.candidate.email):
        raise InvalidInputError(
            place,
            "returned a candidate with another email",
            "change other values only, as with attrs.evolve(candidate, fields=...)",
        )
    return returned


def _by_email(registrations: Iterable[Registration]) -> dict[str, Registration]:
    """Return the items of an answer by folded email."""
    found: dict[str, Registration] = {}
    for one in registrations:
        key = fold_email(one.email)
        # Where an email comes twice, the answer with a link is the one that helps.
        if key not in found or not found[key].url:
            found[key] = one
    return found
