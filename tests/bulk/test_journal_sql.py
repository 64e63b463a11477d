"""A journal in a database: found again by any process, of one schedule and one email only."""

import asyncio
import contextlib
import sqlite3
import threading
import uuid

import pytest
from journalled import KEY, Remembering, collect, link, people, person
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from mettl_async import Candidate, ConfigurationError, FileJournal, JournalError, Registered
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.bulk.sql_journal import SqlJournal


@pytest.fixture
async def new(engine):
    """Makes journals of one table, as several processes would."""
    table = f"journal_{uuid.uuid4().hex}"
    await SqlJournal(engine, table=table).create_table()
    return lambda: SqlJournal(engine, table=table)


def check_all_registered(outcomes, candidates):
    assert sorted(one.index for one in outcomes) == list(range(len(candidates)))
    assert all(isinstance(one, Registered) for one in outcomes)
    assert all(one.url == link(one.candidate.email) for one in outcomes)


async def test_a_run_is_gone_on_with_by_another_process(new):
    half = people(100)[::2]
    check_all_registered(await collect(half, Remembering(), new()), half)
    everybody, server = (
        [Candidate(email=f"C{n}@x.org", first_name="A") for n in range(100)],
        Remembering(),
    )
    outcomes = await collect(everybody, server, new())
    check_all_registered(outcomes, everybody)
    assert set(server.sent) == {one.email for one in people(100)[1::2]}
    assert [one.attempts for one in sorted(outcomes, key=lambda one: one.index)] == [0, 1] * 50


async def test_schedules_share_a_table_but_no_records(new):
    journal, server = new(), Remembering()
    await collect(people(30), server, journal)
    await collect(people(30), server, journal, key=schedule_digest("other"))
    assert set(server.sent.values()) == {2}
    assert await journal.forget("abc123") == 30
    await collect(people(30), server, journal, key=schedule_digest("other"))
    assert set(server.sent.values()) == {2}
    await collect(people(30), server, journal)
    assert set(server.sent.values()) == {3}


async def test_runs_at_once_do_not_disturb_each_other(new):
    both = await asyncio.gather(
        *(collect(people(120), Remembering(), new(), batch_size=7) for _ in range(3))
    )
    for outcomes in both:
        check_all_registered(outcomes, people(120))
    server = Remembering()
    check_all_registered(await collect(people(120), server, new()), people(120))
    assert not server.calls


async def test_one_object_serves_one_run_at_a_time(new):
    journal = new()
    await journal.open(KEY)
    with pytest.raises(JournalError, match="in use"):
        await collect(people(1), Remembering(), journal)
    await journal.close()
    assert len(await collect(people(1), Remembering(), journal)) == 1
    with pytest.raises(JournalError, match="not open"):
        await journal.find(["a@x.org"])


def record(email, url="", *, final=True, **more):
    return JournalRecord(email=email, status="any", url=url, final=final, **more)


async def test_records_come_back_as_they_were_and_the_last_final_one_counts(new):
    journal = new()
    await journal.open(KEY)
    done = record("a@x.org", code="Completed", reason="आशा has\0 completed 'it' \ud800")
    await journal.record([done])
    await journal.record([done, record("b@x.org", "https://x/1")])
    await journal.record([record("b@x.org", "https://x/2"), record("c@x.org", final=False)])
    await journal.record([record("b@x.org", code="E500", final=False)])
    await journal.record([])
    assert await journal.find(["b@x.org", "a@x.org", "c@x.org", "d@x.org"]) == {
        "a@x.org": record("a@x.org", code="Completed", reason="आशा has completed 'it' ?"),
        "b@x.org": record("b@x.org", "https://x/2"),
    }
    assert await journal.find([]) == {}
    await journal.close()


async def test_batches_that_wait_for_the_database_are_committed_together(new, engine):
    journal, commits = new(), []
    event.listen(engine.sync_engine, "commit", commits.append)
    await journal.open(KEY)
    every = [record(f"c{number}@x.org") for number in range(200)]
    await asyncio.gather(*(journal.record(every[n : n + 20]) for n in range(0, 200, 20)))
    assert 1 <= len(commits) <= 2
    assert len(await journal.find([one.email for one in every])) == 200
    await journal.close()


def test_its_table_is_that_of_a_file_journal(engine, tmp_path):
    asyncio.run(collect(people(1), Remembering(), FileJournal(tmp_path / "journal")))
    with contextlib.closing(sqlite3.connect(tmp_path / "journal")) as database:
        columns = database.execute("PRAGMA table_info(mettl_journal)").fetchall()
    table = SqlJournal(engine).table
    assert table.name == "mettl_journal"
    assert [(name, bool(key)) for _, name, _, _, _, key in columns] == [
        (one.name, one.primary_key) for one in table.columns
    ]


async def test_no_address_is_stored_and_no_parameter_shown(new, engine):
    journal = new()
    await collect([person(1)], Remembering(), journal)
    async with engine.connect() as connection:
        [row] = (await connection.execute(journal.table.select())).all()
    assert "c1@x.org" not in f"{row.schedule}{row.email_digest}{row.reason}"
    await journal.open(KEY)
    async with engine.begin() as connection:
        await connection.run_sync(journal.table.drop)
    with pytest.raises(Exception, match="journal") as caught:
        await journal.record([record("b@x.org", "https://x/secret")])
    assert "secret" not in str(caught.value)
    await journal.close()


async def test_a_database_that_is_gone_ends_the_run_in_order(tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/no/journal.sqlite3")
    server = Remembering()
    with pytest.raises(JournalError, match="cannot be read: OperationalError") as caught:
        await collect(people(50), server, SqlJournal(engine))
    assert isinstance(caught.value.__cause__, OperationalError)
    assert not server.calls
    await engine.dispose()
    # aiosqlite does not wait for the thread of a connection that could not be made, and a thread that
    # ends after the event loop says so in some later test.
    while any(  # noqa: ASYNC110 - a thread sets no event
        "_connection_worker_thread" in one.name for one in threading.enumerate()
    ):
        await asyncio.sleep(0.01)


async def test_what_cannot_work_is_refused():
    memory = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    with pytest.raises(ConfigurationError, match="one connection"):
        SqlJournal(memory)
    other = create_async_engine("sqlite+aiosqlite:///x")
    with pytest.raises(ConfigurationError, match="blank"):
        SqlJournal(other, table=" ")
    await memory.dispose()
    await other.dispose()
