"""A journal in a database: found again by any process, of one schedule and one email only."""

import asyncio
import threading
import uuid

import pytest
from journalled import KEY, Remembering, collect, link, people, person
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from mettl_async import Candidate, ConfigurationError, JournalError, Registered
from mettl_async.bulk.journal_record import JournalRecord, schedule_digest
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


async def test_records_come_back_as_they_were_and_the_last_one_counts(new):
    journal = new()
    await journal.open(KEY)
    done = JournalRecord(email="a@x.org", status="Completed", reason="आशा has\0 completed 'it'")
    await journal.record([done])
    await journal.record(
        [done, JournalRecord(email="b@x.org", status="InProgress", url="https://x/1")]
    )
    await journal.record([JournalRecord(email="b@x.org", status="InProgress", url="https://x/2")])
    await journal.record([])
    found = await journal.find(["b@x.org", "a@x.org", "c@x.org"])
    assert {
        email: (one.email, one.status, one.url, one.reason) for email, one in found.items()
    } == {
        "a@x.org": ("a@x.org", "Completed", None, "आशा has completed 'it'"),
        "b@x.org": ("b@x.org", "InProgress", "https://x/2", ""),
    }
    assert await journal.find([]) == {}
    await journal.close()


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
        await journal.record(
            [JournalRecord(email="b@x.org", status="ToBeTaken", url="https://x/secret")]
        )
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
