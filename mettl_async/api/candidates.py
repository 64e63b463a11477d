"""Candidates of a schedule: registering one to twenty, or any number."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from mettl_async.api.endpoint import (
    Caller,
    Endpoint,
    checked_access_key,
    expect,
    payload_list,
)
from mettl_async.api.results import Results
from mettl_async.bulk.batches import MAX_BATCH, Entry, check_source, entry, rd_text
from mettl_async.bulk.outcomes import Outcome, RegistrationReport
from mettl_async.bulk.run import Answered
from mettl_async.bulk.seen import SeenEmails, email_key
from mettl_async.bulk.stream import check_bounds, outcomes_of
from mettl_async.codec import list_from_wire, wire_name
from mettl_async.core.request import Placement
from mettl_async.errors import CallError, InvalidInputError, RunInterrupted
from mettl_async.models import (
    Candidate,
    NoLink,
    NoLinkReason,
    ReadyLink,
    Registration,
    RegistrationStatus,
    ensured,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence

    from mettl_async.core.pipeline import Answer

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

MAX_TIME_LIMIT = 2**31 - 1
"""Seconds; only "greater than 0" is documented, and no server takes more than this [assumed]."""


@frozen
class Candidates:
    """``mettl.candidates``."""

    _caller: Caller

    async def register(
        self,
        access_key: str,
        candidates: Iterable[Candidate],
        *,
        allow_missing_mandatory_registration_fields: bool = False,
        time_limit_in_sec: int | None = None,
        show_custom_instructions: bool = False,
    ) -> tuple[Registration, ...]:
        """Register 1 to 20 candidates in one call, and get their links.

        A success is no proof of a usable link [seen]: ``url`` is None for one who has completed the
        test or may not take it.

        Args:
            access_key: Of the schedule.
            candidates: 1 to 20, no email twice.
            allow_missing_mandatory_registration_fields: Let candidates fill mandatory fields
                (other than email and first name) themselves.
            time_limit_in_sec: Seconds after which the links expire, above 0; None for never.
            show_custom_instructions: Show the assessment's own instructions before the test.

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
        entries = [entry(i, one) for i, one in enumerate(islice(candidates, MAX_BATCH + 1))]
        if not 1 <= len(entries) <= MAX_BATCH:
            raise InvalidInputError(
                "candidates",
                f"has {'more than 20' if entries else 'no'} items",
                "pass 1 to 20, or use register_many()",
            )
        seen = SeenEmails()
        for one in entries:
            if not seen.add(one.candidate.email):
                raise InvalidInputError(
                    f"candidates[{one.index}].email",
                    "came earlier in this call (case is ignored)",
                    "pass each candidate once",
                )
        fixed = _options(
            allow_missing_mandatory_registration_fields,
            time_limit_in_sec,
            show_custom_instructions,
        )
        items = await self._caller.call(
            REGISTER, {"access_key": key}, {"rd": rd_text(entries), **fixed}, _registrations
        )
        order = {email_key(one.candidate.email): one.index for one in entries}
        return tuple(sorted(items, key=lambda item: order.get(email_key(item.email), MAX_BATCH)))

    async def stream_registrations(
        self,
        access_key: str,
        candidates: Iterable[Candidate] | AsyncIterable[Candidate],
        *,
        concurrency: int = 8,
        batch_size: int = 20,
        allow_missing_mandatory_registration_fields: bool = False,
        time_limit_in_sec: int | None = None,
        show_custom_instructions: bool = False,
    ) -> AsyncGenerator[Outcome]:
        """Register any number of candidates; yields one outcome for each, as batches finish.

        Every candidate comes out exactly once: `Registered` with a link, `Rejected` by the server (or
        for an email that came before in this run, without regard to case, which is not sent),
        `Failed` and safe to repeat, or `Unknown` when it may have been sent and the answer was lost.
        One candidate that makes a whole call fail is found by halving its batch. A refusal that
        concerns the account or the schedule (E401, E403, E404, E607) stops the run: the rest comes
        out as `Failed` with ``attempts == 0``, never sent. So does a server that answers nobody.

        Memory grows with the concurrency, not with the input (but for some 17 bytes per candidate, to
        notice repeated emails). Leaving the loop early stops reading;
        calls in flight are never cancelled, and closing the client waits for them.

        Args:
            access_key: Of the schedule.
            candidates: Any iterable or async iterable, endless ones too.
            concurrency: Calls in flight at once, 1 to ``ClientOptions.max_concurrency``.
            batch_size: Candidates per call, 1 to 20; fewer where a URL would get too long.
            allow_missing_mandatory_registration_fields: As for `register`.
            time_limit_in_sec: As for `register`.
            show_custom_instructions: As for `register`.

        Raises:
            InvalidInputError: An argument is out of bounds, or an element is no `Candidate` (after
                everything before it was reported).
            Exception: What the input itself raises, likewise.

        Source: api.md, API 15; observed.md sections 4 and 6.
        """
        key = checked_access_key(access_key)
        check_bounds(
            concurrency=concurrency,
            most=self._caller.options.max_concurrency,
            batch_size=batch_size,
        )
        fixed = _options(
            allow_missing_mandatory_registration_fields,
            time_limit_in_sec,
            show_custom_instructions,
        )
        caller, path = self._caller, {"access_key": key}

        patient = caller.options.bulk_retry
        first_contact = evolve(patient, deadline=min(patient.deadline, FIRST_CONTACT_SECONDS))
        contacted = False

        async def send(entries: Sequence[Entry]) -> Answered:
            nonlocal contacted
            try:
                # No quota: a run has no more retries outstanding than it has workers.
                answered = await caller.call(
                    REGISTER,
                    path,
                    {"rd": rd_text(entries), **fixed},
                    _answered,
                    retry=patient if contacted else first_contact,
                    uses_quota=False,
                )
            except CallError as error:
                contacted = contacted or error.http_status is not None
                raise
            contacted = True
            return answered

        outcomes = outcomes_of(
            candidates,
            send,
            caller.lifecycle,
            concurrency=concurrency,
            batch_size=batch_size,
            room=caller.room(REGISTER, path, fixed),
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
        allow_missing_mandatory_registration_fields: bool = False,
        time_limit_in_sec: int | None = None,
        show_custom_instructions: bool = False,
    ) -> ReadyLink | NoLink:
        """A usable link for one candidate, or why there is none.

        Registering again gives the link again [seen], so this may be called on every click: to start, and
        to resume. The options are those of `register`.

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
            allow_missing_mandatory_registration_fields=allow_missing_mandatory_registration_fields,
            time_limit_in_sec=time_limit_in_sec,
            show_custom_instructions=show_custom_instructions,
        )
        wanted = email_key(candidate.email)
        found = [item for item in items if email_key(item.email) == wanted]
        return ensured(found[0] if found else None)

    async def reset_attempt(
        self,
        access_key: str,
        candidate: Candidate,
        *,
        allow_missing_mandatory_registration_fields: bool = False,
        time_limit_in_sec: int | None = None,
        show_custom_instructions: bool = False,
    ) -> ReadyLink | NoLink:
        """Delete the candidate's result and register again, so that the test can be taken anew.

        The old result is gone for good. One that is in progress is not affected [doc]: then the answer is
        `NoLink` with that reason, or an error where the server says so. The options are those of
        `register`.

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
            allow_missing_mandatory_registration_fields=allow_missing_mandatory_registration_fields,
            time_limit_in_sec=time_limit_in_sec,
            show_custom_instructions=show_custom_instructions,
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
        allow_missing_mandatory_registration_fields: bool = False,
        time_limit_in_sec: int | None = None,
        show_custom_instructions: bool = False,
    ) -> RegistrationReport:
        """Register any number of candidates, and collect all outcomes in the order of the input.

        Raises nothing for candidates that were not registered; ``report.raise_for_failures()`` does.
        When the input raises midway, what was registered until then is in `RunInterrupted.report`.
        Arguments, promises and errors are those of `stream_registrations`, but memory grows with the
        input, for the report holds all of it.
        """
        outcomes = self.stream_registrations(
            access_key,
            candidates,
            concurrency=concurrency,
            batch_size=batch_size,
            allow_missing_mandatory_registration_fields=allow_missing_mandatory_registration_fields,
            time_limit_in_sec=time_limit_in_sec,
            show_custom_instructions=show_custom_instructions,
        )
        found: list[Outcome] = []
        try:
            async for outcome in outcomes:
                found.append(outcome)  # noqa: PERF401 - what was found so far outlives an exception
        except Exception as exc:
            if found:
                raise RunInterrupted(RegistrationReport(found), exc) from exc
            raise
        return RegistrationReport(found)


def _registrations(answer: Answer) -> list[Registration]:
    items, _ = list_from_wire(
        Registration, payload_list(answer, REGISTER.payload), where="$.registrationStatus"
    )
    return items


def _answered(answer: Answer) -> Answered:
    # A success without the list is like one that mentions nobody: the run asks again.
    has_list = isinstance(answer.payload.get(REGISTER.payload), list)
    return Answered(_registrations(answer) if has_list else [], answer.response.attempts)


def _options(
    allow_missing: bool,  # noqa: FBT001 - internal, named at each call's origin
    time_limit_in_sec: int | None,
    show_instructions: bool,  # noqa: FBT001 - same
) -> dict[str, str]:
    fixed: dict[str, str] = {}
    flags = (
        ("allow_missing_mandatory_registration_fields", allow_missing),
        ("show_custom_instructions", show_instructions),
    )
    for name, value in flags:
        if not isinstance(value, bool):
            raise InvalidInputError(name, f"is a {type(value).__name__}", "pass True or False")
        if value:
            fixed[wire_name(name)] = "true"
    if time_limit_in_sec is not None:
        if (
            not isinstance(time_limit_in_sec, int)
            or isinstance(time_limit_in_sec, bool)
            or not 0 < time_limit_in_sec <= MAX_TIME_LIMIT
        ):
            raise InvalidInputError(
                "time_limit_in_sec",
                f"is not a whole number from 1 to {MAX_TIME_LIMIT}",
                "pass seconds, or None for links that do not expire",
            )
        fixed["timeLimitInSec"] = str(time_limit_in_sec)
    return fixed
