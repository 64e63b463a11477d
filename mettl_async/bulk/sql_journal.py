"""A journal in a database through SQLAlchemy, for services that have no disk of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from mettl_async.bulk.files import belongs_to_another
from mettl_async.bulk.group_commit import GroupCommit
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.journal_table import (
    COLUMNS,
    KEY,
    TABLE,
    VALUES,
    email_digest,
    from_row,
    schedule_digest,
    to_row,
)
from mettl_async.bulk.outcomes import JournalError
from mettl_async.sql_backend import INSERTS, Backend, sa, unshown

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_TYPES: Final = {str: sa.Text, bool: sa.Boolean}


class SqlJournal:
    """A journal in one table of SQLite or PostgreSQL, for any number of schedules.

    A batch is committed before its outcomes are yielded, so that an outcome is kept as surely as the
    database keeps what was committed. Several processes may work on one schedule at once, each on its
    part of the input; one object serves one run at a time.

    The table holds a SHA-256 digest of the access key and, with it, of the email; the link, with which the
    candidate can take the test; and the server's words about those without one, which may name them.
    `forget` deletes all of a schedule. Neither errors nor logs of SQLAlchemy and aiosqlite show these values.

    A statement that finds the database locked (SQLite) or was undone by it (PostgreSQL) is tried again for
    five seconds, with growing random pauses.

    Example::

        engine = create_async_engine("sqlite+aiosqlite:///journal.db", hide_parameters=True)
        journal = SqlJournal(engine)
        await journal.create_table()
        await mettl.candidates.register_many(ACCESS_KEY, people, journal=journal)
        await journal.forget(ACCESS_KEY)  # when the drive is over

    Shapes: ``engine`` stays yours and is never closed here; it may be that of `SqlSeenEvents`. asyncio
    only, as is SQLAlchemy. For SQLite a file, which is made for its owner only (mode 0600) if it is not
    there when the table or the first run is begun; one that is there keeps its mode.

    Attributes:
        table: The `sqlalchemy.Table`, in a metadata of its own; for migrations, take it over with
            ``journal.table.to_metadata(yours)`` instead of calling `create_table`.

    Raises:
        ConfigurationError: Another database, a SQLite in memory, or a blank table name.
    """

    def __init__(self, engine: AsyncEngine, *, table: str = TABLE) -> None:
        self._backend = Backend(engine, table)
        self.table = sa.Table(
            table,
            sa.MetaData(),
            *(
                sa.Column(name, _TYPES[kind], primary_key=name == KEY, nullable=False)
                for name, kind in COLUMNS.items()
            ),
        )
        self._schedule: str | None = None
        row = self.table.c
        insert = INSERTS[engine.dialect.name](self.table)
        self._insert: sa.Insert = insert.on_conflict_do_update(
            index_elements=[row[KEY]],
            set_={name: insert.excluded[name] for name in VALUES},
            where=sa.or_(insert.excluded.final, sa.not_(row.final)),
        )
        values = (unshown(row[name]) if kind is str else row[name] for name, kind in VALUES.items())
        self._select = sa.select(row[KEY], *values).where(
            row[KEY].in_(sa.bindparam("digests", expanding=True)), row.final
        )
        self._delete = sa.delete(self.table).where(row.schedule == sa.bindparam("schedule"))

    async def create_table(self) -> None:
        """Make the table unless it is there; any number of processes may do so at once.

        Raises:
            JournalError: The file of a SQLite belongs to another user, as at the start of a run.
        """
        self._check_file()
        await self._backend.create(self.table)

    async def open(self, schedule: str) -> None:
        """See `Journal`."""
        if self._schedule is not None:
            raise JournalError("the journal is in use by another run; make one for each")
        self._check_file()
        self._commits = GroupCommit(self._commit)
        self._schedule = schedule

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """See `Journal`."""
        schedule = self._opened()
        emails_by_digest = {email_digest(schedule, email): email for email in emails}

        async def read(connection: AsyncConnection) -> Sequence[sa.RowMapping]:
            bound = {"digests": list(emails_by_digest)}
            return (await connection.execute(self._select, bound)).mappings().all()

        rows = await self._backend.run(read) if emails else ()
        return {(email := emails_by_digest[row[KEY]]): from_row(email, row) for row in rows}

    async def record(self, records: Sequence[JournalRecord]) -> None:
        """See `Journal`; batches that wait for the database are committed together."""
        schedule = self._opened()
        await self._commits.add(
            [dict(zip(COLUMNS, to_row(schedule, one), strict=True)) for one in records]
        )

    async def close(self) -> None:
        """See `Journal`."""
        self._opened()
        self._schedule = None

    async def forget(self, access_key: str) -> int:
        """Delete what is recorded of a schedule; return how many candidates that were."""
        bound = {"schedule": schedule_digest(access_key)}
        return await self._backend.change(self._delete, bound)

    def _check_file(self) -> None:
        file = self._backend.file
        if file is None:
            return
        if os.path.lexists(file) and belongs_to_another(file):
            raise JournalError(f"{file}: belongs to another user")
        self._backend.make_file()

    def _opened(self) -> str:
        if self._schedule is None:
            raise JournalError("the journal is not open; pass it to a bulk run")
        return self._schedule

    async def _commit(self, rows: list[dict[str, str | bool]]) -> None:
        if rows:
            # In the same order for all, so that two runs never wait for each other.
            await self._backend.change(self._insert, sorted(rows, key=itemgetter(KEY)))
