"""Who makes a batch fail is found in few calls, whoever it is and however many."""

import asyncio
import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scripted_server import Server, answer, batch_of, check_each_once, collect, people, refused

from mettl_async import BadRequestError, Registered, Rejected
from mettl_async.bulk.batch import Batch
from mettl_async.bulk.splitting import SURPLUS, Splitting
from mettl_async.errors import CallFacts

EVERYBODY = batch_of(*range(20))
BATCHES = st.integers(1, 20).flatmap(
    lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)))
)


def hunt(size, bad, longest=20):
    """Play a server that refuses the bad, and calls that are too long; gives the calls."""
    splitting, calls, found, settled = Splitting(Batch(EVERYBODY[:size])), [], [], []
    while group := splitting.take():
        sent = [one.index for one in group]
        calls.append(sent)
        too_long = len(sent) > longest
        if too_long or bad.intersection(sent):
            if splitting.record_rejection(group, too_long=too_long):
                found += sent
        else:
            settled += sent
            splitting.record_success(group)
        assert len(calls) <= 100
    assert sorted(found) == sorted(bad)
    assert sorted(found + settled) == list(range(size))
    return calls


def bound(size, bad):
    if not bad:
        return 1
    return 1 + 2 * math.ceil(math.log2(size)) if len(bad) == 1 else size + SURPLUS


@given(BATCHES)
@example((20, set(range(20))))
@example((20, set(range(0, 20, 2))))
@example((20, {0, 1}))
@example((20, {9, 19}))
@example((1, {0}))
def test_a_batch_takes_few_calls_whoever_is_bad(batch):
    size, bad = batch
    calls = hunt(size, bad)
    assert len(calls) <= min(bound(size, bad), size + SURPLUS)
    assert all([one] in calls for one in bad), "nobody is called bad who was not sent alone"


@pytest.mark.parametrize("size", range(1, 11))
def test_every_choice_of_bad_ones_in_a_small_batch(size):
    for count in range(size + 1):
        for bad in itertools.combinations(range(size), count):
            assert len(hunt(size, set(bad))) <= min(bound(size, bad), size + SURPLUS)


def test_one_bad_candidate_at_any_place_costs_some_six_calls_more():
    counts = [len(hunt(20, {place})) - 1 for place in range(20)]
    assert max(counts) <= 9
    assert sum(counts) / 20 <= 6.6


def test_everybody_being_bad_costs_little_more_than_one_call_each():
    assert len(hunt(20, set(range(20)))) == 24


@pytest.mark.parametrize(("longest", "most"), [(19, 3), (10, 3), (7, 6), (1, 24)])
def test_a_call_that_is_too_long_is_nobodys_fault(longest, most):
    calls = hunt(20, set(), longest)
    assert len(calls) <= most


@given(BATCHES, st.sets(st.integers(0, 19)))
def test_a_call_without_an_answer_loses_nobody(batch, broken):
    size, bad = batch
    splitting, numbers, ended = Splitting(Batch(EVERYBODY[:size])), itertools.count(), []
    while group := splitting.take():
        sent = [one.index for one in group]
        number = next(numbers)
        if number in broken:
            splitting.record_no_answer(group)
            ended += sent
        elif bad.intersection(sent):
            ended += sent if splitting.record_rejection(group) else []
        else:
            splitting.record_success(group)
            ended += sent
    assert sorted(ended) == list(range(size))
    assert next(numbers) <= size + SURPLUS


def test_a_half_whose_answer_is_lost_proves_nothing_about_the_other():
    splitting, sizes = Splitting(EVERYBODY), []
    while group := splitting.take():
        sizes.append(len(group))
        if sizes[-1] > 5 and len(sizes) < 3:
            splitting.record_rejection(group)
        elif len(sizes) == 3:
            splitting.record_no_answer(group)
        else:
            splitting.record_success(group)
    assert sizes == [20, 10, 5, 15]


def test_a_group_whose_answer_is_lost_counts_as_a_stretch_without_a_bad_one():
    splitting, sizes = Splitting(EVERYBODY), []
    while group := splitting.take():
        sizes.append(len(group))
        if len(sizes) <= 5:
            splitting.record_rejection(group)
        elif sizes[-1] == 4:
            splitting.record_no_answer(group)
        else:
            splitting.record_success(group)
    assert sizes == [20, 10, 5, 2, 1, 1, 2, 4, 8, 4]


@given(BATCHES)
def test_a_run_keeps_the_bound_and_says_who_was_bad(batch):
    size, bad = batch

    def behave(entries):
        if any(one.index in bad for one in entries):
            raise refused()
        return answer(entries)

    server = Server(behave)
    outcomes = asyncio.run(collect(people(size), server))
    check_each_once(outcomes, size)
    assert {one.index for one in outcomes if isinstance(one, Rejected)} == bad
    assert {one.index for one in outcomes if isinstance(one, Registered)} == set(range(size)) - bad
    assert all(one.attempts == len(server.calls_with(one.index)) for one in outcomes)
    assert len(server.calls) <= min(bound(size, bad), size + SURPLUS)


async def test_other_batches_go_on_while_one_is_searched():
    others_done = asyncio.Event()

    def behave(entries):
        first = entries[0].index
        if first < 20 and len(entries) < 20:
            return after_the_others(entries)
        if first < 20:
            raise refused()
        if first == 180:
            others_done.set()
        return answer(entries)

    async def after_the_others(entries):
        await asyncio.wait_for(others_done.wait(), 30)  # for ever, if they did not go on
        return answer(entries)

    outcomes = await collect(people(200), Server(behave), concurrency=2)
    check_each_once(outcomes, 200)
    assert all(isinstance(one, Registered) for one in outcomes)


async def test_a_server_with_shorter_urls_than_ours_gets_halves():
    def behave(entries):
        if len(entries) > 10:
            raise BadRequestError("too long", CallFacts(status_code=414, attempts=1))
        return answer(entries)

    server = Server(behave)
    outcomes = await collect(people(100), server)
    assert all(isinstance(one, Registered) for one in outcomes)
    assert len(server.calls) == 5 * 3
