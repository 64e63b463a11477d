"""A journal in SQLite or PostgreSQL, for services that have no disk of their own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

from mettl_async.bulk.journal_record import JournalRecord, schedule_digest
from mettl_async.bulk.outcomes import JournalError
from mettl_async.sql_backend import INSERTS, Backend, sa

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_T = TypeVar("_T")


class SqlJournal:
    """A journal in one table of SQLite or PostgreSQL, for any number of schedules.

    A batch is recorded in one transaction, committed before its outcomes are yielded, so what a run has
    told of is found again as surely as the database keeps what was committed. Several processes may
    work on one schedule at once, each on its part of the input; one object serves one run at a time.

    What is stored: SHA-256 of the access key and, with it, of the email; the link, with which the
    candidate can take the test; and the server's words about those without one, which name them.
    `forget` deletes all of a schedule. What SQLAlchemy raises does not show parameters; its log does,
    unless the engine is made with ``hide_parameters=True``.

    A statement that finds the database locked (SQLite) or was undone by it (PostgreSQL) is tried again for
    five seconds, with growing random pauses.

    ::

        engine = create_async_engine("postgresql+asyncpg://...", hide_parameters=True)
        journal = SqlJournal(engine)
        await journal.create_table()
        report = await mettl.candidates.register_many(key, people, journal=journal)

    Shapes: ``engine`` stays yours and is never closed here; it may be that of `SqlSeenEvents`. asyncio
    only, as is SQLAlchemy. For SQLite a file.

    Attributes:
        table: The `sqlalchemy.Table`, in a metadata of its own; for migrations, take it over with
            ``journal.table.to_metadata(yours)`` instead of calling `create_table`.

    Raises:
        ConfigurationError: Another database, a SQLite in memory, or a blank table name.
    """

    def __init__(self, engine: AsyncEngine, *, table: str = "mettl_journal") -> None:
        self._backend = Backend(engine, table)
        self.table = sa.Table(
            table,
            sa.MetaData(),
            sa.Column("schedule", sa.String(64), primary_key=True),
            sa.Column("email_digest", sa.String(64), primary_key=True),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("url", sa.Text, nullable=True),
            sa.Column("reason", sa.Text, nullable=False),
            sqlite_with_rowid=False,
        )
        self._engine = engine
        self._schedule: str | None = None
        row = self.table.c
        insert = INSERTS[engine.dialect.name](self.table)
        self._insert: sa.Insert = insert.on_conflict_do_update(
            index_elements=[row.schedule, row.email_digest],
            set_={name: insert.excluded[name] for name in ("status", "url", "reason")},
        )
        self._select = sa.select(row.email_digest, row.status, row.url, row.reason).where(
            row.schedule == sa.bindparam("schedule"),
            row.email_digest.in_(sa.bindparam("digests", expanding=True)),
        )
        self._delete = sa.delete(self.table).where(row.schedule == sa.bindparam("schedule"))

    async def create_table(self) -> None:
        """Make the table unless it is there; any number of processes may do so at once."""
        await self._backend.create(self._engine, self.table)

    async def open(self, schedule: str) -> None:
        """See `Journal`."""
        if self._schedule is not None:
            raise JournalError("the journal is in use by another run; make one for each")
        self._schedule = schedule

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """See `Journal`."""
        schedule = self._opened()
        by_digest = {_digest(schedule, email): email for email in emails}

        async def read(connection: AsyncConnection) -> Sequence[sa.RowMapping]:
            bound = {"schedule": schedule, "digests": list(by_digest)}
            return (await connection.execute(self._select, bound)).mappings().all()

        found: dict[str, JournalRecord] = {}
        for row in await self._alone(read) if by_digest else ():
            email = by_digest[row["email_digest"]]
            found[email] = JournalRecord(
                email=email, status=row["status"], url=row["url"], reason=row["reason"]
            )
        return found

    async def record(self, settled: Sequence[JournalRecord]) -> None:
        """See `Journal`."""
        schedule = self._opened()
        rows = {
            (digest := _digest(schedule, one.email)): {
                "schedule": schedule,
                "email_digest": digest,
                "status": one.status,
                "url": one.url,
                "reason": one.reason.replace("\0", ""),  # which PostgreSQL has no place for
            }
            for one in settled
        }
        # In the same order for all, so that two runs never wait for each other.
        bound = [rows[digest] for digest in sorted(rows)]
        if bound:
            await self._change(self._insert, bound)

    async def close(self) -> None:
        """See `Journal`."""
        self._opened()
        self._schedule = None

    async def forget(self, access_key: str) -> int:
        """Delete what is recorded of a schedule; gives how many candidates that were."""
        bound = {"schedule": schedule_digest(access_key)}
        return await self._change(self._delete, bound)

    def _opened(self) -> str:
        if self._schedule is None:
            raise JournalError("the journal is not open; pass it to a bulk run")
        return self._schedule

    async def _change(self, statement: sa.Executable, bound: Any) -> int:
        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement, bound)).rowcount

        return await self._alone(run)

    async def _alone(self, run: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        return await self._backend.run(self._engine, run)


def _digest(schedule: str, email: str) -> str:
    return hashlib.sha256(f"{schedule} {email}".encode("utf-8", "surrogatepass")).hexdigest()
