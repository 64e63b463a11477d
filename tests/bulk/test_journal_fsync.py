"""When a journal waits for the disk."""

import asyncio
import os

import pytest
from journalled import KEY, Remembering, collect, people

from mettl_async import FileJournal
from mettl_async.bulk.journal_record import to_record


async def test_batches_that_wait_for_the_disk_go_there_together(tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def fsync(handle):
        synced.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = FileJournal(tmp_path / "journal")
    await journal.open(KEY)
    at_start = len(synced)
    outcomes = await collect(people(200), Remembering(), FileJournal(tmp_path / "other"))
    settled = [one for one in map(to_record, outcomes) if one]
    synced.clear()
    await asyncio.gather(*(journal.record(settled[n : n + 20]) for n in range(0, 200, 20)))
    await journal.close()
    assert at_start >= 1
    assert 1 <= len(synced) <= 2
    assert (tmp_path / "journal").read_bytes().count(b"\n") == 201


async def test_without_fsync_the_disk_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: pytest.fail("waited"))
    await collect(people(30), Remembering(), FileJournal(tmp_path / "journal", fsync=False))
