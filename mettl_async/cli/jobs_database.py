"""The database of jobs, as the commands of ``mettl jobs`` open it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mettl_async.cli.problems import CommandError
from mettl_async.errors import ConfigurationError

try:
    from mettl_async.cli.databases import check_file, run_on_database
    from mettl_async.jobs import Jobs
    from mettl_async.jobs.database import engine_for
    from mettl_async.jobs.tables import PREFIX
except ImportError:
    raise CommandError('jobs need more packages: pip install "mettl-async[jobs]"') from None

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_INIT = "make it with: mettl jobs init"


def with_jobs(db: str | None, work: Callable[[Jobs], Awaitable[T]], *, create: bool = False) -> T:
    """Open the database, do some work with its jobs, and close it.

    Args:
        db: URL of the database.
        work: What is done.
        create: Whether to make the tables, and the file of a SQLite, unless they are there.

    Raises:
        CommandError: There is no such database, it failed, or it has no tables.
        MettlError: What the work raises.
    """
    if db is None:
        raise CommandError("give --db, or set METTL_JOBS_DB")
    engine = engine_for(db)
    if not create:
        check_file(engine.url, f"; {_INIT}")

    async def whole() -> T:
        try:
            async with Jobs(engine, create_tables=create) as jobs:
                return await work(jobs)
        finally:
            await engine.dispose()

    try:
        return run_on_database(whole())
    except ConfigurationError as error:
        if not str(error).startswith(f"table {PREFIX}:"):
            raise
    raise CommandError(f"the database has no table of jobs; {_INIT}")
