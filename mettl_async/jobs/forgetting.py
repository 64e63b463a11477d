"""Deleting all of a job, a part at a time: others wait for each transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from mettl_async.jobs.job_statements import JobStatements
from mettl_async.jobs.pull_spec import one_task
from mettl_async.jobs.submitting import lease_name
from mettl_async.jobs.values import JobRow, JobState, job_row

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.sql_backend import Backend

_AT_ONCE: Final = 2_000
_ALL: Final = [str(one) for one in JobState]


async def forget(backend: Backend, job_id: str) -> int:
    """Delete a job; return how many people that were."""
    statements = JobStatements.of(backend.dialect)

    async def stop(connection: AsyncConnection) -> JobRow | None:
        """Keep workers and a submission from writing, from now on."""
        bound = {"states": _ALL, "new_state": "cancelled", "ends": True, "the_id": job_id}
        await connection.execute(statements.set_state, bound)
        row = (await connection.execute(statements.find, {"the_id": job_id})).one_or_none()
        if row is not None:
            await connection.execute(statements.forget_chunks, {"the_job": row.number})
        return None if row is None else job_row(row)

    job = await backend.run(stop)
    if job is None:
        return 0
    number, gone = job.number, 0

    async def part(start: int, connection: AsyncConnection) -> int:
        bound = {"the_job": number, "start": start, "stop": start + _AT_ONCE}
        await connection.execute(statements.forget_outcomes, bound)
        return (await connection.execute(statements.forget_people, bound)).rowcount

    async def end(connection: AsyncConnection) -> None:
        lease = {"the_lease": lease_name(job.job)}
        await connection.execute(statements.forget_lease, lease)
        await connection.execute(statements.forget_pulled, {"the_task": one_task(job_id)})
        await connection.execute(statements.forget_job, {"the_job": number})

    for start in range(0, job.job.total, _AT_ONCE):
        gone += await backend.run(partial(part, start))
    await backend.run(end)
    return gone
