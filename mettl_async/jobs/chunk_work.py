"""What a worker does to the chunk that it runs: take it, read its people, end it or give it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from anyio.lowlevel import checkpoint
from attrs import field, frozen

from mettl_async.bulk.journal_table import storable
from mettl_async.jobs.chunk_journal import ChunkLease, hold
from mettl_async.jobs.person import from_text
from mettl_async.jobs.statements import KINDS, ChunkStatements, close_jobs
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.models import Candidate
    from mettl_async.sql_backend import Backend, sa

_AT_ONCE: Final = 100  # people whose rows are read while nothing else runs


@frozen(kw_only=True)
class ClaimedChunk:
    """A chunk that a worker has taken, and its job.

    Attributes:
        first: Position of its first person in the job.
        size: People.
        tries: How often it ended with people left.
        kind: Of the job: ``register`` or ``pull``.
        account: Name of the account.
        spec: JSON; what the job is.
    """

    first: int
    size: int
    tries: int
    kind: str
    account: str
    spec: str = field(repr=False)


@frozen
class ChunkPeople:
    """Whom a run of a chunk has to register: all but those with a settled outcome.

    Attributes:
        candidates: In the order of the input, each email once.
        positions: Position in the job of each email, as `fold_email` folds it; for `ChunkJournal`.
    """

    candidates: list[Candidate] = field(repr=lambda people: f"<{len(people)}>")
    positions: Mapping[str, int] = field(repr=False)


async def claim(backend: Backend, lease: ChunkLease) -> ClaimedChunk | None:
    """Take a chunk; None if somebody has it, it is done, or its job is not to be worked on now."""
    statements = ChunkStatements.of(backend.dialect)

    async def work(connection: AsyncConnection) -> ClaimedChunk | None:
        job = (await connection.execute(statements.job, lease.bound())).one_or_none()
        if job is None or job.state != "ready":
            return None
        row = (await connection.execute(statements.claim, lease.bound())).one_or_none()
        if row is None:
            return None
        return ClaimedChunk(
            first=row.first, size=row.size, tries=row.tries, kind=job.kind, account=job.account, spec=job.spec
        )  # fmt: skip

    return await backend.run(work)


async def people_of(backend: Backend, lease: ChunkLease) -> ChunkPeople:
    """Read the people of a chunk who have no settled outcome, without those who repeat an email.

    It writes, too, so that nobody is asked for whose outcome could not be written.

    Raises:
        LeaseLostError: The chunk was handed out again, or forgotten.
    """
    statements = ChunkStatements.of(backend.dialect)

    async def work(connection: AsyncConnection) -> Sequence[sa.Row[Any]]:
        where = await hold(connection, statements, lease)
        bound = lease.bound(start=where.first, stop=where.first + where.size)
        rows: Sequence[sa.Row[Any]] = (await connection.execute(statements.left, bound)).all()
        return rows

    candidates: list[Candidate] = []
    positions: dict[str, int] = {}
    for row in await backend.run(work):
        candidate = from_text(row.person)
        candidates.append(candidate)
        positions[fold_email(candidate.email)] = row.position
        if not len(candidates) % _AT_ONCE:
            await checkpoint()
    return ChunkPeople(candidates, positions)


async def finish(
    backend: Backend, lease: ChunkLease, *, max_tries: int, pause: float, problem: str
) -> bool:
    """End a run of a chunk, in one transaction.

    If nobody is left without a settled outcome, or it was the last try, the chunk is done: its counts are
    written, whoever was in no request has failed with the code `NOT_SENT`, and the job is done if this was
    its last chunk. Otherwise it is tried again after the pause.

    Args:
        backend: Where.
        lease: What allows it.
        max_tries: How often a chunk is run at most.
        pause: Seconds until it may be run again.
        problem: Why people are left, for those who were in no request; nothing of a person may be in it.

    Returns:
        Whether the chunk is done.

    Raises:
        LeaseLostError: The chunk was handed out again; nothing was written.
    """
    statements = ChunkStatements.of(backend.dialect)

    async def work(connection: AsyncConnection) -> bool:
        row = await hold(connection, statements, lease)
        bound = lease.bound(start=row.first, stop=row.first + row.size)
        left = (await connection.execute(statements.count_left, bound)).scalar_one()
        tried = row.tries + bool(left)
        if left and tried < max_tries:
            await connection.execute(statements.put_off, lease.bound(now_tried=tried, pause=pause))
            return False
        await connection.execute(statements.fill, {**bound, "why": storable(problem)})
        rows = await connection.execute(statements.count, bound)
        counted = {status: count for status, count in rows}  # noqa: C416 - rows are no pairs to mypy
        counts = {f"now_{kind}": counted.get(kind, 0) for kind in KINDS}
        await connection.execute(statements.end, lease.bound(now_tried=tried, **counts))
        return True

    done = await backend.run(work)
    if done:
        await backend.change(close_jobs(backend.dialect), {})
    return done


async def give_back(backend: Backend, lease: ChunkLease, *, pause: float = 0.0) -> None:
    """Let another worker run the chunk, after some seconds; its tries stay as they are.

    Raises:
        LeaseLostError: The chunk was handed out again; nothing was written.
    """
    statements = ChunkStatements.of(backend.dialect)

    async def work(connection: AsyncConnection) -> None:
        row = await hold(connection, statements, lease)
        await connection.execute(statements.put_off, lease.bound(now_tried=row.tries, pause=pause))

    await backend.run(work)
