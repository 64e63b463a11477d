"""A store of the events that were handled in SQLite or PostgreSQL, for many processes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio

from mettl_async.errors import ClaimLostError, ConfigurationError
from mettl_async.sql_backend import INSERTS, RETRY_SECONDS, Backend, sa
from mettl_async.webhooks.seen_events import DAY, LEASE, Claim, Refused, check_positive, key_digest

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

REMEMBER = 90 * DAY
"""Seconds. A row is some 150 bytes, so a season of events costs less than handling one twice."""

_TRIES_AT_A_VANISHING_ROW = 10

# Both are read anew for each statement. PostgreSQL's now() would be the time when the transaction
# began: before it waited for another's lock.
_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "cast(extract(epoch from clock_timestamp()) as double precision)",
}


class SqlSeenEvents:
    """A store in one table of SQLite or PostgreSQL, shared by any number of processes.

    Each step is one statement that decides and writes at once, so that of any number of
    claims for one event, from any number of processes, one succeeds, at any isolation level. The claim of
    a process that died can be taken over when its lease is over; from then on its token is stale, so it can
    neither complete nor release.

    Times are read from the database's clock, never from that of a process: leases do not depend on
    how well the clocks of several machines agree. If the database's own clock jumps ahead, leases
    end early by as much; the tokens still keep two claims from completing the same event.

    A row has the SHA-256 of the key, a random token and two times. It has no personal data, for any
    ``identify``. Nothing is logged here; SQLAlchemy shows parameters in its own log and errors unless
    the engine is made with ``hide_parameters=True``.

    A statement that finds the database locked (SQLite) or was rolled back by it (PostgreSQL) is retried
    for five seconds, with growing random pauses; then SQLAlchemy's error is raised.

    A cancellation does not cut off any of these statements: it runs to its end (the caller waits for
    that, five seconds at most), and a claim that was granted to a cancelled caller is released.

    ::

        engine = create_async_engine("postgresql+asyncpg://...", hide_parameters=True)
        seen = SqlSeenEvents(engine)
        await seen.create_table()
        receiver = WebhookReceiver(auth=..., seen=seen)

    It runs on asyncio only, as does SQLAlchemy. ``PRAGMA journal_mode=WAL`` lets others read a SQLite
    while one writes, but nothing here needs it.

    Args:
        engine: An engine that stays yours, with its pool; it is never disposed of here.
        table: Name of the table.
        lease: Seconds that a claim holds, above 0.
        remember: Seconds after which `forget` deletes a handled event, above 0.

    Attributes:
        lease: Seconds that a claim holds.
        table: The `sqlalchemy.Table`, in a metadata of its own; for migrations, copy it with
            ``seen.table.to_metadata(yours)`` instead of calling `create_table`.

    Raises:
        ConfigurationError: Another database, a SQLite in memory (its one connection would mix
            everyone's transactions: use `MemorySeenEvents`), a blank table name, or a number that
            is not positive.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        table: str = "mettl_seen_events",
        lease: float = LEASE,
        remember: float = REMEMBER,
    ) -> None:
        self._backend = Backend(engine, table, autocommit=True)
        check_positive(lease=lease, remember=remember)
        self.table = sa.Table(
            table,
            sa.MetaData(),
            sa.Column("key_digest", sa.String(64), primary_key=True),
            sa.Column("token", sa.String(32), nullable=False),
            sa.Column("lease_until", sa.Double, nullable=False),  # seconds since 1970
            # No index: PostgreSQL updates a row in place only while no indexed column changes.
            sa.Column("done_at", sa.Double, nullable=True),
            sqlite_with_rowid=False,
        )
        self.lease = lease
        self._remember = remember
        self._engine = engine
        self._on_sqlite = self._backend.dialect == "sqlite"
        self._statements = _Statements(self.table, self._backend.dialect)

    async def create_table(self) -> None:
        """Create the table unless it exists; any number of processes may do so at once."""
        await self._backend.create(self.table)

    async def claim(self, key: str) -> Claim | Refused:
        """Claim an event; see `SeenEvents`.

        Raises:
            sqlalchemy.exc.DBAPIError: The database stayed locked or refused.
            OSError: The database can't be reached.
        """
        # Made once for all tries: if a response is lost, the next try finds its own claim.
        claim = Claim(key=key, token=secrets.token_hex(16))
        given_up = False

        async def run(connection: AsyncConnection) -> Claim | Refused | None:
            bound = {**_bound(claim), "lease": self.lease}
            if (await connection.execute(self._statements.claim, bound)).first() is not None:
                if given_up:  # granted after the release below
                    await connection.execute(self._statements.release, _bound(claim))
                return claim
            row = (await connection.execute(self._statements.look, bound)).first()
            if row is None:
                return None
            return Refused.BUSY if row.done_at is None else Refused.DONE

        try:
            for _ in range(_TRIES_AT_A_VANISHING_ROW):
                outcome = await self._backend.run(run)
                if outcome is not None:
                    return outcome
                # It was released between the two statements, so it can be claimed.
        except asyncio.CancelledError:
            given_up = True
            # The database may have granted it, and nobody would release it before the lease ends.
            # If that fails, the cancellation is still raised.
            with anyio.move_on_after(RETRY_SECONDS, shield=True), suppress(Exception):
                await self.release(claim)
            raise
        return Refused.BUSY

    async def complete(self, claim: Claim) -> bool:
        """Mark the event as handled; see `SeenEvents`.

        True again for what `transaction` has completed, so the receiver may do both.
        """
        return await self._backend.change(self._statements.complete, _bound(claim)) == 1

    async def release(self, claim: Claim) -> bool:
        """Release the event; see `SeenEvents`."""
        return await self._backend.change(self._statements.release, _bound(claim)) == 1

    @asynccontextmanager
    async def transaction(self, claim: Claim) -> AsyncIterator[AsyncConnection]:
        """Write the handler's own rows and the mark that the event was handled in one transaction.

        On leaving the block both are committed. Neither is when the block raises, when the process
        dies, or when the event was claimed again meanwhile. So what the handler writes by this
        connection happens exactly once, however often the event comes. What it does elsewhere (mail,
        calls) is not part of the transaction.

        ::

            @receiver.on(TestGraded)
            async def graded(event: TestGraded, claim: Claim) -> None:
                async with seen.transaction(claim) as connection:
                    await connection.execute(scores.insert().values(...))

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
        async with self._engine.begin() as connection:
            if self._on_sqlite:
                hold = self._statements.hold
                await self._backend.retried(
                    lambda: self._backend.uncut(self._mine(connection, hold, claim))
                )
            if await _commits_each_statement(connection):
                raise ConfigurationError(
                    "engine: commits each statement; give one without AUTOCOMMIT"
                )
            yield connection
            await self._backend.uncut(self._mine(connection, self._statements.mark, claim))

    async def forget(self, older_than: float | None = None) -> int:
        """Delete the events that were handled, or claimed and never completed, long ago.

        Call it now and then, such as daily. It reads the whole table. An event that comes again after it
        was deleted is handled again.

        Args:
            older_than: Seconds; ``remember`` if None. Leases that still run are kept even with 0.

        Returns:
            Number of events that were deleted.
        """
        age = self._remember if older_than is None else older_than
        if not age >= 0:
            raise ConfigurationError("older_than: must not be negative")

        return await self._backend.change(self._statements.forget, {"age": age})

    @staticmethod
    async def _mine(connection: AsyncConnection, statement: sa.UpdateBase, claim: Claim) -> None:
        if (await connection.execute(statement, _bound(claim))).rowcount != 1:
            raise ClaimLostError("the event was claimed again, or it is done already")


class _Statements:
    """All statements on the table, compiled once by SQLAlchemy's cache."""

    def __init__(self, table: sa.Table, dialect: str) -> None:
        seen = table.c
        now: sa.ColumnElement[float] = sa.literal_column(_NOW[dialect], sa.Double)
        lease_until = now + sa.bindparam("lease", type_=sa.Double)
        of_key = seen.key_digest == sa.bindparam("digest")
        of_claim = of_key & (seen.token == sa.bindparam("claim_token"))
        open_ = seen.done_at.is_(None)
        insert: Any = INSERTS[dialect](table)
        insert = insert.values(
            key_digest=sa.bindparam("digest"),
            token=sa.bindparam("claim_token"),
            lease_until=lease_until,
        )
        over_or_own = (seen.lease_until <= now) | (seen.token == insert.excluded.token)
        self.claim: sa.Insert = insert.on_conflict_do_update(
            index_elements=[seen.key_digest],
            set_={"token": insert.excluded.token, "lease_until": lease_until},
            where=open_ & over_or_own,
        ).returning(seen.key_digest)
        self.look = sa.select(seen.done_at).where(of_key)
        self.hold = sa.update(table).where(of_claim, open_).values(token=seen.token)
        self.mark = sa.update(table).where(of_claim, open_).values(done_at=now)
        self.complete = sa.update(table).where(of_claim).values(done_at=now)
        self.release = sa.delete(table).where(of_claim, open_)
        long_ago = now - sa.bindparam("age", type_=sa.Double)
        self.forget = sa.delete(table).where(
            sa.func.coalesce(seen.done_at, seen.lease_until) <= long_ago
        )


def _bound(claim: Claim) -> dict[str, Any]:
    return {"digest": key_digest(claim.key), "claim_token": claim.token}


async def _commits_each_statement(connection: AsyncConnection) -> bool:
    raw: Any = await connection.get_raw_connection()
    if connection.dialect.name == "sqlite":
        return not raw.driver_connection.in_transaction
    return bool(getattr(raw.dbapi_connection, "autocommit", False))
