"""``mettl webhooks replay``: what kept failing is listed without personal data, and comes again."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.errors import ConfigurationError
from mettl_async.sql_engines import engine_of
from mettl_async.webhooks import TestGraded, TestStarted, parse_event, sample_event
from mettl_async.webhooks.sql_inbox import SqlEventInbox

KINDS = (TestStarted, TestGraded)
URL = "sqlite:///inbox.db"


async def fill():
    engine = create_async_engine("sqlite+aiosqlite:///inbox.db")
    inbox = SqlEventInbox(engine)
    await inbox.create_table()
    for number, kind in enumerate(KINDS):
        event = parse_event(sample_event(kind, email=f"asha{number}@example.org"))
        await inbox.add(event)
    for one in await inbox.take(5):
        await inbox.give_up(one.claim, "RuntimeError at handlers.py:17")
    await engine.dispose()


@pytest.fixture
def dead():
    asyncio.run(fill())


def open_rows():
    with sqlite3.connect("inbox.db") as connection:
        query = "select id from mettl_inbox where dead_at is null and tries = 0"
        found = [one for (one,) in connection.execute(query)]
    connection.close()
    return found


@pytest.mark.usefixtures("dead")
def test_they_are_listed_without_personal_data(mettl):
    done = mettl("webhooks", "replay", env={"METTL_WEBHOOKS_DB": URL})
    assert done.exit_code == 0, done.stderr
    head, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert head == ["id", "event", "tries", "received", "given up", "problem"]
    assert [(row[0], row[1], row[2], row[5]) for row in rows] == [
        ("1", "TestStarted", "1", "RuntimeError at handlers.py:17"),
        ("2", "TestGraded", "1", "RuntimeError at handlers.py:17"),
    ]
    assert "asha" not in done.stdout
    assert "--all" in done.stderr
    listed = json.loads(mettl("webhooks", "replay", "--db", URL, "--json").stdout)
    assert [one["kind"] for one in listed] == ["TestStarted", "TestGraded"]
    assert open_rows() == []


@pytest.mark.usefixtures("dead")
def test_some_or_all_are_replayed(mettl):
    done = mettl("webhooks", "replay", "2", "--db", URL)
    assert (done.exit_code, done.stdout) == (
        0,
        "1 replayed; the workers of the inbox handle them\n",
    )
    assert open_rows() == [2]
    done = mettl("webhooks", "replay", "2", "1", "99", "--db", URL)
    assert done.exit_code == 1
    assert "2 of these numbers are no dead letters" in done.stderr
    done = mettl("webhooks", "replay", "99", "--db", URL)
    assert (done.exit_code, done.stderr) == (1, "mettl: 1 of these numbers is no dead letter\n")
    assert open_rows() == [1, 2]
    assert mettl("webhooks", "replay", "--all", "--db", URL).stdout.startswith("0 replayed")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --db, or set METTL_WEBHOOKS_DB"),
        (["1", "--all", "--db", URL], "not both"),
        (["--db", URL], "call create_table()"),
        (["--db", "nothing"], "give a URL such as sqlite:///"),
        (
            ["--db", "mysql://someone:secret@127.0.0.1/x"],
            (
                "database: mysql is neither sqlite nor postgresql, and has no INSERT ... ON CONFLICT ... RETURNING, "
                "which decides and writes in one step; give the URL of a SQLite or a PostgreSQL"
            ),
        ),
        (
            ["--db", "postgresql+psycopg2://someone:secret@127.0.0.1/x"],
            "database: postgresql+psycopg2 is not async; leave the driver out, as in postgresql://",
        ),
        (
            ["--db", "sqlite+pysqlite:///inbox.db"],
            "not async; leave the driver out, as in sqlite://",
        ),
        (["--db", "postgresql+nothing://127.0.0.1/x"], "give a URL such as sqlite:///"),
        (["--db", "postgresql://someone:secret@127.0.0.1:1/x"], "the database cannot be reached"),
        (["--db", "sqlite:///no/such/folder/inbox.db"], "there is no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line_without_a_password(mettl, arguments, said):
    Path("inbox.db").touch()
    done = mettl("webhooks", "replay", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_library_is_named():
    program = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from mettl_async.cli.app import app\n"
        "app(['webhooks', 'replay', '--db', 'sqlite:///x.db'])"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert 'pip install "mettl-async[webhooks-sql]"' in done.stderr


def test_a_driver_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigurationError, match="asyncpg"):
        engine_of("postgres://someone:secret@127.0.0.1/x")
    assert not Path("inbox.db").exists()
