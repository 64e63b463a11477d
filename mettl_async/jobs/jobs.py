"""Jobs: hand work in, ask how far it is, read what came of it, and run a worker."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from mettl_async.api.placeholders import check_access_key
from mettl_async.bulk.reading import check_source
from mettl_async.display import one_line
from mettl_async.errors import ConfigurationError
from mettl_async.jobs.database import backend_of, engine_for
from mettl_async.jobs.database import create_tables as make_tables
from mettl_async.jobs.errors import JobError
from mettl_async.jobs.forgetting import forget
from mettl_async.jobs.job_statements import JobStatements
from mettl_async.jobs.leases import WORKER, alive
from mettl_async.jobs.outcome_rows import outcome_of
from mettl_async.jobs.pull_spec import PULL
from mettl_async.jobs.recurring_jobs import RecurringJobs, check_name
from mettl_async.jobs.run_worker import beside, run_worker
from mettl_async.jobs.spec import RegisterSpec
from mettl_async.jobs.statements import KINDS, close_jobs, tune
from mettl_async.jobs.submitting import added, submission
from mettl_async.jobs.values import Job, JobRow, JobState, JobStatus, job_row
from mettl_async.models import RegistrationOptions, _check
from mettl_async.models.registration_options import DEFAULT_OPTIONS
from mettl_async.sql_backend import Backend

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from mettl_async.bulk.outcomes import Outcome
    from mettl_async.client import MettlClient
    from mettl_async.jobs.observing import WorkerObserver
    from mettl_async.jobs.report_store import Store
    from mettl_async.jobs.worker import Stop
    from mettl_async.models import Candidate
    from mettl_async.webhooks import EventHandlers
    from mettl_async.webhooks.sql_inbox import SqlEventInbox

_PAGE: Final = 500
_MOST_IN_CHUNK: Final = 100_000


class Jobs(RecurringJobs):
    """Bulk work in a database, which outlives the machines that do it.

    Hand people in, and leave: any number of workers, in this process or on other machines, register them.
    SQLite is for one machine, PostgreSQL for many; the code is the same.

    Example::

        async with Jobs("sqlite:///jobs.db") as jobs:
            job = await jobs.register(ACCESS_KEY, people, account="acme", id="autumn-2027")
            await jobs.run_worker(accounts={"acme": mettl}, stop=stop)  # or on other machines
            print(await jobs.status(job.id))
            async for outcome in jobs.outcomes(job.id):
                print(outcome.index, type(outcome).__name__)

        async with Jobs("sqlite:///jobs.db") as jobs:  # such as in an admin's script
            for job in await jobs.list(states=[JobState.READY]):
                await jobs.pause(job.id)
                await jobs.resume(job.id)
                await jobs.cancel(job.id)
                print((await jobs.get(job.id)).state, await jobs.forget(job.id))

    The database holds access keys of schedules, the candidates with all that was handed in, and their
    links; `forget` deletes all of a job. The keys of an account are never in it: a job names its account,
    and each worker brings clients. asyncio only.

    Args:
        database: ``sqlite:///file``, ``postgresql://user:password@host/name``, or an `AsyncEngine` of
            SQLAlchemy's, which stays yours and is not closed here: make it with ``hide_parameters=True``, or
            SQLAlchemy's log shows people. For SQLite a file, which is made for its
            owner only (mode 0600) if it is not there.
        create_tables: Whether to make the tables unless they are there.

    Raises:
        ConfigurationError: It is no URL of such a database, or the driver is not installed. The URL is not
            in the message.
    """

    def __init__(self, database: str | AsyncEngine, *, create_tables: bool = True) -> None:
        self._engine: AsyncEngine = engine_for(database) if isinstance(database, str) else database
        self._own = isinstance(database, str)
        self._backend: Backend = backend_of(self._engine)
        self._statements = JobStatements.of(self._backend.dialect)
        self._create = create_tables
        self._is_open = False

    async def __aenter__(self) -> Self:
        if self._create:
            await make_tables(self._backend)
        self._is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_open = False
        if self._own:
            await self._engine.dispose()

    async def register(
        self,
        access_key: str,
        people: Iterable[Candidate] | AsyncIterable[Candidate],
        *,
        account: str,
        id: str | None = None,  # noqa: A002 - what everybody calls it
        options: RegistrationOptions = DEFAULT_OPTIONS,
        chunk_size: int = 1000,
    ) -> Job:
        """Hand people in, to be registered in a schedule; return when all are in the database.

        People are read as a stream and written in groups of 500, so that memory stays the same however many
        they are. Whoever repeats an email, without regard to case, is `Rejected` at once with the code
        ``DuplicateEmail``. Workers begin when all are in.

        The same id again is the same job. If all were in, it is returned as it is, and nobody is read. If
        the submission ended midway, it goes on: people who are in are compared, the others are added. Two
        submissions of one job at once wait for each other; for one whose process was killed, 30 seconds.

        Args:
            access_key: Of the schedule.
            people: Any iterable or async iterable that ends.
            account: Name of the account: workers that bring a client for it do the job.
            id: Name of the job, 1 to 100 characters of ASCII without spaces and slashes; it appears in logs.
                None for a random one.
            options: As for ``client.candidates.register_many``.
            chunk_size: People of one part, which one worker runs at a time, 1 to 100,000. Of a job that is
                there it stays as it was.

        Raises:
            InvalidInputError: An argument is out of bounds; the job is there with another account, access
                key or other options; somebody is no `Candidate`, or differs from whom was handed in before.
                The message has the position and the field, never the value.
            JobError: The job was cancelled or forgotten meanwhile, or another process submits it.
            Exception: What the input raises. What was written until then stays, to go on from.
        """
        spec = RegisterSpec(access_key=check_access_key(access_key), options=options)
        check_source(people)
        _check.instance("options", options, RegistrationOptions)
        _check.count("chunk_size", chunk_size, least=1, most=_MOST_IN_CHUNK)
        check_name("account", account)
        name = secrets.token_hex(8) if id is None else id
        check_name("id", name)
        row = await added(self._opened(), name, account, spec, chunk_size)
        if row.job.state is JobState.SUBMITTING:
            reread = partial(self._row, name)
            async with submission(self._opened(), row, reread=reread) as mine:
                if mine is not None:
                    await mine.add(people)
            await self._close()
        return await self.get(name)

    async def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobError: There is none with this id.
        """
        return (await self._row(job_id)).job

    async def list(
        self, *, states: Collection[JobState] = tuple(JobState), most: int = 100
    ) -> tuple[Job, ...]:
        """Return the newest jobs, the newest one first.

        Args:
            states: Those in one of these.
            most: So many at most, 1 to 10,000.

        Raises:
            InvalidInputError: ``most`` is out of bounds.
        """
        _check.count("most", most, least=1, most=10_000)
        bound = {"states": [str(one) for one in states], "most": most}

        async def work(connection: AsyncConnection) -> tuple[Job, ...]:
            rows = await connection.execute(self._statements.newest, bound)
            return tuple(job_row(row).job for row in rows)

        return await self._opened().run(work)

    async def status(self, job_id: str) -> JobStatus:
        """Count what has become of a job until now.

        Raises:
            JobError: There is none with this id.
        """
        statements = self._statements

        async def work(connection: AsyncConnection) -> JobStatus:
            await connection.execute(tune(self._backend.dialect))
            row = await self._found(connection, job_id)
            bound = {"the_job": row.number}
            found = (await connection.execute(statements.chunks, bound)).mappings().one()
            counts = {kind: found[kind] for kind in KINDS}
            if not found["chunks"]:  # but there may be people who repeat an email
                repeated = await connection.execute(statements.repeated, bound)
                counts["rejected"] = repeated.scalar_one()
            workers = await alive(connection, WORKER)
            return JobStatus(
                job=row.job,
                chunks=found["chunks"],
                chunks_done=found["done"],
                chunks_in_work=found["in_work"],
                workers=len(workers),
                **counts,
            )

        return await self._opened().run(work)

    async def outcomes(self, job_id: str) -> AsyncGenerator[Outcome]:
        """Give the outcomes that are there, in the order of the input; ``index`` is the position in it.

        People without an outcome yet are left out: when the job is done there are none. Rows are read in
        pages, so that memory stays the same however many there are. ``attempts`` is 0 everywhere, because
        workers made the requests.

        Raises:
            JobError: There is no job with this id, or it pulls results.
        """
        backend, statements = self._opened(), self._statements
        row = await self._row(job_id)
        if row.job.kind == PULL:
            raise JobError(f"job {job_id}: pulls results, which are where it puts them")
        after = -1

        async def work(connection: AsyncConnection) -> list[Any]:
            await connection.execute(tune(backend.dialect))
            bound = {"the_job": row.number, "after": after, "most": _PAGE}
            return [*(await connection.execute(statements.outcomes, bound))]

        while page := await backend.run(work):
            for one in page:
                yield outcome_of(one)
            after = page[-1].position

    async def pause(self, job_id: str) -> Job:
        """Begin nothing further of a job; what workers have in flight finishes and is recorded.

        Raises:
            JobError: There is none with this id, or it is over or not complete.
        """
        return await self._set_state(job_id, JobState.PAUSED, [JobState.READY, JobState.PAUSED])

    async def resume(self, job_id: str) -> Job:
        """Go on with a job that was paused, by `pause` or because of a ``problem``.

        Raises:
            JobError: There is none with this id, or it is over or not complete.
        """
        job = await self._set_state(job_id, JobState.READY, [JobState.READY, JobState.PAUSED])
        await self._close()  # its last chunk may have ended meanwhile
        return job

    async def cancel(self, job_id: str) -> Job:
        """Begin nothing further of a job for good; what is in flight finishes, outcomes are kept.

        Raises:
            JobError: There is none with this id, or it is done.
        """
        states = [one for one in JobState if one is not JobState.DONE]
        return await self._set_state(job_id, JobState.CANCELLED, states)

    async def forget(self, job_id: str) -> int:
        """Delete all of a job, be it over or not: people, links, and that there was one.

        Workers that run it can write nothing any more. If it ends midway, call it again.

        Returns:
            How many people were deleted; 0 if there is no such job.
        """
        return await forget(self._opened(), job_id)

    async def run_worker(
        self,
        *,
        accounts: Mapping[str, MettlClient],
        stop: Stop | None = None,
        concurrency: int = 8,
        chunks_at_once: int = 2,
        max_tries: int = 5,
        lease: float = 30.0,
        rates: Mapping[str, float] | None = None,
        stores: Mapping[str, Store] | None = None,
        inbox: SqlEventInbox | None = None,
        handlers: EventHandlers | None = None,
        observers: Sequence[WorkerObserver] = (),
    ) -> None:
        """Work on the jobs of some accounts until it is told to stop, or cancelled.

        Any number of processes may do so, one worker in each. What is committed stays, whatever ends a
        worker at any instant: another one goes on. Of each account that it worked for it had at most
        ``concurrency`` calls in flight, and two for each chunk whose answers were being written: their
        candidates are asked for again.

        When ``stop`` is set, nothing more is begun, calls in flight have 20 seconds to be answered and
        recorded, and the rest is handed on at once. When it is cancelled, what is in flight is given up.

        A database that is away is waited for, with one line in the log. A job whose account or schedule is
        refused is paused, and its ``problem`` says why. A server that answers nobody is asked again and
        again for half a day, whatever ``max_tries`` is.

        Args:
            accounts: Clients by the names that jobs have; they stay yours. Jobs of other accounts wait for
                other workers.
            stop: Anything whose ``wait()`` returns when the worker is to end, such as an `anyio.Event`.
            concurrency: Calls in flight at once, of each account, 1 to 1,000.
            chunks_at_once: Chunks that are run at once, of each account, 1 to 100, and never more than the
                concurrency, which they share.
            max_tries: How often a chunk is run, with growing pauses, as long as people in it have failed or
                are unknown, 1 to 100. After that they stay so.
            lease: Seconds after which the others take this worker for dead if it says nothing, 1 to 3,600.
            rates: Requests a second by account, 0.01 to 10,000, of all workers of this database together,
                retries included; every worker should say the same. An account that is not in it has the
                rate of its client.
            stores: Where reports go, by the names that `pull_results` has: each an
                ``async def store(name, chunks)``. Jobs that name another one wait for other workers.
            inbox: Webhooks to handle beside the jobs, as ``inbox.working(handlers)`` does; it ends with the
                worker.
            handlers: What handles them.
            observers: Who is told what the worker does, such as `WorkerHealth` and `JobMetrics`.

        Raises:
            InvalidInputError: An argument is out of bounds.
            ConfigurationError: DBOS is not installed, or runs in this process already; a rate is out of
                bounds, or its account has no client here, or one with a ``rate_limiter`` of its own; of an
                inbox and its handlers one is missing, or the inbox has no table.
            ClientClosedError: One of the clients was closed.
        """
        await run_worker(
            self._opened(),
            self._engine.url,
            accounts=accounts,
            stop=stop,
            concurrency=concurrency,
            chunks_at_once=chunks_at_once,
            max_tries=max_tries,
            lease=lease,
            rates={} if rates is None else rates,
            stores={} if stores is None else stores,
            beside=beside(inbox, handlers),
            observers=observers,
        )

    def _opened(self) -> Backend:
        if not self._is_open:
            raise ConfigurationError(
                "jobs: are not open; use them in: async with Jobs(...) as jobs"
            )
        return self._backend

    async def _set_state(self, job_id: str, state: JobState, of: Collection[JobState]) -> Job:
        bound = {
            "the_id": job_id,
            "states": [str(one) for one in of],
            "new_state": str(state),
            "ends": state is JobState.CANCELLED,
        }

        async def work(connection: AsyncConnection) -> Job:
            changed = (await connection.execute(self._statements.set_state, bound)).rowcount
            row = await self._found(connection, job_id)
            if not changed:
                raise JobError(f"job {job_id}: is {row.job.state}, and cannot become {state}")
            if state is JobState.READY:
                await connection.execute(self._statements.due, {"the_job": row.number})
            return row.job

        return await self._opened().run(work)

    async def _row(self, job_id: str) -> JobRow:
        return await self._opened().run(partial(self._found, job_id=job_id))

    async def _found(self, connection: AsyncConnection, job_id: str) -> JobRow:
        row = (await connection.execute(self._statements.find, {"the_id": job_id})).one_or_none()
        if row is None:
            raise JobError(f"job {one_line(job_id)}: there is none with this id")
        return job_row(row)

    async def _close(self) -> None:
        await self._opened().change(close_jobs(self._backend.dialect), {})
