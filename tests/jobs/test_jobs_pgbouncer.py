"""A worker behind PgBouncer in transaction mode, where each transaction may have another session."""

import pytest
from ready_databases import make_ready
from sqlalchemy import make_url
from worked import Worked

from mettl_async.jobs import tables


@pytest.mark.slow
async def test_a_job_is_done_behind_a_pooler(pgbouncer_port, jobs_postgres_url):
    pooled = make_url(jobs_postgres_url).set(port=pgbouncer_port, database="postgres")
    url = pooled.render_as_string(hide_password=False)
    await make_ready(url)
    worked = Worked(url)
    try:
        await worked.submit(100)
        async with worked.working():
            await worked.until("done")
        await worked.check_end()
        assert worked.asked_again() == 0
    finally:
        for table in tables.metadata.sorted_tables:
            await worked.change(table.delete())
        await worked.aclose()
