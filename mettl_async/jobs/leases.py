"""Leases: who is alive, who leads, who submits; for a time, by the clock of the database.

A lock that a database drops with its session would tell less: a process that is frozen keeps its session,
and behind PgBouncer nobody has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mettl_async.jobs.tables import leases
from mettl_async.sql_backend import INSERTS, NOW, sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["LEADER", "LONGEST", "WORKER", "alive", "drop", "forget_ended", "is_free", "take"]

LEADER: Final = "leader"
"""Name of the lease of the worker that hands out chunks."""
WORKER: Final = "worker:"
"""What the names of leases of workers begin with; the id of the worker follows."""

LONGEST: Final = 3600.0
"""Seconds that a lease lasts at most."""

_BEYOND: Final = 1.1 * LONGEST
"""Seconds; a lease that has longer left was taken before the database's clock was set back."""

_KEPT: Final = 3600.0  # seconds after its end


async def take(connection: AsyncConnection, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, or renew it; return whether the holder has it now.

    Args:
        connection: In a transaction.
        name: Of the lease.
        holder: Who wants it. Nobody else has it before it ends.
        seconds: How long it lasts from now.
    """
    now = _now(connection)
    insert = INSERTS[connection.dialect.name](leases)
    until = now + sa.bindparam("seconds", type_=sa.Double)
    statement = insert.values(
        name=sa.bindparam("lease"), holder=sa.bindparam("who"), until=until
    ).on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={"holder": insert.excluded.holder, "until": insert.excluded.until},
        where=sa.or_(leases.c.holder == insert.excluded.holder, sa.not_(_lasts(now))),
    )
    bound = {"lease": name, "who": holder, "seconds": seconds}
    # Not rowcount, which psycopg does not tell of an insert.
    return (await connection.execute(statement.returning(leases.c.name), bound)).first() is not None


async def is_free(connection: AsyncConnection, name: str) -> bool:
    """Return whether nobody has a lease, without a lock."""
    statement = sa.select(leases.c.name).where(leases.c.name == name, _lasts(_now(connection)))
    return (await connection.execute(statement)).first() is None


async def drop(connection: AsyncConnection, name: str, holder: str) -> None:
    """End a lease before its time, if the holder still has it."""
    await connection.execute(
        sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder)
    )


async def alive(connection: AsyncConnection, prefix: str) -> frozenset[str]:
    """Return the holders of leases that have not ended and whose names begin so."""
    statement = sa.select(leases.c.holder).where(
        leases.c.name.startswith(prefix, autoescape=True), _lasts(_now(connection))
    )
    return frozenset((await connection.execute(statement)).scalars())


async def forget_ended(connection: AsyncConnection) -> None:
    """Delete leases that ended an hour ago: whoever had them is not coming back."""
    await connection.execute(sa.delete(leases).where(leases.c.until < _now(connection) - _KEPT))


def _lasts(now: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return (leases.c.until > now) & (leases.c.until <= now + _BEYOND)


def _now(connection: AsyncConnection) -> sa.ColumnElement[Any]:
    return sa.literal_column(NOW[connection.dialect.name], sa.Double)
