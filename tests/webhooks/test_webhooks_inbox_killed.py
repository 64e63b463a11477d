"""Receivers and workers of an inbox are killed at random: what was answered with 200 is handled once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import uuid
from collections import Counter, deque
from pathlib import Path

import anyio
import httpx
import pytest
import sqlalchemy as sa
from inbox_process import AUTH, engine_of, handled_table, inbox_of

from mettl_async.webhooks import TestFinished, TestGraded, TestStarted, sample_event

KINDS = (TestStarted, TestFinished, TestGraded)
SENDERS = 20


class Fleet:
    """Processes of one inbox; one that is killed has a successor at once."""

    def __init__(self, url, name):
        program = Path(__file__).with_name("inbox_process.py")
        self._parent = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, program, url, name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._starting = asyncio.Lock()
        self._ids, self.ports, self.killed = {}, {}, Counter()

    async def start(self, place):
        role = place.rstrip("0123456789")
        async with self._starting:
            self._parent.stdin.write(f"{role}\n")
            self._parent.stdin.flush()
            said = await asyncio.to_thread(self._parent.stdout.readline)
        self._ids[place], port = map(int, said.split())
        if role == "receives":
            self.ports[place] = port

    async def kill(self, place):
        self.killed[place.rstrip("0123456789")] += 1
        self.ports.pop(place, None)
        process = self._ids.pop(place)
        os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(process, 0)
                await anyio.sleep(0.001)
        await self.start(place)

    def end(self):
        for process in self._ids.values():
            os.kill(process, signal.SIGKILL)
        self._parent.communicate()


async def send_all(fleet, bodies, sent):
    """Deliver each until 200 is answered, as Mettl would [assumed]."""
    auth = (AUTH.username, AUTH.password)
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(auth=auth, timeout=10, limits=limits, trust_env=False) as client:

        async def sender():
            while bodies:
                body = bodies.popleft()
                while True:
                    if not fleet.ports:
                        await anyio.sleep(0.02)
                        continue
                    port = random.choice(list(fleet.ports.values()))
                    with contextlib.suppress(httpx.TransportError):
                        answer = await client.post(f"http://127.0.0.1:{port}/", content=body)
                        if answer.status_code == 200:
                            break
                        assert answer.status_code == 503
                    await anyio.sleep(0.02)
                sent.append(body)

        await asyncio.gather(*(sender() for _ in range(SENDERS)))


async def run(url, *, candidates, kills, within):
    name = f"inbox_{uuid.uuid4().hex}"
    engine = engine_of(url)
    inbox, handled = inbox_of(engine, name), handled_table(name)
    await inbox.create_table()
    async with engine.begin() as connection:
        await connection.run_sync(handled.create)
    events = [(f"c{number}@example.org", kind) for number in range(candidates) for kind in KINDS]
    bodies = deque(sample_event(kind, email=email) for email, kind in events)
    fleet, sent = Fleet(url, name), []
    places = ["receives0", "receives1", "works0", "works1"]
    try:
        with anyio.fail_after(within):
            await asyncio.gather(*map(fleet.start, places))
            async with anyio.create_task_group() as group:
                group.start_soon(send_all, fleet, bodies, sent)
                for number in range(kills):
                    await anyio.sleep(random.uniform(0, 0.3))
                    await fleet.kill(places[number % len(places)])
            while await inbox.waiting():  # noqa: ASYNC110 - other processes empty it
                await anyio.sleep(0.05)
        async with engine.connect() as connection:
            query = sa.select(handled.c.email, handled.c.kind)
            came = Counter(tuple(row) for row in await connection.execute(query))
        assert await inbox.dead_letters() == []
    finally:
        fleet.end()
        await engine.dispose()
    assert len(sent) == len(events)
    assert came == dict.fromkeys(((email, kind.__name__) for email, kind in events), 1)
    assert fleet.killed == {"receives": kills // 2, "works": kills // 2}


@pytest.mark.slow
async def test_a_few_kills_on_sqlite(tmp_path):
    await run(f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}", candidates=40, kills=4, within=50)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "candidates", "kills"),
    [("sqlite", 200, 24), ("postgres", 100, 12), ("pgbouncer", 667, 24)],
)
async def test_many_events_and_many_kills(database, candidates, kills, tmp_path, request):
    url = f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}"
    if database != "sqlite":
        url = request.getfixturevalue("postgres_url")
    if database == "pgbouncer":
        port = request.getfixturevalue("pgbouncer_port")
        url = f"postgresql+asyncpg://mettl@127.0.0.1:{port}/postgres#pgbouncer"
    await run(url, candidates=candidates, kills=kills, within=250)
