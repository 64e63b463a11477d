"""A store of the events that were handled in SQLite or PostgreSQL, for many processes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define

from mettl_async.errors import ConfigurationError
from mettl_async.sql_backend import INSERTS, NOW, RETRY_SECONDS, sa
from mettl_async.sql_batches import Batches, rows_of_json
from mettl_async.webhooks.seen_events import DAY, LEASE, Claim, Refused, check_positive, key_digest
from mettl_async.webhooks.sql_claims import SqlClaims

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

REMEMBER = 90 * DAY
"""Seconds. A row is some 150 bytes, so a season of events costs less than handling one twice."""

_TRIES_AT_A_VANISHING_ROW = 10


class SqlSeenEvents(SqlClaims):
    """A store in one table of SQLite or PostgreSQL, shared by any number of processes.

    Each step is one statement that decides and writes at once, so that of any number of
    claims for one event, from any number of processes, one succeeds, at any isolation level. What many
    deliveries ask for at the same time is one statement, too, and one commit. The claim of a process that died can be taken over when its lease is over; from then on its token is stale, so it can
    neither complete nor release.

    Times are read from the database's clock, never from that of a process: leases do not depend on
    how well the clocks of several machines agree. If the database's own clock jumps ahead, leases
    end early by as much; the tokens still keep two claims from completing the same event.

    It counts no tries and has no dead letters, as it has no events: what keeps failing is answered with 503
    each time. `SqlEventInbox` has both, with ``on_poison`` and ``mettl webhooks replay``.

    A row has the SHA-256 of the key, a random token and two times. It has no personal data, for any
    ``identify``. Nothing is logged here, and neither SQLAlchemy's log nor aiosqlite's shows a key. The
    values of your own statements they may show: make the engine with ``hide_parameters=True``,
    and leave the logger ``aiosqlite``, which knows no such option, above DEBUG.

    A statement that finds the database locked (SQLite) or was rolled back by it (PostgreSQL) is retried
    for five seconds, with growing random pauses; then SQLAlchemy's error is raised.

    A cancellation does not cut off any of these statements: it runs to its end (the caller waits for
    that, five seconds at most), and a claim that was granted to a cancelled caller is released.

    Example::

        engine = create_async_engine("sqlite+aiosqlite:///service.db", hide_parameters=True)
        seen = SqlSeenEvents(engine)
        await seen.create_table()
        receiver = WebhookReceiver(auth=None, seen=seen)
        await seen.forget()  # daily

    It runs on asyncio only, as does SQLAlchemy. The file of a SQLite is set to write ahead (WAL), and
    one connection of a process writes at a time. Behind PgBouncer make the engine with
    `pgbouncer_options`.

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
        ConfigurationError: Another database, a sync engine, a SQLite in memory (its one connection would mix
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
        check_positive(lease=lease, remember=remember)
        columns = (
            sa.Column("key_digest", sa.String(64), primary_key=True),
            sa.Column("token", sa.String(32), nullable=False),
            sa.Column("lease_until", sa.Double, nullable=False),  # seconds since 1970
            # No index: PostgreSQL updates a row in place only while no indexed column changes.
            sa.Column("done_at", sa.Double, nullable=True),
        )
        super().__init__(engine, sa.Table(table, sa.MetaData(), *columns, sqlite_with_rowid=False))
        self.lease = lease
        self._remember = remember
        self._statements = _Statements(self.table, self._backend.dialect)
        self._claiming = Batches(
            backend=self._backend, work=self._claim_all, key=lambda asked: asked.claim.key
        )

    async def claim(self, key: str) -> Claim | Refused:
        """Claim an event; see `SeenEvents`.

        Raises:
            sqlalchemy.exc.DBAPIError: The database stayed locked or refused.
            OSError: The database can't be reached.
        """
        # Made once for all tries: if a response is lost, the next try finds its own claim.
        asked = _Asked(Claim(key=key, token=secrets.token_hex(16)))
        try:
            for _ in range(_TRIES_AT_A_VANISHING_ROW):
                outcome = await self._claiming.add(asked)
                if outcome is not None:
                    return outcome
                # It was released between the two statements, so it can be claimed.
        except asyncio.CancelledError:
            asked.given_up = True
            # The database may have granted it, and nobody would release it before the lease ends.
            # If that fails, the cancellation is still raised.
            with anyio.move_on_after(RETRY_SECONDS, shield=True), suppress(Exception):
                await self.release(asked.claim)
            raise
        return Refused.BUSY

    async def release(self, claim: Claim) -> bool:
        """Release the event; see `SeenEvents`."""
        return await self._backend.change(self._statements.release, self._marks.bound(claim)) == 1

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

    async def _claim_all(
        self, connection: AsyncConnection, asked: Sequence[_Asked]
    ) -> Sequence[Claim | Refused | None]:
        parameters = {**self._marks.batch([one.claim for one in asked]), "lease": self.lease}
        had = set((await connection.execute(self._statements.claim, parameters)).scalars())
        done: dict[str, float | None] = {}
        if len(had) < len(asked):
            rows = await connection.execute(self._statements.look, parameters)
            done = {digest: done_at for digest, done_at in rows}  # noqa: C416 - rows are no pairs to mypy
        outcomes: list[Claim | Refused | None] = []
        for one in asked:
            digest = key_digest(one.claim.key)
            if digest in had:
                if one.given_up:  # granted after its release
                    await connection.execute(self._statements.release, self._marks.bound(one.claim))
                outcomes.append(one.claim)
            elif digest in done:
                outcomes.append(Refused.BUSY if done[digest] is None else Refused.DONE)
            else:
                outcomes.append(None)
        return outcomes


@define(eq=False)
class _Asked:
    """A claim that is asked for, and whether whoever asked has gone."""

    claim: Claim
    given_up: bool = False


class _Statements:
    """All statements on the table, compiled once by SQLAlchemy's cache."""

    def __init__(self, table: sa.Table, dialect: str) -> None:
        seen = table.c
        now: sa.ColumnElement[float] = sa.literal_column(NOW[dialect], sa.Double)
        lease_until = now + sa.bindparam("lease", type_=sa.Double)
        open_ = seen.done_at.is_(None)
        rows, (digest, token) = rows_of_json(dialect, "batch", 2)
        # Without a condition SQLite would read ON as that of a join.
        asked = sa.select(digest, token, lease_until).select_from(rows).where(sa.true())
        insert: Any = INSERTS[dialect](table)
        insert = insert.from_select(["key_digest", "token", "lease_until"], asked)
        over_or_own = (seen.lease_until <= now) | (seen.token == insert.excluded.token)
        self.claim: sa.Insert = insert.on_conflict_do_update(
            index_elements=[seen.key_digest],
            set_={"token": insert.excluded.token, "lease_until": lease_until},
            where=open_ & over_or_own,
        ).returning(seen.key_digest)
        in_batch = seen.key_digest.in_(sa.select(digest).select_from(rows))
        self.look = sa.select(seen.key_digest, seen.done_at).where(in_batch)
        of_claim = (seen.key_digest == sa.bindparam("digest")) & (
            seen.token == sa.bindparam("claim_token")
        )
        self.release = sa.delete(table).where(of_claim, open_)
        long_ago = now - sa.bindparam("age", type_=sa.Double)
        self.forget = sa.delete(table).where(
            sa.func.coalesce(seen.done_at, seen.lease_until) <= long_ago
        )
