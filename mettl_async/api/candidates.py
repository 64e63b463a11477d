"""Candidates of a schedule: registering one to twenty, or any number."""

from collections.abc import AsyncIterable, Iterable
from functools import partial
from itertools import islice

from mettl_async.api import endpoints
from mettl_async.api.caller import Resource
from mettl_async.api.placeholders import check_access_key
from mettl_async.api.results import Results
from mettl_async.bulk.batch import MAX_BATCH, Batch, rd_text
from mettl_async.bulk.dispatcher import BatchResponse
from mettl_async.bulk.journal import Journal
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.bulk.progress import OnProgress
from mettl_async.bulk.reading import check_candidate, check_source
from mettl_async.bulk.registration_run import RegistrationRun
from mettl_async.bulk.run_options import CandidateFallback, RunOptions, checked_concurrency
from mettl_async.bulk.run_workers import RunWorkers
from mettl_async.codec import to_params
from mettl_async.core.pipeline import ApiResponse
from mettl_async.core.request import RunContext
from mettl_async.errors import InvalidInputError
from mettl_async.models import (
    Candidate,
    NoLink,
    NoLinkReason,
    ReadyLink,
    Registration,
    RegistrationOptions,
    RegistrationStatus,
    _check,
    ensured,
)
from mettl_async.models._fold_email import fold_email
from mettl_async.models.link import with_usable_links
from mettl_async.models.registration_options import DEFAULT_OPTIONS

FIRST_ANSWER_TIMEOUT = 30.0
"""Seconds that a call of a run may take until the run has had its first answer."""


class Candidates(Resource):
    """``mettl.candidates``."""

    async def register(
        self,
        access_key: str,
        candidates: Iterable[Candidate],
        *,
        options: RegistrationOptions = DEFAULT_OPTIONS,
    ) -> tuple[Registration, ...]:
        """Register 1 to 20 candidates in one call, and get their links.

        A success is no proof of a usable link [seen]: ``url`` is None for one who has completed the
        test or may not take it, and where what the server sent is no https link of that person alone
        (http is one too for a client of an http ``base_url``).

        Args:
            access_key: Of the schedule.
            candidates: 1 to 20, no email twice.
            options: Time limit of the links and others; see `RegistrationOptions`.

        Returns:
            The server's items in the order of the candidates; items about others are left out.

        Raises:
            InvalidInputError: A bound is broken, or the parameters do not fit into a URL.
            RegistrationLimitError: The account's quota is used up.
            MettlDecodeError: All items are about others; safe to repeat.
            CallError: See `mettl_async.errors`.

        Example::

            ravi = Candidate(email="ravi@example.org", first_name="Ravi")
            for one in await mettl.candidates.register(ACCESS_KEY, [ravi]):
                print(one.status, one.url)

        Vendor page: "Register Candidates in Schedule".
        """
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
        _check.distinct("candidates", [one.email for one in people], ".email")
        items = await self._caller.call(
            endpoints.REGISTER_CANDIDATES,
            read=partial(_items, plain_http=self._caller.is_plain_http),
            access_key=access_key,
            candidates=rd_text(people),
            emails=[one.email for one in people],
            options=options,
        )
        if [item.email for item in items] == [one.email for one in people]:
            return items
        places = {fold_email(one.email): index for index, one in enumerate(people)}
        return tuple(sorted(items, key=lambda item: places[fold_email(item.email)]))

    def register_many(
        self,
        access_key: str,
        candidates: Iterable[Candidate] | AsyncIterable[Candidate],
        *,
        options: RegistrationOptions = DEFAULT_OPTIONS,
        concurrency: int | None = None,
        batch_size: int = MAX_BATCH,
        journal: Journal | None = None,
        candidate_fallback: CandidateFallback | None = None,
        on_progress: OnProgress | None = None,
    ) -> RegistrationRun:
        """Register any number of candidates; await the run for a report, or iterate over its outcomes.

        ``await run`` gives a `RegistrationReport` in the order of the input. ``async for outcome in run``
        gives each outcome as soon as its batch has finished; its memory grows with the concurrency, not
        with the input (but for some 17 bytes per candidate, to notice repeated emails). Nothing is sent
        before the run is used; see `RegistrationRun`.

        Every candidate comes out exactly once: `Registered` with a link, `Rejected` by the server (or
        for an email that came before in this run, without regard to case, which is not sent),
        `Failed` and safe to repeat, or `Unknown` when it may have been sent and the answer was lost.
        One candidate that makes a whole call fail is found by halving its batch: at most 6 calls more
        than candidates, however many are bad. Candidates whose answer was lost are sent once more when the
        input is exhausted (the oldest sooner, if they are more than 2,000), unless the run was stopped
        or something was raised: only those that stay without an answer are `Unknown`. So are those who
        may take the test and got no usable link; the same again makes them `Rejected` with the code
        ``NoUsableLink``. The last answer about a candidate counts, whatever was lost before. A refusal that
        concerns the account or the schedule (``stops_run`` in `error_codes`) stops the run: the rest comes
        out as `Failed` with ``attempts == 0``, never sent. So does a server that answers no call.

        With a ``journal``, a run that was killed at any instant is finished by running it again with
        the same journal, even if the input has grown or changed its order: an outcome is
        yielded only after it was recorded, and a candidate with a recorded link (or final refusal) comes
        out with it, ``attempts == 0``, and is not sent. `Failed` and `Unknown` are tried again.

        Args:
            access_key: Of the schedule.
            candidates: Any iterable or async iterable, endless ones too.
            options: As for `register`.
            concurrency: Calls in flight at once, 1 to ``ClientOptions.max_concurrency``; None for 8, or
                for that bound if it is less.
            batch_size: Candidates per call, 1 to 20; fewer where a URL would get too long.
            journal: Where to record, such as a `FileJournal`; of this schedule only.
            candidate_fallback: Called once with each candidate that the server rejected, and the `Rejected`:
                returns the same person with other values, such as another photo's URL after E028, to be
                sent once more; or None. May be async. Not called for repeated emails, nor in a run that
                was stopped.
            on_progress: Called with a `Progress` as batches finish, at most ten times a second, and once
                at the end. What it raises is raised at the end of the run, which goes on without it.

        Raises:
            InvalidInputError: An argument is out of bounds. The run raises it for an element that is no
                `Candidate`, and for a fallback that returned another email, whose candidate stays rejected.

        Example::

            people = (Candidate(email=f"c{n}@example.org", first_name="C") for n in range(60))
            report = await mettl.candidates.register_many(ACCESS_KEY, people)
            print(len(report.registered), "have a link")
        """
        key = check_access_key(access_key)
        check_source(candidates)
        _check.instance("options", options, RegistrationOptions)
        run_options = RunOptions(
            concurrency=checked_concurrency(concurrency, self._caller.options.max_concurrency),
            batch_size=batch_size,
            journal=journal,
            candidate_fallback=candidate_fallback,
            on_progress=on_progress,
        )
        fixed = to_params(options)
        caller, path = self._caller, {"access_key": key}
        context = RunContext(FIRST_ANSWER_TIMEOUT)
        answered = partial(_answered, plain_http=caller.is_plain_http)

        async def send(batch: Batch) -> BatchResponse:
            # No quota: a run has no more retries outstanding than it has workers.
            params = {"rd": batch.rd, **fixed}
            return await caller.send(
                endpoints.REGISTER_CANDIDATES, path, params, answered, run=context
            )

        make = partial(
            RunWorkers,
            candidates,
            send,
            run_options,
            max_rd_bytes=caller.max_rd_bytes(endpoints.REGISTER_CANDIDATES, path, fixed),
            schedule=schedule_digest(key),
            context=context,
        )
        return RegistrationRun(make, caller.shared.lifecycle)

    async def ensure_registered(
        self,
        access_key: str,
        candidate: Candidate,
        *,
        options: RegistrationOptions = DEFAULT_OPTIONS,
    ) -> ReadyLink | NoLink:
        """Get a usable link for one candidate, or the reason why there is none.

        Registering again gives the link again [seen], so this may be called on every click: to start, and
        to resume.

        Args:
            access_key: Of the schedule.
            candidate: Who wants to start.
            options: As for `register`.

        Returns:
            `ReadyLink`, or `NoLink` with a reason (completed, not invited, or other).

        Raises:
            InvalidInputError: Not an access key, or not a `Candidate`.
            CallError: See `mettl_async.errors`.

        Example::

            mina = Candidate(email="mina@example.org", first_name="Mina")
            link = await mettl.candidates.ensure_registered(ACCESS_KEY, mina)
            print(link.url if isinstance(link, ReadyLink) else link.reason)

        Vendor page: "Register Candidates in Schedule".
        """
        items = await self.register(access_key, [candidate], options=options)
        # Where they come twice, the answer with a link is the one that helps, as in a run.
        return ensured(max(items, key=lambda item: item.url is not None, default=None))

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

        Args:
            access_key: Of the schedule.
            candidate: Whose result is deleted.
            options: As for `register`.

        Raises:
            InvalidInputError: Not an access key, or not a `Candidate`.
            CallError: See `mettl_async.errors`. If the second step fails, the result is deleted already,
                and `ensure_registered` does the rest.

        Example::

            dana = Candidate(email="dana@example.org", first_name="Dana")  # has taken the test
            link = await mettl.candidates.reset_attempt(ACCESS_KEY, dana)

        Vendor pages: "Delete Result of Candidate in Schedule", "Register Candidates in Schedule".
        """
        _check.instance("candidate", candidate, Candidate)
        await Results(self._caller).delete(access_key, candidate.email)
        link = await self.ensure_registered(access_key, candidate, options=options)
        if link.status is RegistrationStatus.IN_PROGRESS:
            return NoLink(reason=NoLinkReason.IN_PROGRESS, status=link.status)
        return link


def _items(answer: ApiResponse, *, plain_http: bool) -> tuple[Registration, ...]:
    found = endpoints.REGISTER_CANDIDATES.returns.read(answer)
    return with_usable_links(found, plain_http=plain_http)


def _answered(answer: ApiResponse, *, plain_http: bool) -> BatchResponse:
    # A success without the list is like one without items: the run asks again.
    returns = endpoints.REGISTER_CANDIDATES.returns
    has_list = isinstance(answer.payload.get(returns.payload), list)
    items = _items(answer, plain_http=plain_http) if has_list else ()
    return BatchResponse(items, answer.response.attempts, answer.response.sent_at)
