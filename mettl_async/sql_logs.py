"""What a driver of a database logs of our statements: never their values, which may be personal."""

import logging
from functools import partial
from typing import Final

from attrs import frozen

_LOGGERS: Final = {"aiosqlite": "aiosqlite"}
"""Loggers of the drivers that log values. Neither asyncpg nor psycopg does."""


@frozen
class ValuesFilter(logging.Filter):
    """Cuts the values off statements about one table, and off nobody else's.

    aiosqlite logs each call of `sqlite3` with all of its arguments, at DEBUG. That is a `partial`: a method, a
    statement, and its values.

    Attributes:
        table: Name of the table.
    """

    table: str

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's arguments if it is about the table; it is always let through."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(self._without_values, record.args))
        return True

    def _without_values(self, argument: object) -> object:
        if isinstance(argument, partial) and argument.args:
            statement = argument.args[0]
            if isinstance(statement, str) and self.table in statement:
                return partial(argument.func, statement)
        return argument


def guard_driver_logger(driver: str, table: str) -> None:
    """Keep the values of statements about a table out of a driver's log; doing it again changes nothing."""
    if driver in _LOGGERS:
        logging.getLogger(_LOGGERS[driver]).addFilter(ValuesFilter(table))
