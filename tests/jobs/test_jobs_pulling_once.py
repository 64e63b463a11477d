"""Each result and report is pulled once, whatever ends or freezes a worker."""

import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from pulled_data import Pulled, emails, until

from mettl_async.jobs import FolderStore, Jobs, pull_chunk, pull_results, tables
from mettl_async.jobs.pull_statements import PullTables

CONCURRENCY = 4  # of one chunk
SCRIPT = Path(__file__).with_name("pull_process.py")


@pytest.fixture
async def pulled(jobs, jobs_url):
    """On both databases; those of ``jobs`` are emptied afterwards."""
    pulled = Pulled(jobs_url)
    async with pulled.jobs:
        yield pulled
    await pulled.aclose()


def lines_of(folder):
    """The emails in all files of results."""
    texts = [file.read_text() for file in folder.glob("*.jsonl")]
    return sorted(json.loads(line)["email"] for text in texts for line in text.splitlines())


@pytest.mark.parametrize(
    "first", [4, *(pytest.param(one, marks=pytest.mark.slow) for one in (1, 6))]
)
async def test_nothing_is_lost_or_doubled_when_workers_die(pulled, tmp_path, first):
    other = pulled.sandbox.add_schedule("Other").access_key
    await pulled.take_test(*range(6))
    await pulled.take_test(*range(6, 12), access_key=other)
    await pulled.jobs.pull(
        pull_results(reports="own", files=tmp_path / "files"), account="acme", id="a"
    )
    for worker, at in (("w1", first), ("w2", first + 3 + CONCURRENCY)):
        async with pulled.stuck(worker, at=at):
            pass
    assert (await pulled.jobs.get("a")).state == "ready"
    await pulled.work(name="w3")
    status = await pulled.jobs.status("a")
    assert (status.chunks_done, status.registered) == (2, 2)
    assert sorted(row.email for row in await pulled.results()) == emails(*range(12))
    assert lines_of(tmp_path / "files") == emails(*range(12))
    assert {row.report for row in await pulled.results()} == set(pulled.store.reports)
    assert 12 <= len(pulled.store.calls) <= 12 + 3 * CONCURRENCY
    assert len(await pulled.rows(tables.pulled)) == 3 * 12


async def test_a_frozen_worker_writes_nothing_when_it_wakes(pulled, all_logs):
    await pulled.take_test(1, 2)
    await pulled.jobs.pull(pull_results(reports="own"), account="acme", id="a")
    async with pulled.stuck("w1", at=2) as runs:
        await pulled.work(name="w2")
        before = [await pulled.rows(one) for one in tables.metadata.sorted_tables]
        pulled.store.let_go.set()
        await asyncio.gather(*runs)
    assert [await pulled.rows(one) for one in tables.metadata.sorted_tables] == before
    assert any("was handed on" in one for one in all_logs)


async def test_a_frozen_worker_does_not_put_an_old_result_into_the_place_of_a_new_one(
    pulled, monkeypatch
):
    await pulled.take_test(1)
    await pulled.jobs.pull(pull_results(pulled.access_key), account="acme", id="a")
    looked, go_on, whole = asyncio.Event(), asyncio.Event(), PullTables.known

    async def frozen(tables, digests):
        looked.set()
        await go_on.wait()
        return await whole(tables, digests)

    monkeypatch.setattr(PullTables, "known", frozen)
    async with pulled.client() as client:
        (ticket,) = await pulled.tickets()
        run = asyncio.create_task(pulled.running(client, name="w1")._run(ticket))
        await looked.wait()
        monkeypatch.setattr(PullTables, "known", whole)
        await client.results.delete(pulled.access_key, *emails(1))
        await pulled.take_test(1)
        await pulled.work(name="w2")
        before = await pulled.results()
        go_on.set()
        await run
    assert await pulled.results() == before
    assert len(await pulled.rows(tables.pulled)) == 1


async def test_a_frozen_worker_does_not_put_an_old_file_into_the_place_of_a_new_one(
    pulled, tmp_path, monkeypatch
):
    await pulled.take_test(1)
    what = pull_results(pulled.access_key, table=False, files=tmp_path / "files")
    await pulled.jobs.pull(what, account="acme", id="a")
    merged, go_on, whole = threading.Event(), threading.Event(), pull_chunk.merge

    def frozen(*arguments):
        try:
            return whole(*arguments)
        finally:
            merged.set()
            go_on.wait(20)

    monkeypatch.setattr(pull_chunk, "merge", frozen)
    async with pulled.client() as client:
        (ticket,) = await pulled.tickets()
        run = asyncio.create_task(pulled.running(client, name="w1")._run(ticket))
        await asyncio.to_thread(merged.wait, 20)
        monkeypatch.setattr(pull_chunk, "merge", whole)
        await pulled.take_test(2)
        await pulled.work(name="w2")
        go_on.set()
        await run
    assert lines_of(tmp_path / "files") == emails(1, 2)
    assert [one.name for one in (tmp_path / "files").iterdir()] == [f"{pulled.access_key}.jsonl"]


async def test_a_file_that_somebody_else_writes_is_merged_again(pulled, tmp_path, monkeypatch):
    await pulled.take_test(1)
    whole, calls = pull_chunk.merge, []

    def disturbed(file, part, target, lines):
        found = whole(file, part, target, lines)
        calls.append(target)
        if len(calls) == 1:
            target.write_text('{"email": "other@example.org"}\n')
        return found

    monkeypatch.setattr(pull_chunk, "merge", disturbed)
    await pulled.pull(pull_results(pulled.access_key, table=False, files=tmp_path / "files"))
    assert (lines_of(tmp_path / "files"), len(calls)) == (["other@example.org", *emails(1)], 2)


async def test_workers_share_the_schedules_of_a_job(pulled):
    keys = [pulled.sandbox.add_schedule(f"S{one}").access_key for one in range(3)]
    for index, key in enumerate(keys):
        await pulled.take_test(index, access_key=key)
    await pulled.jobs.pull(pull_results(keys, reports="own"), account="acme", id="a")
    async with pulled.client() as client:
        workers = [pulled.running(client, name=f"w{one}") for one in range(3)]
        tickets = await pulled.tickets()
        await asyncio.gather(
            *(one._run(ticket) for one, ticket in zip(workers, tickets, strict=True))
        )
    assert (await pulled.jobs.status("a")).chunks_done == 3
    assert sorted(row.email for row in await pulled.results()) == emails(0, 1, 2)
    assert len(pulled.store.reports) == 3


async def test_a_worker_that_stops_ends_in_order_and_another_goes_on(pulled):
    await pulled.take_test(*range(8))
    await pulled.jobs.pull(pull_results(reports="own"), account="acme", id="a")
    async with pulled.client() as client:
        running = pulled.running(client)
        pulled.store.stuck_from = 3
        runs = [asyncio.ensure_future(running._run(one)) for one in await pulled.tickets()]
        await until(lambda: len(pulled.store.calls) >= 3)
        for stop in running._stops.values():
            stop.set()
        pulled.store.let_go.set()
        await asyncio.gather(*runs)
    assert 3 <= len(pulled.store.reports) <= 2 + CONCURRENCY
    assert not (await pulled.jobs.status("a")).chunks_done
    await pulled.work()
    assert len(pulled.store.calls) == len(pulled.store.reports) == 8


@pytest.mark.slow
@pytest.mark.parametrize("database", ["jobs_file_url", "jobs_postgres_url"])
async def test_a_worker_that_is_killed_again_and_again(request, database, tmp_path):
    url = request.getfixturevalue(database)
    pulled, folder = Pulled(url), tmp_path / "reports"
    await pulled.take_test(*range(80))
    what = pull_results(reports=FolderStore(folder), files=tmp_path / "files")
    async with pulled.sandbox.serve() as server, Jobs(pulled.engine) as jobs:
        await jobs.pull(what, account="acme", id="a")
        for enough in (5, 30, 60, None):
            child = await asyncio.create_subprocess_exec(
                sys.executable, SCRIPT, url.replace("+aiosqlite", ""), server.base_url,
                env={**os.environ, "METTL_PUBLIC_KEY": server.credentials.public_key, "METTL_PRIVATE_KEY": server.credentials.private_key},
            )  # fmt: skip
            if enough is None:
                await pulled.until("done")
            else:
                await until(lambda enough=enough: len([*folder.rglob("*.pdf")]) >= enough)
            child.send_signal(signal.SIGKILL)
            await child.wait()
    rows = await pulled.results()
    assert sorted(row.email for row in rows) == emails(*range(80)) == lines_of(tmp_path / "files")
    assert {row.report for row in rows} == {
        str(one.relative_to(folder)) for one in folder.rglob("*.pdf")
    }
    assert len(await pulled.rows(tables.pulled)) == 3 * 80
    for table in tables.metadata.sorted_tables:
        await pulled.change(table.delete())
    await pulled.aclose()
