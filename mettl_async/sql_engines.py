"""Engines of a command or a script, made of a URL that somebody typed."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mettl_async.errors import ConfigurationError
from mettl_async.sql_backend import INSERTS, sa, unfit

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}


def engine_of(url: str) -> AsyncEngine:
    """Make an engine of a URL.

    ``sqlite:///file`` and ``postgresql://...`` get the drivers that are usual on asyncio.

    Raises:
        ConfigurationError: It is no URL of a database, of one that cannot have our tables, or with a driver
            that is not async or not installed. The URL, which may hold a password, is not in the message.
    """
    try:
        found = sa.make_url(url)
        found = found.set(drivername=_DRIVERS.get(found.drivername, found.drivername))
        problem = _problem(found)
        if problem is None:
            return create_async_engine(found, hide_parameters=True)
    except ImportError as error:  # the name of a module is not personal
        problem = f"{error}; pip install the driver"
    except (sa.exc.ArgumentError, ValueError):
        problem = "give a URL such as sqlite:///inbox.db or postgresql://user:password@host/name"
    raise ConfigurationError(f"database: {problem}")


def _problem(url: sa.URL) -> str | None:
    name = url.get_backend_name()
    if name not in INSERTS:
        return f"{unfit(name)}; give the URL of a SQLite or a PostgreSQL"
    dialect = url.get_dialect()
    if not dialect.get_async_dialect_cls(url).is_async:
        return f"{url.drivername} is not async; leave the driver out, as in {name}://"
    return None
