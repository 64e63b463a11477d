"""Run a chunk of a job that pulls: the results of one schedule, and their reports, each once."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define, field

from mettl_async.api.waiting import judge_result
from mettl_async.bulk.group_commit import GroupCommit
from mettl_async.bulk.stop_policy import stops_the_run
from mettl_async.codec import dumps, to_wire
from mettl_async.core.retry import is_transient
from mettl_async.core.tasks import catching
from mettl_async.errors import (
    ApiError,
    AuthenticationError,
    CallError,
    ClientClosedError,
    ConfigurationError,
    InvalidInputError,
    NotReadyError,
    PermissionDeniedError,
    TimestampError,
)
from mettl_async.jobs.pull_spec import PullSpec, spec_of
from mettl_async.jobs.pull_statements import PullTables, ResultRow, key_of
from mettl_async.jobs.pulled import digest_of, line_of, report_name
from mettl_async.jobs.recurring import LISTING
from mettl_async.jobs.report_store import FolderStore, Store, unfinished
from mettl_async.jobs.result_files import merge
from mettl_async.jobs.work import Ending, Finished, Refused, Stopped, Work, logger, named
from mettl_async.models import ResultDetail, ResultSort, SortOrder
from mettl_async.models._fold_email import fold_email
from mettl_async.webhooks.processing import place_of

if TYPE_CHECKING:
    from mettl_async.models import CandidateResult

_PAGE: Final = 100
_HEAVY_PAGE: Final = 50  # of results with more than marks
_REPORT_SECONDS: Final = 300.0
_SPOOLED: Final = 8 * 1024 * 1024  # characters of results that wait to be written into a file
_READ: Final = 64 * 1024
_OF_THE_ACCOUNT: Final = (AuthenticationError, PermissionDeniedError, TimestampError)


async def pull_chunk(work: Work, *, stores: Mapping[str, Store]) -> Ending:
    """Pull what is final of a schedule, and was not pulled before.

    Args:
        work: The chunk.
        stores: By name, beside folders.

    Raises:
        JournalError: The chunk was lost.
        ConfigurationError: There is no such store here, or the options are of a newer version.
        ClientClosedError: The client was closed.
    """
    task, spec = spec_of(work.chunk.spec)
    store = _store(spec, stores)
    tables = PullTables(work.backend, work.lease, task)
    schedule = await tables.schedule()
    try:
        if schedule == LISTING:
            await tables.list_schedules(await _list_schedules(work, spec))
            schedule = await tables.schedule()
    except CallError as error:
        return _refused_or_not(error, of_the_schedule=False, answered=False)
    if schedule is None:
        return Finished()
    pull = _Pull(work=work, spec=spec, store=store, tables=tables, access_key=key_of(schedule))
    try:
        is_over = await pull.run()
    except CallError as error:
        return _refused_or_not(error, of_the_schedule=True, answered=pull.answered)
    if pull.problem:
        return Finished(pull.problem)
    if not is_over:
        return Stopped()
    await tables.settle()
    return Finished()


def _store(spec: PullSpec, stores: Mapping[str, Store]) -> Store | None:
    if spec.store is not None and spec.store not in stores:
        raise ConfigurationError(f"jobs whose reports go to the store {spec.store!r}")
    if spec.store is not None:
        return stores[spec.store]
    return None if spec.folder is None else FolderStore(spec.folder)


async def _list_schedules(work: Work, spec: PullSpec) -> list[str]:
    schedules = work.client.schedules
    if spec.assessment is None:
        found = schedules.list()
    else:
        found = schedules.list_in_assessment(spec.assessment)
    keys = [one.access_key async for one in found]
    return [*dict.fromkeys(key for key in keys if key)]


def _refused_or_not(error: CallError, *, of_the_schedule: bool, answered: bool) -> Ending:
    """Decide what becomes of a chunk after a call that failed.

    Raises:
        ClientClosedError: It is that.
    """
    if isinstance(error, ClientClosedError):
        raise error
    if isinstance(error, ApiError) and not is_transient(error):
        # One schedule that is gone must not keep those of all others from being pulled.
        if not of_the_schedule or (isinstance(error, _OF_THE_ACCOUNT) and stops_the_run(error)):
            return Refused(str(error))
        answered = True
    return Finished(named(error), unanswered=not answered)


@define(eq=False, kw_only=True)
class _Pull:
    """One run of one schedule.

    Attributes:
        work: The chunk.
        spec: What is pulled.
        store: Of the reports, if they are.
        tables: What the chunk does to the tables.
        access_key: Of the schedule.
        answered: Whether the server has answered.
        problem: Why something could not be stored, without personal data; empty if all was.
    """

    work: Work
    spec: PullSpec
    store: Store | None
    tables: PullTables
    access_key: str = field(repr=False)
    answered: bool = field(default=False, init=False)
    problem: str = field(default="", init=False)
    _spool: dict[str, tuple[str, str]] = field(factory=dict, init=False, repr=False)
    _spooled: int = field(default=0, init=False)
    _commits: GroupCommit[str] = field(init=False, repr=False)
    _counts: dict[str, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._commits = GroupCommit(self.tables.remember)
        self._counts = dict.fromkeys(("results", "reports", "reports not ready"), 0)

    async def run(self) -> bool:
        """Pull page by page; return whether it came to the end.

        Raises:
            LeaseLostError: Another worker has the chunk.
            CallError: The results cannot be read.
        """
        # By name: a candidate who starts meanwhile would move in the order of starting times.
        pager = self.work.client.results.list(
            self.access_key,
            detail=self.spec.detail,
            sort=ResultSort.NAME,
            order=SortOrder.ASC,
            page_size=_PAGE if self.spec.detail == ResultDetail() else _HEAVY_PAGE,
        )
        try:
            with tempfile.TemporaryDirectory(prefix="mettl-", ignore_cleanup_errors=True) as folder:
                async with aclosing(pager.pages()) as pages:
                    async for page in pages:
                        self.answered = True
                        if self.work.stopping.is_set():
                            break
                        final = [one for one in page.items if judge_result(one) is None]
                        await self._take(final, Path(folder))
        except CallError:
            await self._write_file()
            raise
        await self._write_file()
        counted = ", ".join(f"{count} {what}" for what, count in self._counts.items())
        logger.info("chunk %d of job %d: %s", self.work.lease.chunk, self.work.lease.job, counted)
        return not self.work.stopping.is_set()

    def _digest(self, place: str, result: CandidateResult) -> str:
        chunk = self.work.chunk
        return digest_of(place, chunk.account, self.access_key, result, self.spec.detail)

    def _report(self, result: CandidateResult) -> str:
        return report_name(self.work.chunk.account, self.access_key, result)

    async def _take(self, results: Sequence[CandidateResult], folder: Path) -> None:
        """Store what is new of a page."""
        spec = self.spec
        places = {
            "table": spec.table,
            f"files {spec.files}": spec.files is not None,
            f"reports {spec.folder or ''} {spec.store or ''}": spec.pulls_reports,
        }
        wanted = [
            {self._digest(place, one): one for one in results} if is_wanted else {}
            for place, is_wanted in places.items()
        ]
        known = await self.tables.known([digest for some in wanted for digest in some])
        rows, lines, reports = (
            {digest: one for digest, one in some.items() if digest not in known} for some in wanted
        )
        if rows:
            await self.tables.add_results(
                self.work.chunk.account, self.access_key, [self._row(*one) for one in rows.items()]
            )
        for digest, one in lines.items():
            text = line_of(self.access_key, one, self._report(one))
            self._spool[fold_email(one.email)] = digest, text
            self._spooled += len(text)
        self._counts["results"] += len(rows or lines)
        if self._spooled >= _SPOOLED:
            await self._write_file()
        await self._store_all(reports, folder)

    def _row(self, digest: str, result: CandidateResult) -> ResultRow:
        email, text = fold_email(result.email), dumps(to_wire(result))
        return ResultRow(digest, email, text, self._report(result))

    async def _write_file(self) -> None:
        """Write the results that wait into the file of the schedule."""
        if not self._spool or self.spec.files is None:
            return
        spool, self._spool, self._spooled = self._spool, {}, 0
        lines = {email: text for email, (_, text) in spool.items()}
        target = Path(self.spec.files, f"{self.access_key}.jsonl")
        failed: list[OSError] = []

        def move() -> None:
            try:
                merged.move()
            except OSError as error:
                failed.append(error)
                raise _CannotStoreError from None

        with ExitStack() as stack:
            try:
                file, part = stack.enter_context(unfinished(target))
                merged = await anyio.to_thread.run_sync(merge, file, part, target, lines)
            except OSError as error:
                self._failed("the file of results", error)
                return
            try:  # what is an OSError here is the database's
                await self.tables.remember([digest for digest, _ in spool.values()], move)
            except _CannotStoreError:
                self._failed("the file of results", failed[0])

    async def _store_all(self, reports: Mapping[str, CandidateResult], folder: Path) -> None:
        """Store reports, some at once."""
        left = list(reports.items())
        failures: list[Exception] = []

        async def worker() -> None:
            with catching(failures.append):
                while left and not failures and not self.work.stopping.is_set():
                    digest, result = left.pop()
                    if await self._store_one(result, folder / f"{digest}.pdf"):
                        await self._commits.add([digest])
                        self._counts["reports"] += 1

        async with anyio.create_task_group() as group:
            for _ in range(min(self.work.concurrency, len(left))):
                group.start_soon(worker)
        if failures:
            raise failures[0]

    async def _store_one(self, result: CandidateResult, part: Path) -> bool:
        store, name = self.store, self._report(result)
        if store is None:
            return False
        try:
            await self.work.client.results.download_report(
                result, part, timeout=_REPORT_SECONDS, wait=False
            )
        except (NotReadyError, InvalidInputError):
            self._counts["reports not ready"] += 1
            return False
        except OSError as error:
            self._failed("a report", error)
            return False
        try:
            async with aclosing(_read(part)) as chunks:
                await store(name, chunks)
        except Exception as error:  # noqa: BLE001 - of the user's
            self._failed("a report", error)
            return False
        finally:
            _remove(part)
        return True

    def _failed(self, what: str, error: Exception) -> None:
        if not self.problem:
            lease = self.work.lease
            named = f"{type(error).__name__}{place_of(error)}"
            logger.error(
                "chunk %d of job %d: %s could not be stored: %s",
                lease.chunk,
                lease.job,
                what,
                named,
            )
        self.problem = f"{what} could not be stored: {type(error).__name__}"


class _CannotStoreError(Exception):
    """The file could not be moved to its place."""


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)


async def _read(path: Path) -> AsyncGenerator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while chunk := await file.read(_READ):
            yield chunk
