"""What `SqlSeenEvents` promises beyond `SeenEvents`: its table, its clock, its patience."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from sql_rows import make_older, rows_of
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from mettl_async import sql_backend
from mettl_async.errors import ConfigurationError
from mettl_async.sql_batches import Batches
from mettl_async.webhooks.seen_events import Claim, Refused
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

KEY = "fedcba9876543210" * 4


async def test_any_number_of_processes_may_make_the_table_at_once(database_url, table_name):
    engines = [create_async_engine(database_url) for _ in range(8)]
    stores = [SqlSeenEvents(engine, table=table_name) for engine in engines]
    try:
        await asyncio.gather(*(seen.create_table() for seen in stores))
        await stores[0].create_table()
        assert isinstance(await stores[1].claim(KEY), Claim)
        await stores[2].create_table()
        assert await stores[3].claim(KEY) is Refused.BUSY
    finally:
        for engine in engines:
            await engine.dispose()


async def test_no_key_is_stored_or_logged_even_if_it_is_personal(engine, sql_seen, caplog):
    caplog.set_level(logging.DEBUG)
    claim = await sql_seen.claim("asha.rao@example.org")
    stored = repr(await rows_of(engine, sql_seen.table))
    await sql_seen.complete(claim)
    stored += repr(await rows_of(engine, sql_seen.table))
    assert "asha" not in stored
    assert "asha" not in caplog.text
    assert "asha" not in repr(sql_seen)
    assert not [record for record in caplog.records if record.name.startswith("mettl")]


async def test_a_lease_ends_by_the_databases_own_clock(engine, table_name):
    seen = SqlSeenEvents(engine, table=table_name, lease=0.3)
    await seen.create_table()
    first = await seen.claim(KEY)
    with anyio.fail_after(20):
        while isinstance(second := await seen.claim(KEY), Refused):
            assert second is Refused.BUSY
            await anyio.sleep(0.02)
    assert second.token != first.token


async def test_stored_times_are_seconds_since_1970(engine, sql_seen):
    await sql_seen.complete(await sql_seen.claim(KEY))
    ((_, _, lease_until, done_at),) = await rows_of(engine, sql_seen.table)
    assert abs(done_at - time.time()) < 60
    assert abs(lease_until - time.time() - 3600) < 60


async def test_forgetting_takes_what_is_old_and_no_lease_that_runs(engine, sql_seen):
    await sql_seen.complete(await sql_seen.claim("old and done"))
    await sql_seen.claim("old and given up")
    await make_older(engine, sql_seen, 3600 + 86_400)
    await sql_seen.complete(await sql_seen.claim("just done"))
    held = await sql_seen.claim("just claimed")
    assert await sql_seen.forget() == 2
    assert await sql_seen.claim("just done") is Refused.DONE
    assert await sql_seen.claim("just claimed") is Refused.BUSY
    assert await sql_seen.forget(older_than=0) == 1
    assert await sql_seen.complete(held) is True
    assert isinstance(await sql_seen.claim("old and done"), Claim)
    with pytest.raises(ConfigurationError, match="older_than"):
        await sql_seen.forget(older_than=-1)


async def test_a_locked_sqlite_is_waited_for(tmp_path, table_name):
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}", connect_args={"timeout": 0}
    )
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()
    other = sqlite3.connect(tmp_path / "x.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with anyio.create_task_group() as group:
        group.start_soon(seen.claim, KEY)
        await anyio.sleep(0.1)
        other.execute("COMMIT")
    assert await seen.claim(KEY) is Refused.BUSY
    other.close()
    await engine.dispose()


async def test_a_sqlite_that_stays_locked_is_an_error_after_a_while(
    tmp_path, table_name, monkeypatch
):
    monkeypatch.setattr(sql_backend, "RETRY_SECONDS", 0.1)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}", connect_args={"timeout": 0}
    )
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()
    other = sqlite3.connect(tmp_path / "x.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sa.exc.OperationalError, match="locked"):
        await seen.claim(KEY)
    other.close()
    assert isinstance(await seen.claim(KEY), Claim)
    await engine.dispose()


async def test_a_table_that_is_missing_is_not_tried_again_and_says_what_to_call(engine, table_name):
    seen = SqlSeenEvents(engine, table=table_name)
    with (
        pytest.raises(ConfigurationError, match=rf"{table_name}.*create_table\(\)"),
        anyio.fail_after(3),
    ):
        await seen.claim(KEY)


async def test_a_sync_engine_is_refused_when_it_is_built(tmp_path):
    with pytest.raises(ConfigurationError, match="create_async_engine"):
        SqlSeenEvents(sa.create_engine(f"sqlite:///{tmp_path / 'x.sqlite3'}"))


async def test_a_sqlite_is_set_to_write_ahead(tmp_path, table_name):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}")
    await SqlSeenEvents(engine, table=table_name).create_table()
    await engine.dispose()
    with contextlib.closing(sqlite3.connect(tmp_path / "x.sqlite3")) as other:
        assert other.execute("pragma journal_mode").fetchone() == ("wal",)


async def test_what_is_asked_for_at_the_same_time_is_one_transaction(sql_seen, monkeypatch):
    run, transactions = sql_seen._backend.run, []

    async def counted(work):
        transactions.append(work)
        return await run(work)

    monkeypatch.setattr(sql_seen._backend, "run", counted)
    keys = [str(number % 40) for number in range(80)]
    claims = await asyncio.gather(*map(sql_seen.claim, keys))
    taken = [claim for claim in claims if isinstance(claim, Claim)]
    assert sorted(claim.key for claim in taken) == sorted(set(keys))
    assert set(await asyncio.gather(*map(sql_seen.complete, taken))) == {True}
    assert len(transactions) <= 8


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_a_server_with_another_isolation_level_gives_the_same_answers(
    postgres_url, table_name, level
):
    engine = create_async_engine(
        postgres_url, connect_args={"server_settings": {"default_transaction_isolation": level}}
    )
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()
    claims = await asyncio.gather(*(seen.claim(str(number % 5)) for number in range(60)))
    taken = [claim for claim in claims if isinstance(claim, Claim)]
    assert Counter(claim.key for claim in taken) == dict.fromkeys("01234", 1)
    assert set(await asyncio.gather(*map(seen.complete, taken))) == {True}
    assert await seen.claim("0") is Refused.DONE
    await engine.dispose()


async def test_a_server_that_restarted_is_not_noticed(postgres_url, table_name):
    engine = create_async_engine(postgres_url)
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()
    claim = await seen.claim(KEY)
    other = create_async_engine(postgres_url)
    async with other.connect() as connection:  # as a restart does: every other session ends
        await connection.execute(
            sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where pid != pg_backend_pid() and backend_type = 'client backend'"
            )
        )
    assert await seen.claim(KEY) is Refused.BUSY
    assert await seen.complete(claim) is True
    await other.dispose()
    await engine.dispose()


async def test_a_claim_whose_answer_was_lost_finds_itself(sql_seen, monkeypatch):
    uncut, answers = sql_seen._backend.uncut, []

    async def lose_the_first_answer(work):
        answers.append(await uncut(work))
        if len(answers) == 1:
            raise sa.exc.DBAPIError("insert", {}, OSError(), connection_invalidated=True)
        return answers[-1]

    monkeypatch.setattr(sql_seen._backend, "uncut", lose_the_first_answer)
    assert isinstance(await sql_seen.claim(KEY), Claim)
    assert answers[0] == answers[1]
    assert await sql_seen.claim(KEY) is Refused.BUSY


@pytest.mark.parametrize(
    "database_url", ["sqlite"], indirect=True
)  # the other locks the row it saw
async def test_an_event_released_between_two_looks_is_had(sql_seen, monkeypatch):
    held = await sql_seen.claim(KEY)
    execute = AsyncConnection.execute

    async def release_before_looking(connection, statement, *rest):
        if statement is sql_seen._statements.look:
            await execute(connection, sa.delete(sql_seen.table))
        return await execute(connection, statement, *rest)

    monkeypatch.setattr(AsyncConnection, "execute", release_before_looking)
    assert isinstance(await sql_seen.claim(KEY), Claim)
    assert await sql_seen.complete(held) is False


async def test_a_claim_that_is_cancelled_when_it_was_just_granted_is_given_back(
    engine, sql_seen, monkeypatch
):
    add = Batches.add

    async def granted_but_never_told(batches, asked):
        granted = await add(batches, asked)
        if isinstance(granted, Claim):
            await anyio.sleep_forever()
        return granted

    with monkeypatch.context() as slowed:
        slowed.setattr(Batches, "add", granted_but_never_told)
        with anyio.move_on_after(0.2) as scope:
            await sql_seen.claim(KEY)
    assert scope.cancelled_caught
    assert isinstance(await sql_seen.claim(KEY), Claim)


async def test_a_claim_that_is_cancelled_while_the_database_waits_leaves_no_open_connection(
    postgres_url, table_name
):
    engine = create_async_engine(postgres_url)
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()
    async with engine.begin() as other:
        await other.execute(sa.text(f'lock table "{table_name}" in exclusive mode'))
        with anyio.move_on_after(0.1) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(seen.claim, KEY)
                group.start_soon(unlock_soon, other)
        assert scope.cancelled_caught
    assert isinstance(await seen.claim(KEY), Claim)
    assert engine.pool.checkedout() == 0
    await engine.dispose()


def is_locked(path):
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
    return False


async def cancelled_after(delay, doing):
    task = asyncio.create_task(doing)
    await asyncio.sleep(delay)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await task


@pytest.mark.parametrize("operation", ["claim", "complete", "release", "transaction"])
async def test_a_sqlite_is_not_locked_whenever_something_is_cancelled(
    tmp_path, table_name, operation
):
    path = tmp_path / "x.sqlite3"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 0.2})
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()

    async def transaction(claim):
        async with seen.transaction(claim):
            pass

    doing = transaction if operation == "transaction" else getattr(seen, operation)
    for number in range(40):
        key = str(number)
        about = key if operation == "claim" else await seen.claim(key)
        answer = await cancelled_after(number * 0.00005, doing(about))
        assert not is_locked(path)
        if operation == "claim" and answer is None:
            assert isinstance(await seen.claim(key), Claim), "it was given back"
    await engine.dispose()


@pytest.mark.parametrize("natively", [True, False])
@pytest.mark.parametrize("cut", ["claim", "complete", "release", "hold", "mark"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_is_cancelled_waits_for_the_statement_however_often_it_is_cancelled(
    sql_seen, monkeypatch, cut, natively
):
    execute, entered, go_on, order = AsyncConnection.execute, anyio.Event(), anyio.Event(), []
    claim = await sql_seen.claim(KEY)
    statements = sql_seen._marks if hasattr(sql_seen._marks, cut) else sql_seen._statements
    cut_off = getattr(statements, cut)

    async def slow(connection, statement, *rest):
        if statement is cut_off and not order:
            entered.set()
            await go_on.wait()
            order.append("the statement ended")
        return await execute(connection, statement, *rest)

    async def transaction(claim):
        async with sql_seen.transaction(claim):
            pass

    async def run():
        doing = transaction if cut in {"hold", "mark"} else getattr(sql_seen, cut)
        try:
            await doing("another" if cut == "claim" else claim)
        finally:
            order.append("the caller went on")

    monkeypatch.setattr(AsyncConnection, "execute", slow)
    with anyio.fail_after(20), anyio.CancelScope() as scope:
        task = asyncio.create_task(run()) if natively else None
        async with anyio.create_task_group() as group:
            group.start_soon(let_go_later, entered, go_on, task or scope)
            await (asyncio.wait([task]) if natively else run())
    assert task.cancelled() if natively else scope.cancelled_caught
    assert order == ["the statement ended", "the caller went on"]
    assert isinstance(await sql_seen.claim("another"), Claim)


async def let_go_later(entered, go_on, cancelled):
    with anyio.CancelScope(shield=True):
        await entered.wait()
        for _ in range(3):
            cancelled.cancel()
            await anyio.sleep(0.01)
        go_on.set()


async def test_a_claim_that_is_granted_long_after_it_was_cancelled_is_given_back(
    tmp_path, table_name, monkeypatch
):
    monkeypatch.setattr(sql_backend, "RETRY_SECONDS", 0.05)
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}")
    seen = SqlSeenEvents(engine, table=table_name)
    await seen.create_table()
    other = sqlite3.connect(tmp_path / "x.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(
        seen, "release", lambda _: anyio.lowlevel.checkpoint()
    )  # as if it had come first
    task = asyncio.create_task(seen.claim(KEY))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other.execute("COMMIT")
    other.close()
    await asyncio.wait(seen._backend._at_work)
    assert isinstance(await seen.claim(KEY), Claim)
    await engine.dispose()


async def test_a_cancelled_claim_that_cannot_be_given_back_is_cancelled_all_the_same(
    sql_seen, monkeypatch
):
    async def broken(_):
        raise OSError("the database is away")

    async def never(_):
        await anyio.sleep_forever()

    monkeypatch.setattr("mettl_async.webhooks.sql_seen_events.RETRY_SECONDS", 0.1)
    monkeypatch.setattr(sql_backend, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(sql_seen, "release", broken)
    monkeypatch.setattr(sql_seen._backend, "run", never)
    task = asyncio.create_task(sql_seen.claim(KEY))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def unlock_soon(connection):
    with anyio.CancelScope(shield=True):
        await anyio.sleep(0.2)
        await connection.rollback()


@pytest.mark.parametrize(
    "options", [{"table": " "}, {"lease": 0}, {"lease": float("nan")}, {"remember": -1}]
)
async def test_options_that_make_no_sense_are_refused(engine, options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        SqlSeenEvents(engine, **options)


async def test_other_databases_and_a_sqlite_in_memory_are_refused():
    with pytest.raises(ConfigurationError, match=r"mysql.*ON CONFLICT"):
        SqlSeenEvents(SimpleNamespace(dialect=SimpleNamespace(name="mysql")))
    in_memory = create_async_engine("sqlite+aiosqlite://", poolclass=sa.pool.StaticPool)
    with pytest.raises(ConfigurationError, match="file"):
        SqlSeenEvents(in_memory)
    await in_memory.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///file::memory:?uri=true",
        "sqlite+aiosqlite:///file::memory:?cache=shared&uri=true",
        "sqlite+aiosqlite:///file:events?mode=memory&cache=shared&uri=true",
    ],
)
def test_a_sqlite_in_memory_is_refused_whatever_its_url_and_pool(url):
    in_memory = create_async_engine(url, poolclass=sa.pool.NullPool)
    with pytest.raises(ConfigurationError, match="is a SQLite in memory; give it a file"):
        SqlSeenEvents(in_memory)


def test_without_sqlalchemy_the_extra_is_named():
    program = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "import mettl_async.webhooks\n"
        "import mettl_async.webhooks.sql_seen_events\n"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'pip install "mettl-async[webhooks-sql]"' in done.stderr
