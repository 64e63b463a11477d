"""A process with a real receiver on a socket, for test_webhooks_exactly_once.py.

It prints its port. ``TestStarted``: the handler writes by a connection of its own. ``TestGraded``: it
writes in the transaction of its claim and raises at random, before or after that is committed.
``TestResumeEnabled``: it raises at random before it writes, without a transaction.
``TestFinished``: it never ends if the process was told to hang. Each attempt is a row in ``tried_...``,
each success one in ``handled_...``.

Arguments: URL of the database, name of the table of seen events, ``works`` or ``hangs``.
"""

from __future__ import annotations

import logging
import random
import socket
import sys

import anyio
import sqlalchemy as sa
import uvicorn
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.webhooks import (
    BasicAuth,
    Claim,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
)
from mettl_async.webhooks.receiver import WebhookReceiver
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

AUTH = BasicAuth(username="mettl", password="made up")


def tables(name):
    metadata = sa.MetaData()
    return metadata, *(
        sa.Table(
            f"{kind}_{name}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("event", sa.String(100), nullable=False),
            sa.Column("email", sa.String(100), nullable=False),
        )
        for kind in ("handled", "tried")
    )


def make_app(url, name, behaviour):
    engine = create_async_engine(url, pool_size=8, max_overflow=0)
    seen = SqlSeenEvents(engine, table=name, lease=3600.0)
    receiver = WebhookReceiver(auth=AUTH, seen=seen, busy_wait=0.5)
    _, handled, tried = tables(name)
    chance = random.Random()

    def fail_perhaps(share):
        if chance.random() < share:
            raise RuntimeError("by chance")

    async def note(table, event, connection):
        await connection.execute(
            table.insert().values(event=type(event).__name__, email=event.email)
        )

    async def note_at_once(table, event):
        async with engine.begin() as connection:
            await note(table, event, connection)

    @receiver.on(TestStarted)
    async def plain(event: TestStarted) -> None:
        await note_at_once(tried, event)
        await anyio.sleep(chance.uniform(0, 0.02))
        await note_at_once(handled, event)

    @receiver.on(TestGraded)
    async def fails(event: TestGraded, claim: Claim) -> None:
        await note_at_once(tried, event)
        async with seen.transaction(claim) as connection:
            await note(handled, event, connection)
            fail_perhaps(0.4)
        fail_perhaps(0.2)  # after all was committed

    @receiver.on(TestResumeEnabled)
    async def fails_first(event: TestResumeEnabled) -> None:
        await note_at_once(tried, event)
        fail_perhaps(0.4)
        await note_at_once(handled, event)

    @receiver.on(TestFinished)
    async def hangs(event: TestFinished) -> None:
        await note_at_once(tried, event)
        if behaviour == "hangs":
            await anyio.sleep_forever()
        await note_at_once(handled, event)

    return receiver


def main():
    logging.disable()
    app = make_app(*sys.argv[1:])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - how the test learns it
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
