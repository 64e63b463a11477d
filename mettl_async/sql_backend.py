"""What every table of this library asks of SQLite and PostgreSQL, through SQLAlchemy on asyncio."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite
except ImportError as error:
    raise ImportError(
        'tables need SQLAlchemy: pip install "mettl-async[webhooks-sql]",'
        " and a driver such as aiosqlite or asyncpg"
    ) from error

from collections.abc import Awaitable, Callable, Coroutine
from urllib.parse import parse_qs, urlsplit

from mettl_async.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["INSERTS", "RETRY_SECONDS", "Backend", "sa"]

RETRY_SECONDS: Final = 5.0
"""Time limit for trying a statement again; as long as sqlite3 itself waits for a lock.

A cancellation waits for a running statement as long.
"""
INSERTS: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""The insert of each dialect that knows ``ON CONFLICT DO UPDATE``."""

# Serialization failure, deadlock: the server undid the statement and asks to repeat it.
_UNDONE: Final = frozenset({"40001", "40P01"})
# What two CREATE TABLE IF NOT EXISTS at once may end in on PostgreSQL.
_CREATED_MEANWHILE: Final = frozenset({"23505", "42P07", "42710"})
_PRIVATE: Final = 0o600  # journals hold links, with which anybody can take the test
_NO_FILE: Final = {"memory", "ro", "rw"}
_SQLITE_BUSY_OR_LOCKED: Final = frozenset({5, 6})
_T = TypeVar("_T")


class Backend:
    """Run statements to their end, and repeat them after a conflict of locks.

    The engine still belongs to whoever passed it in.

    Attributes:
        dialect: ``sqlite`` or ``postgresql``.
        file: Of a SQLite, where the engine's URL tells it.

    Args:
        engine: Engine.
        table: Name of the table, only to check it.
        autocommit: Whether each statement is its own transaction on PostgreSQL: one way to the server
            instead of three, and each sees what was committed before it.

    Raises:
        ConfigurationError: Another database, a SQLite in memory, or a blank table name.
    """

    def __init__(self, engine: AsyncEngine, table: str, *, autocommit: bool = False) -> None:
        if engine.dialect.name not in INSERTS:
            raise ConfigurationError(
                f"engine: {engine.dialect.name} is neither sqlite nor postgresql"
            )
        if isinstance(engine.pool, sa.pool.StaticPool):
            raise ConfigurationError("engine: has one connection for all; give SQLite a file")
        if not table.strip():
            raise ConfigurationError("table: must not be blank")
        self.dialect = engine.dialect.name
        self._engine = engine
        if autocommit and self.dialect == "postgresql":
            self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._at_work: set[asyncio.Task[Any]] = set()  # asyncio itself holds tasks weakly
        self.file = _file_of(engine) if self.dialect == "sqlite" else None

    def make_file(self) -> None:
        """Make the file of a SQLite, unless it is there, before SQLite does: only its owner can read it.

        What SQLite puts beside it has the same mode. A file that is there stays as it is, because it may
        be shared on purpose.
        """
        if self.file is not None:
            with suppress(OSError):  # it is there, or SQLite says why it cannot be made
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                os.close(os.open(self.file.resolve(), flags, _PRIVATE))

    async def create(self, table: sa.Table) -> None:
        """Create a table unless it exists; any number of processes may do so at once."""
        self.make_file()
        create = sa.schema.CreateTable(table, if_not_exists=True)
        await self.run(lambda connection: connection.execute(create), also=_CREATED_MEANWHILE)

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
            async with self._engine.begin() as connection:
                return await work(connection)

        return await self.retried(lambda: self.uncut(whole()), also=also)

    async def uncut(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await something that goes on to its end although whoever awaits it is cancelled.

        A SQLite whose statement is cut off stays locked [seen with aiosqlite 0.22.1]. So a cancellation
        waits for its end, or for as long as anyone waits here; then the work goes on alone.
        """
        task = asyncio.create_task(work)
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

    def _ended(self, task: asyncio.Task[Any]) -> None:
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


def _file_of(engine: AsyncEngine) -> Path | None:
    (database, *_), options = engine.dialect.create_connect_args(engine.url)
    if not options.get("uri"):
        return Path(database)
    uri = urlsplit(database)  # SQLAlchemy has unquoted it
    no_file = _NO_FILE & set(parse_qs(uri.query).get("mode", ())) or ":memory:" in uri.path
    return None if no_file else Path(uri.path)
