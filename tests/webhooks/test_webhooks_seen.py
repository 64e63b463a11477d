"""A memory of handled events: one claim at a time, leases that end, and bounds."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mettl_async import ConfigurationError
from mettl_async.webhooks import Claim, MemorySeenEvents, Refused


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


async def test_an_event_is_claimed_once_and_done_when_completed(clock):
    seen = memory(clock)
    claim = await seen.claim("k")
    assert isinstance(claim, Claim)
    assert await seen.claim("k") is Refused.BUSY
    assert isinstance(await seen.claim("another"), Claim)
    assert await seen.complete(claim) is True
    assert await seen.claim("k") is Refused.DONE


async def test_a_released_event_can_be_claimed_at_once(clock):
    seen = memory(clock)
    claim = await seen.claim("k")
    assert await seen.release(claim) is True
    again = await seen.claim("k")
    assert isinstance(again, Claim)
    assert again.token != claim.token


async def test_a_lease_ends_and_the_old_token_changes_nothing(clock):
    seen = memory(clock)
    first = await seen.claim("k")
    clock.now += 59.9
    assert await seen.claim("k") is Refused.BUSY
    clock.now += 0.1
    second = await seen.claim("k")
    assert isinstance(second, Claim)
    assert await seen.complete(first) is False
    assert await seen.release(first) is False
    assert await seen.claim("k") is Refused.BUSY
    assert await seen.complete(second) is True
    assert await seen.complete(first) is False
    assert await seen.release(second) is False
    assert await seen.claim("k") is Refused.DONE


async def test_a_late_handler_may_complete_what_nobody_took_over(clock):
    seen = memory(clock)
    claim = await seen.claim("k")
    clock.now += 61
    assert await seen.complete(claim) is True
    assert await seen.claim("k") is Refused.DONE


async def test_completing_twice_says_yes_twice(clock):
    seen = memory(clock)
    claim = await seen.claim("k")
    assert await seen.complete(claim) is True
    assert await seen.complete(claim) is True


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


async def test_beyond_the_limit_of_live_claims_one_is_busy_until_a_lease_ends(clock):
    seen = memory(clock, limit=2)
    first = await seen.claim("a")
    clock.now += 1
    await seen.claim("b")
    assert await seen.claim("c") is Refused.BUSY
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
