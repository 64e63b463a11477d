"""What every table of this library asks of SQLite and PostgreSQL, through SQLAlchemy on asyncio."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
import weakref
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.ext.asyncio import AsyncEngine
except ImportError as error:
    raise ImportError(
        'tables need SQLAlchemy: pip install "mettl-async[webhooks-sql]",'
        " and a driver such as aiosqlite or asyncpg"
    ) from error

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from urllib.parse import parse_qs, urlsplit

from mettl_async.errors import ConfigurationError
from mettl_async.sql_forks import Opened
from mettl_async.sql_logs import guard_driver_logger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = [
    "INSERTS",
    "NOW",
    "RETRY_SECONDS",
    "Backend",
    "pgbouncer_options",
    "sa",
    "unshown",
]

RETRY_SECONDS: Final = 5.0
"""Time limit for trying a statement again; as long as sqlite3 itself waits for a lock.

A cancellation waits for a running statement as long.
"""
INSERTS: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""The insert of each dialect that knows ``ON CONFLICT DO UPDATE``."""

# Both are read anew for each statement. PostgreSQL's now() would be the time when the transaction
# began: before it waited for another's lock.
NOW: Final = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "cast(extract(epoch from clock_timestamp()) as double precision)",
}
"""Seconds since 1970 by the clock of each database."""

# Serialization failure, deadlock: the server undid the statement and asks to repeat it.
_UNDONE: Final = frozenset({"40001", "40P01"})
# What two CREATE TABLE IF NOT EXISTS at once may end in on PostgreSQL.
_CREATED_MEANWHILE: Final = frozenset({"23505", "42P07", "42710"})
_NO_TABLE: Final = "42P01"
# A prepared statement is not there, or there already: another session's connection was given.
_NOT_PREPARED: Final = frozenset({"26000", "42P05"})
_REASONS: Final = dict.fromkeys(
    ("mysql", "mariadb"),
    ", and has no INSERT ... ON CONFLICT ... RETURNING, which decides and writes in one step",
)
_PRIVATE: Final = 0o600  # journals hold links, with which anybody can take the test
_MEMORY: Final = ":memory:"
_IS_THERE: Final = {"ro", "rw"}  # modes that make no file
_SQLITE_BUSY_OR_LOCKED: Final = frozenset({5, 6})
_T = TypeVar("_T")


# One writer at a time in a process, for each file: a second one would only wait for SQLite's lock, and
# by polling, so that some wait for ever.
_WRITERS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Path, asyncio.Lock]] = (
    weakref.WeakKeyDictionary()
)


def unfit(database: str) -> str:
    """Say why a database, by SQLAlchemy's name of it, cannot have our tables."""
    return f"{database} is neither sqlite nor postgresql{_REASONS.get(database, '')}"


def lacks_table(error: BaseException | None, table: str) -> bool:
    """Tell whether the error of a driver is that this table is not there."""
    code, text = getattr(error, "sqlstate", None), str(error)
    return (code == _NO_TABLE or "no such table" in text) and table in text


class _Unshown(str):
    """Text whose repr, which SQLAlchemy's log of rows has, does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


class _UnshownText(sa.TypeDecorator[str]):
    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: str | None, _dialect: sa.Dialect) -> str | None:
        return None if value is None else _Unshown(value)


def unshown(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Select a column of text so that a log of rows (``echo="debug"``) does not show it."""
    return sa.type_coerce(column, _UnshownText).label(column.key)


def pgbouncer_options(driver: str = "asyncpg") -> dict[str, Any]:
    """Give the options of an engine behind PgBouncer in transaction mode, or a pooler like it.

    Each transaction may have another connection of the server there, so that no prepared statement may outlive
    it; and PgBouncer is the pool.

    Example::

        url = "postgresql+asyncpg://ats@pgbouncer:6432/ats"
        engine = create_async_engine(url, **pgbouncer_options(), hide_parameters=True)

    Args:
        driver: ``asyncpg`` or ``psycopg``.

    Raises:
        ConfigurationError: Another driver.
    """
    options: dict[str, dict[str, Any]] = {
        "asyncpg": {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"__{uuid.uuid4()}__",
        },
        "psycopg": {"prepare_threshold": None},
    }
    if driver not in options:
        raise ConfigurationError("driver: must be asyncpg or psycopg")
    return {"poolclass": sa.pool.NullPool, "connect_args": options[driver]}


class Backend:
    """Run statements to their end, and repeat them after a conflict of locks.

    The engine still belongs to whoever passed it in. The values of our own statements, which may be links or
    whole events, are in no log and no error: neither SQLAlchemy's, whatever the engine says, nor aiosqlite's.

    Attributes:
        dialect: ``sqlite`` or ``postgresql``.
        file: Of a SQLite, where the engine's URL tells it.

    Args:
        engine: Engine.
        table: Name of the table.
        shared: Whether many write to the table all the time. On SQLite it makes writing ahead (WAL) the
            mode of the file, and lets one write at a time in this process; on PostgreSQL each statement
            sees what was committed before it, whatever the engine says.

    Raises:
        ConfigurationError: No engine, another database, an engine that is not async, a SQLite in memory, or a
            blank table name.
    """

    def __init__(self, engine: AsyncEngine, table: str, *, shared: bool = False) -> None:
        if not hasattr(engine, "dialect"):
            # Not the value: a URL may have a password.
            raise ConfigurationError(
                f"engine: is {type(engine).__name__}; give create_async_engine(url, hide_parameters=True) "
                "of sqlalchemy.ext.asyncio, with a URL such as sqlite+aiosqlite:///events.sqlite3"
            )
        name = engine.dialect.name
        if name not in INSERTS:
            raise ConfigurationError(
                f"engine: {unfit(name)}; keep this table in a SQLite file or a PostgreSQL beside it"
            )
        if not isinstance(engine, AsyncEngine):
            raise ConfigurationError("engine: is not async; make it with create_async_engine")
        if isinstance(engine.pool, sa.pool.StaticPool):
            raise ConfigurationError("engine: has one connection for all; give SQLite a file")
        if name == "sqlite" and _is_in_memory(engine):
            raise ConfigurationError("engine: is a SQLite in memory; give it a file")
        if not table.strip():
            raise ConfigurationError("table: must not be blank")
        self.dialect = name
        self._table = table
        committed = {"isolation_level": "READ COMMITTED"} if shared and name == "postgresql" else {}
        self._engine = engine.execution_options(**committed)  # the same pool, but a view of our own
        self._engine.sync_engine.hide_parameters = True
        guard_driver_logger(engine.dialect.driver, table)
        self._opened = Opened.of(engine)
        self._at_work: set[asyncio.Future[Any]] = set()  # asyncio itself holds tasks weakly
        self.file = _file_of(engine) if name == "sqlite" else None
        self._to_write_ahead = shared and self.file is not None
        self._one_writer = self._to_write_ahead

    def make_file(self) -> None:
        """Make the file of a SQLite, unless it is there, before SQLite does: only its owner can read it.

        What SQLite puts beside it has the same mode. A file that is there stays as it is, because it may
        be shared on purpose.
        """
        if self.file is not None:
            with suppress(OSError):  # it is there, or SQLite says why it cannot be made
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                os.close(os.open(self.file.resolve(), flags, _PRIVATE))

    async def create(self, *tables: sa.Table) -> None:
        """Create tables and their indexes unless they exist; any number of processes may do so at once.

        It leaves no connection behind: what comes next may be a fork, or another event loop.
        """
        self.make_file()
        statements: list[sa.schema.ExecutableDDLElement] = []
        for table in tables:
            statements += [
                sa.schema.CreateTable(table, if_not_exists=True),
                *(sa.schema.CreateIndex(index, if_not_exists=True) for index in table.indexes),
            ]

        async def work(connection: AsyncConnection) -> None:
            if (
                self.dialect == "sqlite"
            ):  # sqlite3 begins nothing for these, and each would be synced
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            for create in statements:
                await connection.execute(create)

        await self.run(work, also=_CREATED_MEANWHILE)
        await self.uncut(self._close_idle())

    async def change(self, statement: sa.Executable, bound: Any) -> int:
        """Execute a statement in a transaction of its own; return the number of rows it changed."""

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement, bound)).rowcount

        return await self.run(work)

    async def run(
        self,
        work: Callable[[AsyncConnection], Awaitable[_T]],
        *,
        also: frozenset[str] = frozenset(),
    ) -> _T:
        """Run something in a transaction of its own, to its end, and again as `retried` does."""

        async def whole() -> _T:
            async with self.turn():
                await self._write_ahead()
                async with self._engine.begin() as connection:
                    return await work(connection)

        return await self.retried(lambda: self.uncut(whole()), also=also)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Begin to use the engine; wait until nobody else of this process writes to the file of a SQLite.

        After `RETRY_SECONDS` it goes on all the same, and SQLite's own lock decides: whoever has the turn
        may be waiting for us.

        Raises:
            ConfigurationError: See `Opened.check`.
        """
        self._opened.check()
        if not self._one_writer or self.file is None:
            yield
            return
        locks = _WRITERS.setdefault(asyncio.get_running_loop(), {})
        lock = locks.setdefault(self.file.resolve(), asyncio.Lock())
        mine = False
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                mine = await lock.acquire()
        try:
            yield
        finally:
            if mine:
                lock.release()

    async def _close_idle(self) -> None:
        async with self.turn(), self._engine.connect() as connection:
            await connection.invalidate()  # to detach it would not close those of psycopg

    async def _write_ahead(self) -> None:
        if not self._to_write_ahead:
            return
        # Where the file system cannot do it SQLite stays as it is, which is slower and as safe.
        eager = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        async with eager.connect() as connection:
            await connection.exec_driver_sql("pragma journal_mode=wal")
        self._to_write_ahead = False

    async def uncut(self, work: Coroutine[Any, Any, _T] | asyncio.Future[_T]) -> _T:
        """Await something that goes on to its end although whoever awaits it is cancelled.

        A SQLite whose statement is cut off stays locked [seen with aiosqlite 0.22.1]. So a cancellation
        waits for its end, or for as long as anyone waits here; then the work goes on alone.
        """
        task = asyncio.ensure_future(work)
        self._at_work.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            ends_at = anyio.current_time() + RETRY_SECONDS
            with anyio.CancelScope(shield=True):
                while not task.done() and (left := ends_at - anyio.current_time()) > 0:
                    # To be cancelled again changes nothing: the first one is raised below.
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([task], timeout=left)
            raise
        try:
            return task.result()
        except sa.exc.StatementError as error:
            error.hide_parameters = True  # they may be links, or the token of a claim
            if (remedy := self._remedy(error)) is not None:
                raise ConfigurationError(remedy) from error
            raise

    async def retried(
        self, attempt: Callable[[], Awaitable[_T]], *, also: frozenset[str] = frozenset()
    ) -> _T:
        """Try again what met a lock or was undone, for `RETRY_SECONDS` with growing random pauses.

        Raises:
            sqlalchemy.exc.StatementError: It stayed so, or it was something else; without parameters.
        """
        gives_up_at = anyio.current_time() + RETRY_SECONDS
        longest = 0.01
        while True:
            try:
                return await attempt()
            except sa.exc.StatementError as error:
                if anyio.current_time() > gives_up_at or not _may_pass(error, also):
                    raise
            await anyio.sleep(random.uniform(0, longest))  # noqa: S311 - only spreads the tries
            longest = min(2 * longest, 0.25)

    def _remedy(self, error: sa.exc.StatementError) -> str | None:
        """Say what the user must do about an error, if that is known."""
        if lacks_table(error.orig, self._table):
            return f"table {self._table}: is not in the database; call create_table()"
        if getattr(error.orig, "sqlstate", None) in _NOT_PREPARED:
            return (
                "engine: the pooler (PgBouncer?) gave a connection without our prepared statement; "
                "make it with create_async_engine(url, **pgbouncer_options())"
            )
        return None

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even if whoever awaited it has gone


def _may_pass(error: sa.exc.StatementError, also: frozenset[str]) -> bool:
    cause: Any = error.orig
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in _SQLITE_BUSY_OR_LOCKED  # the rest says which kind
    # After a restart of the server all connections of the pool are stale, and replaced at once.
    stale = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    return stale or getattr(cause, "sqlstate", None) in _UNDONE | also


def _is_in_memory(engine: AsyncEngine) -> bool:
    """Tell whether what is committed would end with the process, or with a connection, as far as the URL says."""
    (database, *_), options = engine.dialect.create_connect_args(engine.url)
    if not options.get("uri"):
        return bool(database == _MEMORY)
    uri = urlsplit(database)
    return _MEMORY in uri.path or "memory" in parse_qs(uri.query).get("mode", ())


def _file_of(engine: AsyncEngine) -> Path | None:
    (database, *_), options = engine.dialect.create_connect_args(engine.url)
    if not options.get("uri"):
        return Path(database)
    uri = urlsplit(database)  # SQLAlchemy has unquoted it
    is_there = _IS_THERE & set(parse_qs(uri.query).get("mode", ()))
    return None if is_there else Path(uri.path)
