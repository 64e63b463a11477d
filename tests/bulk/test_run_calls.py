"""What a run sends, what it says of those without an answer, and that it stops when told to."""

import asyncio

import attrs
import pytest
from scripted_server import (
    BAD,
    GOOD,
    Server,
    answer,
    check_each_once,
    collect,
    dislikes_photos,
    lost,
    people,
    person,
    rd_length,
)

from mettl_async import (
    Candidate,
    Failed,
    JournalError,
    MettlDecodeError,
    Registered,
    Rejected,
    Unknown,
)
from mettl_async.bulk.dispatcher import BatchResponse

THREE = rd_length([person(n, fields=GOOD) for n in range(3)])


async def test_no_call_is_longer_than_a_url_may_be():
    server = Server()
    outcomes = await collect([person(n, fields=GOOD) for n in range(9)], server, max_rd_bytes=THREE)
    check_each_once(outcomes, 9)
    assert [len(call) for call in server.calls] == [3, 3, 3]


async def test_the_calls_of_the_second_pass_are_no_longer_either():
    def behave(entries):
        if len(server.calls_with(entries[0].index)) == 1:
            raise lost()
        return answer(entries)

    server = Server(behave)
    outcomes = await collect([person(n, fields=GOOD) for n in range(9)], server, max_rd_bytes=THREE)
    check_each_once(outcomes, 9)
    assert [len(call) for call in server.calls] == [3] * 6


async def test_mended_ones_are_sent_in_calls_that_are_no_longer_either():
    longer = {"Photo": "good" * 200}
    max_rd_bytes = 2 * rd_length([person(0, fields=longer)])
    server = Server(dislikes_photos)

    def mend(candidate, rejected):
        return None if rejected.index == 2 else attrs.evolve(candidate, fields=longer)

    candidates = [person(n, fields=BAD) for n in range(5)]
    outcomes = await collect(
        candidates, server, max_rd_bytes=max_rd_bytes, concurrency=1, candidate_fallback=mend
    )
    check_each_once(outcomes, 5)
    assert [one.index for one in outcomes if isinstance(one, Rejected)] == [2]
    assert sum(isinstance(one, Registered) for one in outcomes) == 4
    assert server.calls[-2:] == [[0, 1], [3, 4]]


async def test_who_needs_mending_in_the_second_pass_is_shown_to_the_caller_once():
    shown = []

    def behave(entries):
        first = len(server.calls_with(entries[0].index)) == 1
        if first:
            raise lost()
        items = [attrs.evolve(one, url=None) for one in answer(entries).registrations]
        return BatchResponse(items, 1)

    server = Server(behave)
    outcomes = await collect(people(3), server, candidate_fallback=lambda *both: shown.append(both))
    assert [type(one) for one in outcomes] == [Rejected] * 3
    assert [rejected.index for _, rejected in shown] == [0, 1, 2]


async def test_a_repeated_email_says_so_of_the_candidate_that_came_last():
    again = Candidate(email="C0@Secret.Example", first_name="Other")
    outcomes = await collect([person(0), again], Server())
    (rejected,) = [one for one in outcomes if isinstance(one, Rejected)]
    assert rejected.candidate is again
    assert rejected.reason == "the same email came earlier in this run; not sent"


async def test_who_is_not_mentioned_is_unknown_for_that_reason():
    outcomes = await collect(people(2), Server(lambda entries: answer(entries[1:])))
    (unknown,) = [one for one in outcomes if isinstance(one, Unknown)]
    assert isinstance(unknown.error, MettlDecodeError)
    assert "does not mention this candidate" in str(unknown.error)
    assert unknown.error.operation == "candidates.register"
    assert unknown.error.sent and unknown.error.safe_to_repeat


async def test_whose_call_a_bug_ended_is_unknown_with_the_type_of_what_was_raised():
    def behave(entries):
        raise ZeroDivisionError("c0@secret.example")

    found = []
    with pytest.raises(ZeroDivisionError):
        await collect(people(2), Server(behave), found)
    assert all(isinstance(one, Unknown) for one in found)
    assert {one.error.problem for one in found} == {"ZeroDivisionError was raised while sending"}
    assert all(one.error.operation == "candidates.register" for one in found)
    assert all(one.error.sent and one.error.may_have_been_handled for one in found)


class NoRoom:
    """A journal that can't write anything, which turns out when ``until`` happens."""

    def __init__(self):
        self.until, self.failed = asyncio.Event(), asyncio.Event()

    async def open(self, schedule): ...

    async def close(self): ...

    async def find(self, emails):
        return {}

    async def record(self, settled):
        await self.until.wait()
        self.failed.set()
        raise OSError(28, "No space left on device")


async def test_when_nothing_can_be_recorded_those_who_wait_for_their_turn_are_not_sent():
    journal, found = NoRoom(), []

    async def after_the_failure(entries):
        journal.until.set()
        await journal.failed.wait()
        for _ in range(20):  # until the run has heard of it
            await asyncio.sleep(0)
        return answer(entries)

    def behave(entries):
        return answer(entries) if entries[0].index == 0 else after_the_failure(entries)

    server = Server(behave)
    with pytest.raises(JournalError) as caught:
        await collect(people(400), server, found, concurrency=1, journal=journal, schedule="s")
    assert [call[0] for call in server.calls] == [0, 20]
    assert [one.index for one in caught.value.unrecorded] == list(range(40))
    assert [one.index for one in found] == list(range(40, 60))
    assert all(isinstance(one, Failed) and one.attempts == 0 for one in found)
    assert {one.error for one in found} == {caught.value}


async def test_what_was_not_recorded_is_told_even_if_the_input_broke_first():
    journal, broke = NoRoom(), asyncio.Event()
    journal.until.set()

    async def source():
        yield person(0)
        broke.set()
        raise RuntimeError("the input")

    async def send(entries):
        await broke.wait()
        for _ in range(20):  # until the run has heard of it
            await asyncio.sleep(0)
        return answer(entries)

    with pytest.raises(JournalError) as caught:
        await collect(source(), send, journal=journal, schedule="s", batch_size=1)
    assert [one.index for one in caught.value.unrecorded] == [0]
