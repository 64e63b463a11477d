"""When the next request may go: rates that are given, and limits that are found.

What the rules come to with workers and servers: ``tests/faults/test_pace_in_virtual_time.py``.
"""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mettl_async.core.pacing import (
    BACKOFF,
    FLOOD,
    HOLD,
    LATE,
    LEAST_NOISE,
    LEAST_RATE,
    MEMORY,
    NEAR,
    ROUND,
    SPREAD,
    STEP,
    Pacer,
)


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
    assert pacer.take(0.28125) == 0, "a moment late"
    assert pacer.take(0.5) == 0
    assert pacer.take(1.0) == 0, "a whole turn late"
    assert pacer.take(1.0) == 0.25


def answered(pacer, now, rate, seconds, *, refuse=lambda n: False, took=0.01):
    """Have so many requests a second answered for so long; gives the time after that."""
    for n in range(round(rate * seconds)):
        sent_at = now + n / rate
        if refuse(n):
            pacer.throttled(sent_at + took, sent_at, None, 0.0)
        else:
            pacer.succeeded(sent_at + took, took)
    return now + seconds


def every(nth):
    return lambda n: n % nth == nth - 1


def limited_to(limit, pacer=None, now=0.0):
    """A pacer that has met a limit, and the time just before it begins to count again."""
    pacer = pacer or Pacer()
    pacer.throttled(now, now, None, 0.0)
    now = answered(pacer, now + 0.01, 1.25 * limit, 1.1, refuse=every(5))
    return pacer, answered(pacer, now, pacer.found, 0.8)


def test_one_refusal_or_a_few_among_many_answers_hold_nobody_up():
    pacer = Pacer()
    now = answered(pacer, 0.0, 500, 0.9, refuse=every(10))
    assert pacer.idle, "the round is not over"
    pacer = Pacer()
    answered(pacer, now, 500, 10.0, refuse=every(100))
    assert pacer.idle, "one in a hundred is chance"


def test_too_many_refusals_in_a_round_lower_the_rate_to_below_what_was_accepted():
    pacer, _ = limited_to(40)
    assert pacer.found == pytest.approx(BACKOFF * 40, rel=0.03)
    assert not pacer.idle


def test_a_pause_is_made_only_where_the_server_asks_for_one():
    pacer, now = limited_to(40)
    assert pacer.take(now) == 0
    assert pacer.take(now) == pytest.approx(1 / pacer.found)


def test_a_flood_of_refusals_is_not_counted_for_a_whole_second():
    pacer = Pacer()
    answered(pacer, 0.0, 2500, 0.01)  # what a bucket of 25 takes in one go
    pacer.throttled(0.02, 0.01, None, 0.0)
    for n in range(FLOOD):
        assert pacer.idle
        pacer.throttled(0.021 + n / 1000, 0.0205, None, 0.0)
    assert pacer.found == pytest.approx(BACKOFF * 25)


def test_refusals_of_the_second_in_which_the_limit_was_met_do_not_count_against_the_lower_rate():
    pacer = Pacer()
    answered(pacer, 0.0, 2500, 0.01)
    for n in range(FLOOD + 1):
        pacer.throttled(0.02 + n / 1000, 0.02 + n / 1000, None, 0.0)
    found = pacer.found
    answered(pacer, 0.05, 22, 0.9, refuse=lambda _: True)
    assert pacer.found == found


def test_refusals_that_stay_are_chance_and_the_old_rate_is_restored():
    pacer = Pacer()
    now = answered(pacer, 0.0, 400, 1.2, refuse=every(10))
    slower = pacer.found
    assert slower == pytest.approx(BACKOFF * 0.9 * 400, rel=0.05)
    now = answered(pacer, now, slower, ROUND + 0.9, refuse=every(10))
    slowest = pacer.found
    assert slowest == pytest.approx(BACKOFF * 0.9 * slower, rel=0.1)
    now = answered(pacer, now, slowest, 1.1, refuse=every(10))
    assert pacer.idle, "twice slower, and as many refusals"
    assert pacer.noise == pytest.approx(0.1, rel=0.1)
    now = answered(pacer, now, 400, 10.0, refuse=every(10))
    assert pacer.idle, "so many are put up with"
    answered(pacer, now + MEMORY, 400, 1.2, refuse=every(10))
    assert not pacer.idle, "it is put to the test again"


def test_refusals_that_get_fewer_show_a_limit():
    pacer, now = limited_to(40)
    below = pacer.found
    now = answered(pacer, now, below, 1.5)
    assert pacer.found == pytest.approx(NEAR * 40, rel=0.03)
    assert pacer.noise < 2 * LEAST_NOISE
    for _ in range(2):
        found = pacer.found
        now = answered(pacer, now, found, 1.1)
        assert found < pacer.found < (1 + 2 * STEP) * found


def test_more_refusals_than_chance_explains_show_a_limit_despite_chance():
    pacer = Pacer()
    now = answered(pacer, 0.0, 400, 1.2, refuse=every(10))
    now = answered(pacer, now, pacer.found, ROUND, refuse=every(10))
    for _ in range(2):
        now = answered(pacer, now, pacer.found, 1.1, refuse=every(10))
    assert pacer.idle
    answered(pacer, now, 400, 1.2, refuse=every(3))
    assert pacer.found == pytest.approx(BACKOFF * (2 / 3 * 400) / 0.9, rel=0.1)


def test_a_server_that_refuses_all_is_not_noisy_but_down_and_is_asked_less_and_less():
    pacer, now = limited_to(40)
    now = answered(pacer, now, pacer.found, 1.1)
    rates = [pacer.found]
    for _ in range(12):
        now = answered(pacer, now, pacer.found, 6.0, refuse=lambda _: True)
        rates.append(pacer.found)
    assert rates == sorted(rates, reverse=True)
    assert pacer.found == LEAST_RATE
    for _ in range(8):
        now = answered(pacer, now, pacer.found, 6.0)
    assert pacer.found >= NEAR * pacer._limit


def test_a_limit_that_is_gone_is_passed_in_longer_and_longer_steps():
    pacer, now = limited_to(40)
    began = now
    while pacer.found < 400:
        before = pacer.found
        now = answered(pacer, now, before, 1.05)
        assert pacer.found <= max(1.5 * before, NEAR * 40) + 1e-9
    assert now - began < 17


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


@pytest.mark.parametrize("asked", [61.0, 3600.0, 1_795_772_476.0, 1e300])
@pytest.mark.parametrize("fixed", [None, 50.0])
@pytest.mark.parametrize("adaptive", [True, False])
def test_no_header_silences_all_for_longer_than_the_ceiling(asked, fixed, adaptive):
    pacer = Pacer(fixed=fixed, adaptive=adaptive, max_pause=60.0)
    pacer.throttled(10.0, 9.9, asked, 1.0)
    assert pacer.take(10.0) == pytest.approx(60.0 * (1 + SPREAD))
    assert pacer.take(10.0 + 60.0 * (1 + SPREAD) + 1e-9) == 0
    pacer.throttled(80.0, 79.0, asked, 0.0)
    assert pacer.take(80.0) == pytest.approx(60.0)


def test_a_ceiling_of_0_is_no_pause():
    pacer = Pacer(max_pause=0.0)
    pacer.throttled(10.0, 9.9, 3600.0, 1.0)
    assert pacer.take(10.0) == 0


def test_a_refusal_with_a_pause_is_enough_to_slow_down_and_to_wait_before_the_next_try():
    pacer = Pacer()
    answered(pacer, 0.0, 50, 0.5)
    pacer.throttled(0.5, 0.49, 5.0, 0.0)
    for _ in range(7):
        pacer.throttled(0.5, 0.49, 5.0, 0.0)  # they were on their way
    assert pacer.found == pytest.approx(BACKOFF * 25, rel=0.05)
    now = 5.5
    while now < 0.5 + 5 * HOLD - 1.2:
        now = answered(pacer, now, pacer.found, 1.1)
        assert pacer.found <= NEAR * 25 * 1.05
    for _ in range(3):
        now = answered(pacer, now, pacer.found, 1.1)
    assert pacer.found > NEAR * 25


def test_refusals_with_a_pause_below_the_limit_are_chance():
    pacer, now = Pacer(), 0.0
    rates = []
    for _ in range(3):
        now = answered(pacer, now, pacer.rate or 400, 2.0)
        pacer.throttled(now + 0.03, now + 0.02, 1.0, 0.0)
        now += 1.1
        rates.append(pacer.rate)
    assert rates[0] is not None
    assert rates[1] < rates[0]
    assert rates[2] is None


@pytest.mark.parametrize("retry_after", [0.0, None])
def test_a_refusal_that_names_no_wait_is_no_pause(retry_after):
    pacer = Pacer()
    pacer.throttled(1.0, 0.9, retry_after, 1.0)
    assert pacer.idle


@pytest.mark.parametrize("retry_after", [0.0, None])
def test_without_adaption_refusals_change_nothing(retry_after):
    pacer = Pacer(adaptive=False)
    for n in range(1000):
        pacer.throttled(n / 100, n / 100, retry_after, 1.0)
    assert pacer.idle


def test_a_fixed_rate_is_never_exceeded_by_what_was_found():
    pacer = Pacer(fixed=5.0)
    pacer.found = 80.0
    assert pacer.rate == 5.0
    pacer.found = 2.0
    assert pacer.rate == 2.0


def test_what_is_found_grows_no_further_than_a_fixed_rate():
    pacer, now = limited_to(40, Pacer(fixed=50.0))
    for _ in range(40):
        now = answered(pacer, now, pacer.rate, 1.1)
    assert 50.0 <= pacer.found < 80.0


def test_answers_that_take_far_longer_than_they_used_to_keep_the_rate_as_it_is():
    pacer, now = limited_to(40)
    now = answered(pacer, now, pacer.found, 1.1, took=0.1)
    before = pacer.found
    now = answered(pacer, now, before, 5.0, took=1.0)
    assert pacer.found == before
    answered(pacer, now + 1.0, before, 4.0, took=0.1)
    assert pacer.found > before


def test_a_few_milliseconds_more_are_not_slow():
    pacer, now = limited_to(40)
    before = pacer.found
    answered(pacer, now, before, 2.0, took=0.025)
    assert pacer.found > before


def test_a_rate_that_is_not_made_use_of_is_not_raised():
    pacer, now = limited_to(40)
    before = pacer.found
    answered(pacer, now, 10, 30.0)
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


segments = st.lists(
    st.tuples(
        st.floats(0.2, 400), st.floats(0.1, 3), st.integers(1, 20),
        st.sampled_from([None, None, 0.0, 0.3, 1.0, 300.0]),
    ),
    min_size=5, max_size=30,
)  # fmt: skip


@given(segments, st.none() | st.floats(0.01, 1000))
def test_whatever_a_server_does_second_by_second_the_rate_stays_within_reason(happened, fixed):
    pacer, now, sent = Pacer(fixed=fixed, max_pause=60.0), 0.0, 0
    for rate, seconds, nth, retry_after in happened:
        for _ in range(round(rate * seconds)):
            now, sent = now + 1 / rate, sent + 1
            if sent % nth:
                pacer.succeeded(now, 0.01)
            else:
                pacer.throttled(now, now - 0.01, retry_after, 0.5)
        assert pacer.found is None or LEAST_RATE <= pacer.found <= 2000
        assert 0 <= pacer.noise <= 2 / 3
        assert pacer.take(now) <= max(66.0, 1 / (pacer.rate or 1))


@given(st.floats(0.5, 200), st.lists(st.floats(0, 0.3), min_size=1, max_size=100))
@example(3.5, [0.0, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.0625])
def test_no_second_has_more_than_the_fixed_rate(rate, steps):
    pacer, now, sent = Pacer(fixed=rate), 0.0, []
    for step in steps:
        now += step
        if pacer.take(now) == 0:
            sent.append(now)
    # One more at the edge of a second, and what waking up late may move into it.
    most = rate + 1 + min(1, LATE * rate) + 1e-6
    for first in sent:
        assert sum(first <= one < first + 1 for one in sent) <= most
