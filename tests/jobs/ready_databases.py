"""Databases for tests of workers, with all tables and the queue of one account in them."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.jobs.database import backend_of, create_tables, engine_for
from mettl_async.jobs.engine import ChunkEngine

ACCOUNT = "acme"


async def make_ready(url):
    """Create all tables, those of the engine too: it takes a second until it looks at a new queue."""
    engine = engine_for(url)
    await create_tables(backend_of(engine))
    await engine.dispose()
    dispatcher = ChunkEngine(
        url=make_url(url), executor="-", accounts=[ACCOUNT], at_once=2, idle=0.02, accept=print
    )
    await dispatcher.launch()
    await dispatcher.close()


def run_apart(work, *arguments):
    """Run a coroutine although the test that asks has a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(work(*arguments))).result()


@pytest.fixture(scope="session")
def _ready_file(tmp_path_factory):
    """A SQLite that is copied for each test."""
    path = tmp_path_factory.mktemp("jobs") / "ready.db"
    run_apart(make_ready, f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def jobs_file_url(_ready_file, tmp_path):
    path = tmp_path / "jobs.db"
    shutil.copy(_ready_file, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="session")
def jobs_postgres_url(postgres_url):
    """A database of its own on the server of all tests."""
    url = make_url(postgres_url).set(drivername="postgresql+psycopg")

    async def create():
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.exec_driver_sql("create database jobs")
        await engine.dispose()

    run_apart(create)
    ready = url.set(database="jobs").render_as_string(hide_password=False)
    run_apart(make_ready, ready)
    return ready
