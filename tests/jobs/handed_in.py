"""People to hand in, and what stands in the tables."""

from __future__ import annotations

from mettl_async import Candidate
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.jobs.chunk_journal import ChunkJournal, ChunkLease
from mettl_async.jobs.chunk_work import claim, people_of
from mettl_async.jobs.tables import chunks
from mettl_async.sql_backend import sa

KEY = "a1b2c3d4e5"


def person(number, **given):
    return Candidate(**{"email": f"c{number}@example.org", "first_name": f"N{number}", **given})


def some(count, start=0):
    return [person(number) for number in range(start, start + count)]


async def rows_of(jobs, table):
    async with jobs._engine.connect() as connection:
        return [*(await connection.execute(sa.select(table).order_by(*table.primary_key)))]


async def handed_out(jobs, chunk=0, attempt=1):
    """What the leader does before a worker can take a chunk."""
    row = chunks.c
    async with jobs._engine.begin() as connection:
        await connection.execute(
            sa.update(chunks).where(row.chunk == chunk).values(attempt=attempt, owner=None)
        )
        found = await connection.execute(sa.select(row.job).where(row.chunk == chunk))
        return found.scalars().first()


async def taken(jobs, chunk=0, attempt=1, owner="w1"):
    """A lease of a chunk that a worker has claimed, and its journal."""
    lease = ChunkLease(await handed_out(jobs, chunk, attempt), chunk, attempt, owner)
    assert await claim(jobs._backend, lease) is not None
    people = await people_of(jobs._backend, lease)
    return lease, ChunkJournal(jobs._backend, lease, people.positions)


def registered(number):
    return JournalRecord(
        email=f"c{number}@example.org",
        status="registered",
        url=f"https://mettl.example/{number}",
        code="ToBeTaken",
        final=True,
    )


def without_link(number, status="rejected", code="E400", reason="no"):
    email = f"c{number}@example.org"
    return JournalRecord(email=email, status=status, code=code, reason=reason, final=False)


async def collected(jobs, job_id):
    return [one async for one in jobs.outcomes(job_id)]
