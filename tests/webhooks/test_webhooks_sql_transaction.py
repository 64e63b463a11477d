"""The transaction of a claim: the handler's writes and the mark are committed together, or not at all."""

from __future__ import annotations

import asyncio

import anyio
import pytest
import sqlalchemy as sa
from sql_rows import make_older, rows_of
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.errors import ClaimLostError, ConfigurationError
from mettl_async.webhooks.seen_events import Claim, Refused
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

KEY = "fedcba9876543210" * 4


@pytest.fixture
async def scores(engine, table_name):
    """A table of the user's own, that a handler writes to."""
    table = sa.Table(
        f"scores_{table_name}",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("score", sa.Integer),
    )
    async with engine.begin() as connection:
        await connection.run_sync(table.create)
    return table


async def test_a_transaction_commits_writes_and_mark_together(engine, sql_seen, scores):
    claim = await sql_seen.claim(KEY)
    async with sql_seen.transaction(claim) as connection:
        await connection.execute(scores.insert().values(score=7))
        if engine.dialect.name == "postgresql":  # on SQLite everyone else waits
            assert await rows_of(engine, scores) == []
            assert await sql_seen.claim(KEY) is Refused.BUSY
    assert [score for _, score in await rows_of(engine, scores)] == [7]
    assert await sql_seen.claim(KEY) is Refused.DONE
    assert await sql_seen.complete(claim) is True, "what the receiver does after the handler"


async def test_a_transaction_that_fails_leaves_nothing_and_the_event_can_come_again(
    engine, sql_seen, scores
):
    claim = await sql_seen.claim(KEY)
    with pytest.raises(RuntimeError, match="midway"):
        async with sql_seen.transaction(claim) as connection:
            await connection.execute(scores.insert().values(score=7))
            raise RuntimeError("midway")
    assert await rows_of(engine, scores) == []
    assert await sql_seen.claim(KEY) is Refused.BUSY
    assert await sql_seen.release(claim) is True
    assert isinstance(await sql_seen.claim(KEY), Claim)


async def test_a_cancelled_transaction_leaves_nothing_and_no_open_connection(
    engine, sql_seen, scores
):
    claim = await sql_seen.claim(KEY)
    with anyio.move_on_after(0.2) as scope:
        async with sql_seen.transaction(claim) as connection:
            await connection.execute(scores.insert().values(score=7))
            await anyio.sleep(60)
    assert scope.cancelled_caught
    assert await rows_of(engine, scores) == []
    assert await sql_seen.release(claim) is True
    assert engine.pool.checkedout() == 0


async def test_who_lost_the_event_commits_nothing(engine, sql_seen, scores):
    stale = await sql_seen.claim(KEY)
    await make_older(engine, sql_seen, 3600)
    fresh = await sql_seen.claim(KEY)
    with pytest.raises(ClaimLostError):
        async with sql_seen.transaction(stale) as connection:
            await connection.execute(scores.insert().values(score=7))
    assert await rows_of(engine, scores) == []
    assert await sql_seen.complete(fresh) is True


async def test_an_event_that_is_taken_while_the_handler_works_is_not_committed_twice(
    postgres_url, table_name
):
    engine = create_async_engine(postgres_url)
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()
    slow = await seen.claim(KEY)
    with pytest.raises(ClaimLostError):
        async with seen.transaction(slow):
            await make_older(engine, seen, 3600)
            quick = await seen.claim(KEY)
            async with seen.transaction(quick):
                pass
    assert await seen.claim(KEY) is Refused.DONE
    await engine.dispose()


async def test_a_done_event_has_no_second_transaction(engine, sql_seen, scores):
    claim = await sql_seen.claim(KEY)
    async with sql_seen.transaction(claim):
        pass
    with pytest.raises(ClaimLostError):
        async with sql_seen.transaction(claim) as connection:
            await connection.execute(scores.insert().values(score=7))
    assert await rows_of(engine, scores) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the other has row locks
async def test_transactions_that_read_before_they_write_do_not_fail_each_other(
    engine, sql_seen, scores
):
    # As SQLAlchemy's pages advise for SQLite, a real BEGIN: it is what makes reading first dangerous.
    sa.event.listen(engine.sync_engine, "connect", no_implicit_begin)
    sa.event.listen(engine.sync_engine, "begin", explicit_begin)
    await engine.dispose()
    async with engine.begin() as connection:
        await connection.execute(scores.insert().values(score=0))

    async def add_one(key):
        async with sql_seen.transaction(await sql_seen.claim(key)) as connection:
            before = (await connection.execute(sa.select(scores.c.score))).scalar_one()
            await asyncio.sleep(0.005)
            await connection.execute(sa.update(scores).values(score=before + 1))

    await asyncio.gather(*(add_one(str(number)) for number in range(12)))
    assert [score for _, score in await rows_of(engine, scores)] == [12]


def no_implicit_begin(connection, _record):
    connection.isolation_level = None


def explicit_begin(connection):
    connection.exec_driver_sql("BEGIN")


async def test_an_engine_that_commits_each_statement_has_no_transactions(
    engine, sql_seen, scores, table_name
):
    eager = engine.execution_options(isolation_level="AUTOCOMMIT")
    seen = SqlSeenEvents(eager, table=table_name)
    claim = await seen.claim(KEY)
    with pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
        async with seen.transaction(claim) as connection:
            await connection.execute(scores.insert().values(score=7))
    assert await rows_of(engine, scores) == []
    assert await seen.complete(claim) is True


async def test_a_handler_that_commits_by_itself_is_told(sql_seen):
    claim = await sql_seen.claim(KEY)
    with pytest.raises(sa.exc.InvalidRequestError):
        async with sql_seen.transaction(claim) as connection:
            await connection.commit()
    assert await sql_seen.release(claim) is True


async def test_an_error_at_the_mark_shows_neither_key_nor_token(sql_seen):
    claim = await sql_seen.claim(KEY)
    with pytest.raises(ConfigurationError, match="create_table") as caught:
        async with sql_seen.transaction(claim) as connection:
            await connection.run_sync(sql_seen.table.drop)
    cause = caught.value.__cause__
    said = f"{caught.value}{caught.value!r}{cause}{cause!r}{claim!r}"
    assert claim.token not in said
    assert KEY not in said
