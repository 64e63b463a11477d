"""A run with a journal in a file, on trio."""

import contextlib
import sqlite3

import trio
from by_trio import on_trio

from mettl_async import Candidate, FileJournal, MettlClient


@on_trio
async def test_a_run_is_gone_on_with(remote, tmp_path):
    candidates = [Candidate(email=f"c{number}@x.org", first_name="A") for number in range(200)]
    async with MettlClient(remote.credentials, base_url=remote.base_url) as mettl:

        async def run(count):
            return await mettl.candidates.register_many(
                remote.access_key, candidates[:count], journal=FileJournal(tmp_path / "journal")
            )

        (await run(90)).raise_for_failures()
        report = await run(200)
        report.raise_for_failures()
        assert [one.attempts for one in report.registered] == [0] * 90 + [1] * 110
    assert set(remote.sandbox.stats.registrations.values()) == {1}


@on_trio
async def test_a_cancelled_caller_finds_what_was_in_flight_recorded(remote, tmp_path):
    candidates = [Candidate(email=f"c{number}@x.org", first_name="A") for number in range(4000)]
    path = tmp_path / "journal"
    async with MettlClient(remote.credentials, base_url=remote.base_url) as mettl:
        with trio.CancelScope() as scope:
            async for _ in mettl.candidates.register_many(
                remote.access_key, candidates, journal=FileJournal(path)
            ):
                scope.cancel()
    assert scope.cancelled_caught
    handled = {email for _, email in remote.sandbox.stats.registrations}
    with contextlib.closing(sqlite3.connect(path)) as database:
        recorded = database.execute("SELECT count(*) FROM mettl_journal").fetchone()[0]
    assert 20 <= recorded == len(handled) < 4000
