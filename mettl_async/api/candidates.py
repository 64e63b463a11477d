"""Candidates of a schedule: registering one to twenty, or any number."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from attrs import frozen

from mettl_async.api.endpoint import (
    Caller,
    Endpoint,
    checked_access_key,
    expect,
    payload_list,
)
from mettl_async.api.results import Results
from mettl_async.bulk.batches import MAX_BATCH, check_candidate, check_source
from mettl_async.bulk.details import rd_of, rd_text
from mettl_async.bulk.journal_record import schedule_digest
from mettl_async.bulk.outcomes import Outcome, RegistrationReport
from mettl_async.bulk.run import BatchResponse
from mettl_async.bulk.stream import check_bounds, check_hooks, check_journal, outcomes_of
from mettl_async.codec import list_from_wire, to_params
from mettl_async.core.request import Placement, RunContext
from mettl_async.errors import InvalidInputError, JournalError, RunInterruptedError
from mettl_async.models import (
    Candidate,
    NoLink,
    NoLinkReason,
    ReadyLink,
    Registration,
    RegistrationOptions,
    RegistrationStatus,
    ensured,
)
from mettl_async.models._fold_email import fold_email
from mettl_async.models.registration_options import DEFAULT_OPTIONS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence

    from mettl_async.bulk.details import Entry
    from mettl_async.bulk.fallback import CandidateFallback
    from mettl_async.bulk.journal import Journal
    from mettl_async.bulk.progress import OnProgress
    from mettl_async.core.pipeline import ApiResponse

REGISTER = Endpoint(
    operation="candidates.register",
    method="POST",
    path="/schedules/{access_key}/candidates",
    placement=Placement.QUERY,
    payload="registrationStatus",
    # Registering someone again succeeds and gives the link again [seen].
    repeatable=True,
    personal_params=("rd",),
)


FIRST_CONTACT_SECONDS = 30.0
"""Until a run has had its first answer it is less patient: the address may simply be wrong."""


@frozen
class Candidates:
    """``mettl.candidates``."""

    _caller: Caller

    async def register(
        self,
        access_key: str,
        candidates: Iterable[Candidate],
        *,
        options: RegistrationOptions = DEFAULT_OPTIONS,
    ) -> tuple[Registration, ...]:
        """Register 1 to 20 candidates in one call, and get their links.

        A success is no proof of a usable link [seen]: ``url`` is None for one who has completed the
        test or may not take it.

        Args:
            access_key: Of the schedule.
            candidates: 1 to 20, no email twice.
            options: Time limit of the links and others; see `RegistrationOptions`.

        Returns:
            The server's items in the order of the candidates; an item about nobody asked for comes last.

        Raises:
            InvalidInputError: A bound is broken, or the parameters do not fit into a URL.
            RegistrationLimitError: The account's quota is used up.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 15.
        """
        key = checked_access_key(access_key)
        check_source(candidates, may_be_async=False)
        people = list(islice(candidates, MAX_BATCH + 1))
        for index, one in enumerate(people):
            check_candidate(index, one)
        if not 1 <= len(people) <= MAX_BATCH:
            raise InvalidInputError(
                "candidates",
                f"has {f'more than {MAX_BATCH}' if people else 'no'} items",
                f"pass 1 to {MAX_BATCH}, or use register_many()",
            )
        emails = [fold_email(one.email) for one in people]
        if len(set(emails)) < len(emails):
            index = next(i for i, email in enumerate(emails) if email in emails[:i])
            raise InvalidInputError(
                f"candidates[{index}].email",
                "came earlier in this call (case is ignored)",
                "pass each candidate once",
            )
        expect("options", options, RegistrationOptions)
        fixed = to_params(options)
        items = await self._caller.call(
            REGISTER, {"access_key": key}, {"rd": rd_text(people), **fixed}, _registrations
        )
        if [item.email for item in items] != [one.email for one in people]:
            places = {email: index for index, email in enumerate(emails)}
            items.sort(key=lambda item: places.get(fold_email(item.email), MAX_BATCH))
        return tuple(items)

    async def stream_registrations(
        self,
        access_key: str,
        candidates: Iterable[Candidate] | AsyncIterable[Candidate],
        *,
        concurrency: int = 8,
        batch_size: int = 20,
        options: RegistrationOptions = DEFAULT_OPTIONS,
        journal: Journal | None = None,
        candidate_fallback: CandidateFallback | None = None,
        on_progress: OnProgress | None = None,
    ) -> AsyncGenerator[Outcome]:
        """Register any number of candidates; yields one outcome for each, as batches finish.

        Every candidate comes out exactly once: `Registered` with a link, `Rejected` by the server (or
        for an email that came before in this run, without regard to case, which is not sent),
        `Failed` and safe to repeat, or `Unknown` when it may have been sent and the answer was lost.
        One candidate that makes a whole call fail is found by halving its batch: at most 6 calls more
        than candidates, however many are bad. Those whose answer was lost are sent once more when the
        input is exhausted (the oldest sooner, if they are more than 2,000), unless the run was stopped
        or something was raised: only who stays without an answer is `Unknown`. A refusal that
        concerns the account or the schedule (E401, E403, E404, E607) stops the run: the rest comes
        out as `Failed` with ``attempts == 0``, never sent. So does a server that answers nobody.

        Memory grows with the concurrency, not with the input (but for some 17 bytes per candidate, to
        notice repeated emails). Leaving the loop early stops reading;
        calls in flight are never cancelled, and closing the client waits for them.

        With a ``journal``, a run that was killed at any instant is finished by running it again with
        the same journal, even if the input has grown or changed its order: an outcome is
        yielded only after it was recorded, and who has a recorded link (or refusal for good) comes out
        with it, ``attempts == 0``, and is not sent. `Failed` and `Unknown` are tried again.

        Args:
            access_key: Of the schedule.
            candidates: Any iterable or async iterable, endless ones too.
            concurrency: Calls in flight at once, 1 to ``ClientOptions.max_concurrency``.
            batch_size: Candidates per call, 1 to 20; fewer where a URL would get too long.
            options: As for `register`.
            journal: Where to record, such as a `FileJournal`; of this schedule only.
            candidate_fallback: Asked about each candidate that the server rejected: gives the same person
                mended, such as with another photo's URL after E028, who is then sent once more; or None.
                May be async. Not asked about repeated emails, nor in a run that was stopped.
            on_progress: Called with a `Progress` as batches finish, at most ten times a second, and once
                at the end. What it raises is raised at the end of the run, which goes on without it.

        Raises:
            InvalidInputError: An argument is out of bounds, or an element is no `Candidate` (after
                everything before it was reported).
            JournalError: The journal cannot be used; if it fails midway, nothing more is read or sent,
                calls in flight finish, and ``.unrecorded`` has what could not be recorded.
            Exception: What the input itself or a hook raises, likewise. A fallback that gives another
                email is an `InvalidInputError`, and that candidate stays rejected.

        Source: api.md, API 15; observed.md sections 4 and 6.
        """
        key = checked_access_key(access_key)
        check_bounds(
            concurrency=concurrency,
            most=self._caller.options.max_concurrency,
            batch_size=batch_size,
        )
        check_journal(journal)
        check_hooks(candidate_fallback=candidate_fallback, on_progress=on_progress)
        expect("options", options, RegistrationOptions)
        fixed = to_params(options)
        caller, path = self._caller, {"access_key": key}

        contact = RunContext(FIRST_CONTACT_SECONDS)

        async def send(entries: Sequence[Entry]) -> BatchResponse:
            # No quota: a run has no more retries outstanding than it has workers.
            params = {"rd": rd_of(entries), **fixed}
            return await caller.call(REGISTER, path, params, _answered, contact=contact)

        outcomes = outcomes_of(
            candidates,
            send,
            caller.lifecycle,
            concurrency=concurrency,
            batch_size=batch_size,
            room=caller.room(REGISTER, path, fixed),
            journal=journal,
            schedule=schedule_digest(key),
            candidate_fallback=candidate_fallback,
            on_progress=on_progress,
        )
        try:
            async for outcome in outcomes:
                yield outcome
        finally:
            await outcomes.aclose()

    async def ensure_registered(
        self,
        access_key: str,
        candidate: Candidate,
        *,
        options: RegistrationOptions = DEFAULT_OPTIONS,
    ) -> ReadyLink | NoLink:
        """A usable link for one candidate, or why there is none.

        Registering again gives the link again [seen], so this may be called on every click: to start, and
        to resume.

        Returns:
            `ReadyLink`, or `NoLink` with a reason: completed, not invited, or other.

        Raises:
            InvalidInputError: Not an access key, or not a `Candidate`.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 15; observed.md section 6.
        """
        items = await self.register(
            access_key,
            [candidate],
            options=options,
        )
        wanted = fold_email(candidate.email)
        found = [item for item in items if fold_email(item.email) == wanted]
        return ensured(found[0] if found else None)

    async def reset_attempt(
        self,
        access_key: str,
        candidate: Candidate,
        *,
        options: RegistrationOptions = DEFAULT_OPTIONS,
    ) -> ReadyLink | NoLink:
        """Delete the candidate's result and register again, so that the test can be taken anew.

        The old result is gone for good. One that is in progress is not affected [doc]: then the answer is
        `NoLink` with that reason, or an error where the server says so.

        Raises:
            InvalidInputError: Not an access key, or not a `Candidate`.
            CallError: See `mettl_async.errors`. If the second step fails, the result is deleted already,
                and `ensure_registered` does the rest.

        Source: api.md, APIs 19 and 15; observed.md section 6.
        """
        expect("candidate", candidate, Candidate)
        await Results(self._caller).delete(access_key, candidate.email)
        link = await self.ensure_registered(
            access_key,
            candidate,
            options=options,
        )
        if link.status is RegistrationStatus.IN_PROGRESS:
            return NoLink(reason=NoLinkReason.IN_PROGRESS, status=link.status)
        return link

    async def register_many(
        self,
        access_key: str,
        candidates: Iterable[Candidate] | AsyncIterable[Candidate],
        *,
        concurrency: int = 8,
        batch_size: int = 20,
        options: RegistrationOptions = DEFAULT_OPTIONS,
        journal: Journal | None = None,
        candidate_fallback: CandidateFallback | None = None,
        on_progress: OnProgress | None = None,
    ) -> RegistrationReport:
        """Register any number of candidates, and collect all outcomes in the order of the input.

        Raises nothing for candidates that were not registered; ``report.raise_for_failures()`` does.
        When the input, the journal or a hook fails, `RunInterruptedError.report` has what was registered until
        then, recorded or not.
        Arguments, promises and errors are those of `stream_registrations`, but memory grows with the
        input, for the report holds all of it.
        """
        outcomes = self.stream_registrations(
            access_key,
            candidates,
            concurrency=concurrency,
            batch_size=batch_size,
            options=options,
            journal=journal,
            candidate_fallback=candidate_fallback,
            on_progress=on_progress,
        )
        found: list[Outcome] = []
        try:
            async for outcome in outcomes:
                found.append(outcome)  # noqa: PERF401 - what was found so far outlives an exception
        except Exception as exc:
            found += exc.unrecorded if isinstance(exc, JournalError) else ()
            if found:
                raise RunInterruptedError(RegistrationReport(found), exc) from exc
            raise
        return RegistrationReport(found)


def _registrations(answer: ApiResponse) -> list[Registration]:
    items, _ = list_from_wire(
        Registration, payload_list(answer, REGISTER.payload), where="$.registrationStatus"
    )
    return items


def _answered(answer: ApiResponse) -> BatchResponse:
    # A success without the list is like one that mentions nobody: the run asks again.
    has_list = isinstance(answer.payload.get(REGISTER.payload), list)
    response = answer.response
    return BatchResponse(
        _registrations(answer) if has_list else [], response.attempts, response.sent_at
    )
