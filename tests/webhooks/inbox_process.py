"""Processes that fill an inbox or empty it, for test_webhooks_inbox_killed.py.

For each line of stdin, which is ``receives`` or ``works``, it forks one: to import all of this takes far longer than
they live. Each prints its process id and its port, a worker 0. A worker's handler writes a row in the transaction
of its claim, and raises at random before or after.

Arguments: URL of the database, name of the table.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import sys

import sqlalchemy as sa
import uvicorn
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.sql_backend import pgbouncer_options
from mettl_async.webhooks import BasicAuth, Claim, EventHandlers, TestEvent, WebhookReceiver
from mettl_async.webhooks.sql_inbox import SqlEventInbox

AUTH = BasicAuth(username="mettl", password="made up")
LEASE = 2.0


def engine_of(url):
    """An engine; ``#pgbouncer`` after its URL says what is between."""
    url, _, pooler = url.partition("#")
    options = pgbouncer_options(sa.make_url(url).get_driver_name()) if pooler else {}
    return create_async_engine(url, **options)


def inbox_of(engine, name):
    return SqlEventInbox(
        engine, table=name, lease=LEASE, first_pause=0.01, longest_pause=0.1, max_tries=1000
    )


def handled_table(name):
    return sa.Table(
        f"handled_{name}",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
    )


def receive(url, name):
    receiver = WebhookReceiver(auth=AUTH, store=inbox_of(engine_of(url), name))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        tell(listener.getsockname()[1])
        config = uvicorn.Config(receiver, log_config=None, lifespan="off")
        uvicorn.Server(config).run(sockets=[listener])


async def work(url, name):
    inbox, handled, handlers = inbox_of(engine_of(url), name), handled_table(name), EventHandlers()

    @handlers.on(TestEvent)
    async def note(event: TestEvent, claim: Claim) -> None:
        if random.random() < 0.05:
            raise RuntimeError("by chance, before")
        async with inbox.transaction(claim) as connection:
            row = {"email": event.email, "kind": type(event).__name__}
            await connection.execute(handled.insert().values(row))
        if random.random() < 0.05:
            raise RuntimeError("by chance, after")

    tell(0)
    await inbox.run(handlers, handler_timeout=LEASE / 2, longest_idle=0.1)


def tell(port):
    print(os.getpid(), port, flush=True)  # noqa: T201 - how the test learns it


def main():
    logging.disable()
    url, name = sys.argv[1:]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        role = line.strip()
        if not os.fork():
            break
    else:
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if role == "receives":
        receive(url, name)
    else:
        asyncio.run(work(url, name))


if __name__ == "__main__":
    main()
