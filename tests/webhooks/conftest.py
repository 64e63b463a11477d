"""What the tests of webhooks share: databases to remember events in."""

from __future__ import annotations

import uuid

import pytest

from mettl_async.codec import json_text
from mettl_async.webhooks.sql_inbox import SqlEventInbox
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents


@pytest.fixture(params=["orjson", "json"])
def both_readers(request, monkeypatch):
    if request.param == "json":
        monkeypatch.setattr(json_text, "orjson", None)


@pytest.fixture
def table_name():
    """A name of its own for each test: they share one PostgreSQL."""
    return f"seen_{uuid.uuid4().hex}"


@pytest.fixture
async def sql_seen(engine, table_name):
    """A `SqlSeenEvents` whose leases are far longer than any test."""
    seen = SqlSeenEvents(engine, table=table_name, lease=3600.0, remember=86_400.0)
    await seen.create_table()
    return seen


@pytest.fixture
async def inbox(engine, table_name):
    inbox = SqlEventInbox(engine, table=table_name, lease=3600.0, first_pause=0.001, max_tries=3)
    await inbox.create_table()
    return inbox
