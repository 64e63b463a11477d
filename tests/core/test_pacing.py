"""When the next request may go: rates that are given, and limits that are found."""

import heapq
import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.core.pacing import LEAST_RATE, PAUSE, SPREAD, Pacer


class Bucket:
    """A server that takes so many requests a second, with a second's worth in one go."""

    def __init__(self, limit):
        self.limit, self.tokens, self.last = limit, limit, 0.0

    def takes(self, now):
        self.tokens = min(self.limit, self.tokens + (now - self.last) * self.limit)
        self.last = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Window:
    """A server that counts by the second on its clock."""

    def __init__(self, limit):
        self.limit, self.second, self.count = limit, -1, 0

    def takes(self, now):
        if int(now) != self.second:
            self.second, self.count = int(now), 0
        self.count += 1
        return self.count <= self.limit


def simulate(server, *, workers, requests, retry_after=None, pacer=None, latency=0.05):
    """Workers that send, are answered or refused, and go on; gives (seconds, refused)."""
    random, pacer = Random(1), pacer or Pacer()
    queue = [(0.0, number, "go", 0.0) for number in range(workers)]
    number, taken, refused, now = workers, 0, 0, 0.0
    while taken < requests:
        now, _, what, sent = heapq.heappop(queue)
        number += 1
        then, after = now, "go"
        if what == "go":
            wait = pacer.take(now)
            then = now + wait
            if wait == 0:
                then, sent = now + latency * random.uniform(0.8, 1.2), now
                after = "taken" if server.takes(now) else "refused"
        elif what == "taken":
            taken += 1
            pacer.succeeded(now, now - sent)
        else:
            refused += 1
            pacer.throttled(now, sent, retry_after, random.random())
            then = now + random.random()
        heapq.heappush(queue, (then, number, after, sent))
    return now, refused


def refused_twice(pacer, now):
    for _ in range(2):
        pacer.throttled(now, now, None, 0.0)


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("limit", [25, 100])
@pytest.mark.parametrize("kind", [Bucket, Window])
@pytest.mark.parametrize("workers", [4, 8, 10])
def test_a_hidden_limit_is_found_with_under_five_percent_of_waste(
    kind, workers, limit, retry_after
):
    seconds, refused = simulate(
        kind(limit), workers=workers, requests=1000, retry_after=retry_after
    )
    assert refused / (1000 + refused) < 0.05
    assert 1000 / limit / seconds > 0.7, "most of what the server takes is made use of"


def test_a_limit_that_rises_is_found_again():
    server, pacer = Bucket(25), Pacer()
    simulate(server, workers=10, requests=500, pacer=pacer)
    found = pacer.found
    server.limit = 200

    def go_on(workers=10):
        return simulate(server, workers=workers, requests=4000, pacer=pacer)

    server.last = 0.0
    pacer = Pacer()
    pacer.found = pacer._ceiling = found
    seconds, _ = go_on()
    assert pacer.found > 3 * found or seconds < 4000 / (3 * found)


class Broken:
    """A server that refuses one request in a hundred, at any rate."""

    def __init__(self):
        self.random = Random(3)

    def takes(self, now):
        return self.random.random() > 0.01


def test_accidents_that_have_nothing_to_do_with_the_rate_do_not_stop_a_run():
    seconds, _ = simulate(Broken(), workers=10, requests=2000, latency=0.02)
    assert seconds < 5 * 2000 * 0.02 / 10


def test_nothing_is_held_up_before_the_first_refusal():
    pacer = Pacer()
    assert pacer.idle
    assert all(pacer.take(0.0) == 0 for _ in range(1000))
    pacer.succeeded(0.1, 0.1)
    assert pacer.idle


def test_a_fixed_rate_spaces_requests_evenly():
    pacer = Pacer(fixed=4.0)
    sent, now = [], 0.0
    while len(sent) < 9:
        wait = pacer.take(now)
        if wait == 0:
            sent.append(now)
        now += wait
    assert [round(b - a, 6) for a, b in pairwise(sent)] == [0.25] * 8


def test_a_lull_is_not_followed_by_a_burst():
    pacer = Pacer(fixed=4.0)
    assert pacer.take(0.0) == 0
    assert pacer.take(100.0) == 0
    assert pacer.take(100.0) == 0.25


def test_waking_up_late_does_not_lower_the_rate_and_a_whole_turn_late_is_a_lull():
    pacer = Pacer(fixed=4.0)
    assert pacer.take(0.0) == 0
    assert pacer.take(0.375) == 0, "an eighth of a second late"
    assert pacer.take(0.5) == 0
    assert pacer.take(1.0) == 0, "a whole turn late"
    assert pacer.take(1.0) == 0.25


def test_a_refusal_halves_the_rate_once_for_all_that_was_on_its_way():
    pacer = Pacer()
    for n in range(40):
        pacer.succeeded(n / 40, 0.0)
    pacer.throttled(1.0, 0.9, None, 0.0)
    assert pacer.idle, "one alone is an accident"
    pacer.throttled(1.0, 0.9, None, 0.0)
    halved = pacer.found
    assert halved == pytest.approx(20)
    for _ in range(9):
        pacer.throttled(1.1, 0.95, None, 0.0)
    assert pacer.found == halved


def test_a_success_that_was_on_its_way_raises_the_first_estimate():
    pacer = Pacer()
    pacer.throttled(0.05, 0.0, None, 0.0)
    assert pacer.found == LEAST_RATE
    pacer.succeeded(0.06, 0.06)
    assert pacer.found == pytest.approx(LEAST_RATE + 0.5, rel=0.01)


def made_use_of(pacer, begin, seconds, took=0.05):
    """Have as many successes as the rate allows, for so long; gives the rate that came of it."""
    now = begin
    while now < begin + seconds:
        now += 1 / pacer.rate
        pacer.succeeded(now, took)
    return pacer.rate


def limited_to_40():
    pacer = Pacer()
    for n in range(40):
        pacer.succeeded(n / 40, 0.05)
    refused_twice(pacer, 1.0)
    return pacer


def test_a_rate_comes_back_quickly_probes_slowly_and_discovers_quickly_beyond_the_limit():
    pacer = limited_to_40()
    assert pacer.rate == pytest.approx(20)
    assert made_use_of(pacer, 1.0, 2.0) == pytest.approx(0.9 * 40, rel=0.03)
    assert made_use_of(pacer, 3.0, 5.0) == pytest.approx(40, rel=0.03), "near it for five seconds"
    assert made_use_of(pacer, 8.0, 4.0) < 1.1 * 40
    before = made_use_of(pacer, 12.0, 1.0)
    assert made_use_of(pacer, 13.0, 1.0) == pytest.approx(1.2 * before, rel=0.05)


def test_what_was_on_its_way_when_the_first_refusal_came_counts_for_the_limit_too():
    pacer = Pacer()
    pacer.throttled(0.05, 0.0, None, 0.0)
    for _ in range(40):
        pacer.succeeded(0.06, 0.05)
    assert pacer.rate == pytest.approx(20, rel=0.05)
    assert made_use_of(pacer, 0.1, 2.5) == pytest.approx(0.9 * 40, rel=0.05)


@pytest.mark.parametrize(("successes", "accident"), [(9, False), (10, True)])
def test_a_refusal_after_ten_successes_is_an_accident(successes, accident):
    pacer = limited_to_40()
    found = pacer.found
    for n in range(successes):
        pacer.succeeded(5.0 + n, 0.05)
    pacer.throttled(20.0, 20.0, None, 0.0)
    assert (pacer.found == found) is accident


def test_soon_after_a_decrease_a_refusal_means_a_longer_pause_and_no_lower_rate():
    pacer = Pacer()
    for n in range(40):
        pacer.succeeded(n / 40, 0.0)
    refused_twice(pacer, 1.0)
    found = pacer.found
    assert pacer.take(1.0) == pytest.approx(PAUSE)
    pacer.throttled(1.3, 1.3, None, 0.0)
    assert pacer.found == found
    assert pacer.take(1.3) == pytest.approx(2 * PAUSE)
    pacer.throttled(2.5, 2.5, None, 0.0)
    assert pacer.found == pytest.approx(found / 2)


@pytest.mark.parametrize("adaptive", [True, False])
def test_a_pause_the_server_asks_for_is_kept_by_all_with_some_spread(adaptive):
    pacer = Pacer(adaptive=adaptive)
    pacer.throttled(10.0, 9.9, 4.0, 0.0)
    assert not pacer.idle
    assert pacer.take(10.0) == pytest.approx(4.0)
    pacer.throttled(10.0, 9.9, 4.0, 1.0)
    assert pacer.take(10.0) == pytest.approx(4.0 * (1 + SPREAD))
    pacer.throttled(11.0, 9.9, 1.0, 0.0)
    assert pacer.take(11.0) == pytest.approx(3.0 + 4.0 * SPREAD), "never shortened"
    assert pacer.take(20.0) == 0
    assert (pacer.found is None) is not adaptive


@pytest.mark.parametrize(("adaptive", "retry_after"), [(True, 0.0), (False, 0.0), (False, None)])
def test_a_refusal_that_asks_for_no_wait_changes_nothing(adaptive, retry_after):
    pacer = Pacer(adaptive=adaptive)
    pacer.throttled(1.0, 0.9, retry_after, 1.0)
    assert pacer.idle


def test_a_fixed_rate_is_never_exceeded_by_what_was_found():
    pacer = Pacer(fixed=5.0)
    pacer.found = 80.0
    assert pacer.rate == 5.0
    pacer.found = 2.0
    assert pacer.rate == 2.0


def test_slow_answers_keep_the_rate_from_growing():
    def grown(took):
        pacer = Pacer()
        for n in range(30):
            pacer.succeeded(n / 30, 0.02)
        refused_twice(pacer, 1.0)
        before = pacer.found
        for n in range(30):
            pacer.succeeded(1.5 + n / 15, took)
        return pacer.found / before

    assert grown(0.02) > 1.2
    assert grown(1.0) < grown(0.02)


def test_answers_that_take_far_longer_than_they_used_to_keep_the_rate_as_it_is():
    pacer = Pacer()
    for n in range(600):
        pacer.succeeded(n / 40, 0.1)
    refused_twice(pacer, 15.0)
    for n in range(8):
        pacer.succeeded(16.5 + n / 1000, 1.0)
    before = pacer.found
    assert made_use_of(pacer, 16.6, 0.4, took=1.0) == before
    assert made_use_of(pacer, 17.0, 2.0, took=0.1) > before


def test_a_few_milliseconds_more_are_not_slow():
    pacer = limited_to_40()
    for n in range(600):
        pacer.succeeded(100.0 + n / 40, 0.001)
    before = pacer.found
    assert made_use_of(pacer, 116.0, 1.0, took=0.01) > before


def test_a_rate_that_is_not_made_use_of_is_not_raised():
    pacer = Pacer()
    for n in range(30):
        pacer.succeeded(n / 30, 0.02)
    refused_twice(pacer, 1.0)
    before = pacer.found
    for n in range(20):
        pacer.succeeded(10.0 + 2 * n, 0.02)
    assert pacer.found == before


events = st.lists(
    st.tuples(
        st.floats(0, 5), st.sampled_from(["take", "ok", "refused"]), st.floats(0, 1),
        st.none() | st.floats(0, 100),
    ),
    max_size=200,
)  # fmt: skip


@given(events, st.none() | st.floats(0.01, 1000), st.booleans())
def test_whatever_happens_the_wait_is_finite_and_the_rate_positive(happened, fixed, adaptive):
    pacer, now = Pacer(fixed=fixed, adaptive=adaptive), 0.0
    paused_until = 0.0
    for after, what, chance, retry_after in happened:
        now += after
        if what == "take":
            wait = pacer.take(now)
            assert 0 <= wait < math.inf
            assert wait > 0 or now >= paused_until
        elif what == "ok":
            pacer.succeeded(now, chance)
        else:
            pacer.throttled(now, now - chance, retry_after, chance)
            paused_until = max(paused_until, now + (retry_after or 0.0))
        assert pacer.rate is None or pacer.rate > 0
        assert pacer.found is None or adaptive


@given(st.floats(0.5, 200), st.lists(st.floats(0, 0.3), min_size=1, max_size=100))
def test_no_second_has_more_than_the_fixed_rate(rate, steps):
    pacer, now, sent = Pacer(fixed=rate), 0.0, []
    for step in steps:
        now += step
        if pacer.take(now) == 0:
            sent.append(now)
    for first in sent:
        assert sum(first <= one < first + 1 for one in sent) <= rate + 1 + 1e-6
