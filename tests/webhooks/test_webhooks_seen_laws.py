"""What every `SeenEvents` promises, held by the one in memory and by SQL on both databases alike."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from sql_rows import make_older
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.webhooks.seen_events import Claim, MemorySeenEvents, Refused
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

LEASE = 3600.0
KEY = "0123456789abcdef" * 4


class Memory:
    """The store of one process, and its time."""

    def __init__(self, lease=LEASE):
        self.now = 1000.0
        self.seen = MemorySeenEvents(lease=lease, clock=lambda: self.now)

    async def pass_time(self, seconds):
        self.now += seconds


class Sql:
    """The store in a database; time passes by making all rows older."""

    def __init__(self, seen, engine):
        self.seen = seen
        self.engine = engine

    async def pass_time(self, seconds):
        await make_older(self.engine, self.seen, seconds)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def store(request, tmp_path, table_name):
    if request.param == "memory":
        yield Memory()
        return
    url = f"sqlite+aiosqlite:///{tmp_path / 'seen.sqlite3'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = create_async_engine(url)
    seen = SqlSeenEvents(engine, table=table_name, lease=LEASE)
    await seen.create_table()
    yield Sql(seen, engine)
    await engine.dispose()


@pytest.fixture
def seen(store):
    return store.seen


async def test_a_claimed_event_is_busy_and_a_completed_one_is_done(seen):
    claim = await seen.claim(KEY)
    assert isinstance(claim, Claim)
    assert claim.key == KEY
    assert await seen.claim(KEY) is Refused.BUSY
    assert await seen.complete(claim) is True
    assert await seen.claim(KEY) is Refused.DONE


async def test_a_released_event_can_be_claimed_at_once_and_not_by_the_old_token(seen):
    first = await seen.claim(KEY)
    assert await seen.release(first) is True
    assert await seen.release(first) is False
    second = await seen.claim(KEY)
    assert isinstance(second, Claim)
    assert second.token != first.token
    assert await seen.complete(first) is False
    assert await seen.release(first) is False
    assert await seen.claim(KEY) is Refused.BUSY


async def test_a_lease_holds_until_it_is_over(store, seen):
    await seen.claim(KEY)
    await store.pass_time(LEASE - 60)
    assert await seen.claim(KEY) is Refused.BUSY
    await store.pass_time(60)
    assert isinstance(await seen.claim(KEY), Claim)
    assert await seen.claim(KEY) is Refused.BUSY


async def test_a_stale_claim_can_neither_complete_nor_release(store, seen):
    stale = await seen.claim(KEY)
    await store.pass_time(LEASE)
    fresh = await seen.claim(KEY)
    assert await seen.complete(stale) is False
    assert await seen.claim(KEY) is Refused.BUSY
    assert await seen.release(stale) is False
    assert await seen.claim(KEY) is Refused.BUSY
    assert await seen.complete(fresh) is True
    assert await seen.complete(stale) is False
    assert await seen.release(stale) is False
    assert await seen.claim(KEY) is Refused.DONE


async def test_a_late_completion_counts_while_nobody_else_has_the_event(store, seen):
    claim = await seen.claim(KEY)
    await store.pass_time(2 * LEASE)
    assert await seen.complete(claim) is True
    assert await seen.claim(KEY) is Refused.DONE


async def test_what_is_done_stays_done_however_often_it_is_said(seen):
    claim = await seen.claim(KEY)
    assert await seen.complete(claim) is True
    assert await seen.complete(claim) is True
    assert await seen.release(claim) is False
    assert await seen.claim(KEY) is Refused.DONE


async def test_done_outlasts_the_lease(store, seen):
    await seen.complete(await seen.claim(KEY))
    await store.pass_time(3 * LEASE)
    assert await seen.claim(KEY) is Refused.DONE


async def test_a_claim_of_one_event_is_none_of_another(seen):
    first, second = await seen.claim("a"), await seen.claim("b")
    crossed = Claim(key="b", token=first.token)
    if first.token != second.token:
        assert await seen.complete(crossed) is False
        assert await seen.release(crossed) is False
    assert await seen.claim("b") is Refused.BUSY
    assert await seen.release(first) is True
    assert await seen.claim("b") is Refused.BUSY


@pytest.mark.parametrize("key", ["", "\0", "\ud800", "x" * 100_000, "é" * 64, "' or 1=1 --"])
async def test_any_text_can_be_a_key(seen, key):
    claim = await seen.claim(key)
    assert await seen.claim(key) is Refused.BUSY
    assert await seen.complete(claim) is True
    assert await seen.claim(key) is Refused.DONE


async def test_of_many_claims_at_once_one_succeeds(seen):
    outcomes = Counter(
        type(outcome) for outcome in await asyncio.gather(*(seen.claim(KEY) for _ in range(40)))
    )
    assert outcomes == {Claim: 1, Refused: 39}


async def test_any_order_of_steps_goes_as_in_the_smallest_model(store, seen):
    chance = random.Random(20260)
    held, done, claims = {}, {}, []
    now = 0.0
    for _ in range(250):
        step = chance.choice(["claim", "claim", "complete", "release", "wait"])
        if step == "wait":
            seconds = chance.choice([LEASE / 4, LEASE / 2])
            await store.pass_time(seconds)
            now += seconds
        elif step == "claim":
            key = chance.choice("abcdef") + str(len(done) // 3)
            got = await seen.claim(key)
            if key in done:
                assert got is Refused.DONE
            # A quarter of a lease away from its end, as real time passes too.
            elif key in held and now < held[key][1] - 1:
                assert got is Refused.BUSY
            else:
                assert isinstance(got, Claim)
                held[key] = got, now + LEASE
                claims.append(got)
        elif claims:
            claim = chance.choice(claims[-8:])
            mine = held.get(claim.key, (None,))[0] == claim
            if step == "release":
                assert await seen.release(claim) is mine
                if mine:
                    del held[claim.key]
            else:
                assert await seen.complete(claim) is (mine or done.get(claim.key) == claim)
                if mine:
                    done[claim.key] = claim
                    del held[claim.key]
    assert len(done) > 5


async def test_each_event_is_completed_once_when_leases_end_under_everyones_hands(
    database_url, table_name
):
    engines = [create_async_engine(database_url) for _ in range(2)]
    stores = [SqlSeenEvents(engine, table=table_name, lease=0.01) for engine in engines]
    await stores[0].create_table()
    completed, lost = Counter(), Counter()

    async def work(seed, seen):
        chance = random.Random(seed)
        while len(completed) < 20 or not lost:
            key = str(len(completed) + chance.randint(0, 1))
            claim = await seen.claim(key)
            if isinstance(claim, Refused):
                continue
            await asyncio.sleep(chance.choice([0, 0, 0.03]))
            if chance.random() < 0.3:
                await seen.release(claim)
            elif await seen.complete(claim):
                completed[key] += 1
            else:
                lost[key] += 1

    try:
        await asyncio.gather(*(work(seed, stores[seed % 2]) for seed in range(8)))
    finally:
        for engine in engines:
            await engine.dispose()
    assert set(completed.values()) == {1}
