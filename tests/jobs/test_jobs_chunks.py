"""A chunk at work: only who holds it writes, and what is settled stays."""

from __future__ import annotations

import asyncio

import pytest
from handed_in import (
    KEY,
    collected,
    handed_out,
    person,
    registered,
    rows_of,
    some,
    taken,
    without_link,
)

from mettl_async import (
    BadRequestError,
    Failed,
    InvalidInputError,
    JournalError,
    Registered,
    Rejected,
    TransportTimeoutError,
    Unknown,
)
from mettl_async.bulk.journal import Journal
from mettl_async.bulk.journal_record import to_record
from mettl_async.jobs import JobError, LeaseLostError
from mettl_async.jobs.chunk_journal import ChunkJournal, ChunkLease
from mettl_async.jobs.chunk_work import claim, finish, give_back, people_of
from mettl_async.jobs.outcome_rows import recorded_error
from mettl_async.jobs.statements import pause_for
from mettl_async.jobs.tables import chunks, outcomes

ENDING = {"max_tries": 3, "pause": 0.0, "problem": "the server is gone"}


async def test_one_worker_takes_a_chunk(jobs):
    await jobs.register(KEY, some(3), account="acme", id="a", chunk_size=2)
    number = await handed_out(jobs, 1)
    claims = [claim(jobs._backend, ChunkLease(number, 1, 1, name)) for name in ("w1", "w2")]
    found = sorted(await asyncio.gather(*claims), key=lambda one: one is None)
    assert found[1] is None
    assert (found[0].first, found[0].size, found[0].account) == (2, 1, "acme")
    assert await claim(jobs._backend, ChunkLease(number, 0, 1, "w1")) is None, "not handed out"


async def test_nobody_takes_a_chunk_of_a_job_that_is_not_ready(jobs):
    await jobs.register(KEY, some(3), account="acme", id="a")
    lease = ChunkLease(await handed_out(jobs), 0, 1, "w1")
    for way in (jobs.pause, jobs.cancel, jobs.forget):
        await way("a")
        assert await claim(jobs._backend, lease) is None


async def test_people_of_a_chunk_are_those_without_a_settled_outcome(jobs):
    handed = [*some(4), person(1), *some(4, 4)]
    await jobs.register(KEY, handed, account="acme", id="a", chunk_size=6)
    lease, journal = await taken(jobs)
    assert isinstance(journal, Journal)
    assert await journal.find(["c0@example.org"]) == {}
    await journal.record([registered(0), without_link(2), without_link(3, "failed", "E503")])
    found = await people_of(jobs._backend, lease)
    assert found.candidates == [handed[1], handed[3], handed[5]]
    assert found.positions == {"c1@example.org": 1, "c3@example.org": 3, "c4@example.org": 5}


async def test_what_is_settled_is_never_replaced(jobs):
    await jobs.register(KEY, some(3), account="acme", id="a")
    _, journal = await taken(jobs)
    await journal.record([registered(0), without_link(1), without_link(2, "unknown", "E503")])
    await journal.record([without_link(0, "failed"), without_link(1, "unknown"), registered(2)])
    kinds = [row.status for row in await rows_of(jobs, outcomes)]
    assert kinds == ["registered", "rejected", "registered"]


async def test_a_lost_lease_writes_nothing(jobs):
    await jobs.register(KEY, some(3), account="acme", id="a")
    lease, journal = await taken(jobs, owner="frozen")
    await journal.record([registered(0)])
    _, other = await taken(jobs, attempt=2, owner="w2")
    with pytest.raises(LeaseLostError, match="taken this chunk over") as raised:
        await journal.record([registered(1)])
    assert isinstance(raised.value, JournalError)
    for late in (finish(jobs._backend, lease, **ENDING), give_back(jobs._backend, lease)):
        with pytest.raises(LeaseLostError):
            await late
    assert len(await rows_of(jobs, outcomes)) == 1
    (row,) = await rows_of(jobs, chunks)
    assert (row.owner, row.attempt, row.done, row.tries) == ("w2", 2, False, 0)
    await other.record([registered(1)])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_worker_that_waits_for_the_row_loses_to_who_took_it(jobs):
    """The leader's transaction is open while the worker writes."""
    await jobs.register(KEY, some(1), account="acme", id="a")
    _, journal = await taken(jobs)
    async with jobs._engine.begin() as leader:
        await leader.execute(chunks.update().values(attempt=2, owner=None))
        writing = asyncio.create_task(journal.record([registered(0)]))
        await asyncio.sleep(0.02)
        assert not writing.done()
    with pytest.raises(LeaseLostError):
        await writing
    assert not await rows_of(jobs, outcomes)


async def test_a_chunk_that_was_forgotten_takes_nothing(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    lease, journal = await taken(jobs)
    await jobs.forget("a")
    with pytest.raises(LeaseLostError):
        await journal.record([registered(0)])
    with pytest.raises(LeaseLostError):  # before anybody of it is asked for
        await people_of(jobs._backend, lease)
    assert not await rows_of(jobs, outcomes)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_nobody_is_read_whose_outcome_could_not_be_written(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    lease, _ = await taken(jobs)
    async with jobs._engine.connect() as other:
        await other.exec_driver_sql("begin immediate")
        reading = asyncio.create_task(people_of(jobs._backend, lease))
        done, _ = await asyncio.wait([reading], timeout=0.2)
        assert not done
    assert len((await reading).candidates) == 1


async def test_many_answers_at_once_are_one_transaction(jobs):
    await jobs.register(KEY, some(40), account="acme", id="a")
    _, journal = await taken(jobs)
    commits = []
    run = jobs._backend.run
    jobs._backend.run = lambda work: commits.append(work) or run(work)
    await asyncio.gather(*(journal.record([registered(number)]) for number in range(40)))
    assert len(commits) <= 3
    assert len(await rows_of(jobs, outcomes)) == 40


async def test_a_chunk_without_people_left_is_done_and_so_is_its_job(jobs):
    handed = [*some(4), person(0)]
    await jobs.register(KEY, handed, account="acme", id="a", chunk_size=3)
    lease, journal = await taken(jobs)
    await journal.record([registered(0), registered(1), without_link(2)])
    assert await finish(jobs._backend, lease, **ENDING)
    status = await jobs.status("a")
    assert (status.job.state, status.chunks_done, status.waiting) == ("ready", 1, 1)
    lease, journal = await taken(jobs, 1)
    await journal.record([registered(3)])
    status = await jobs.status("a")
    assert (status.registered, type(status.registered)) == (3, int)
    assert await finish(jobs._backend, lease, **ENDING)
    status = await jobs.status("a")
    assert (status.job.state, status.is_over, status.waiting) == ("done", True, 0)
    assert (status.registered, status.rejected, status.failed, status.unknown) == (3, 2, 0, 0)
    assert status.job.ended_at >= status.job.submitted_at
    rows = [(row.registered, row.rejected, row.owner) for row in await rows_of(jobs, chunks)]
    assert rows == [(2, 1, None), (1, 1, None)]


async def test_who_is_left_is_tried_again_and_at_last_has_failed(jobs):
    await jobs.register(KEY, some(3), account="acme", id="a")
    lease, journal = await taken(jobs)
    await journal.record(
        [registered(0), without_link(1, "unknown", "TransportTimeoutError", "late")]
    )
    assert not await finish(jobs._backend, lease, **{**ENDING, "max_tries": 2, "pause": 60.0})
    (row,) = await rows_of(jobs, chunks)
    assert (row.tries, row.owner, row.done) == (1, None, False)
    assert row.not_before == pytest.approx(row.changed_at + 60.0, abs=5.0)
    lease, _ = await taken(jobs, attempt=2)
    assert await finish(jobs._backend, lease, **{**ENDING, "max_tries": 2})
    found = await collected(jobs, "a")
    assert [type(one) for one in found] == [Registered, Unknown, Failed]
    assert isinstance(found[1].error, TransportTimeoutError)
    assert isinstance(found[2].error, JobError)
    assert str(found[2].error) == "the server is gone"
    assert (await jobs.get("a")).state == "done"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_chunk_that_is_given_back_keeps_its_tries(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    lease, _ = await taken(jobs)
    await give_back(jobs._backend, lease, pause=60.0)
    (row,) = await rows_of(jobs, chunks)
    assert (row.tries, row.owner, row.done) == (0, None, False)
    assert row.not_before > row.changed_at
    await jobs.resume("a")
    (row,) = await rows_of(jobs, chunks)
    assert row.not_before == 0.0


async def test_two_last_chunks_that_end_at_once_end_the_job(jobs):
    await jobs.register(KEY, some(2), account="acme", id="a", chunk_size=1)
    leases = []
    for chunk in (0, 1):
        lease, journal = await taken(jobs, chunk)
        await journal.record([registered(chunk)])
        leases.append(lease)
    await asyncio.gather(*(finish(jobs._backend, one, **ENDING) for one in leases))
    assert (await jobs.get("a")).state == "done"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_problem_pauses_a_job_until_it_is_resumed(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    number = await handed_out(jobs)
    bound = {"the_job": number, "new_problem": "E401: wrong keys"}
    await jobs._backend.change(pause_for(), bound)
    job = await jobs.get("a")
    assert (job.state, job.problem) == ("paused", "E401: wrong keys")
    job = await jobs.resume("a")
    assert (job.state, job.problem) == ("ready", "")


async def test_outcomes_come_back_as_they_were(jobs):
    handed = some(6)
    await jobs.register(KEY, handed, account="acme", id="a")
    lease, _ = await taken(jobs)
    positions = {one.email: place for place, one in enumerate(handed)}
    journal = ChunkJournal(jobs._backend, lease, positions)
    kept = [
        Rejected(index=1, candidate=handed[1], attempts=2, reason="an image\0 is \ud800 bad", code="E028"),
        Failed(index=2, candidate=handed[2], attempts=1, error=BadRequestError("no")),
        Failed(index=3, candidate=handed[3], attempts=0, error=InvalidInputError("a[3].b", "is: long; so", "cut")),
        Unknown(index=4, candidate=handed[4], attempts=1, error=TransportTimeoutError("late")),
    ]  # fmt: skip
    await journal.record([registered(0), *filter(None, map(to_record, kept))])
    found = await collected(jobs, "a")
    assert [one.index for one in found] == [0, 1, 2, 3, 4]
    assert [one.candidate for one in found] == handed[:5]
    assert (found[0].url, found[0].status) == ("https://mettl.example/0", "ToBeTaken")
    assert (found[1].code, found[1].reason) == ("E028", "an image is ? bad")
    assert isinstance(found[2].error, BadRequestError)
    assert str(found[3].error) == str(kept[2].error)
    assert isinstance(found[4].error, TransportTimeoutError)
    assert found[4].error.may_have_been_handled


@pytest.mark.parametrize(
    ("code", "kind"), [("E503", "ServiceUnavailableError"), ("E999", "ApiError"), ("int", "ApiError")]
)  # fmt: skip
def test_a_code_is_the_error_that_it_was(code, kind):
    error = recorded_error(code, "the words", may_have_been_handled=False)
    assert type(error).__name__ == kind
    assert error.problem.startswith("the words")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_pages_of_outcomes_leave_nobody_out(jobs, monkeypatch):
    monkeypatch.setattr("mettl_async.jobs.jobs._PAGE", 3)
    await jobs.register(KEY, some(8), account="acme", id="a")
    _, journal = await taken(jobs)
    await journal.record([registered(number) for number in range(8) if number != 4])
    assert [one.index for one in await collected(jobs, "a")] == [0, 1, 2, 3, 5, 6, 7]
