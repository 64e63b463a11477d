"""A table whose rows are claimed: the mark that an event was handled, committed with writes of the user's."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection as SqlAsyncConnection

from mettl_async.codec import dumps
from mettl_async.errors import ClaimLostError, ConfigurationError
from mettl_async.sql_backend import NOW, Backend, lacks_table, sa
from mettl_async.sql_batches import Batches, rows_of_json
from mettl_async.webhooks.seen_events import Claim, key_digest

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class SqlClaims:
    """What `SqlSeenEvents` and `SqlEventInbox` have in common: rows of events, and claims of them.

    Attributes:
        table: The `sqlalchemy.Table`, in a metadata of its own; for migrations, copy it with
            ``.table.to_metadata(yours)`` instead of calling `create_table`.
    """

    table: sa.Table

    def __init__(
        self,
        engine: AsyncEngine,
        table: sa.Table,
        *,
        cleared: Sequence[str] = (),
        digest: Callable[[str], str] = key_digest,
    ) -> None:
        self._backend = Backend(engine, table.name, shared=True)
        self._engine = engine
        self.table = table
        self._marks = ClaimStatements.of(table, self._backend.dialect, cleared, digest)
        # By `mark`: only its caller can commit that. Weakly: a handler that failed is never completed.
        self._marked: weakref.WeakSet[Claim] = weakref.WeakSet()
        self._completing = Batches(
            backend=self._backend, work=self._complete_all, key=lambda claim: claim.key
        )

    async def create_table(self) -> None:
        """Create the table unless it exists; any number of processes may do so at once.

        The file of a SQLite is set to write ahead (WAL), unless its file system cannot.

        Example::

            await inbox.create_table()
        """
        await self._backend.create(self.table)

    async def complete(self, claim: Claim) -> bool:
        """Mark the event as handled; see `SeenEvents`.

        True again for what `transaction` or `mark` has completed, so the receiver may do both.

        Raises:
            ConfigurationError: `mark` was called here with this claim, and its transaction was not committed.
            sqlalchemy.exc.DBAPIError: The database stayed locked or refused.
        """
        if claim in self._marked:
            return await self._was_committed(claim)
        return await self._completing.add(claim)

    @asynccontextmanager
    async def transaction(self, claim: Claim) -> AsyncIterator[AsyncConnection]:
        """Write the handler's own rows and the mark that the event was handled in one transaction.

        On leaving the block both are committed. Neither is when the block raises, when the process
        dies, or when the event was claimed again meanwhile. So what the handler writes by this
        connection happens exactly once, however often the event comes. What it does elsewhere (mail,
        calls) is not part of the transaction.

        Example::

            async def graded(event: TestGraded, claim: Claim) -> None:
                async with inbox.transaction(claim) as connection:
                    await connection.execute(scores.insert().values(marks=event.marks_scored))


            await graded(event, claim)  # the receiver or worker does this

        The receiver passes the claim to a handler with a second parameter, calls that one last, and its
        own `complete` afterwards finds the event done.

        Do not commit the connection yourself, and do slow things before: on SQLite the transaction
        holds the write lock from its beginning (so that it can't fail for having read first);
        all other claims wait, and so would a write by another connection within the block. On
        PostgreSQL only the mark at the end locks others out.

        A statement of your own that a cancellation cuts off, such as one that still runs at the end of
        ``handler_timeout``, may leave a SQLite locked: SQLAlchemy gives its connection up, and
        aiosqlite does not close it [seen with 2.1.9 and 0.22.1]. Keep them short there.

        Raises:
            ClaimLostError: The event was claimed again after the lease was over, or it is done already.
            ConfigurationError: The engine commits each statement at once (``AUTOCOMMIT``), so that
                nothing could be undone.
            sqlalchemy.exc.DBAPIError: The database stayed locked or refused.
        """
        async with self._backend.turn(), self._engine.begin() as connection:
            if self._backend.dialect == "sqlite":
                hold = self._marks.hold
                await self._backend.retried(
                    lambda: self._backend.uncut(self._mine(connection, hold, claim))
                )
            if await _commits_each_statement(connection):
                raise ConfigurationError(
                    "engine: commits each statement; give one without AUTOCOMMIT"
                )
            yield connection
            await self._backend.uncut(self._mine(connection, self._marks.mark, claim))

    async def mark(self, claim: Claim, by: Any) -> None:
        """Write the mark in a transaction that you have opened; it counts when you commit.

        Write your own rows by the same session or connection, and the mark last: from there to the commit
        others wait. It must be one of the database that has this table. See `transaction` for what is promised.

        Commit before the handler returns. Without a commit nothing was written, neither your rows nor the mark.
        The receiver or the worker that calls the handler finds that out afterwards, if it has the same store
        as its own: the handler has failed then, and the event comes again.

        Example::

            async with AsyncSession(engine) as session, session.begin():
                await session.execute(scores.insert().values(marks=event.marks_scored))
                await inbox.mark(claim, session)

        Args:
            claim: What the handler was given.
            by: An ``AsyncSession`` or ``AsyncConnection`` of SQLAlchemy; a connection of asyncpg, within
                its ``transaction()``; an ``AsyncConnection`` of psycopg.

        Raises:
            ClaimLostError: The event was claimed again, or it is done: roll back.
            ConfigurationError: It is none of these, it has no transaction open, or its database has no such table.
        """
        with self._explained():
            changed = await self._mark(claim, by)
        _check_mine(changed)
        self._marked.add(claim)

    async def _mark(self, claim: Claim, by: Any) -> int:
        if hasattr(by, "get_bind") or isinstance(by, SqlAsyncConnection):
            marked: sa.CursorResult[Any] = await by.execute(
                self._marks.mark, self._marks.bound(claim)
            )
            return marked.rowcount
        if hasattr(by, "fetchval"):
            if not by.is_in_transaction():
                raise ConfigurationError("by: has no transaction open; use its transaction()")
            text, values = self._marks.text("numeric_dollar", claim)
            return int((await by.execute(text, *values)).rpartition(" ")[2])
        if hasattr(by, "pipeline"):
            if by.autocommit and by.info.transaction_status.name == "IDLE":
                raise ConfigurationError("by: has no transaction open; use its transaction()")
            text, values = self._marks.text("format", claim)
            return int((await by.execute(text, values)).rowcount)
        raise ConfigurationError(
            "by: is neither of SQLAlchemy's asyncio nor of asyncpg or psycopg; sync code calls mark_sync"
        )

    def mark_sync(self, claim: Claim, by: Any) -> None:
        """Write the mark in a transaction of sync code, such as Django's ``transaction.atomic()``; see `mark`.

        Example::

            def graded(event: TestGraded, claim: Claim) -> None:
                with Session(sync_engine) as session, session.begin():
                    session.execute(scores.insert().values(marks=event.marks_scored))
                    inbox.mark_sync(claim, session)


            await asyncio.to_thread(graded, event, claim)

        Args:
            claim: What the handler was given.
            by: Django's ``connection`` (``connections["other"]``), or a ``Session`` or ``Connection`` of
                SQLAlchemy.

        Raises:
            ClaimLostError: The event was claimed again, or it is done: roll back.
            ConfigurationError: It is none of these, it has no transaction open, or its database has no such table.
        """
        with self._explained():
            changed = self._mark_sync(claim, by)
        _check_mine(changed)
        self._marked.add(claim)

    def _mark_sync(self, claim: Claim, by: Any) -> int:
        if isinstance(by, sa.Connection) or hasattr(by, "get_bind"):
            marked: sa.CursorResult[Any] = by.execute(self._marks.mark, self._marks.bound(claim))
            return marked.rowcount
        if hasattr(by, "in_atomic_block"):
            if not by.in_atomic_block:
                raise ConfigurationError("by: has no transaction open; use transaction.atomic()")
            text, values = self._marks.text("format", claim)
            with by.cursor() as cursor:
                cursor.execute(text, values)
                return int(cursor.rowcount)
        raise ConfigurationError("by: is neither Django's connection nor SQLAlchemy's")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what to do where the database of a session of the user has no such table."""
        try:
            yield
        except Exception as error:
            if isinstance(error, sa.exc.StatementError):
                error.hide_parameters = True  # the token of a claim
            name = self.table.name
            # The driver's own error is in that of SQLAlchemy, and behind that of Django.
            causes = (error, getattr(error, "orig", None), error.__cause__)
            if not any(lacks_table(one, name) for one in causes):
                raise
            raise ConfigurationError(
                f"by: table {name} is not in its database; give a session of the database that has it, "
                "or call create_table()"
            ) from error

    async def _was_committed(self, claim: Claim) -> bool:
        async def work(connection: AsyncConnection) -> sa.Row[Any] | None:
            return (
                await connection.execute(self._marks.look, self._marks.bound(claim))
            ).one_or_none()

        row = await self._backend.run(work)
        if row is not None and not row[0]:
            raise ConfigurationError(
                "mark: its transaction was not committed when the handler returned, so nothing of it is kept; "
                "commit it, as by async with session.begin()"
            )
        return row is not None

    async def _complete_all(
        self, connection: AsyncConnection, claims: Sequence[Claim]
    ) -> Sequence[bool]:
        marked = await connection.execute(self._marks.complete, self._marks.batch(claims))
        digests = set(marked.scalars())
        return [self._marks.digest(claim.key) in digests for claim in claims]

    async def _mine(
        self, connection: AsyncConnection, statement: sa.UpdateBase, claim: Claim
    ) -> None:
        _check_mine((await connection.execute(statement, self._marks.bound(claim))).rowcount)


@frozen
class ClaimStatements:
    """Statements about a claim, for any table with key_digest, token and done_at.

    Attributes:
        hold: Takes the write lock of a SQLite, if the claim holds.
        mark: Marks the event as handled, if the claim holds.
        look: Tells whether the event is done; no row, if the claim does not hold.
        complete: Marks those of a batch; gives the digests of those that are marked now or were before.
        dialect: Of the database.
        digest: Makes what the table has of a claim's key.
    """

    hold: sa.Update
    mark: sa.Update
    look: sa.Executable
    complete: sa.Executable
    dialect: str
    digest: Callable[[str], str]

    @classmethod
    def of(
        cls,
        table: sa.Table,
        dialect: str,
        cleared: Sequence[str],
        digest: Callable[[str], str],
    ) -> ClaimStatements:
        """Make them; ``cleared`` are columns that become null with the mark."""
        row = table.c
        done = {
            "done_at": sa.literal_column(NOW[dialect], sa.Double),
            **dict.fromkeys(cleared, sa.null()),
        }
        of_claim = (row.key_digest == sa.bindparam("digest")) & (
            row.token == sa.bindparam("claim_token")
        )
        open_ = row.done_at.is_(None)
        rows, columns = rows_of_json(dialect, "batch", 2)
        in_batch = sa.tuple_(row.key_digest, row.token).in_(sa.select(*columns).select_from(rows))
        return cls(
            hold=sa.update(table).where(of_claim, open_).values(token=row.token),
            mark=sa.update(table).where(of_claim, open_).values(done),
            look=sa.select(row.done_at.is_not(None)).where(of_claim),
            complete=sa.update(table).where(in_batch).values(done).returning(row.key_digest),
            dialect=dialect,
            digest=digest,
        )

    def text(self, style: Any, claim: Claim) -> tuple[str, list[str]]:
        """Give `mark` as text for a driver, and its parameters in their order."""
        module = postgresql if self.dialect == "postgresql" else sqlite
        compiled = self.mark.compile(dialect=module.dialect(paramstyle=style))
        values = self.bound(claim)
        return str(compiled), [values[name] for name in compiled.positiontup or ()]

    def bound(self, claim: Claim) -> dict[str, str]:
        """Give the parameters of a statement about one claim."""
        return {"digest": self.digest(claim.key), "claim_token": claim.token}

    def batch(self, claims: Sequence[Claim]) -> dict[str, str]:
        """Give the parameter of a statement about many, in the order in which all lock rows."""
        return {"batch": dumps(sorted([self.digest(one.key), one.token] for one in claims))}


def _check_mine(changed: int) -> None:
    if changed != 1:
        raise ClaimLostError("the event was claimed again, or it is done already")


async def _commits_each_statement(connection: AsyncConnection) -> bool:
    raw: Any = await connection.get_raw_connection()
    if connection.dialect.name == "sqlite":
        return not raw.driver_connection.in_transaction
    return bool(getattr(raw.dbapi_connection, "autocommit", False))
