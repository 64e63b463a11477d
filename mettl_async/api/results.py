"""Results: how candidates did."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Final

from mettl_async.api import endpoints
from mettl_async.api.caller import Resource
from mettl_async.api.export import Exported, export_results
from mettl_async.api.pager import AsyncPager, check_page_size
from mettl_async.api.placeholders import check_access_key
from mettl_async.api.reconciling import Delivered, Reconciler, described
from mettl_async.api.report import MAX_BYTES, save_report
from mettl_async.api.schedules import Schedules
from mettl_async.api.waiting import NotReady, judge_result, poll
from mettl_async.bulk.reading import each
from mettl_async.bulk.run_options import checked_concurrency
from mettl_async.core.retry import is_transient
from mettl_async.errors import CallError, InvalidInputError, NotFoundError
from mettl_async.models import (
    EVENTS,
    CandidateResult,
    ResultDetail,
    ResultSort,
    SortOrder,
    TestEvent,
    TestInstance,
    UnknownEvent,
    _check,
)

_PLAIN: Final = ResultDetail()


class Results(Resource):
    """``mettl.results``."""

    def list(
        self,
        access_key: str,
        *,
        detail: ResultDetail = _PLAIN,
        sort: ResultSort = ResultSort.TEST_START_TIME,
        order: SortOrder = SortOrder.DESC,
        page_size: int = 50,
    ) -> AsyncPager[CandidateResult]:
        """List the results of all candidates of a schedule, page by page; each candidate once.

        Args:
            access_key: Of the schedule.
            detail: What they hold beyond marks.
            sort: By start of the test or name.
            order: Ascending or descending.
            page_size: Candidates per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Example::

            async for result in mettl.results.list(ACCESS_KEY):
                print(result.test_status.status)

        Vendor page: "Get Results of All Candidates in Schedule".
        """
        return self._caller.pages(
            endpoints.LIST_RESULTS,
            access_key=access_key,
            detail=detail,
            sort=sort,
            order=order,
            page_size=page_size,
        )

    async def get(
        self, access_key: str, email: str, *, detail: ResultDetail = _PLAIN
    ) -> CandidateResult:
        """Get the result of one candidate.

        Args:
            access_key: Of the schedule.
            email: Of the candidate.
            detail: What it holds beyond marks.

        Raises:
            InvalidInputError: Not an access key or an email.
            ApiError: The candidate was never registered (which code comes is not known).
            CallError: See `mettl_async.errors`.

        Example::

            result = await mettl.results.get(ACCESS_KEY, "asha@example.org")
            print(result.test_status.status)

        Vendor page: "Get Result of Candidate in Schedule".
        """
        return await self._caller.call(
            endpoints.GET_RESULT, access_key=access_key, email=email, detail=detail
        )

    def list_for_candidate(
        self, email: str, *, essay_answers: bool = False, page_size: int = 100
    ) -> AsyncPager[TestInstance]:
        """List all tests of a candidate in the account.

        In v1 and v2 they come at once; paging exists in v3 only.

        Args:
            email: Of the candidate.
            essay_answers: Answers to essay questions too.
            page_size: Tests per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Example::

            async for instance in mettl.results.list_for_candidate("asha@example.org"):
                print(instance)

        Vendor page: "Get All Results of Candidate in Account".
        """
        detail = ResultDetail(essay_answers=essay_answers)
        return self._caller.pages(
            endpoints.LIST_RESULTS_OF_CANDIDATE, email=email, detail=detail, page_size=page_size
        )

    async def delete(self, access_key: str, email: str) -> None:
        """Delete a candidate's result of a schedule, so that the test can be taken again.

        Works once the test is completed or expired; one in progress is not affected [doc].

        Args:
            access_key: Of the schedule.
            email: Of the candidate.

        Raises:
            InvalidInputError: Not an access key or an email.
            CallError: See `mettl_async.errors`.

        Example::

            await mettl.results.delete(ACCESS_KEY, "ravi@example.org")

        Vendor page: "Delete Result of Candidate in Schedule".
        """
        try:
            await self._caller.call(endpoints.DELETE_RESULT, access_key=access_key, email=email)
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
        """Wait until a candidate's test is over and graded, by polling.

        A webhook tells sooner and costs nothing; this is for scripts, and for a webhook that is late.

        Args:
            access_key: Of the schedule.
            email: Of the candidate.
            timeout: Seconds to wait in all, above 0.
            poll_every: Seconds between two requests at most; the first pause is 2, and doubles.
            detail: What the result holds beyond marks.

        Returns:
            A result that is finished and has marks, or of a blocked candidate, who never has any.

        Raises:
            NotReadyError: Not within ``timeout``, or never: access was revoked or has expired.
            InvalidInputError: An argument is out of bounds.
            CallError: See `mettl_async.errors`.

        Example::

            result = await mettl.results.wait_for(ACCESS_KEY, "asha@example.org", timeout=600)
            print(result.test_status.result.total_marks)

        Vendor page: "Get Result of Candidate in Schedule".
        """
        _check.seconds("poll_every", poll_every)

        async def attempt() -> CandidateResult | NotReady:
            try:
                result = await self.get(access_key, email, detail=detail)
            except CallError as error:
                # An hour's wait outlasts a bad minute; a null candidate comes now and then [seen].
                if not is_transient(error):
                    raise
                return NotReady(error.problem)
            return judge_result(result) or result

        effects = self._caller.shared.effects
        return await poll(attempt, effects, timeout=timeout, first_pause=2.0, max_pause=poll_every)

    def export(
        self,
        access_keys: Iterable[str] | AsyncIterable[str],
        *,
        detail: ResultDetail = _PLAIN,
        concurrency: int | None = None,
        page_size: int = 50,
    ) -> AsyncGenerator[Exported]:
        """Read the results of many schedules at once; each candidate of a schedule comes once.

        A schedule that fails does not end the others: it comes as a `FailedExport`. For the whole
        account pass ``(s.access_key async for s in mettl.schedules.list())``.

        Args:
            access_keys: Of the schedules; a repeated one is read once.
            detail: What results hold beyond marks.
            concurrency: Schedules read at once, 1 to ``ClientOptions.max_concurrency``; None for 4, or
                for that bound if it is less.
            page_size: Candidates per request, 1 to 100.

        Raises:
            InvalidInputError: An argument is out of bounds.

        Example::

            async for one in mettl.results.export([ACCESS_KEY]):
                print(one.access_key)

        Vendor page: "Get Results of All Candidates in Schedule".
        """
        if isinstance(access_keys, (str, bytes)) or not isinstance(
            access_keys, (Iterable, AsyncIterable)
        ):
            raise InvalidInputError("access_keys", "is not a list", "pass a list of access keys")
        concurrency = checked_concurrency(concurrency, self._caller.options.max_concurrency, 4)
        check_page_size(page_size)
        _check.instance("detail", detail, ResultDetail)
        return export_results(
            access_keys,
            lambda key: self._by_name(key, detail, page_size),
            self._caller.shared.lifecycle,
            concurrency=concurrency,
        )

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
        """Find the events of a schedule that its webhooks should have had and did not.

        Nobody promises that webhooks are always delivered, so compare now and then. Pass what is
        returned to ``receiver.handle(event)``; ``reconciled`` is True and ``candidate_instance_id``
        None. If the webhook comes after all, the two are one event if their times are the same
        [assumed]; a resume has none in results, and is handled twice then.

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

        Example::

            for missed in await mettl.results.reconcile(ACCESS_KEY, delivered=[]):
                print(type(missed).__name__)

        Vendor pages: "Get Results of All Candidates in Schedule", "Get Schedule".
        """
        check_page_size(page_size)
        reconciler = Reconciler(
            delivered=Delivered(check_access_key(access_key)),
            kinds=kinds,
            slack=slack,
            until=datetime.fromtimestamp(self._caller.shared.effects.wall(), UTC) - min_age,
        )
        async for event in each(delivered):
            if not isinstance(event, UnknownEvent):
                _check.instance("delivered", event, TestEvent)
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
        max_bytes: int = MAX_BYTES,
        wait: bool = True,
    ) -> Path:
        """Save a candidate's PDF report in a file.

        A report takes a while after the test; it is asked for until it is there and is a PDF. The file
        appears under its name only when it is whole and on the disk; of one that failed nothing stays.

        Its address, and each that it redirects to, is fetched over https at port 443 and from a public
        host only, by an IP address that was checked, or from where the client's own requests go. If
        ``base_url`` is on this machine, only the latter. A proxy looks names up itself, and so does an
        injected ``http_client`` that has HTTP/2, mounts or a transport of another kind: for a host whose
        second lookup gives another address these are no protection. Event hooks of an injected client
        may see the IP address in the URL; the host is in the ``Host`` header.

        Args:
            result: With the address of the report: `TestStatus.pdf_report`.
            path: Where to; an existing file is replaced.
            timeout: Seconds to wait for the report, above 0.
            max_bytes: Size of the report at most, 1 or more.
            wait: Whether to ask again while it is not there; else it is asked for once, within ``timeout``.

        Returns:
            The path.

        Raises:
            NotReadyError: The result has no report's address, or it was not there in time, or
                at once. ``.final`` if it is refused, is too large, or leads to a host that is not public.
            InvalidInputError: The address itself is not one that is fetched, or an argument is out of
                bounds.
            OSError: The file cannot be written.

        The address is a public link, fetched unsigned [seen].

        Example::

            result = await mettl.results.get(ACCESS_KEY, "asha@example.org")
            await mettl.results.download_report(result, "asha.pdf")
        """
        _check.instance("result", result, CandidateResult)
        _check.flag("wait", wait)
        return await save_report(
            self._caller, result, path, seconds=timeout, max_bytes=max_bytes, wait=wait
        )
