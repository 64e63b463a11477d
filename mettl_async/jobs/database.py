"""The database of durable jobs: SQLite or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from mettl_async.errors import ConfigurationError
from mettl_async.jobs.tables import PREFIX, metadata
from mettl_async.sql_backend import Backend
from mettl_async.sql_engines import engine_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_OF_LIBPQ: Final = ("postgresql://", "postgres://")
# The driver that the engine which hands out chunks brings along.
_DRIVER: Final = "postgresql+psycopg://"


def engine_for(url: str) -> AsyncEngine:
    """Make an engine of a URL: on aiosqlite or psycopg, unless it names another driver.

    Raises:
        ConfigurationError: It is no URL of a database, or the driver is not installed. The URL, which may
            hold a password, is not in the message.
    """
    if not isinstance(url, str):
        raise ConfigurationError(
            f"database: is a {type(url).__name__}; pass a URL or SQLAlchemy's AsyncEngine"
        )
    for start in _OF_LIBPQ:
        if url.startswith(start):
            url = _DRIVER + url.removeprefix(start)
    engine = engine_of(url)
    if url.startswith(_DRIVER):
        event.listen(engine.sync_engine, "do_connect", _without_prepared_statements)
    return engine


def _without_prepared_statements(_: Any, __: Any, ___: Any, options: dict[str, Any]) -> None:
    # They outlive a transaction, which a pooler such as PgBouncer may give another connection.
    options["prepare_threshold"] = None


def backend_of(engine: AsyncEngine) -> Backend:
    """Give what runs the statements of jobs.

    Raises:
        ConfigurationError: Neither SQLite in a file nor PostgreSQL, or the engine is not async.
    """
    return Backend(engine, PREFIX, shared=True)


async def create_tables(backend: Backend) -> None:
    """Create the tables unless they are there; any number of processes may do so at once."""
    await backend.create(*metadata.sorted_tables)
