"""Two processes, one database, the same events from all sides: each is handled exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import uuid
from collections import Counter
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
import sqlalchemy as sa
from exactly_once_worker import AUTH, tables
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.webhooks import (
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    sample_event,
)
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

pytestmark = pytest.mark.slow

EMAILS = [f"candidate{number}@example.org" for number in range(50)]


@contextlib.contextmanager
def process(url, name, behaviour):
    """A receiver in a process of its own."""
    worker = Path(__file__).with_name("exactly_once_worker.py")
    running = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, worker, url, name, behaviour], stdout=subprocess.PIPE, text=True
    )
    try:
        yield running
    finally:
        running.kill()  # nothing is to be saved
        running.wait()
        running.stdout.close()


class Shared:
    """A database, a table of seen events in it, and two processes that work on it."""

    def __init__(self, url, name, processes):
        self.url, self.name, self.processes = url, name, processes
        self.ports = []

    async def counts(self, kind, event):
        table = tables(self.name)[1 if kind == "handled" else 2]
        emails = sa.select(table.c.email).where(table.c.event == event.__name__)
        async with self.connected() as connection:
            return Counter((await connection.execute(emails)).scalars())

    @contextlib.asynccontextmanager
    async def connected(self):
        engine = create_async_engine(self.url)
        async with engine.begin() as connection:
            yield connection
        await engine.dispose()

    async def make_tables(self):
        async with self.connected() as connection:
            await SqlSeenEvents(connection.engine, table=self.name).create_table()
            await connection.run_sync(tables(self.name)[0].create_all)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request, tmp_path_factory):
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('shared') / 'seen.sqlite3'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    name = f"seen_{uuid.uuid4().hex}"
    with process(url, name, "works") as one, process(url, name, "works") as another:
        shared = Shared(url, name, [one, another])
        asyncio.run(shared.make_tables())
        shared.ports = [port_of(one), port_of(another)]
        yield shared


def port_of(running):
    return int(running.stdout.readline())


@contextlib.asynccontextmanager
async def delivering(event):
    """Gives ``deliver(port, email)``, which returns the status of the answer."""
    bodies = {email: sample_event(event, email=email) for email in EMAILS}
    # A connection for each: one that is kept may be closed by the server just when it is used again.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    auth = (AUTH.username, AUTH.password)
    async with httpx.AsyncClient(auth=auth, timeout=60, limits=limits, trust_env=False) as client:

        async def deliver(port, email):
            answer = await client.post(f"http://127.0.0.1:{port}/", content=bodies[email])
            return answer.status_code

        yield deliver


def four_of_each():
    deliveries = [(number % 2, email) for email in EMAILS for number in range(4)]
    random.Random(4).shuffle(deliveries)
    return deliveries


async def test_200_deliveries_at_once_of_50_events_to_two_processes(shared):
    async with delivering(TestStarted) as deliver:
        statuses = await asyncio.gather(
            *(deliver(shared.ports[place], email) for place, email in four_of_each())
        )
    assert len(statuses) == 200
    assert set(statuses) <= {200, 503}  # 503: busy, come again
    assert await shared.counts("tried", TestStarted) == dict.fromkeys(EMAILS, 1)
    assert await shared.counts("handled", TestStarted) == dict.fromkeys(EMAILS, 1)


# One commits its writes with the mark, the other is an ordinary one that fails before it writes.
@pytest.mark.parametrize("event", [TestGraded, TestResumeEnabled])
async def test_handlers_that_fail_by_chance_succeed_once_for_each_event(shared, event):
    refused = Counter()

    async def until_accepted(deliver, place, email):
        while (status := await deliver(shared.ports[place], email)) != 200:
            refused[status] += 1
            place = 1 - place
            await anyio.sleep(0.05)

    async with delivering(event) as deliver:
        until = partial(until_accepted, deliver)
        await asyncio.gather(*(until(place, email) for place, email in four_of_each()))
    assert set(refused) == {503}
    assert await shared.counts("handled", event) == dict.fromkeys(EMAILS, 1)
    tried = await shared.counts("tried", event)
    assert tried.total() > 55, "nothing failed, so nothing was tested"


async def test_events_of_a_killed_process_are_handled_by_another_after_the_lease(shared):
    emails = EMAILS[:10]
    another = shared.ports[0]
    async with delivering(TestFinished) as deliver:
        with process(shared.url, shared.name, "hangs") as doomed:
            port = await asyncio.to_thread(port_of, doomed)
            lost = [asyncio.create_task(deliver(port, email)) for email in emails]
            with anyio.fail_after(60):
                while await shared.counts("tried", TestFinished) != dict.fromkeys(emails, 1):  # noqa: ASYNC110 - another process does it
                    await anyio.sleep(0.05)
            doomed.kill()
            broken = await asyncio.gather(*lost, return_exceptions=True)
        assert all(isinstance(one, httpx.TransportError) for one in broken)

        busy = await asyncio.gather(*(deliver(another, email) for email in emails))
        assert set(busy) == {503}
        assert await shared.counts("handled", TestFinished) == {}

        async with shared.connected() as connection:  # the lease of an hour is over
            seen = SqlSeenEvents(connection.engine, table=shared.name).table
            older = sa.update(seen).values(lease_until=seen.c.lease_until - 3600)
            await connection.execute(older)
        again = await asyncio.gather(*(deliver(another, email) for email in emails * 2))
    assert set(again) <= {200, 503}
    assert await shared.counts("handled", TestFinished) == dict.fromkeys(emails, 1)
