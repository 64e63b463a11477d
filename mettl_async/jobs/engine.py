"""DBOS Transact as a dispatcher: which process runs which chunk. The only module that knows it.

It holds nothing that cannot be made again: `reconciling` hands out anew what is not in it. Its tables are
in the same SQLite file, or in the schema `SCHEMA` of the same PostgreSQL.

Its calls block, so each has a thread; its workflow is one function that gives the chunk to our event loop
and waits. So no coroutine runs under it, and it never touches the loop's own threads.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import define, field, frozen

from mettl_async.errors import ConfigurationError
from mettl_async.sql_backend import sa

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["VERSION", "ChunkEngine", "HandedOnError", "Known", "Ticket"]

VERSION: Final = "mettl-jobs-1"
"""The engine gives work only to processes that say the same version as whoever enqueued it.

Ours says nothing about the release: what a chunk is stands in our tables. It changes only if the arguments
of the workflow do. Then, too, nobody is lost: `reconciling` takes what waits for another version as not
handed out.
"""
SCHEMA: Final = "mettl_job_engine"
"""Of its tables on PostgreSQL, beside those of somebody who uses DBOS in the same database."""

_NAME: Final = "mettl-jobs"
_WORKFLOW: Final = "mettl_chunk"
_QUEUE: Final = "mettl/"  # the account follows
_THREAD: Final = "queue-worker-" + _QUEUE  # likewise
_POOL: Final = 2  # connections; more would only wait for each other
_CLOSE_WITHIN: Final = 15.0  # seconds
_SWEPT_AT_ONCE: Final = 500
_NAMED_AT_ONCE: Final = 10_000  # PostgreSQL takes 65,535 parameters
_ENDED: Final = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_logger: Final = logging.getLogger("mettl_async.jobs")
_T = TypeVar("_T")


class HandedOnError(BaseException):
    """Ends a workflow so that the engine writes nothing about it: this process stops.

    No `Exception`, which the engine would record as the result.
    """


@frozen(order=True)
class Ticket:
    """The right to try to take a chunk; each time it is handed out it has a new one."""

    job: int
    chunk: int
    attempt: int

    @property
    def id(self) -> str:
        """Of the workflow."""
        return f"{self.job}/{self.chunk}/{self.attempt}"

    @classmethod
    def of(cls, workflow_id: str) -> Ticket:
        """Read the id of a workflow."""
        job, chunk, attempt = workflow_id.split("/")
        return cls(int(job), int(chunk), int(attempt))


@frozen
class Known:
    """What the engine knows of a ticket that has not ended.

    Attributes:
        executor: Who has it; None as long as it waits in a queue.
        version: Of whoever enqueued it, or has it.
    """

    executor: str | None
    version: str | None


Accept = Callable[[Ticket, "Future[None]"], None]


class _Quiet(logging.Handler):
    """Take what DBOS logs for a line of ours at DEBUG; else it would write to the terminal itself."""

    def __init__(self) -> None:
        super().__init__()
        self._theirs = logging.getLogger("dbos")
        self._before = (True, logging.NOTSET)

    def begin(self) -> None:
        self._before = (self._theirs.propagate, self._theirs.level)
        self._theirs.propagate = False
        self._theirs.addHandler(self)

    def end(self) -> None:
        self._theirs.removeHandler(self)
        self._theirs.propagate, level = self._before
        self._theirs.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        _logger.debug("engine: %s", record.getMessage())


@define(eq=False, kw_only=True)
class ChunkEngine:
    """Give chunks to processes, a queue for each account.

    Attributes:
        url: Of the database; with its password.
        executor: Id of this process; unique.
        accounts: Whose chunks this process takes.
        at_once: How many of them for each account.
        idle: Seconds between two looks at a queue, as long as this process has nothing of any account.
        busy: The same, as long as it has something.
        accept: Called on the event loop with each ticket that this process was given, and the future that
            has to be ended when the work is.
        version: See `VERSION`.
    """

    url: sa.URL = field(repr=False)
    executor: str
    accounts: Collection[str]
    at_once: int
    idle: float
    accept: Accept
    busy: float = 0.2
    version: str = VERSION
    _given: set[Ticket] = field(factory=set, init=False, repr=False)
    _dbos: ModuleType = field(init=False, repr=False)
    _workflow: Any = field(init=False, repr=False)
    _logs: _Quiet = field(factory=_Quiet, init=False, repr=False)

    async def launch(self) -> None:
        """Begin to take chunks.

        Raises:
            ConfigurationError: DBOS is not installed, runs in this process already, or may not make its
                tables.
            sqlalchemy.exc.OperationalError: The database is away.
        """
        self._dbos = await _in_thread(_imported)
        if _instance() is not None:
            raise ConfigurationError(
                "run_worker: DBOS runs in this process already, and it can do so only once;"
                " start one process for each worker"
            )
        self._logs.begin()
        try:
            # Without awaiting anything since it was looked for, so that there are never two.
            instance = self._make(asyncio.get_running_loop())
            await _in_thread(self._launch, instance)
        except (self._dbos.error.DBOSException, sa.exc.ProgrammingError) as error:
            await self.close()
            raise ConfigurationError(
                f"run_worker: DBOS cannot begin: {str(error).splitlines()[0]}"
            ) from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End its threads and connections; who waits in a workflow must have been let go."""
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(_in_thread(self._dbos.DBOS.destroy), _CLOSE_WITHIN)
        finally:
            self._logs.end()

    async def enqueue(self, account: str, tickets: Iterable[Ticket]) -> None:
        """Hand out chunks of an account, whether or not this process takes its chunks itself."""
        await _in_thread(self._enqueue, account, list(tickets))

    async def find(self, tickets: Iterable[Ticket]) -> dict[Ticket, Known]:
        """Return what it knows of those that have not ended."""
        found: dict[Ticket, Known] = {}
        for ids in _parts(tickets):
            found |= await self._list(workflow_ids=ids)
        return found

    async def taken(self, executor: str | None = None) -> dict[Ticket, Known]:
        """Return what one process has, or any."""
        return await self._list(status="PENDING", executor_id=executor)

    async def forget(self, tickets: Iterable[Ticket]) -> None:
        """Delete what it knows; a ticket that waits is given to nobody, one that is taken ends as it likes."""
        for ids in _parts(tickets):
            await _in_thread(self._dbos.DBOS.delete_workflows, ids)

    async def sweep(self) -> None:
        """Delete what has ended, so that its tables stay small."""
        await _in_thread(self._sweep)

    def _make(self, loop: asyncio.AbstractEventLoop) -> Any:
        accept, given = self.accept, self._given

        def mettl_chunk(job: int, chunk: int, attempt: int) -> None:
            ended: Future[None] = Future()
            ticket = Ticket(job, chunk, attempt)
            given.add(ticket)
            try:
                loop.call_soon_threadsafe(accept, ticket, ended)
                ended.result()
            finally:
                given.discard(ticket)

        url = _sync_url(self.url)
        settings: dict[str, Any] = {
            "name": _NAME,
            "system_database_url": url.render_as_string(hide_password=False),
            "dbos_system_schema": SCHEMA,
            "application_version": self.version,
            "executor_id": self.executor,
            "serializer": self._dbos.DBOSPortableJSONSerializer(),  # not pickle
            "sys_db_pool_size": _POOL,
            "db_engine_kwargs": _engine_options(url),
            "use_listen_notify": False,  # one connection and one thread less
            "notification_listener_polling_interval_sec": 0.05,  # asks nothing; closing waits for it
            "scheduler_polling_interval_sec": 3600.0,  # we have no schedules in it
            "log_level": "INFO",
        }
        instance = self._dbos.DBOS(config=settings)
        self._workflow = self._dbos.DBOS.workflow(name=_WORKFLOW)(mettl_chunk)
        self._dbos.DBOS.listen_queues([_QUEUE + account for account in self.accounts])
        return instance

    def _launch(self, instance: Any) -> None:
        self._dbos.DBOS.launch()
        database = getattr(instance, "_sys_db_field", None)
        if database is not None:
            # Else its threads, and who calls it, would wait in silence for a database that is away.
            vars(database)["_retry_connection_errors"] = False
        # It looks every second for delays and deadlines, of which we have none.
        stop = getattr(instance, "_background_jobs_stop_event", None)
        if stop is not None:
            stop.set()
        for event in getattr(instance, "background_thread_stop_events", ()):
            self._look_often(event)
        for account in self.accounts:
            queue = self._queue(account)
            if (queue.worker_concurrency or 0) < self.at_once:
                queue.set_worker_concurrency(self.at_once)

    def _queue(self, account: str) -> Any:
        return self._dbos.DBOS.register_queue(
            _QUEUE + account,
            worker_concurrency=self.at_once,
            polling_interval_sec=self.idle,
            on_conflict="never_update",
        )

    def _look_often(self, stop: threading.Event) -> None:
        """Let the threads of our queues wait as long as we say between two looks, or until they are to stop.

        Its own interval only shrinks by a tenth at each look, and doubles when two processes look at once.
        """
        whole = stop.wait

        def wait(timeout: float | None = None) -> bool:
            if timeout is not None and threading.current_thread().name.startswith(_THREAD):
                timeout = min(timeout, self.busy if self._given else self.idle)
            return whole(timeout)

        vars(stop)["wait"] = wait

    def _enqueue(self, account: str, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            with self._dbos.SetWorkflowID(ticket.id):
                self._dbos.DBOS.enqueue_workflow(
                    _QUEUE + account, self._workflow, ticket.job, ticket.chunk, ticket.attempt
                )

    def _sweep(self) -> None:
        while True:
            ended = self._listed(status=_ENDED, limit=_SWEPT_AT_ONCE)
            if ended:
                self._dbos.DBOS.delete_workflows([one.workflow_id for one in ended])
            if len(ended) < _SWEPT_AT_ONCE:
                return

    async def _list(self, **which: Any) -> dict[Ticket, Known]:
        found = await _in_thread(lambda: self._listed(**which))
        return {
            Ticket.of(one.workflow_id): Known(
                None if one.status == "ENQUEUED" else one.executor_id, one.app_version
            )
            for one in found
            if one.status in ("ENQUEUED", "PENDING")
        }

    def _listed(self, **which: Any) -> Sequence[Any]:
        found: Sequence[Any] = self._dbos.DBOS.list_workflows(
            name=_WORKFLOW, load_input=False, load_output=False, **which
        )
        return found


def _parts(tickets: Iterable[Ticket]) -> Iterator[list[str]]:
    ids = [ticket.id for ticket in tickets]
    for start in range(0, len(ids), _NAMED_AT_ONCE):
        yield ids[start : start + _NAMED_AT_ONCE]


def _imported() -> ModuleType:
    try:
        import dbos  # noqa: PLC0415 - needs the extra, and a second
    except ImportError as error:
        raise ConfigurationError(
            f'run_worker needs DBOS: pip install "mettl-async[jobs]" ({error})'
        ) from error
    return dbos


def _instance() -> Any:
    """Return the DBOS of this process, if there is one; it has no public name for that."""
    return getattr(sys.modules.get("dbos._dbos"), "_dbos_global_instance", None)


def _sync_url(url: sa.URL) -> sa.URL:
    """Give the URL to sqlite3 and psycopg, whatever driver it names."""
    query = dict(url.query)
    if url.get_driver_name() == "asyncpg":  # which has its own names for what libpq knows
        query = {"sslmode": query["ssl"]} if "ssl" in query else {}
    return url.set(drivername=url.get_backend_name(), query=query)


def _engine_options(url: sa.URL) -> Mapping[str, Any]:
    # A connection that the server has dropped fails once, and is asked for again; asking each one
    # before its use would double the transactions.
    options: dict[str, Any] = {"pool_pre_ping": False}
    if url.get_backend_name() == "postgresql":
        # Behind PgBouncer no prepared statement may outlive its transaction.
        options["connect_args"] = {"application_name": _NAME, "prepare_threshold": None}
    return options


async def _in_thread(work: Callable[..., _T], *arguments: Any) -> _T:
    """Call something that blocks, in a thread that nobody waits for at the end of the process."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[_T] = loop.create_future()

    def tell(result: _T | None, error: BaseException | None) -> None:
        if ended.done():
            return  # whoever asked was cancelled
        if error is not None:
            ended.set_exception(error)
        else:
            ended.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work(*arguments)
        except BaseException as raised:  # noqa: BLE001 - raised by whoever asked
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, name="mettl-jobs-engine", daemon=True).start()
    return await ended
