"""What PostgreSQL makes of the statements: tables grow faster than its statistics."""

from __future__ import annotations

import pytest
from handed_in import KEY, some, taken
from sqlalchemy import event

from mettl_async.jobs.job_statements import JobStatements
from mettl_async.jobs.statements import ChunkStatements, tune

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

BOUND = {
    "the_job": 7,
    "start": 2000,
    "stop": 3000,
    "after": 2000,
    "most": 500,
    "why": "",
    "code": "",
    "reason": "",
    "batch": '[["6001", "new", "{}"]]',
}
CHUNKS, JOBS = ChunkStatements.of("postgresql"), JobStatements.of("postgresql")
SHOWN = [
    f"current_setting('{name}')"
    for name in ("plan_cache_mode", "jit", "idle_in_transaction_session_timeout")
]
TUNED = ("force_custom_plan", "off", "15s")


async def plan_of(connection, statement):
    seen = []

    def see(_, __, text, bound, *___):
        seen.append((text, bound))

    event.listen(connection.sync_connection, "before_cursor_execute", see)
    await connection.execute(statement, BOUND)
    event.remove(connection.sync_connection, "before_cursor_execute", see)
    ((text, bound),) = seen
    return "\n".join((await connection.exec_driver_sql(f"explain {text}", bound)).scalars())


async def test_no_statement_reads_a_whole_table_though_statistics_are_old(jobs):
    statements = [
        *(CHUNKS.left, CHUNKS.count_left, CHUNKS.fill, CHUNKS.count),
        *(JOBS.add_people, JOBS.reject_repeated, JOBS.find_people, JOBS.outcomes, JOBS.chunks),
        *(JOBS.forget_people, JOBS.forget_outcomes),
    ]
    async with jobs._engine.connect() as connection:  # nothing is committed
        await connection.exec_driver_sql("analyze mettl_job_people, mettl_job_outcomes")
        await connection.exec_driver_sql(
            "insert into mettl_job_people select 7, n, 'd' || n, '[]' from generate_series(0, 6000) as s(n)"
        )
        await connection.exec_driver_sql(
            "insert into mettl_job_chunks (job, chunk, first, size, attempt, tries, not_before, done,"
            " registered, rejected, failed, unknown, changed_at)"
            " select 7, n, 1000 * n, 1000, 0, 0, 0, false, 0, 0, 0, 0, 0 from generate_series(0, 5) as s(n)"
        )
        await connection.exec_driver_sql(
            "insert into mettl_job_outcomes select 7, n, 'registered', '', '', '' from generate_series(0, 6000) as s(n)"
        )
        plans = [await plan_of(connection, one) for one in statements]
    plans = [plan.replace("Seq Scan on mettl_job_chunks", "") for plan in plans]  # it is small
    wrong = ("Seq Scan", "Join", "Nested Loop", "Hash", "Materialize")
    assert not [plan for plan in plans if any(one in plan for one in wrong)]


async def shown(connection):
    return tuple((await connection.exec_driver_sql(f"select {', '.join(SHOWN)}")).one())


async def test_settings_hold_for_one_transaction_only(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    lease, _ = await taken(jobs)
    grown = {"the_job": lease.job, "seen": 1, "new_total": 2}
    async with jobs._engine.connect() as connection:
        usual = await shown(connection)
        await connection.rollback()
        await connection.exec_driver_sql("update mettl_jobs set state = 'submitting'")
        for statement, bound in (
            (CHUNKS.fence, lease.bound()),
            (JOBS.grow, grown),
            (tune("postgresql"), {}),
        ):
            assert await shown(connection) == usual
            await connection.execute(statement, bound)
            assert await shown(connection) == TUNED
            await connection.commit()
    assert usual != TUNED
