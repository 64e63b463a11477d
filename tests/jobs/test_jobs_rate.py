"""One rate of an account over all workers, on both databases."""

import asyncio
import subprocess
import sys
import time
import uuid
from bisect import bisect_left
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from mettl_async import Candidate, ConfigurationError, MettlClient, Response, RetryPolicy
from mettl_async.config import ClientOptions
from mettl_async.jobs import rate as rate_module
from mettl_async.jobs.rate import DatabaseRate
from mettl_async.jobs.tables import rates
from mettl_async.jobs.turns import LATE, Answer
from mettl_async.sandbox import Sandbox
from mettl_async.sql_backend import Backend

PROCESS = Path(__file__).with_name("rate_process.py")


@pytest.fixture
async def backend(engine):
    made = Backend(engine, "mettl_job", shared=True)
    await made.create(rates)
    return made


@pytest.fixture
async def new_rate(backend):
    """Makes rates of one account, as many workers would have them."""
    account, made = uuid.uuid4().hex, []

    def new(per_second=20.0):
        made.append(DatabaseRate(backend, account, per_second))
        return made[-1]

    yield new
    for one in made:
        await one.aclose()


async def reserve(rate, turns, pause=0.0):
    question = partial(rate._answer, turns=turns, pause=pause)
    _, _, answer = await rate._backend.run(question)
    return answer


async def set_row(rate, **values):
    mine = rates.c.account == rate.account
    await rate._backend.change(sa.update(rates).where(mine).values(**values), {})


async def test_blocks_of_two_workers_follow_one_another(new_rate):
    one, other = new_rate(), new_rate()
    first = await reserve(one, 5)
    second = await reserve(other, 2)
    third = await reserve(one, 1)
    assert first.start >= first.now - 0.01
    assert second.start == pytest.approx(first.start + 5 / 20, abs=1e-5)
    assert third.start == pytest.approx(second.start + 2 / 20, abs=1e-5)


async def test_turns_that_nobody_took_are_not_made_up_for(new_rate):
    one = new_rate()
    first = await reserve(one, 1)
    await set_row(one, next_turn=first.now - 3600)
    later = await reserve(one, 1)
    assert later.start >= first.now


async def test_a_pause_of_one_is_a_pause_of_all(new_rate):
    one, other = new_rate(), new_rate()
    await one.pause(600.0)
    await asyncio.wait([one._question])
    looked = await reserve(other, 0)
    assert looked.paused_until - looked.now == pytest.approx(600, abs=5)
    await reserve(other, 0, pause=60.0)  # a shorter one changes nothing
    for _ in range(2):
        reserved = await reserve(other, 5)
        assert reserved.paused_until == looked.paused_until
    assert reserved.start == pytest.approx(looked.paused_until + 5 / 20, abs=1e-4)


async def test_nobody_sends_while_another_worker_was_asked_to_pause(new_rate):
    one, other = new_rate(1000.0), new_rate(1000.0)
    await other.acquire()
    await one.pause(3600.0)
    await asyncio.wait([one._question])
    await asyncio.sleep(LATE + 0.01)  # until what it holds is too late
    waiting = asyncio.create_task(other.acquire())
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    waiting.cancel()
    assert not done


async def test_blocks_after_a_pause_of_an_hour_follow_one_another_too(new_rate):
    one = new_rate()
    await reserve(one, 1, pause=3599.0)
    first = await reserve(one, 5)
    assert (await reserve(one, 5)).start == pytest.approx(first.start + 5 / 20, abs=1e-4)


async def test_a_database_whose_clock_was_set_back_stops_nobody(new_rate):
    one = new_rate()
    now = (await reserve(one, 1)).now
    await set_row(one, next_turn=now + 86_400, paused_until=now + 86_400)
    answer = await reserve(one, 1)
    assert answer.start == pytest.approx(answer.now, abs=1.0)
    assert answer.paused_until == 0


async def test_acquiring_goes_on_for_many_who_wait(new_rate):
    one, other = new_rate(500.0), new_rate(500.0)
    async with asyncio.timeout(30):
        await asyncio.gather(*(each.acquire() for each in (one, other) for _ in range(20)))


async def test_whoever_waits_wakes_for_a_pause_and_a_cancelled_one_leaves(new_rate):
    one = new_rate(0.5)
    await one.acquire()
    waiting = asyncio.create_task(one.acquire())
    await asyncio.sleep(0)
    await one.pause(3600.0)
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert one._waiting == 0


class Scripted:
    """A database that is away as often as it is told to, and then gives what is asked for."""

    dialect = "sqlite"

    def __init__(self, *failures, first=0.0):
        self.failures, self.asked, self.first = list(failures), 0, first

    async def run(self, work):
        self.asked += 1
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        now = time.monotonic()
        return now, now, Answer(now + self.first, 0.0, now)


async def test_a_cancelled_waiter_leaves_its_turn_to_the_next():
    database = Scripted(first=0.03)
    rate = DatabaseRate(database, "acme", 1.0)
    gone = asyncio.create_task(rate.acquire())
    await asyncio.sleep(0)
    await asyncio.wait([rate._question])
    gone.cancel()
    async with asyncio.timeout(30):
        await rate.acquire()
    assert database.asked == 1


async def test_while_the_database_is_away_nobody_sends_and_it_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(rate_module, "_FIRST_PAUSE", 0.001)
    database = Scripted(OSError("secret"), TimeoutError(), OSError())
    rate = DatabaseRate(database, "acme", 1000.0)
    await rate.acquire()
    assert database.asked == 4
    await rate.aclose()
    said = [one.getMessage() for one in caplog.records if one.name == "mettl_async"]
    assert said == [
        "the rate of account acme cannot be read (OSError); nothing is sent until it can",
        "the rate of account acme can be read again",
    ]


async def test_nobody_asks_any_more_when_all_who_waited_have_gone(monkeypatch):
    monkeypatch.setattr(rate_module, "_FIRST_PAUSE", 0.001)
    database = Scripted(*(OSError() for _ in range(1000)))
    rate = DatabaseRate(database, "acme", 1.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await rate.acquire()
    await asyncio.wait([rate._question])
    assert database.failures


async def test_a_pause_is_told_when_the_database_is_back(monkeypatch):
    monkeypatch.setattr(rate_module, "_FIRST_PAUSE", 0.001)
    database = Scripted(OSError(), OSError())
    rate = DatabaseRate(database, "acme", 1.0)
    await rate.pause(60.0)
    await asyncio.wait([rate._question])
    assert database.asked == 3
    assert not rate._turns.untold(time.monotonic())


async def test_a_table_that_is_missing_is_said(tmp_path):
    engine = sa.ext.asyncio.create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    rate = DatabaseRate(Backend(engine, "mettl_job", shared=True), "acme", 1.0)
    with pytest.raises(ConfigurationError, match="mettl_job"):
        await rate.acquire()
    await engine.dispose()


@pytest.mark.parametrize(
    ("account", "per_second", "named"),
    [
        ("acme", 0, "per_second"),
        ("acme", "20", "per_second"),
        ("", 1.0, "account"),
        (7, 1.0, "account"),
    ],
)
def test_what_cannot_work_is_refused(account, per_second, named):
    with pytest.raises(ConfigurationError, match=named):
        DatabaseRate(Scripted(), account, per_second)


async def test_each_request_takes_a_turn_and_a_refusal_pauses_the_account(new_rate):
    """Retries and the halves of a batch are requests as well."""
    rate, sent = new_rate(1000.0), []

    async def counting(request, call_next):
        sent.append(request)
        if len(sent) == 1:
            return Response(status_code=503, headers={}, content=b"")
        if len(sent) == 4:
            return Response(status_code=429, headers={"retry-after": "900"}, content=b"")
        return await call_next(request)

    class Counting:
        asked = 0

        async def acquire(self):
            self.asked += 1
            await rate.acquire()

        async def pause(self, seconds):
            await rate.pause(seconds)

    quick = RetryPolicy(max_attempts=3, backoff_base=0.001, deadline=20.0)
    options = ClientOptions(bulk_retry=quick, adaptive=False)
    counted = Counting()
    async with (
        Sandbox().serve() as server,
        MettlClient(
            server.credentials, base_url=server.base_url, middleware=[counting], options=options
        ) as mettl,
    ):
        client = mettl.with_options(rate_limiter=counted)
        people = [Candidate(email=f"c{n}@example.org", first_name="C") for n in range(4)]
        report = await client.candidates.register_many(
            server.access_key, people, batch_size=2, concurrency=1
        )
        assert len(report.registered) == 4
        assert counted.asked == len(sent) == 3
        await client.candidates.register_many(server.access_key, people[:1])
        assert counted.asked == len(sent) == 4
    if rate._question is not None:
        await asyncio.wait([rate._question])
    looked = await reserve(rate, 0)
    assert looked.paused_until - looked.now == pytest.approx(60, abs=5)


@pytest.mark.slow
async def test_five_processes_keep_to_the_rate_of_one_account(jobs_url, backend):
    account = uuid.uuid4().hex
    five = [
        subprocess.Popen(  # noqa: ASYNC220, S603 - our own interpreter, read after it ends
            [sys.executable, PROCESS, jobs_url, account, "20", "5"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(5)
    ]  # fmt: skip
    for one in five:
        assert await asyncio.to_thread(one.stdout.readline) == "ready\n"
    ended = await asyncio.gather(*(asyncio.to_thread(one.communicate, "\n") for one in five))
    spent = sorted(float(moment) for out, _ in ended for moment in out.split())
    seconds = [bisect_left(spent, since + 1.0) - place for place, since in enumerate(spent)]
    assert max(seconds) <= 24
    # A machine that is busy may send less, never more.
    assert len(spent) - 1 <= 1.03 * 20 * (spent[-1] - spent[0]) + 1
    assert len(spent) >= 20, "it did send"
