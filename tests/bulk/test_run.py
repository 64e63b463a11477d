"""The engine of a run, with a scripted sender: every candidate exactly once, whatever happens."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import check_each_once, collect, registration, run_of

from mettl_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    Candidate,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    Failed,
    MettlDecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    Registered,
    RegistrationFailuresError,
    RegistrationLimitError,
    RegistrationReport,
    Rejected,
    ServerError,
    Unknown,
)
from mettl_async.bulk.dispatcher import BatchResponse
from mettl_async.bulk.reading import read_batches
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.errors import CallFacts


def person(number):
    return Candidate(email=f"c{number}@x.org", first_name="A")


def people(count):
    return [person(number) for number in range(count)]


def answer(entries):
    return BatchResponse([registration(one.candidate.email) for one in reversed(entries)], 1)


class Server:
    """Plays a function per call, and watches what is in flight."""

    def __init__(self, behave=answer):
        self.behave, self.calls, self.in_flight, self.most = behave, [], 0, 0

    async def __call__(self, entries):
        self.calls.append([one.index for one in entries])
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(0)
            result = self.behave(entries)
            return await result if asyncio.iscoroutine(result) else result
        finally:
            self.in_flight -= 1


async def test_each_candidate_gets_the_link_with_its_own_email():
    server = Server()
    outcomes = await collect(people(95), server)
    check_each_once(outcomes, 95)
    assert all(one.url == f"link/{one.candidate.email}" for one in outcomes)
    assert max(map(len, server.calls)) == 20
    assert len(server.calls) == 5
    assert server.most <= 4


async def test_an_async_input_is_read_too():
    async def source():
        for one in people(45):
            await asyncio.sleep(0)
            yield one

    check_each_once(await collect(source(), Server()), 45)


async def test_an_empty_input_has_no_outcomes():
    assert await collect([], Server()) == []


@given(
    st.sets(st.integers(0, 59)),
    st.integers(1, 20),
    st.integers(1, 6),
    st.sampled_from(
        [BadRequestError("E028", CallFacts(code="E028")), ApiError("E000", CallFacts(code="E000"))]
    ),
)
def test_a_bad_candidate_never_sinks_its_batch(bad, size, concurrency, error):
    def behave(entries):
        if any(one.index in bad for one in entries):
            raise error
        return answer(entries)

    server = Server(behave)
    outcomes = asyncio.run(collect(people(60), server, batch_size=size, concurrency=concurrency))
    check_each_once(outcomes, 60)
    assert {one.index for one in outcomes if isinstance(one, Rejected)} == bad
    assert {one.index for one in outcomes if isinstance(one, Registered)} == set(range(60)) - bad
    assert all(one.code == error.code for one in outcomes if isinstance(one, Rejected))
    # A batch of n splits into at most 2n - 1 calls; one bad candidate costs about 2 log2(n) more.
    assert len(server.calls) <= 2 * 60
    if len(bad) == 1:
        assert len(server.calls) <= -(-60 // size) + 2 * 5


@pytest.mark.parametrize(
    "kind", [AuthenticationError, PermissionDeniedError, RegistrationLimitError, NotFoundError]
)
async def test_an_account_level_failure_stops_the_run_and_the_rest_is_never_sent(kind):
    calls = itertools.count()

    def behave(entries):
        if next(calls) == 2:
            raise kind("no", CallFacts(sent=True, attempts=1, code="E000"))
        return answer(entries)

    server = Server(behave)
    outcomes = await collect(people(200), server, concurrency=1)
    check_each_once(outcomes, 200)
    assert len(server.calls) == 3
    failed = [one for one in outcomes if isinstance(one, Failed)]
    assert {one.index for one in failed} == set(range(40, 200))
    assert all(type(one.error) is kind for one in failed)
    assert all(one.attempts == 0 and not one.sent for one in failed if one.index >= 60)
    assert all(one.attempts == 1 and one.sent for one in failed if one.index < 60)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectError("x", CallFacts(attempts=3)), Failed),
        (RateLimitError("x", CallFacts(attempts=3, sent=True)), Failed),
        (
            ConnectionLostError("x", CallFacts(attempts=3, sent=True, may_have_been_handled=True)),
            Unknown,
        ),
        (
            MettlDecodeError("x", CallFacts(attempts=3, sent=True, may_have_been_handled=True)),
            Unknown,
        ),
        (ServerError("x", CallFacts(attempts=3, sent=True, may_have_been_handled=True)), Unknown),
        # Refused at last, but an earlier attempt may have gone through.
        (
            RateLimitError("x", CallFacts(attempts=3, sent=True, may_have_been_handled=True)),
            Unknown,
        ),
    ],
    ids=str,
)
async def test_lost_is_unknown_and_refused_is_failed(error, kind):
    def behave(entries):
        if entries[0].index == 20:
            raise error
        return answer(entries)

    outcomes = await collect(people(100), Server(behave))
    check_each_once(outcomes, 100)
    bad = [one for one in outcomes if not isinstance(one, Registered)]
    assert {one.index for one in bad} == set(range(20, 40))
    attempts = 6 if kind is Unknown else 3  # the second pass
    assert all(type(one) is kind and one.attempts == attempts for one in bad)
    assert all(one.error is error for one in bad)


async def test_a_server_that_is_gone_stops_the_run():
    def behave(entries):
        raise ConnectError("x", CallFacts(attempts=5))

    server = Server(behave)
    outcomes = await collect(people(1000), server, concurrency=3)
    check_each_once(outcomes, 1000)
    assert all(isinstance(one, Failed) for one in outcomes)
    assert len(server.calls) <= 6


async def test_no_link_is_rejected_with_the_servers_status():
    def behave(entries):
        return BatchResponse(
            [registration(one.candidate.email, url=None, status="Completed") for one in entries], 1
        )

    outcomes = await collect(people(3), Server(behave))
    assert [(type(one), one.code, one.reason) for one in outcomes] == [
        (Rejected, "Completed", "m")
    ] * 3


async def test_who_is_missing_in_an_answer_is_asked_for_again_and_then_unknown():
    def behave(entries):
        return answer([one for one in entries if one.index != 5])

    server = Server(behave)
    outcomes = await collect(people(20), server)
    check_each_once(outcomes, 20)
    (unknown,) = [one for one in outcomes if isinstance(one, Unknown)]
    assert unknown.index == 5
    assert server.calls[1:] == [[5]]
    assert unknown.attempts == 2


async def test_an_answer_about_strangers_or_in_other_case_gives_nobody_a_wrong_link():
    def behave(entries):
        items = [registration(one.candidate.email.upper()) for one in entries]
        return BatchResponse([registration("stranger@x.org"), *items], 1)

    outcomes = await collect(people(20), Server(behave))
    check_each_once(outcomes, 20)
    assert all(one.url.lower() == f"link/{one.candidate.email}" for one in outcomes)


async def test_a_repeated_email_is_rejected_without_being_sent():
    again = [person(1), person(2), Candidate(email="C1@X.ORG", first_name="B")]
    server = Server()
    outcomes = await collect(again, server)
    check_each_once(outcomes, 3)
    (rejected,) = [one for one in outcomes if isinstance(one, Rejected)]
    assert (rejected.index, rejected.code, rejected.attempts) == (2, "DuplicateEmail", 0)
    assert server.calls == [[0, 1]]


async def test_what_the_input_raises_comes_after_everything_read_before():
    def source():
        yield from people(25)
        raise OSError("disk")

    lifecycle, found = Lifecycle(), []
    with pytest.raises(OSError, match="disk"):
        async for outcome in run_of(source(), Server(), lifecycle, concurrency=2):
            found.append(outcome)
    check_each_once(found, 25)


async def test_a_bug_in_a_middleware_is_raised_after_the_siblings_finished():
    def behave(entries):
        if entries[0].index == 20:
            raise ZeroDivisionError
        return answer(entries)

    lifecycle, found = Lifecycle(), []
    with pytest.raises(ZeroDivisionError):
        async for outcome in run_of(people(40), Server(behave), lifecycle, concurrency=2):
            found.append(outcome)
    check_each_once(found, 40)
    assert sum(isinstance(one, Unknown) for one in found) == 20


async def test_leaving_early_stops_reading_and_cancels_nothing():
    read, finished = [], []

    def source():
        for number in itertools.count():
            read.append(number)
            yield person(number)

    async def slow(entries):
        await asyncio.sleep(0.02)
        finished.append(entries[0].index)
        return answer(entries)

    server, lifecycle = Server(slow), Lifecycle()
    stream = aiter(run_of(source(), server, lifecycle, concurrency=4))
    async for _ in stream:
        break
    await stream.aclose()
    await lifecycle.drain()
    assert len(finished) == len(server.calls)
    assert len(read) <= 20 * 2 * 4 + 40


async def test_closing_the_client_ends_a_run_that_nobody_listens_to():
    lifecycle = Lifecycle()

    async def never():
        yield person(1)
        await asyncio.sleep(3600)

    stream = aiter(run_of(never(), Server(), lifecycle, concurrency=4, batch_size=1))
    await anext(stream)
    await asyncio.wait_for(lifecycle.drain(), 5)
    with pytest.raises(Exception, match="closed before this run"):
        await anext(stream)


async def test_a_slow_listener_slows_the_workers():
    server, lifecycle = Server(), Lifecycle()
    stream = aiter(
        run_of(
            (person(n) for n in itertools.count()), server, lifecycle, concurrency=2, batch_size=1
        )
    )
    await anext(stream)
    await asyncio.sleep(0.05)
    assert len(server.calls) < 20
    await stream.aclose()
    await lifecycle.drain()


async def test_a_report_is_in_input_order_and_counts():
    def behave(entries):
        return BatchResponse(
            [
                registration(one.candidate.email, url="u" if one.index % 2 else None)
                for one in entries
            ],
            1,
        )

    report = RegistrationReport(reversed(await collect(people(50), Server(behave))))
    assert [one.index for one in report.outcomes] == list(range(50))
    assert len(report.registered) == len(report.rejected) == 25
    assert str(report) == "25 of 50 candidates registered, 25 rejected, 0 failed, 0 unknown"
    with pytest.raises(RegistrationFailuresError, match="25 of 50") as caught:
        report.raise_for_failures()
    assert caught.value.report is report
    assert "x.org" not in repr(report) + repr(report.outcomes) + repr(caught.value)
    RegistrationReport(report.registered).raise_for_failures()


# What must not be lost when something other than the server goes wrong.


async def test_a_cancellation_out_of_somebody_elses_code_loses_nobody():
    def behave(entries):
        if entries[0].index == 20:
            raise asyncio.CancelledError
        return answer(entries)

    server, lifecycle, found = Server(behave), Lifecycle(), []
    with pytest.raises(ConfigurationError, match="cancelled from inside"):
        async for outcome in run_of(people(100), server, lifecycle, concurrency=5):
            found.append(outcome)
    sent = {index for call in server.calls for index in call}
    assert {one.index for one in found} == sent
    assert {one.index for one in found if isinstance(one, Unknown)} == set(range(20, 40))


async def test_an_input_that_is_cancelled_from_inside_is_no_end_of_the_run():
    def source():
        yield from people(50)
        raise asyncio.CancelledError

    found = []
    with pytest.raises(ConfigurationError, match="cancelled from inside"):
        async for outcome in run_of(source(), Server(), Lifecycle(), concurrency=2):
            found.append(outcome)
    assert len(found) in {40, 50}


async def test_the_input_is_closed_before_the_run_is_over():
    closed = []

    async def source():
        try:
            for number in itertools.count():
                yield person(number)
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    lifecycle = Lifecycle()
    stream = aiter(run_of(source(), Server(), lifecycle, concurrency=2))
    await anext(stream)
    await stream.aclose()
    await lifecycle.drain()
    assert closed == [True]


LOST = {"attempts": 2, "sent": True, "may_have_been_handled": True}


@pytest.mark.parametrize(
    "error",
    [
        RegistrationLimitError("x", CallFacts(code="E607", **LOST)),
        AuthenticationError("x", CallFacts(code="E401", **LOST)),
    ],
    ids=str,
)
async def test_a_refusal_of_the_account_after_a_lost_answer_leaves_them_unknown(error):
    def behave(entries):
        raise error

    outcomes = await collect(people(1), Server(behave))
    assert [type(one) for one in outcomes] == [Unknown]


async def test_who_was_not_mentioned_stays_unknown_whatever_the_repeat_comes_to():
    def behave(entries):
        if len(entries) == 1:
            raise ConnectError("x", CallFacts(attempts=1))
        return answer([one for one in entries if one.index != 5])

    outcomes = await collect(people(20), Server(behave))
    (odd,) = [one for one in outcomes if not isinstance(one, Registered)]
    assert (type(odd), odd.index, odd.attempts) == (Unknown, 5, 2)


async def test_attempts_add_up_over_splits():
    def behave(entries):
        if any(one.index == 0 for one in entries):
            raise BadRequestError("x", CallFacts(code="E028", attempts=2))
        return answer(entries)

    outcomes = await collect(people(4), Server(behave))
    by_index = {one.index: one.attempts for one in outcomes}
    assert by_index == {0: 2 + 2 + 2, 1: 2 + 2 + 1, 2: 2 + 1, 3: 2 + 1}


async def test_everybody_refused_alike_stops_the_run():
    def behave(entries):
        raise ApiError("the schedule has expired", CallFacts(code="E000", attempts=1))

    server = Server(behave)
    outcomes = await collect(people(2000), server, concurrency=4)
    check_each_once(outcomes, 2000)
    assert len(server.calls) < 400
    assert sum(isinstance(one, Failed) and one.attempts == 0 for one in outcomes) > 1500


async def test_many_bad_photos_are_about_the_candidates():
    def behave(entries):
        raise BadRequestError("photo", CallFacts(code="E028", attempts=1))

    outcomes = await collect(people(200), Server(behave))
    assert all(isinstance(one, Rejected) for one in outcomes)


@pytest.mark.parametrize(
    "error",
    [
        ApiError("moved", CallFacts(status_code=302, attempts=1)),
        BadRequestError("x", CallFacts(status_code=405, attempts=1)),
        BadRequestError("x", CallFacts(code="E405", attempts=1)),
        ConfigurationError("x"),
    ],
    ids=str,
)
async def test_what_no_candidate_can_be_guilty_of_stops_the_run_at_once(error):
    def behave(entries):
        raise error

    server = Server(behave)
    outcomes = await collect(people(400), server, concurrency=1)
    check_each_once(outcomes, 400)
    assert len(server.calls) == 1
    assert all(isinstance(one, Failed) for one in outcomes)


async def test_a_firewall_that_dislikes_one_name_does_not_stop_the_run():
    def behave(entries):
        if any(one.index == 7 for one in entries):
            raise PermissionDeniedError("x", CallFacts(status_code=403, attempts=1))
        return answer(entries)

    outcomes = await collect(people(40), Server(behave))
    (rejected,) = [one for one in outcomes if isinstance(one, Rejected)]
    assert (rejected.index, rejected.code) == (7, "HTTP 403")
    assert sum(isinstance(one, Registered) for one in outcomes) == 39


async def test_a_server_that_answers_now_and_then_never_stops_the_run():
    calls = itertools.count()

    def behave(entries):
        if next(calls) % 3:
            raise ConnectError("x", CallFacts(attempts=5))
        return answer(entries)

    outcomes = await collect(people(600), Server(behave), concurrency=1)
    assert sum(isinstance(one, Registered) for one in outcomes) == 200
    assert all(one.attempts for one in outcomes)


async def test_of_two_answers_for_one_email_the_one_with_a_link_counts():
    def behave(entries):
        email = entries[0].candidate.email
        none = registration(email, url=None)
        return BatchResponse([none, registration(email), none, registration(email, url="later")], 1)

    (one,) = await collect(people(1), Server(behave))
    assert one.url == "link/c0@x.org"


async def test_endless_duplicates_take_no_memory_and_keep_nobody_waiting():
    batches = read_batches(itertools.repeat(person(1)), size=20, max_rd_bytes=None)
    sent, *settled = [await anext(batches) for _ in range(3)]
    await batches.aclose()
    assert [one.index for one in sent] == [0]
    assert (
        sorted(one.index for some in settled for one in some)
        == list(range(1, 60))[: sum(map(len, settled))]
    )
    assert all(len(some) < 40 for some in settled)
