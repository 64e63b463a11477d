"""The one rule that hands out all work: an undone chunk that nobody has, and nobody will get, is handed out.

It is the same for a chunk that is new, whose worker died at any instant or was frozen, whose run raised, or
whose leader died between writing and enqueuing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from mettl_async.jobs.engine import Known, Ticket
from mettl_async.jobs.statements import now_of
from mettl_async.jobs.tables import chunks, jobs
from mettl_async.sql_backend import sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Undone", "hand_out", "is_live", "open_chunks", "orphans"]

_LONGEST_PAUSE: Final = 3600.0  # seconds; those of `Pace` are shorter


@frozen
class Undone:
    """A chunk that is not done and may be run now."""

    account: str
    ticket: Ticket


def is_live(known: Known | None, alive: Collection[str], version: str) -> bool:
    """Return whether a ticket needs no other: it waits where somebody takes it, or is with somebody alive.

    Args:
        known: What the engine knows of it, if anything.
        alive: Ids of the workers whose leases have not ended.
        version: Of the engine of this process; whoever has another one takes nothing that waits for it.
    """
    if known is None:
        return False
    if known.executor is None:
        return known.version == version
    return known.executor in alive


def to_hand_out(
    undone: Sequence[Undone], known: Mapping[Ticket, Known], alive: Collection[str], version: str
) -> list[Undone]:
    """Return the chunks whose tickets are not live, in their order."""
    return [one for one in undone if not is_live(known.get(one.ticket), alive, version)]


def orphans(
    taken: Collection[Ticket], running: Collection[Ticket], before: Collection[Ticket]
) -> tuple[frozenset[Ticket], frozenset[Ticket]]:
    """Find what the engine believes to be with this worker, which does not run it.

    A database that went away in the wrong moment leaves such tickets, and they would be live for ever.

    Returns:
        Those that were so the last time, too, and all: for the next time. A ticket that has just been
        given is not yet running.
    """
    now = frozenset(taken) - frozenset(running)
    return now & frozenset(before), now


async def open_chunks(connection: AsyncConnection, window: int) -> list[Undone]:
    """Read the chunks that may be run now, at most so many of each account.

    The jobs of an account take turns, so that a small one need not wait for a big one.
    """
    rows = await connection.execute(_open_chunks(connection.dialect.name), {"most_of_each": window})
    return [Undone(row.account, Ticket(row.job, row.chunk, row.attempt)) for row in rows]


async def hand_out(connection: AsyncConnection, found: Sequence[Undone]) -> dict[str, list[Ticket]]:
    """Take chunks from whoever had them, and return their next tickets by account.

    A chunk that somebody else has handed out, ended or put off since it was read is left out.
    """
    statement = _next_attempt(connection.dialect.name)
    tickets = defaultdict(list)
    # In the same order by everybody, so that nobody waits for each other.
    for one in sorted(found, key=lambda one: one.ticket):
        ticket = one.ticket
        bound = {"the_job": ticket.job, "the_chunk": ticket.chunk, "seen": ticket.attempt}
        if (await connection.execute(statement, bound)).rowcount == 1:
            following = Ticket(ticket.job, ticket.chunk, ticket.attempt + 1)
            tickets[one.account].append(following)
    return tickets


@cache
def _open_chunks(dialect: str) -> sa.Select[Any]:
    row, job = chunks.c, jobs.c
    turn = sa.func.row_number().over(partition_by=row.job, order_by=row.chunk)
    ready = (
        sa.select(job.account, row.job, row.chunk, row.attempt, turn.label("turn"))
        .join_from(chunks, jobs, job.number == row.job)
        .where(job.state == "ready", sa.not_(row.done), _may_run(now_of(dialect)))
        .subquery()
    )
    place = sa.func.row_number().over(
        partition_by=ready.c.account, order_by=[ready.c.turn, ready.c.job]
    )
    ranked = sa.select(ready, place.label("place")).subquery()
    return (
        sa.select(ranked.c.account, ranked.c.job, ranked.c.chunk, ranked.c.attempt)
        .where(ranked.c.place <= sa.bindparam("most_of_each", type_=sa.Integer))
        .order_by(ranked.c.place, ranked.c.account)
    )


def _may_run(now: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    # No pause is that long: the database's clock was set back.
    return (chunks.c.not_before <= now) | (chunks.c.not_before > now + _LONGEST_PAUSE)


@cache
def _next_attempt(dialect: str) -> sa.Update:
    row, now = chunks.c, now_of(dialect)
    return (
        sa.update(chunks)
        .where(
            row.job == sa.bindparam("the_job"),
            row.chunk == sa.bindparam("the_chunk"),
            row.attempt == sa.bindparam("seen"),
            sa.not_(row.done),
            _may_run(now),
        )
        .values(attempt=row.attempt + 1, owner=None, changed_at=now)
    )
