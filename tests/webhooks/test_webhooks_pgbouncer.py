"""Behind a real PgBouncer in transaction mode, where no statement stays prepared."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.errors import ConfigurationError
from mettl_async.sql_backend import pgbouncer_options
from mettl_async.webhooks import Claim, EventHandlers, TestGraded, parse_event, sample_event
from mettl_async.webhooks.sql_inbox import SqlEventInbox
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

EVENTS = [
    parse_event(sample_event(TestGraded, email=f"c{number}@example.org")) for number in range(60)
]


@pytest.fixture(params=["asyncpg", "psycopg"])
async def pooled(request, pgbouncer_port):
    url = f"postgresql+{request.param}://mettl@127.0.0.1:{pgbouncer_port}/postgres"
    engine = create_async_engine(url, **pgbouncer_options(request.param))
    yield engine
    await engine.dispose()


async def test_an_inbox_is_filled_and_emptied(pooled, table_name):
    one, another = (SqlEventInbox(pooled, table=table_name) for _ in range(2))
    await one.create_table()
    notes = sa.Table(f"n_{table_name}", sa.MetaData(), sa.Column("email", sa.Text))
    async with pooled.begin() as connection:
        await connection.run_sync(notes.create)
    handlers = EventHandlers()

    @handlers.on(TestGraded)
    async def graded(event, claim):
        async with one.transaction(claim) as connection:
            await connection.execute(notes.insert().values(email=event.email))

    workers = [asyncio.create_task(inbox.run(handlers)) for inbox in (one, another)]
    await asyncio.gather(*(inbox.add(event) for event in EVENTS for inbox in (one, another)))
    while await one.waiting():  # noqa: ASYNC110 - workers empty it
        await asyncio.sleep(0.02)
    one.stop()
    another.stop()
    await asyncio.gather(*workers)
    async with pooled.connect() as connection:
        emails = (await connection.execute(sa.select(notes.c.email))).scalars().all()
    assert sorted(emails) == sorted(event.email for event in EVENTS)


async def test_seen_events_are_claimed_once(pooled, table_name):
    stores = [SqlSeenEvents(pooled, table=table_name) for _ in range(3)]
    await stores[0].create_table()
    asked = [store.claim(str(number)) for number in range(40) for store in stores]
    claims = [one for one in await asyncio.gather(*asked) if isinstance(one, Claim)]
    assert sorted(one.key for one in claims) == sorted(str(number) for number in range(40))
    assert set(await asyncio.gather(*map(stores[0].complete, claims))) == {True}


async def test_an_engine_that_prepares_statements_is_told_what_to_do(pgbouncer_port, table_name):
    engine = create_async_engine(f"postgresql+asyncpg://mettl@127.0.0.1:{pgbouncer_port}/postgres")
    stores = [SqlSeenEvents(engine, table=table_name) for _ in range(4)]
    with pytest.raises(ConfigurationError, match=r"pgbouncer_options\(\)"):
        await stores[0].create_table()
        for number in range(200):
            # All of them end before the engine does, or it leaves their connections open.
            asked = [asyncio.ensure_future(store.claim(f"{number}")) for store in stores]
            await asyncio.wait(asked)
            await asyncio.gather(*asked)
    await engine.dispose()


def test_another_driver_has_no_options():
    with pytest.raises(ConfigurationError, match="driver"):
        pgbouncer_options("pg8000")
