"""What the tests of webhooks share: databases to remember events in."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.webhooks.sql import SqlSeenEvents


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """SQLAlchemy's URL of a file, and of a server."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'seen.sqlite3'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def table_name():
    """A name of its own for each test: they share one PostgreSQL."""
    return f"seen_{uuid.uuid4().hex}"


@pytest.fixture
async def engine(database_url):
    """On either database, with the pool and the waiting for locks that users get by default."""
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def sql_seen(engine, table_name):
    """A `SqlSeenEvents` whose leases are far longer than any test."""
    seen = SqlSeenEvents(engine, table=table_name, lease=3600.0, remember=86_400.0)
    await seen.create_table()
    return seen
