"""Deliveries a second into an inbox, and past seen events, against bare routes.

Run ``python benchmarks/inbox.py`` where mettl-async is installed with its dev extra, for a SQLite; a minute.
For a server set ``METTL_BENCHMARK_DB=postgresql+asyncpg://...``. ``--quick`` for seconds, ``--json FILE``
for all figures.

All are routes of one Starlette app, served by one uvicorn on one socket, and get the same graded
events. One bare route only reads the JSON; the other inserts it as one row in a transaction, as one would
write that (SQLAlchemy, an engine as it comes). The inbox commits the event. The receiver with `SqlSeenEvents`
claims it, calls a handler that does nothing, and marks it. All events are distinct.

Load and server are two processes on two cores. Twenty connections are kept busy with requests that
were built before the clock starts; the ways run in turns, and compared are neighbouring rounds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import sqlalchemy as sa
import uvicorn
from harness import Bound, arguments, cores, finish, print_table
from receiver import AUTH, Events, deliver
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from mettl_async.webhooks import TestGraded, WebhookReceiver
from mettl_async.webhooks.sql_inbox import SqlEventInbox
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

SLOWER_AT_MOST = 1.5  # seconds of the inbox for one delivery over those of the inserting route
CONNECTIONS = 20
DELIVERIES = 1_000  # of one round
ROUNDS = 5
QUICK_DELIVERIES, QUICK_ROUNDS = 60, 1
BARE, ROW, INBOX, SEEN = "bare route", "route that inserts a row", "inbox", "SqlSeenEvents"
PATHS = {BARE: b"/bare", ROW: b"/row", INBOX: b"/inbox", SEEN: b"/seen"}
_DATABASE = "METTL_BENCHMARK_DB"
_SERVE_ARGUMENT = "--serve"
_STOP_SECONDS = 5.0


def app(url: str) -> Starlette:
    """All ways, each with an engine of its own."""
    row_engine = create_async_engine(url)
    rows = sa.Table(
        "bare_rows",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text),
    )
    inbox = SqlEventInbox(create_async_engine(url))
    seen = SqlSeenEvents(create_async_engine(url))
    receiver = WebhookReceiver(auth=AUTH, seen=seen)

    @receiver.on(TestGraded)
    async def graded(event: TestGraded) -> None:
        pass

    async def bare(request: Request) -> Response:
        await request.json()
        return Response()

    async def row(request: Request) -> Response:
        await request.json()
        async with row_engine.begin() as connection:
            await connection.execute(rows.insert().values(body=(await request.body()).decode()))
        return Response()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await inbox.create_table()
        await seen.create_table()
        async with row_engine.begin() as connection:
            await connection.run_sync(rows.metadata.create_all)
        yield

    return Starlette(
        routes=[
            Route(PATHS[BARE].decode(), bare, methods=["POST"]),
            Route(PATHS[ROW].decode(), row, methods=["POST"]),
            Route(PATHS[INBOX].decode(), WebhookReceiver(auth=AUTH, store=inbox)),
            Route(PATHS[SEEN].decode(), receiver),
        ],
        lifespan=lifespan,
    )


def serve(url: str, core: int) -> None:
    """Serve in this process until it is terminated; prints the port."""
    if core >= 0:
        os.sched_setaffinity(0, {core})
    config = uvicorn.Config(app(url), log_config=None, access_log=False)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(config).run([listener])


@contextmanager
def served(url: str) -> Iterator[int]:
    """Run the server in a process of its own; gives the port."""
    core = cores()[0]
    command = [sys.executable, __file__, _SERVE_ARGUMENT, url, str(-1 if core is None else core)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this very script
        try:
            yield int(process.stdout.readline()) if process.stdout else 0
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


async def compare(port: int, *, deliveries: int, rounds: int) -> dict[str, list[float]]:
    """Deliveries a second of all ways, in turns; the order is reversed with each round."""
    events = Events()
    for path in PATHS.values():
        await deliver(port, events.take(path, QUICK_DELIVERIES), CONNECTIONS)  # warms up
    rates: dict[str, list[float]] = {name: [] for name in PATHS}
    for number in range(rounds):
        for name in reversed(PATHS) if number % 2 else PATHS:
            requests = events.take(PATHS[name], deliveries)
            rates[name].append(deliveries / await deliver(port, requests, CONNECTIONS))
    return rates


def ratio(rates: dict[str, list[float]], one: str, other: str) -> float:
    """Median of neighbouring rounds."""
    return median(a / b for a, b in zip(rates[one], rates[other], strict=True))


def main() -> None:
    given = arguments(__doc__)
    deliveries = QUICK_DELIVERIES if given.quick else DELIVERIES
    rounds = QUICK_ROUNDS if given.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        url = os.environ.get(_DATABASE) or f"sqlite+aiosqlite:///{Path(folder) / 'inbox.sqlite3'}"
        with served(url) as port:
            rates = asyncio.run(compare(port, deliveries=deliveries, rounds=rounds))
    print_table(
        f"{deliveries:,} graded events by {CONNECTIONS} connections, medians of {rounds} rounds, "
        f"{url.partition('+')[0]}",
        ("way", "deliveries/s", "of bare route", "of inserting route"),
        [
            (name, median(rates[name]), ratio(rates, name, BARE), ratio(rates, name, ROW))
            for name in PATHS
        ],
    )
    bound = Bound(
        name="inbox's seconds for a delivery / inserting route's",
        value=ratio(rates, ROW, INBOX),
        limit=SLOWER_AT_MOST,
        at_most=True,
    )
    finish(given, [bound], {"deliveries": deliveries, "rates": rates})


if __name__ == "__main__":
    if _SERVE_ARGUMENT in sys.argv:
        serve(sys.argv[-2], int(sys.argv[-1]))
    else:
        main()
