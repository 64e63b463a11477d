"""Results: how candidates did."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from mettl_async.api import waiting
from mettl_async.api.endpoint import (
    Caller,
    checked_access_key,
    checked_email,
    expect,
    page_reader,
)
from mettl_async.api.export import ExportedResult, FailedExport
from mettl_async.api.pager import AsyncPager, checked_page_size
from mettl_async.api.reconciling import Delivered, Reconciler, described
from mettl_async.api.report import save_report
from mettl_async.api.result_endpoints import DELETE, GET, LIST, LIST_FOR_CANDIDATE, detail_params
from mettl_async.api.schedules import Schedules
from mettl_async.bulk.fan_in import fan_in
from mettl_async.bulk.run_options import checked_concurrency
from mettl_async.bulk.source import each
from mettl_async.codec import from_wire
from mettl_async.config import ApiVersion
from mettl_async.core.retry import is_transient
from mettl_async.errors import CallError, MettlError, NotFoundError, NotReadyError
from mettl_async.models import (
    EVENTS,
    CandidateResult,
    ResultDetail,
    ResultSort,
    SortOrder,
    TestEvent,
    TestInstance,
    UnknownEvent,
)
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable
    from os import PathLike
    from pathlib import Path

    from mettl_async.api.export import Exported
    from mettl_async.api.pager import Page
    from mettl_async.core.pipeline import ApiResponse

_PLAIN = ResultDetail()


@frozen
class Results:
    """``mettl.results``."""

    _caller: Caller

    def list(
        self,
        access_key: str,
        *,
        detail: ResultDetail = _PLAIN,
        sort: ResultSort = ResultSort.TEST_START_TIME,
        order: SortOrder = SortOrder.DESC,
        page_size: int = 50,
    ) -> AsyncPager[CandidateResult]:
        """The results of all candidates of a schedule, page by page; each candidate once.

        Args:
            access_key: Of the schedule.
            detail: What they are to hold beyond marks.
            sort: By start of the test or name.
            order: Ascending or descending.
            page_size: Candidates per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Source: api.md, API 16.
        """
        path = {"access_key": checked_access_key(access_key)}
        expect("sort", sort, ResultSort)
        expect("order", order, SortOrder)
        params = {"sort": sort.value, "sort_order": order.value, **detail_params(detail)}

        async def fetch(offset: int, limit: int) -> Page[CandidateResult]:
            return await self._caller.call(
                LIST,
                path,
                {**params, "limit": str(limit), "offset": str(offset)},
                page_reader(CandidateResult, LIST.payload, offset),
            )

        return AsyncPager(
            fetch,
            self._caller.lifecycle,
            page_size=checked_page_size(page_size),
            key=lambda one: fold_email(one.email),
        )

    async def get(
        self, access_key: str, email: str, *, detail: ResultDetail = _PLAIN
    ) -> CandidateResult:
        """The result of one candidate.

        Raises:
            InvalidInputError: Not an access key or an email.
            ApiError: The candidate was never registered (which code comes is not known).
            CallError: See `mettl_async.errors`.

        Source: api.md, API 17.
        """
        return await self._caller.call(
            GET,
            {"access_key": checked_access_key(access_key), "email": checked_email(email)},
            detail_params(detail),
            lambda answer: from_wire(
                CandidateResult, answer.payload.get(GET.payload), where="$.candidate"
            ),
        )

    def list_for_candidate(
        self, email: str, *, essay_answers: bool = False, page_size: int = 100
    ) -> AsyncPager[TestInstance]:
        """All tests of a candidate in the account.

        In v1 and v2 they come at once; paging exists in v3 only.

        Args:
            email: Of the candidate.
            essay_answers: Answers to essay questions too (``qr``).
            page_size: Tests per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Source: api.md, API 18.
        """
        path = {"email": checked_email(email)}
        fixed = detail_params(ResultDetail(essay_answers=essay_answers))
        paged = self._caller.version is ApiVersion.V3

        async def fetch(offset: int, limit: int) -> Page[TestInstance]:
            window = {"limit": str(limit), "offset": str(offset)} if paged else {}
            page = await self._caller.call(
                LIST_FOR_CANDIDATE,
                path,
                {**fixed, **window},
                page_reader(TestInstance, LIST_FOR_CANDIDATE.payload, offset),
            )
            return page if paged else evolve(page, has_next=False, total=None)

        return AsyncPager(
            fetch,
            self._caller.lifecycle,
            page_size=checked_page_size(page_size),
            key=_instance_key,
        )

    async def delete(self, access_key: str, email: str) -> None:
        """Delete a candidate's result of a schedule, so that the test can be taken again.

        Works once the test is completed or expired; one in progress is not affected [doc].

        Raises:
            InvalidInputError: Not an access key or an email.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 19.
        """
        path = {"access_key": checked_access_key(access_key), "email": checked_email(email)}
        try:
            await self._caller.call(DELETE, path, {}, _nothing)
        except NotFoundError as error:
            # The answer to the first attempt was lost, and it had done its work.
            if not error.may_have_been_handled:
                raise

    async def wait_for(
        self,
        access_key: str,
        email: str,
        *,
        timeout: float = 3600.0,  # noqa: ASYNC109 - a bound of polling, not a cancellation
        poll_every: float = 60.0,
        detail: ResultDetail = _PLAIN,
    ) -> CandidateResult:
        """Wait until a candidate's test is over and graded, asking again and again.

        Webhooks tell sooner and cost nothing; this is for scripts, and for a look when one is late.

        Args:
            access_key: Of the schedule.
            email: Of the candidate.
            timeout: Seconds to wait in all, above 0.
            poll_every: Seconds between two looks at most; it begins with 2 and doubles.
            detail: What the result is to hold beyond marks.

        Returns:
            A result that is finished and has marks, or of a blocked candidate, who never has any.

        Raises:
            NotReadyError: Not within ``timeout``, or never: access was revoked or has expired.
            InvalidInputError: An argument is out of bounds.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 17; observed.md, item 10 of the last list.
        """

        async def look() -> CandidateResult | waiting.NotYet:
            try:
                return await self.get(access_key, email, detail=detail)
            except CallError as error:
                # An hour's wait outlasts a bad minute; a null candidate comes now and then [seen].
                if not is_transient(error):
                    raise
                return waiting.NotYet(error.problem)

        found = await waiting.until_ready(
            look,
            waiting.judge_result,
            waiting.Patience(timeout=timeout, first=2.0, most=poll_every),
            self._caller.effects,
        )
        if isinstance(found, waiting.NotYet):  # judged never to be an answer
            raise NotReadyError(found.why, waited=0.0, final=False)
        return found

    async def export(
        self,
        access_keys: Iterable[str] | AsyncIterable[str],
        *,
        detail: ResultDetail = _PLAIN,
        concurrency: int | None = None,
        page_size: int = 50,
    ) -> AsyncGenerator[Exported]:
        """The results of many schedules, read concurrently, each candidate of a schedule once.

        One schedule that fails does not end the others: it comes as a `FailedExport`. For the whole
        account pass ``(s.access_key async for s in mettl.schedules.list())``.

        Args:
            access_keys: Of the schedules; a repeated one is read once.
            detail: What results are to hold beyond marks.
            concurrency: Schedules read at once, 1 to ``ClientOptions.max_concurrency``; None for 4, or
                for that bound if it is less.
            page_size: Candidates per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Source: api.md, API 16; observed.md, item 9 of the last list.
        """
        concurrency = checked_concurrency(concurrency, self._caller.options.max_concurrency, 4)
        checked_page_size(page_size)
        expect("detail", detail, ResultDetail)

        async def read(key: str) -> AsyncGenerator[Exported]:
            try:
                async with aclosing(aiter(self._by_name(key, detail, page_size))) as found:
                    async for result in found:
                        yield ExportedResult(access_key=key, result=result)
            except MettlError as error:
                yield FailedExport(access_key=key, error=error)

        results = fan_in(access_keys, read, self._caller.lifecycle, concurrency=concurrency)
        try:
            async for one in results:
                yield one
        finally:
            await results.aclose()

    async def reconcile(
        self,
        access_key: str,
        delivered: Iterable[TestEvent | UnknownEvent] | AsyncIterable[TestEvent | UnknownEvent],
        *,
        kinds: tuple[type[TestEvent], ...] = tuple(EVENTS),
        slack: timedelta = timedelta(minutes=5),
        min_age: timedelta = timedelta(minutes=10),
        page_size: int = 100,
    ) -> tuple[TestEvent, ...]:
        """The events of a schedule that its webhooks should have had and did not.

        Nobody says that webhooks are always delivered, so compare now and then. What is returned goes to
        ``receiver.handle(event)``; ``reconciled`` is True and ``candidate_instance_id`` None. Should its
        webhook come after all, the two are one event if their times are the same [assumed]; a resume has
        none in results, and is handled twice then.

        Args:
            access_key: Of the schedule.
            delivered: The events that came, of any schedules in any order, or as much of them as was
                stored: kind, access key, email, and for times and marks what is there. A `TestGraded`
                with other marks or an earlier end than the result's counts as another one.
            kinds: Which events are of interest; all by default.
            slack: How far the time of an event may lie before the result's [assumed].
            min_age: What happened later is left out, for its event may still be on its way.
            page_size: Candidates per request, 1 to 100.

        Returns:
            The missed ones, by candidate, each candidate's in the order in which they happened.

        Raises:
            InvalidInputError: An argument is out of bounds, or something delivered is no event.
            CallError: See `mettl_async.errors`.

        Source: api.md, APIs 12 and 16 and section 7.
        """
        checked_page_size(page_size)
        reconciler = Reconciler(
            delivered=Delivered(checked_access_key(access_key)),
            kinds=kinds,
            slack=slack,
            until=datetime.fromtimestamp(self._caller.effects.wall(), UTC) - min_age,
        )
        async for event in each(delivered):
            if not isinstance(event, UnknownEvent):
                expect("delivered", event, TestEvent)
                reconciler.delivered.add(event)
        missed: list[TestEvent] = []
        async with aclosing(aiter(self._by_name(access_key, _PLAIN, page_size))) as found:
            async for result in found:
                missed += reconciler.missed(result)
        if not missed:
            return ()
        schedule = await Schedules(self._caller).get(access_key)
        return tuple(described(event, schedule) for event in missed)

    def _by_name(
        self, access_key: str, detail: ResultDetail, page_size: int
    ) -> AsyncPager[CandidateResult]:
        # A candidate who starts meanwhile would move in the order of starting times.
        return self.list(
            access_key,
            detail=detail,
            sort=ResultSort.NAME,
            order=SortOrder.ASC,
            page_size=page_size,
        )

    async def download_report(
        self,
        result: CandidateResult,
        path: str | PathLike[str],
        *,
        timeout: float = 300.0,  # noqa: ASYNC109 - a bound of waiting, not a cancellation
    ) -> Path:
        """Save a candidate's PDF report in a file.

        A report takes a while after the test; it is asked for until it is there and is a PDF. The file
        appears under its name only when it is whole.

        Args:
            result: With the address of the report: `TestStatus.pdf_report`.
            path: Where to; an existing file is replaced.
            timeout: Seconds to wait for the report, above 0.

        Returns:
            The path.

        Raises:
            NotReadyError: The result has no report's address, or it was not there in time.
            InvalidInputError: The address would be fetched in the clear.
            OSError: The file cannot be written.

        Source: observed.md section 8. The address is a public link, fetched unsigned.
        """
        expect("result", result, CandidateResult)
        return await save_report(self._caller, result, path, seconds=timeout)


def _instance_key(one: TestInstance) -> Any:
    # Without an access key there is nothing to tell two tests apart by.
    if one.access_key is None:
        return None
    start = one.test_status.start_time if one.test_status else None
    return one.access_key, start


def _nothing(_: ApiResponse) -> None:
    """Nothing but the status is known of the answer."""
