"""Those whose answer was lost are sent once more, and what stays unknown can be asked about."""

import asyncio
import contextlib
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from scripted_server import (
    START,
    Server,
    answer,
    check_each_once,
    collect,
    lost,
    people,
    person,
    refused,
    run_of,
)

from mettl_async import (
    AuthenticationError,
    ClientOptions,
    FileJournal,
    MettlClient,
    Registered,
    Rejected,
    RetryPolicy,
    Unknown,
)
from mettl_async.bulk import dispatcher
from mettl_async.bulk.dispatcher import BatchResponse
from mettl_async.bulk.stop_policy import StopPolicy
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.errors import CallFacts
from mettl_async.sandbox import Sandbox

ONE_REQUEST = ClientOptions(bulk_retry=RetryPolicy(max_attempts=1))


def loses_first(*numbers):
    """A server that registers everybody, and loses these answers when it is asked first."""
    asked = Counter()

    def behave(entries):
        asked.update(one.index for one in entries)
        if any(one.index in numbers and asked[one.index] == 1 for one in entries):
            raise lost()
        return answer(entries)

    return behave


async def test_who_was_lost_gets_a_link_at_the_end():
    server = Server(loses_first(0, 45))
    outcomes = await collect(people(100), server, concurrency=1)
    check_each_once(outcomes, 100)
    assert all(isinstance(one, Registered) for one in outcomes)
    assert server.calls[5:] == [list(range(20)), list(range(40, 60))]
    assert {one.attempts for one in outcomes if one.index < 20} == {2}


async def test_what_stays_unknown_says_when_it_was_sent():
    numbers = itertools.count()

    def behave(entries):
        if entries[0].index == 20:
            raise lost(next(numbers), attempts=2)
        return answer(entries)

    server = Server(behave)
    outcomes = await collect(people(40), server)
    unknown = [one for one in outcomes if isinstance(one, Unknown)]
    assert [one.index for one in unknown] == list(range(20, 40))
    seconds = [0, 1, 60, 61]
    assert {one.sent_at for one in unknown} == {
        tuple(START + timedelta(seconds=second) for second in seconds)
    }
    assert {one.attempts for one in unknown} == {4}
    assert len(server.calls) == 3, "nobody is sent a third time"


async def test_times_of_a_split_batch_are_those_of_each_candidate():
    def behave(entries):
        if len(entries) > 2:
            raise refused()
        if len(entries) == 2:
            raise lost(1)
        raise lost(2)

    outcomes = await collect(people(4), Server(behave))
    check_each_once(outcomes, 4)
    assert all(isinstance(one, Unknown) for one in outcomes)
    assert [(one.attempts, len(one.sent_at)) for one in outcomes] == [(4, 4)] * 4


async def test_who_is_never_mentioned_has_the_times_of_those_calls():
    def behave(entries):
        mentioned = answer([one for one in entries if one.index != 3])
        return BatchResponse(mentioned.registrations, 1, (START,))

    outcomes = await collect(people(20), Server(behave))
    (unknown,) = [one for one in outcomes if isinstance(one, Unknown)]
    assert (unknown.index, unknown.attempts, unknown.sent_at) == (3, 2, (START, START))


async def test_the_lost_ones_of_small_parts_share_calls():
    asked = Counter()

    def behave(entries):
        asked.update(one.index for one in entries)
        odd = [one for one in entries if one.index % 10 == 0 and asked[one.index] == 1]
        return answer([one for one in entries if one not in odd])

    server = Server(behave)
    outcomes = await collect(people(200), server, concurrency=1)
    check_each_once(outcomes, 200)
    assert all(isinstance(one, Registered) for one in outcomes)
    assert server.calls[10:] == [list(range(0, 200, 10))]


async def test_a_bad_candidate_in_the_second_pass_does_not_sink_the_others():
    asked = Counter()

    def behave(entries):
        asked.update(one.index for one in entries)
        if all(asked[one.index] == 1 for one in entries):
            raise lost()
        if any(one.index == 4 for one in entries):
            raise refused()
        return answer(entries)

    outcomes = await collect(people(20), Server(behave))
    check_each_once(outcomes, 20)
    assert [one.index for one in outcomes if isinstance(one, Rejected)] == [4]
    assert sum(isinstance(one, Registered) for one in outcomes) == 19


async def test_a_journal_has_who_got_a_link_in_the_second_pass(tmp_path):
    path, server = tmp_path / "links.journal", Server(loses_first(0, 45))
    await collect(people(60), server, journal=FileJournal(path), schedule="s")
    assert len(server.calls) == 5
    again = Server()
    outcomes = await collect(people(60), again, journal=FileJournal(path), schedule="s")
    assert again.calls == []
    assert all(isinstance(one, Registered) and one.attempts == 0 for one in outcomes)


@pytest.mark.parametrize("way", ["account", "input", "middleware"])
async def test_a_run_that_was_ended_has_no_second_pass(way):
    def source():
        yield from people(80)
        if way == "input":
            raise OSError("disk")

    def behave(entries):
        if entries[0].index == 0:
            raise lost()
        if entries[0].index == 60:
            if way == "account":
                raise AuthenticationError("no", CallFacts(code="E401", attempts=1, sent=True))
            if way == "middleware":
                raise ZeroDivisionError
        return answer(entries)

    server, found = Server(behave), []
    expected = {"account": None, "input": OSError, "middleware": ZeroDivisionError}[way]
    with pytest.raises(expected) if expected else contextlib.nullcontext():
        await collect(source(), server, found, concurrency=1)
    check_each_once(found, 80)
    assert len(server.calls) == 4
    first = [one for one in found if one.index < 20]
    assert all(isinstance(one, Unknown) and str(one.error).startswith("the conn") for one in first)


async def test_an_account_refused_in_the_second_pass_loses_nobody():
    asked = Counter()

    def behave(entries):
        asked.update(one.index for one in entries)
        if asked[entries[0].index] > 1:
            raise AuthenticationError("no", CallFacts(code="E401", attempts=1, sent=True))
        raise lost()

    server = Server(behave)
    outcomes = await collect(people(40), server, concurrency=1)
    check_each_once(outcomes, 40)
    assert all(isinstance(one, Unknown) for one in outcomes)
    assert len(server.calls) == 3


async def test_leaving_early_sends_nothing_again():
    async def slow(entries):
        await asyncio.sleep(0.01)
        raise lost()

    def behave(entries):
        return answer(entries) if entries[0].index == 0 else slow(entries)

    server, lifecycle = Server(behave), Lifecycle()
    stream = aiter(run_of((person(n) for n in itertools.count()), server, lifecycle, concurrency=4))
    await anext(stream)
    await stream.aclose()
    await lifecycle.drain()
    firsts = [call[0] for call in server.calls]
    assert len(firsts) == len(set(firsts))


async def test_an_endless_input_does_not_pile_up(monkeypatch):
    monkeypatch.setattr("mettl_async.bulk.run_workers.MAX_LOST", 60)
    asked, most = Counter(), 0

    def is_lost(index):
        return index // 20 % 2 == 1 and asked[index] == 1

    def behave(entries):
        nonlocal most
        asked.update(one.index for one in entries)
        most = max(most, sum(map(is_lost, asked)))
        if is_lost(entries[0].index):
            raise lost()
        return answer(entries)

    outcomes = await collect(people(4000), Server(behave), concurrency=8)
    check_each_once(outcomes, 4000)
    assert all(isinstance(one, Registered) for one in outcomes)
    assert most <= 60 + 20 * 10
    assert Counter(asked.values()) == {1: 2000, 2: 2000}


async def test_a_server_that_is_gone_is_not_asked_again():
    def behave(entries):
        raise lost()

    server = Server(behave)
    outcomes = await collect(people(1000), server, concurrency=3)
    check_each_once(outcomes, 1000)
    assert len(server.calls) <= 8
    assert {type(one).__name__ for one in outcomes} == {"Unknown", "Failed"}


def test_a_server_that_refuses_is_not_gone():
    policy = StopPolicy(1)
    assert [policy.record_no_answer(), policy.record_no_answer()] == [False, False]
    policy.record_refusal()
    assert [policy.record_no_answer() for _ in range(3)] == [False, False, True]


async def test_the_oldest_come_first_and_calls_are_as_full_as_they_may_be():
    asked = Counter()

    def behave(entries):
        asked.update(one.index for one in entries)
        return answer([one for one in entries if one.index % 3 == 0 or asked[one.index] == 2])

    server = Server(behave)
    outcomes = await collect(people(30), server, concurrency=1, batch_size=6)
    check_each_once(outcomes, 30)
    assert all(isinstance(one, Registered) for one in outcomes)
    lost_ones = [number for number in range(30) if number % 3]
    assert server.calls[5:] == [lost_ones[:6], lost_ones[6:12], lost_ones[12:18], lost_ones[18:]]


def test_some_thousands_are_kept_at_most():
    assert 1_000 <= dispatcher.MAX_LOST <= 5_000


async def test_over_a_socket_a_lost_answer_becomes_a_link():
    sandbox = Sandbox()
    sandbox.faults.script([None, "reset_after", None, "reset_before"])
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url, options=ONE_REQUEST) as mettl,
    ):
        report = await mettl.candidates.register_many(server.access_key, people(100), concurrency=1)
    assert sandbox.stats.faults["reset_after"] == 1
    report.raise_for_failures()
    assert len(report.registered) == 100
    assert {one.attempts for one in report.registered} == {1, 2}
    assert all(sandbox.owner_of(one.url) == one.candidate.email for one in report.registered)
    assert sandbox.stats.requests == 5 + 2


async def test_over_a_socket_what_stays_unknown_has_its_times():
    sandbox = Sandbox()
    sandbox.faults.reset_after = 1.0
    options = ClientOptions(
        bulk_retry=RetryPolicy(max_attempts=3, backoff_base=0.001, backoff_cap=0.001)
    )
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url, options=options) as mettl,
    ):
        before = datetime.now(UTC)
        report = await mettl.candidates.register_many(server.access_key, people(20))
        after = datetime.now(UTC)
    assert len(report.unknown) == 20
    for one in report.unknown:
        assert one.attempts == len(one.sent_at) == 6
        assert before <= one.sent_at[0]
        assert list(one.sent_at) == sorted(one.sent_at)
        assert one.sent_at[-1] <= after
        assert all(at.tzinfo is UTC for at in one.sent_at)
        assert one.error.sent_at == one.sent_at[3:]
    assert "secret.example" not in repr(report.unknown)


async def test_requests_that_never_left_are_not_among_the_times():
    async with (
        Sandbox().serve() as server,
        MettlClient(
            server.credentials, base_url="http://127.0.0.1:9", options=ONE_REQUEST
        ) as mettl,
    ):
        report = await mettl.candidates.register_many(server.access_key, people(1))
    (failed,) = report.failed
    assert (failed.attempts, failed.error.sent_at) == (1, ())


async def test_no_link_in_the_second_pass_is_a_refusal():
    asked = Counter()

    def behave(entries):
        asked.update(one.index for one in entries)
        if asked[entries[0].index] == 1:
            raise lost()
        answered = answer(entries)
        return type(answered)([gone(one) for one in answered.registrations], 1)

    def gone(item):
        return type(item)(email=item.email, status=type(item.status)("Completed"), message="m")

    outcomes = await collect(people(3), Server(behave))
    assert [(type(one), one.code) for one in outcomes] == [(Rejected, "Completed")] * 3
