"""The file of a journal in SQLite: made for its owner only, before SQLite makes it."""

import os
import stat
from pathlib import Path

import pytest
from journalled import Remembering, collect, people
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from mettl_async import JournalError
from mettl_async.bulk.sql_journal import SqlJournal
from mettl_async.sql_backend import Backend
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents


@pytest.fixture(autouse=True)
def _open_to_all():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
async def engine_of():
    engines = []

    def make(url):
        engines.append(create_async_engine(url, poolclass=AsyncAdaptedQueuePool))
        return engines[-1]

    yield make
    for one in engines:
        await one.dispose()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("url", ["{path}", "file:{path}?uri=true", "file:{path}?uri=true&mode=rwc"])
async def test_only_its_owner_can_read_it_and_what_lies_beside_it(tmp_path, engine_of, url):
    path = tmp_path / "jour nal"
    engine = engine_of(f"sqlite+aiosqlite:///{url.format(path=path)}")

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection, _record):
        assert mode(path) == 0o600
        connection.execute("PRAGMA journal_mode = WAL")

    journal = SqlJournal(engine)
    await journal.create_table()
    await collect(people(3), Remembering(), journal)
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["jour nal", "jour nal-shm", "jour nal-wal"]
    assert {mode(one) for one in files} == {0o600}


async def test_it_is_made_so_at_the_start_of_a_run_too(tmp_path, engine_of):
    path = tmp_path / "journal"
    journal = SqlJournal(engine_of(f"sqlite+aiosqlite:///{path}"))
    with pytest.raises(JournalError):
        await collect(people(3), Remembering(), journal)
    assert mode(path) == 0o600


async def test_events_that_were_seen_are_kept_so_too(tmp_path, engine_of):
    path = tmp_path / "seen"
    await SqlSeenEvents(engine_of(f"sqlite+aiosqlite:///{path}")).create_table()
    assert mode(path) == 0o600


async def test_a_file_that_is_there_keeps_its_mode(tmp_path, engine_of):
    path = tmp_path / "shared"
    path.touch()
    path.chmod(0o640)
    await SqlJournal(engine_of(f"sqlite+aiosqlite:///{path}")).create_table()
    assert mode(path) == 0o640


@pytest.mark.parametrize("name", ["journal", "link"])
async def test_what_belongs_to_another_user_is_refused(tmp_path, monkeypatch, engine_of, name):
    path = tmp_path / name
    engine = engine_of(f"sqlite+aiosqlite:///{tmp_path / 'journal'}")
    await SqlJournal(engine).create_table()
    (tmp_path / "link").symlink_to(tmp_path / "journal")
    real = Path.lstat

    def lstat(self):
        found = list(real(self))
        found[stat.ST_UID] += self == path
        return os.stat_result(found)

    monkeypatch.setattr(Path, "lstat", lstat)
    journal, server = SqlJournal(engine_of(f"sqlite+aiosqlite:///{path}")), Remembering()
    with pytest.raises(JournalError, match=f"{name}: belongs to another user"):
        await journal.create_table()
    with pytest.raises(JournalError, match="another user"):
        await collect(people(1), server, journal)
    assert not server.calls


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_file_that_sqlite_would_not_make_is_not_made(tmp_path, engine_of, mode):
    path = tmp_path / "journal"
    Backend(engine_of(f"sqlite+aiosqlite:///file:{path}?uri=true&mode={mode}"), "t").make_file()
    Backend(engine_of(f"sqlite+aiosqlite:///{path}/nowhere"), "t").make_file()
    assert list(tmp_path.iterdir()) == []
