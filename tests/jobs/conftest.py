"""What the tests of jobs share: jobs on a file and on a real PostgreSQL, whose tables are made once."""

from __future__ import annotations

import shutil

import pytest
from ready_databases import _ready_file, jobs_file_url, jobs_postgres_url, run_apart  # noqa: F401 - fixtures
from sqlalchemy import make_url

from mettl_async.jobs import Jobs, tables
from mettl_async.sql_backend import sa


def as_typed(database_url):
    """A URL as users write it."""
    url = make_url(database_url)
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)


async def made(url):
    async with Jobs(url):
        pass


@pytest.fixture(scope="session")
def _file_with_tables(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "jobs.db"
    run_apart(made, f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _server_with_tables(postgres_url):
    run_apart(made, as_typed(postgres_url))


@pytest.fixture
def jobs_url(request, database_url, tmp_path):
    """Of a database with empty tables."""
    if database_url.startswith("postgresql"):
        request.getfixturevalue("_server_with_tables")
        return as_typed(database_url)
    shutil.copy(request.getfixturevalue("_file_with_tables"), tmp_path / "jobs.db")
    return f"sqlite:///{tmp_path / 'jobs.db'}"


@pytest.fixture
async def jobs(jobs_url):
    """Jobs in an empty database."""
    async with Jobs(jobs_url, create_tables=False) as jobs:
        yield jobs
        if jobs_url.startswith("postgresql"):  # which all tests share
            async with jobs._engine.begin() as connection:
                for table in tables.metadata.sorted_tables:
                    await connection.execute(sa.delete(table))
