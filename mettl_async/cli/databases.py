"""Databases that a command uses: what they refuse is said without their URL, which may have a password."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from mettl_async.cli.problems import CommandError
from mettl_async.errors import MettlError
from mettl_async.sql_backend import sa

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

T = TypeVar("T")

_REFUSED: Final = "the database refused; check --db: its address, name, user and password"
_AWAY: Final = "the database cannot be reached"


def check_file(url: sa.URL, advice: str = "") -> None:
    """Refuse a file of SQLite that is not there: SQLite would make it.

    Raises:
        CommandError: It is not.
    """
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise CommandError(f"--db: there is no such file{advice}")


def run_on_database(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end; what a database or its driver raises is said in a line.

    Raises:
        CommandError: The database failed.
    """
    try:
        return asyncio.run(work)
    except Exception as error:
        problem = database_problem(error)
        if problem is None:
            raise
    # Raised here: the errors of drivers may have the URL with its password.
    raise CommandError(problem)


def database_problem(error: Exception) -> str | None:
    """Say what is wrong with a database; None if the error is not one of a database."""
    if isinstance(error, MettlError | BrokenPipeError):  # of which some are OSErrors; of stdout
        return None
    if isinstance(error, sa.exc.DBAPIError):
        return _REFUSED
    if isinstance(error, OSError):
        return _AWAY
    return _REFUSED if type(error).__module__.startswith(("asyncpg", "psycopg")) else None
