"""The mark in the user's own transaction: SQLAlchemy's session, Django, plain asyncpg and psycopg."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from mettl_async.errors import ClaimLostError, ConfigurationError
from mettl_async.webhooks import (
    Claim,
    EventHandlers,
    Refused,
    TestGraded,
    WebhookReceiver,
    parse_event,
    sample_event,
)
from mettl_async.webhooks.sql_inbox import SqlEventInbox
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

EVENT = parse_event(sample_event(TestGraded))


class Seen:
    """A store of seen events with one claim, as a handler gets it."""

    def __init__(self, engine, name):
        self.store = SqlSeenEvents(engine, table=name, lease=3600)

    async def claimed(self):
        await self.store.create_table()
        return await self.store.claim("one")

    async def is_done(self):
        return await self.store.claim("one") is Refused.DONE


class Inbox:
    """The same of an inbox."""

    def __init__(self, engine, name):
        self.store = SqlEventInbox(engine, table=name, lease=3600)

    async def claimed(self):
        await self.store.create_table()
        await self.store.add(EVENT)
        (taken,) = await self.store.take(1)
        return taken.claim

    async def is_done(self):
        return await self.store.waiting() == 0


@pytest.fixture(params=[Seen, Inbox])
def kind(request):
    return request.param


@pytest.fixture
async def scores(engine, table_name):
    table = sa.Table(f"scores_{table_name}", sa.MetaData(), sa.Column("score", sa.Integer))
    async with engine.begin() as connection:
        await connection.run_sync(table.create)
    return table


async def read(engine, scores):
    async with engine.connect() as connection:
        return list((await connection.execute(sa.select(scores.c.score))).scalars())


async def check(holder, engine, scores, write):
    """A transaction that fails leaves nothing, one that ends leaves both, and a second one fails."""
    claim = await holder.claimed()
    with pytest.raises(RuntimeError):
        await write(claim, fails=True)
    assert await read(engine, scores) == []
    assert not await holder.is_done()
    await write(claim, fails=False)
    assert await read(engine, scores) == [7]
    assert await holder.is_done()
    assert await holder.store.complete(claim) is True, (
        "what the receiver or the worker does afterwards"
    )
    with pytest.raises(ClaimLostError):
        await write(claim, fails=False)
    assert await read(engine, scores) == [7]


def fail_if(fails):
    if fails:
        raise RuntimeError


async def test_a_session_of_sqlalchemy(kind, engine, table_name, scores):
    holder = kind(engine, table_name)

    async def write(claim, *, fails):
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(scores.insert().values(score=7))
            await holder.store.mark(claim, session)
            fail_if(fails)

    await check(holder, engine, scores, write)


async def test_a_sync_session_of_sqlalchemy(kind, engine, table_name, scores):
    holder = kind(engine, table_name)

    async def write(claim, *, fails):
        def in_it(connection):
            with Session(connection) as session:
                session.execute(scores.insert().values(score=7))
                holder.store.mark_sync(claim, session)
                fail_if(fails)
                session.flush()

        async with engine.begin() as connection:
            await connection.run_sync(in_it)

    await check(holder, engine, scores, write)


@pytest.fixture
def plain_url(postgres_url):
    return postgres_url.replace("+asyncpg", "")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_plain_asyncpg(kind, engine, table_name, scores, plain_url):
    holder = kind(engine, table_name)

    async def write(claim, *, fails):
        async with own.transaction():
            await own.execute(f"insert into {scores.name} values ($1)", 7)  # noqa: S608 - our name
            await holder.store.mark(claim, own)
            fail_if(fails)

    own = await asyncpg.connect(plain_url)
    await check(holder, engine, scores, write)
    with pytest.raises(ConfigurationError, match="transaction"):
        await holder.store.mark(Claim(key="", token=""), own)
    with pytest.raises(ConfigurationError, match="call create_table"):
        async with own.transaction():
            await kind(engine, f"no_{table_name}").store.mark(Claim(key="", token=""), own)
    await own.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_plain_psycopg(kind, engine, table_name, scores, plain_url):
    holder = kind(engine, table_name)

    async def write(claim, *, fails):
        async with own.transaction():
            await own.execute(f"insert into {scores.name} values (%s)", [7])  # noqa: S608 - our name
            await holder.store.mark(claim, own)
            fail_if(fails)

    async with await psycopg.AsyncConnection.connect(plain_url, autocommit=True) as own:
        await check(holder, engine, scores, write)
        with pytest.raises(ConfigurationError, match="transaction"):
            await holder.store.mark(Claim(key="", token=""), own)
        with pytest.raises(ConfigurationError, match="call create_table"):
            async with own.transaction():
                await kind(engine, f"no_{table_name}").store.mark(Claim(key="", token=""), own)


async def test_a_session_of_a_database_without_the_table_is_told(kind, engine, table_name):
    store, claim = kind(engine, table_name).store, Claim(key="k" * 64, token="secret")
    told = (
        f"by: table {table_name} is not in its database; give a session of the database that has it"
    )
    async with AsyncSession(engine) as session, session.begin():
        with pytest.raises(ConfigurationError, match=f"^{told}, or call create_table") as caught:
            await store.mark(claim, session)
    assert "secret" not in str(caught.value.__cause__)
    async with engine.connect() as connection:
        with pytest.raises(ConfigurationError, match=told):
            await connection.run_sync(lambda own: store.mark_sync(claim, own))


async def test_what_is_none_of_these_is_refused(engine, table_name):
    store = SqlEventInbox(engine, table=table_name)
    with pytest.raises(ConfigurationError, match="mark_sync"):
        await store.mark(Claim(key="", token=""), object())
    with pytest.raises(ConfigurationError, match="Django"):
        store.mark_sync(Claim(key="", token=""), object())


async def test_django(database_url, table_name):
    program = Path(__file__).with_name("django_marks.py")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, program, database_url, table_name],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = {
        "after a failure": [0, False],
        "outside": "by: has no transaction open; use transaction.atomic()",
        "after a success": [1, True],
        "a second time": "ClaimLostError",
        "at the end": [1, True],
        "without the table": "by",
    }
    assert json.loads(done.stdout) == {"seen": expected, "inbox": expected}


async def forget_to_commit(event, claim, engine, holder, scores):
    async with AsyncSession(engine) as session:
        await session.execute(scores.insert().values(score=7))
        await holder.store.mark(claim, session)


async def test_a_mark_without_a_commit_does_not_count_as_done(kind, engine, table_name, scores):
    holder = kind(engine, table_name)
    claim = await holder.claimed()
    await forget_to_commit(EVENT, claim, engine, holder, scores)
    with pytest.raises(ConfigurationError, match="mark: its transaction was not committed"):
        await holder.store.complete(claim)
    assert not await holder.is_done()
    async with AsyncSession(engine) as session, session.begin():
        await holder.store.mark(claim, session)
    assert await holder.store.complete(claim) is True
    assert await holder.is_done()


async def test_a_worker_tries_again_what_was_not_committed(engine, table_name, scores, caplog):
    holder, handlers = Inbox(engine, table_name), EventHandlers()
    holder.store = SqlEventInbox(engine, table=table_name, max_tries=1)
    await holder.store.create_table()

    @handlers.on(TestGraded)
    async def store(event: TestGraded, claim: Claim) -> None:
        await forget_to_commit(event, claim, engine, holder, scores)

    async with holder.store.working(handlers):
        await holder.store.add(EVENT)
        async with asyncio.timeout(20):
            while not (dead := await holder.store.dead_letters()):  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.01)
    assert await read(engine, scores) == []
    assert dead[0].problem.startswith("ConfigurationError at sql_claims.py:")
    assert "complete failed with mark: its transaction was not committed" in caplog.text


async def test_a_receiver_answers_503_to_what_was_not_committed(engine, table_name, scores):
    holder = Seen(engine, table_name)
    await holder.store.create_table()
    receiver = WebhookReceiver(auth=None, seen=holder.store)

    @receiver.on(TestGraded)
    async def store(event: TestGraded, claim: Claim) -> None:
        await forget_to_commit(event, claim, engine, holder, scores)

    assert (await receiver.respond("POST", {}, sample_event(TestGraded))).status == 503
    assert await read(engine, scores) == []
