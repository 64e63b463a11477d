"""Nothing that logs at DEBUG shows what our statements hold: candidates, links, tokens."""

import json
import logging
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.sql_journal import SqlJournal
from mettl_async.errors import ConfigurationError
from mettl_async.sql_logs import ValuesFilter, guard_driver_logger
from mettl_async.webhooks import TestGraded, WebhookReceiver, sample_event
from mettl_async.webhooks.sql_inbox import SqlEventInbox
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

SECRET = "asha.rao@example.org"
# In every field: SQLAlchemy shows the beginning and the end of long values.
BODY = json.dumps(
    {**json.loads(sample_event(TestGraded)), "email": SECRET, "a": SECRET, "z": SECRET}
)


@pytest.fixture
async def engine(database_url):
    """An engine as it comes: it hides nothing, and logs each row."""
    engine = create_async_engine(database_url, echo="debug")
    yield engine
    await engine.dispose()


async def through_the_inbox(engine):
    inbox = SqlEventInbox(engine, table="logged_inbox")
    await inbox.create_table()
    assert (
        await WebhookReceiver(auth=None, store=inbox).respond("POST", {}, BODY.encode())
    ).status == 200
    (taken,) = await inbox.take(1)
    assert SECRET in taken.body
    async with inbox.transaction(taken.claim):
        pass


async def through_seen_events(engine):
    seen = SqlSeenEvents(engine, table="logged_events")
    await seen.create_table()
    claim = await seen.claim(SECRET)
    await seen.complete(claim)


async def through_the_journal(engine):
    journal = SqlJournal(engine, table="logged_journal")
    await journal.create_table()
    await journal.open("a1b2c3")
    one = JournalRecord(email="a@x.org", status="s", url=SECRET, code="", reason=SECRET, final=True)
    await journal.record([one])
    assert await journal.find(["a@x.org"]) == {"a@x.org": one}


@pytest.mark.parametrize(
    "work",
    [through_the_inbox, through_seen_events, through_the_journal],
    ids=lambda one: one.__name__,
)
async def test_nothing_of_an_event_or_a_link_is_logged_at_debug(work, engine, caplog):
    caplog.set_level(logging.DEBUG)
    await work(engine)
    loggers = {one.name.partition(".")[0] for one in caplog.records}
    assert "sqlalchemy" in loggers
    assert "aiosqlite" in loggers or engine.dialect.name != "sqlite"
    assert "logged_" in caplog.text
    assert SECRET not in caplog.text


async def test_statements_of_others_are_logged_as_ever(tmp_path, caplog):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'tests.sqlite3'}", echo=True)
    SqlSeenEvents(engine)
    caplog.set_level(logging.DEBUG)
    async with engine.connect() as connection:
        await connection.execute(text("select :one"), {"one": "theirs"})
    shown = [one.name for one in caplog.records if "theirs" in one.getMessage()]
    assert set(shown) == {"sqlalchemy.engine.Engine", "aiosqlite"}
    await engine.dispose()


def test_a_filter_is_added_once_for_each_table():
    logger = logging.getLogger("aiosqlite")
    guard_driver_logger("aiosqlite", "some_table")
    before = list(logger.filters)
    guard_driver_logger("aiosqlite", "some_table")
    guard_driver_logger("asyncpg", "another_table")
    assert logger.filters == before
    logger.removeFilter(ValuesFilter("some_table"))


def test_records_of_another_form_pass():
    for args in ((), ("text",), ({"a": 1},), (partial(len), partial(len, 5))):
        record = logging.LogRecord("aiosqlite", logging.DEBUG, "", 0, "%s", args, None)
        kept = record.args
        assert ValuesFilter("some_table").filter(record)
        assert record.args == kept


@pytest.mark.parametrize("kind", [SqlEventInbox, SqlSeenEvents, SqlJournal])
@pytest.mark.parametrize(
    "given", ["postgresql://ats:a-password@db/ats", None, object()], ids=["URL", "None", "object"]
)
def test_what_is_no_engine_is_refused_with_what_to_give(kind, given):
    with pytest.raises(ConfigurationError) as caught:
        kind(given)
    assert str(caught.value) == (
        f"engine: is {type(given).__name__}; give create_async_engine(url, hide_parameters=True) of "
        "sqlalchemy.ext.asyncio, with a URL such as sqlite+aiosqlite:///events.sqlite3"
    )
