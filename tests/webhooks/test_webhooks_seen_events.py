"""What every `SeenEvents` promises, in memory and in both databases; and the bounds of the memory."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sql_rows import make_older
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.errors import ConfigurationError
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


# --- in memory only ---------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def memory(clock, **given):
    return MemorySeenEvents(clock=clock, **{"lease": 60.0, "remember": 600.0, **given})


async def test_what_is_done_is_forgotten_after_a_time(clock):
    seen = memory(clock)
    await seen.complete(await seen.claim("k"))
    clock.now += 599.9
    assert await seen.claim("k") is Refused.DONE
    clock.now += 0.1
    assert isinstance(await seen.claim("k"), Claim)


async def test_a_full_memory_forgets_what_was_done_first_and_never_a_live_claim(clock):
    seen = memory(clock, limit=3)
    live = await seen.claim("live")
    for key in ("a", "b", "c"):
        await seen.complete(await seen.claim(key))
    assert len(seen) == 3
    assert await seen.claim("b") is Refused.DONE
    assert await seen.claim("c") is Refused.DONE
    assert await seen.claim("live") is Refused.BUSY
    assert isinstance(await seen.claim("a"), Claim)
    assert await seen.complete(live) is True


async def test_beyond_the_limit_of_live_claims_there_is_no_room_until_a_lease_ends(clock):
    seen = memory(clock, limit=2)
    first = await seen.claim("a")
    clock.now += 1
    await seen.claim("b")
    assert await seen.claim("c") is Refused.FULL
    clock.now += 59
    assert isinstance(await seen.claim("c"), Claim)
    assert len(seen) == 2
    assert await seen.complete(first) is False


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"lease": 0.0}, {"remember": float("nan")}])
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        MemorySeenEvents(**wrong)


def test_a_claim_does_not_show_its_token():
    assert "sesame" not in repr(Claim(key="k", token="sesame"))


def run(coroutine):
    """Drive what never waits."""
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


class AgainstAModel(RuleBasedStateMachine):
    """Any order of calls, against the plainest model: who holds what since when, and what is done."""

    keys = st.sampled_from("abcde")

    @initialize(limit=st.integers(1, 4))
    def begin(self, limit):
        self.clock, self.limit = Clock(), limit
        self.seen = memory(self.clock, limit=limit, lease=10.0, remember=25.0)
        self.claims, self.holder, self.done = [], {}, {}

    @rule(key=keys)
    def claim(self, key):
        got = run(self.seen.claim(key))
        now = self.clock.now
        held = key in self.holder and now < self.holder[key][1]
        if isinstance(got, Claim):
            assert not held
            self.claims.append(got)
            self.holder[key] = got, now + 10.0
        elif got is Refused.DONE:
            assert now < self.done[key]
        else:
            live = [end for _, end in self.holder.values() if now < end]
            assert held or len(live) == self.limit

    @rule(data=st.data(), complete=st.booleans())
    def end(self, data, complete):
        if not self.claims:
            return
        claim = data.draw(st.sampled_from(self.claims))
        mine = self.holder.get(claim.key, (None, 0))[0] == claim
        live = mine and self.clock.now < self.holder[claim.key][1]
        changed = run((self.seen.complete if complete else self.seen.release)(claim))
        if live:
            assert changed
        if changed and mine:
            del self.holder[claim.key]
            if complete:
                self.done[claim.key] = self.clock.now + 25.0

    @rule(seconds=st.sampled_from([1.0, 5.0, 10.0, 30.0]))
    def wait(self, seconds):
        self.clock.now += seconds

    @invariant()
    def it_is_bounded(self):
        if hasattr(self, "seen"):
            assert len(self.seen) <= self.limit


AgainstAModel.TestCase.settings = settings(stateful_step_count=30)
test_any_order_of_calls_agrees_with_a_model = AgainstAModel.TestCase
