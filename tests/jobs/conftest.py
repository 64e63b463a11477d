"""What the tests of jobs share: jobs on a file and on a real PostgreSQL."""

from __future__ import annotations

import pytest
from ready_databases import _ready_file, jobs_file_url, jobs_postgres_url  # noqa: F401 - fixtures
from sqlalchemy import make_url

from mettl_async.jobs import Jobs, tables
from mettl_async.jobs.database import engine_for
from mettl_async.sql_backend import sa


@pytest.fixture
def jobs_url(database_url):
    """A URL as users write it."""
    url = make_url(database_url)
    url = url.set(drivername=url.get_backend_name())
    return url.render_as_string(hide_password=False)


@pytest.fixture
async def jobs(jobs_url):
    """Jobs in an empty database."""
    async with Jobs(jobs_url) as jobs:
        yield jobs
    if jobs_url.startswith("postgresql"):  # which all tests share
        engine = engine_for(jobs_url)
        async with engine.begin() as connection:
            for table in tables.metadata.sorted_tables:
                await connection.execute(sa.delete(table))
        await engine.dispose()
