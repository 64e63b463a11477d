"""Workers and their leader: every chunk is run by one, whatever happens to the others."""

import asyncio
import contextlib
import logging
from concurrent.futures import Future

import pytest
from pretended_engine import Dispatch, PretendedEngine, Row
from worked import QUICK, Worked, until

from mettl_async.errors import ClientClosedError
from mettl_async.jobs import leases, tables
from mettl_async.jobs.engine import HandedOnError, Ticket
from mettl_async.jobs.leading import Leader
from mettl_async.jobs.running import RunningChunks
from mettl_async.jobs.work import Finished, Presence
from mettl_async.jobs.worker import Worker
from mettl_async.sql_backend import Backend, sa

# Two chunks, each with 4 calls in flight, 2 batches in the hands of spare workers, and one being read.
IN_HAND = 2 * (4 + 2 + 1)


@pytest.fixture
async def worked(jobs_file_url):
    """Workers on an engine in memory."""
    worked = Worked(jobs_file_url, dispatch=Dispatch())
    yield worked
    await worked.aclose()


async def test_a_job_is_done_on_dbos(jobs_file_url):
    worked = Worked(jobs_file_url)
    await worked.submit(25)
    async with worked.working():
        await worked.until("done")
    await worked.check_end()
    assert await worked.statuses() == {"registered": 25}
    assert worked.asked_again() == 0
    assert await worked.rows(tables.leases) == []
    await worked.aclose()


async def test_two_workers_share_the_chunks_of_two_jobs(worked):
    await worked.submit(60)
    await worked.submit(40, number=2)
    worked.sandbox.faults.latency = 0.002
    async with worked.working() as first, worked.working() as second:
        await worked.until("done")
        await worked.until("done", 2)
        workers = {row.executor for row in worked.dispatch.rows.values()}
    assert workers <= {first.worker.id, second.worker.id}
    await worked.check_end()
    await worked.check_end(2)
    assert worked.asked_again() == 0


async def test_a_stop_finishes_what_is_in_flight_and_hands_on_the_rest(worked):
    await worked.submit(400, chunk_size=200)
    worked.open.clear()
    async with worked.working() as first:
        await worked.until_waiting(8)
        first.stop.set()
        # It lets go of the lead, then it begins nothing more.
        await worked.until_leases(lambda names: leases.LEADER not in names)
        await asyncio.sleep(0.01)
        worked.open.set()
        await first.task
    assert (calls := worked.sandbox.stats.requests) <= IN_HAND
    assert await worked.statuses() == {"registered": 20 * calls}
    chunks = await worked.rows(tables.chunks)
    assert [(row.owner, row.tries) for row in chunks] == [(None, 0), (None, 0)]
    await worked.until_leases(lambda names: not names)
    async with worked.working():
        await worked.until("done")
    await worked.check_end()
    assert worked.asked_again() == 0


async def test_a_cancelled_worker_hands_on_its_chunks_at_once(worked):
    await worked.submit(200, chunk_size=100)
    worked.open.clear()
    async with worked.client() as client:
        first = asyncio.create_task(worker_of(worked, client).run())
        await worked.until_waiting(8)
        async with worked.working():
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            worked.open.set()
            await worked.until("done")
    await worked.check_end()
    assert worked.asked_again() <= 8 * 20


@pytest.mark.parametrize("state", ["paused", "cancelled"])
async def test_a_job_that_is_paused_or_cancelled_ends_in_order(worked, monkeypatch, state):
    await worked.submit(400, chunk_size=200)
    whole, watched = RunningChunks.watch, []

    async def watch(self):
        await whole(self)
        watched.append(self)

    monkeypatch.setattr(RunningChunks, "watch", watch)
    worked.open.clear()
    async with worked.working():
        await worked.until_waiting(8)
        await worked.change(sa.update(tables.jobs).values(state=state))
        seen = len(watched)
        await until(lambda: len(watched) > seen + 1)
        worked.open.set()
        await worked.until_chunks(lambda rows: all(row.owner is None for row in rows))
        assert (calls := worked.sandbox.stats.requests) <= IN_HAND
        assert await worked.statuses() == {"registered": 20 * calls}
        await asyncio.sleep(5 * QUICK.tick)
        assert worked.sandbox.stats.requests == calls
        await worked.change(sa.update(tables.jobs).values(state="ready"))
        await worked.until("done")
    await worked.check_end()
    assert worked.asked_again() == 0


async def test_work_for_an_account_waits_for_a_worker_that_has_it(worked, caplog):
    await worked.submit(10, account="beta")
    await worked.submit(10, number=2)
    async with worked.working("acme"):
        await worked.until("done", 2)
        assert (await worked.job()).state == "ready"
        async with worked.working("beta"):
            await worked.until("done")
    await worked.check_end()
    lines = [one.message for one in caplog.records if one.levelno == logging.WARNING]
    assert [one for one in lines if "beta" in one] == [
        "there is work for the account beta; this worker has no client of it, and another must"
    ]


async def test_a_refused_account_pauses_the_job_and_says_why(worked, caplog):
    await worked.submit(45, chunk_size=15)
    worked.sandbox.faults.script(["E403"])
    async with worked.working(at_once=1):
        await worked.until("paused")
        job = await worked.job()
        assert "E403" in job.problem
        assert "@" not in job.problem
        await worked.until_chunks(lambda rows: not any(row.owner for row in rows))
        assert worked.sandbox.stats.requests == 1
        assert set(await worked.statuses()) == {"failed"}
        assert [row.tries for row in await worked.rows(tables.chunks)] == [0, 0, 0]
        await worked.change(sa.update(tables.jobs).values(state="ready", problem=""))
        await worked.until("done")
    await worked.check_end()
    assert await worked.statuses() == {"registered": 45}
    assert [one.levelno for one in caplog.records if "is paused" in one.message] == [logging.ERROR]


async def test_a_chunk_with_people_left_is_tried_again_and_given_up_at_last(worked):
    await worked.submit(20)
    tries = []

    async def fail(work):
        tries.append((work.lease.chunk, work.chunk.tries))
        return Finished("Whatever E999")

    async with worked.working(max_tries=3, runners={"register": fail}):
        await worked.until("done")
    assert sorted(tries) == [(chunk, tried) for chunk in range(2) for tried in range(3)]
    await worked.check_end()
    outcomes = await worked.rows(tables.outcomes)
    assert {(row.status, row.code, row.reason) for row in outcomes} == {
        ("failed", "NotSent", "Whatever E999")
    }


async def test_what_a_run_raises_is_a_try_too(worked, caplog):
    await worked.submit(10)

    async def fail(work):
        raise KeyError(work.chunk.spec)

    async with worked.working(max_tries=2, runners={"register": fail}):
        await worked.until("done")
    await worked.check_end()
    lines = [one.message for one in caplog.records if one.levelno == logging.ERROR]
    assert len(lines) == 2
    assert lines[0].startswith("chunk 0 of job 1 failed with KeyError at test_jobs_worker.py:")
    assert worked.access_key not in caplog.text


async def test_a_server_that_answers_nobody_is_not_given_up_so_soon(worked):
    await worked.submit(200, chunk_size=100)
    worked.sandbox.faults.reset_before = 1.0
    async with worked.working(max_tries=1):
        await worked.until_calls(60)
        worked.sandbox.faults.reset_before = 0.0
        await worked.until("done")
    await worked.check_end()
    assert max(row.tries for row in await worked.rows(tables.chunks)) > 1
    assert await worked.statuses() == {"registered": 200}


async def test_a_database_that_is_away_is_waited_for(worked, monkeypatch, caplog):
    await worked.submit(100)
    whole, away = Backend.run, asyncio.Event()

    async def run(self, *args, **kwargs):
        if away.is_set():
            raise sa.exc.OperationalError("", {}, OSError("away"))
        return await whole(self, *args, **kwargs)

    monkeypatch.setattr(Backend, "run", run)
    worked.sandbox.faults.latency = 0.005
    async with worked.working():
        await worked.until_calls(2)
        away.set()
        await asyncio.sleep(0.3)
        away.clear()
        await worked.until("done")
        await until(lambda: "can be used again" in caplog.text)
    await worked.check_end()
    assert await worked.statuses() == {"registered": 100}
    lines = [one.message for one in caplog.records if "the database" in one.message]
    assert len(lines) == 2
    assert worked.asked_again() <= 8 * 20


@pytest.mark.parametrize("launched", [False, True])
async def test_a_worker_that_is_told_to_stop_waits_for_no_database(
    worked, monkeypatch, caplog, launched
):
    async def away(*_):
        raise sa.exc.OperationalError("", {}, OSError("away"))

    if launched:
        monkeypatch.setattr(PretendedEngine, "launch", away)
    else:
        monkeypatch.setattr(Backend, "run", away)
    async with asyncio.timeout(5), worked.working():
        await until(lambda: "cannot be used" in caplog.text)


async def test_the_work_of_a_worker_that_is_alive_is_left_to_it(worked):
    await worked.submit(20)
    await worked.lease("worker:other", "other")
    taken = Ticket(1, 0, 1)
    worked.dispatch.rows[taken] = Row("acme", "mettl-jobs-1", "PENDING", "other")
    first = tables.chunks.c.chunk == 0
    await worked.change(sa.update(tables.chunks).where(first).values(attempt=1, owner="other"))
    async with worked.working():
        await worked.until_chunks(lambda rows: rows[1].done)
        await asyncio.sleep(5 * QUICK.tick)
        assert await worked.rows(tables.chunks.c.owner, first) == [("other",)]
        # It has died: its lease ends.
        await worked.change(
            sa.update(tables.leases).where(tables.leases.c.holder == "other").values(until=0)
        )
        await worked.until("done")
    await worked.check_end()


async def test_what_fails_in_a_worker_is_said_and_tried_again(worked, caplog):
    await worked.submit(10)
    failures = [KeyError("secret"), sa.exc.ProgrammingError("secret", {}, Exception("secret"))]

    async def fail():
        if failures:
            raise failures.pop()

    async with worked.working(further=[fail]):
        await until(lambda: not failures)
        await worked.until("done")
    lines = [one.message for one in caplog.records if one.levelno >= logging.WARNING]
    assert [line.split(" at ")[0] for line in lines] == [
        "a worker failed with ProgrammingError",
        "a worker failed with KeyError",
    ]
    assert "secret" not in caplog.text


async def test_another_leads_when_the_leader_has_died(worked):
    await worked.submit(10)
    await worked.lease(leases.LEADER, "ghost", 0.2)
    async with worked.working():
        await worked.until("done")
    await worked.check_end()


async def test_a_leader_stays_it_as_long_as_it_says_so(worked, caplog):
    pace = type(QUICK)(lease=0.15, tick=0.02)
    engine = worked.dispatch.make_engine(
        url=None, executor="a", accounts=[], at_once=1, idle=1.0, accept=print
    )
    leader = Leader(
        backend=worked.backend, engine=engine, worker="a", accounts=[], at_once=1, pace=pace,
        clock=asyncio.get_running_loop().time,
    )  # fmt: skip
    with caplog.at_level(logging.INFO):
        for _ in range(15):
            await leader.tick()
            assert leader.leads
            await asyncio.sleep(0.02)
    assert caplog.text.count("leads") == 1
    await worked.change(
        sa.update(tables.leases).values(holder="b", until=tables.leases.c.until + 60.0)
    )
    await asyncio.sleep(0.06)
    await leader.tick()
    assert not leader.leads


async def test_an_engine_that_has_lost_everything_loses_nobody(worked):
    await worked.submit(200, chunk_size=50)
    worked.sandbox.faults.latency = 0.01
    async with worked.working():
        await worked.until_calls(2)
        worked.dispatch.lose_all()
        await worked.until("done")
    await worked.check_end()
    assert await worked.statuses() == {"registered": 200}
    assert worked.asked_again() <= 8 * 20


async def test_a_ticket_that_never_reached_the_worker_is_found(worked, monkeypatch):
    await worked.submit(20)
    whole, lost = RunningChunks.accept, []

    def accept(self, ticket, ended):
        if lost:
            whole(self, ticket, ended)
        else:
            lost.append(ended)

    monkeypatch.setattr(RunningChunks, "accept", accept)
    async with worked.working(pace=type(QUICK)(lease=0.3, tick=0.02, watch=0.02)):
        await worked.until("done")
    await worked.check_end()
    assert max(row.attempt for row in await worked.rows(tables.chunks)) == 2


async def test_workers_of_two_versions_lose_nothing(worked):
    await worked.submit(600, chunk_size=20)
    worked.sandbox.faults.latency = 0.03
    async with worked.working(version="mettl-jobs-0"):
        await worked.until_calls(2)
        async with worked.working() as new:
            await worked.until_calls(4)
            assert {row.version for row in worked.dispatch.rows.values()} == {"mettl-jobs-0"}
            new_has = {row.executor for row in worked.dispatch.rows.values()} & {new.worker.id}
            assert not new_has  # the old one leads, and hands out to its like
    assert (await worked.job()).state == "ready"
    # What still waits for the old version is handed out anew.
    assert "ENQUEUED" in {row.state for row in worked.dispatch.rows.values()}
    worked.sandbox.faults.latency = 0.0
    async with worked.working():
        await worked.until("done")
    await worked.check_end()
    assert worked.asked_again() == 0


async def test_a_worker_whose_client_is_closed_ends_with_that(worked):
    await worked.submit(10)
    async with worked.client() as client:
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await worker_of(worked, client).run()
    await worked.until_leases(lambda names: not names)


async def test_no_thread_of_the_engine_waits_for_a_worker_that_has_ended(worked, monkeypatch):
    running = RunningChunks(
        backend=worked.backend, worker="a", clients={}, runners={}, concurrency=1, at_once=1, max_tries=1,
        pace=type(QUICK)(finish=0.01), presence=Presence(), failed=asyncio.get_running_loop().create_future(),
    )  # fmt: skip
    stubborn, held, late = Future(), Future(), Future()

    async def run(*_):
        while not late.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    monkeypatch.setattr(RunningChunks, "_run", run)
    running.accept(Ticket(1, 0, 1), stubborn)
    await running.finish()
    running.accept(Ticket(1, 1, 1), held)
    assert not held.done()
    await running.close()
    running.accept(Ticket(1, 2, 1), late)
    assert {type(one.exception(0)) for one in (stubborn, held, late)} == {HandedOnError}
    await until(lambda: not running.tickets)


def worker_of(worked, client):
    return Worker(
        backend=worked.backend, url=worked.url, clients={"acme": client}, pace=QUICK,
        make_engine=worked.dispatch.make_engine,
    )  # fmt: skip
