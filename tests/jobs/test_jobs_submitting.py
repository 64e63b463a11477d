"""Handing people in: each once, in chunks, continued where it ended."""

from __future__ import annotations

import asyncio
import os
import sys
import weakref
from pathlib import Path

import anyio
import pytest
from handed_in import KEY, collected, person, rows_of, some
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from mettl_async import Candidate, InvalidInputError, RegistrationOptions, Rejected
from mettl_async.jobs import JobError, Jobs, JobState, submitting
from mettl_async.jobs.database import engine_for
from mettl_async.jobs.person import digest_of, from_text
from mettl_async.jobs.tables import chunks, leases, outcomes, people


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(submitting, "GROUP", 3)


async def test_people_come_out_as_they_went_in(jobs):
    handed = [
        person(0),
        person(1, fields={"Größe": "½ \U0001f600", "b": '\t\n\\"'}),
        person(2, context_data="", compensatory_time=0),
        person(3, context_data="null", compensatory_time=90),
        person(4, fields={"z": "", "a": "1,2,[{"}, first_name="\x1b\u200d"),
    ]  # fmt: skip
    job = await jobs.register(KEY, handed, account="acme", id="autumn", chunk_size=2)
    assert (job.id, job.state, job.total, job.account) == ("autumn", "ready", 5, "acme")
    rows = await rows_of(jobs, people)
    assert [from_text(row.person) for row in rows] == handed
    assert [row.position for row in rows] == [0, 1, 2, 3, 4]
    parts = [(row.chunk, row.first, row.size, row.done) for row in await rows_of(jobs, chunks)]
    assert parts == [(0, 0, 2, False), (1, 2, 2, False), (2, 4, 1, False)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_job_of_nobody_is_done(jobs):
    job = await jobs.register(KEY, [], account="acme")
    assert job.state is JobState.DONE
    assert job.ended_at is not None
    assert len(job.id) == 16


async def test_repeated_emails_are_rejected_at_once(jobs, small_groups):
    handed = [person(n) for n in (0, 1, 1, 2, 0)] + [person(9, email="C2@Example.ORG")]
    job = await jobs.register(KEY, handed, account="acme")
    found = await collected(jobs, job.id)
    assert [(one.index, one.candidate) for one in found] == [
        (place, handed[place]) for place in (2, 4, 5)
    ]
    assert all(isinstance(one, Rejected) and one.code == "DuplicateEmail" for one in found)
    status = await jobs.status(job.id)
    assert (status.rejected, status.waiting, status.chunks) == (3, 3, 1)


async def test_the_same_id_is_the_same_job(jobs):
    def unread():
        raise AssertionError
        yield

    options = RegistrationOptions(time_limit_in_sec=60)
    job = await jobs.register(KEY, some(3), account="acme", id="a", options=options)
    again = await jobs.register(KEY, unread(), account="acme", id="a", options=options)
    assert again == job
    assert len(await rows_of(jobs, people)) == 3


async def test_the_same_id_with_something_else_is_refused(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    for changed, field in (
        ({"account": "other"}, "account"),
        ({"access_key": "x9"}, "access_key"),
        ({"options": RegistrationOptions(time_limit_in_sec=9)}, "options.time_limit_in_sec"),
    ):
        asked = {"access_key": KEY, "account": "acme", **changed}
        with pytest.raises(InvalidInputError, match="differs") as raised:
            await jobs.register(asked.pop("access_key"), some(1), id="a", **asked)
        assert raised.value.field == field
        assert KEY not in str(raised.value)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_cannot_be_is_refused_before_anything_is_written(jobs):
    for changed, field in (
        ({"id": "a/b"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "\xe4"}, "id"),
        ({"account": "a b"}, "account"),
        ({"chunk_size": 0}, "chunk_size"),
        ({"options": {}}, "options"),
        ({"access_key": "a/b"}, "access_key"),
        ({"people": "ann@example.org"}, "candidates"),
    ):
        asked = {"access_key": KEY, "people": some(1), "account": "acme", **changed}
        with pytest.raises(InvalidInputError) as raised:
            await jobs.register(asked.pop("access_key"), asked.pop("people"), **asked)
        assert raised.value.field == field
    assert await jobs.list() == ()


async def test_half_a_submission_is_continued(jobs, small_groups):
    def breaking():
        yield from some(7)
        raise OSError("the disk is gone")

    handed = [*some(10), person(4)]
    with pytest.raises(OSError, match="disk"):
        await jobs.register(KEY, breaking(), account="acme", id="a", chunk_size=4)
    job = await jobs.get("a")
    assert (job.state, job.total) == ("submitting", 6)
    assert not await rows_of(jobs, chunks)
    assert (await jobs.status("a")).waiting == 6
    job = await jobs.register(KEY, handed, account="acme", id="a", chunk_size=1)
    assert (job.state, job.total) == ("ready", 11)
    assert [from_text(row.person) for row in await rows_of(jobs, people)] == handed
    assert [row.size for row in await rows_of(jobs, chunks)] == [4, 4, 3]
    assert [one.index for one in await collected(jobs, "a")] == [10]


async def test_another_person_at_a_place_is_refused(jobs, small_groups):
    handed = some(8)
    with pytest.raises(InvalidInputError):
        await jobs.register(KEY, [*handed[:6], None], account="acme", id="a")
    for changed, field in (
        (person(77), "candidates[4].email"),
        (person(4, first_name="Somebody"), "candidates[4].first_name"),
        (person(4, fields={"Town": "Ulm"}), "candidates[4].fields['Town']"),
        (person(4, context_data="x"), "candidates[4].context_data"),
        (person(4, compensatory_time=5), "candidates[4].compensatory_time"),
    ):
        other = [*handed[:4], changed, *handed[5:]]
        with pytest.raises(InvalidInputError, match="differs from what was handed in") as raised:
            await jobs.register(KEY, other, account="acme", id="a")
        assert raised.value.field == field
        assert not any(word in str(raised.value) for word in ("77", "Somebody", "Ulm", "example"))
    assert (await jobs.register(KEY, handed, account="acme", id="a")).total == 8


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_fewer_people_than_before_are_refused(jobs, small_groups):
    with pytest.raises(InvalidInputError, match=r"candidates\[6\]: is a NoneType"):
        await jobs.register(KEY, [*some(6), None], account="acme", id="a")
    with pytest.raises(InvalidInputError, match="are 4, and 6 were handed in before"):
        await jobs.register(KEY, some(4), account="acme", id="a")
    assert (await jobs.get("a")).state is JobState.SUBMITTING


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_fields_in_another_order_are_the_same_person(jobs, small_groups):
    one, other = person(0, fields={"a": "1", "b": "2"}), person(0, fields={"b": "2", "a": "1"})
    with pytest.raises(InvalidInputError):
        await jobs.register(KEY, [one, *some(2, 1), None], account="acme", id="a")
    assert (await jobs.register(KEY, [other, *some(2, 1)], account="acme", id="a")).total == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_cannot_be_kept_is_refused_by_place_and_field(jobs):
    forged = person(1)
    object.__setattr__(forged, "first_name", "half \ud800 of a pair")
    with pytest.raises(InvalidInputError, match="UTF-8") as raised:
        await jobs.register(KEY, [person(0), forged], account="acme", id="a")
    assert raised.value.field == "candidates[1].first_name"
    assert raised.value.__context__ is None
    assert not await rows_of(jobs, people)


async def test_a_submission_that_is_cancelled_is_continued_at_once(jobs, small_groups):
    came = anyio.Event()

    async def slow():
        for one in some(7):
            yield one
        came.set()
        await anyio.sleep_forever()

    task = asyncio.create_task(jobs.register(KEY, slow(), account="acme", id="a"))
    await came.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await jobs.get("a")).total == 6
    with anyio.fail_after(5):
        assert (await jobs.register(KEY, some(9), account="acme", id="a")).total == 9


async def test_submissions_that_are_cancelled_anywhere_lose_and_double_nobody(jobs, small_groups):
    handed = some(30)
    for steps in range(0, 400, 37):
        task = asyncio.create_task(jobs.register(KEY, handed, account="acme", id="a"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    job = await jobs.register(KEY, handed, account="acme", id="a", chunk_size=7)
    assert job.total == 30
    assert [from_text(row.person) for row in await rows_of(jobs, people)] == handed


async def test_two_submissions_at_once_are_one(jobs, jobs_url, small_groups, monkeypatch):
    monkeypatch.setattr(submitting, "_ASK_AGAIN_SECONDS", 0.01)
    handed, read = [*some(20), person(3)], []

    def stream():
        for one in handed:
            read.append(one)
            yield one

    async with Jobs(jobs_url) as others:
        both = await asyncio.gather(
            *(one.register(KEY, stream(), account="acme", id="a") for one in (jobs, others))
        )
    assert read == handed, "one of them reads nobody"
    assert both[0] == both[1]
    assert [from_text(row.person) for row in await rows_of(jobs, people)] == handed
    assert len(await rows_of(jobs, outcomes)) == 1


async def test_who_was_silent_for_too_long_does_not_go_on(jobs, small_groups, monkeypatch):
    monkeypatch.setattr(submitting, "LEASE_SECONDS", 0.0)

    async def overtaken():
        for one in some(4):
            yield one
        monkeypatch.setattr(submitting, "LEASE_SECONDS", 60.0)
        await jobs.register(KEY, some(9), account="acme", id="a")
        for one in some(5, 4):
            yield one

    with pytest.raises(JobError, match="by somebody else"):
        await jobs.register(KEY, overtaken(), account="acme", id="a")
    assert (await jobs.get("a")).total == 9
    assert len(await rows_of(jobs, people)) == 9


ENDLESS = """
import asyncio, itertools, sys
from handed_in import KEY, person
from mettl_async.jobs import Jobs

async def submit(url):
    async with Jobs(url) as jobs:
        await jobs.register(KEY, map(person, itertools.count()), account="acme", id="a")

asyncio.run(submit(sys.argv[1]))
"""


@pytest.mark.slow
async def test_a_submission_whose_process_was_killed_is_continued(jobs, jobs_url):
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", ENDLESS, jobs_url, env=here)
    try:
        with anyio.fail_after(30):
            while not [one for one in await jobs.list() if one.total >= 1500]:  # noqa: ASYNC110 - by the child
                await anyio.sleep(0.01)
    finally:
        child.kill()
        await child.wait()
    with anyio.move_on_after(0.3):  # it may be alive
        await jobs.register(KEY, [], account="acme", id="a")
    there = (await jobs.get("a")).total
    assert there == len(await rows_of(jobs, people))
    handed = some(there + 700)
    async with jobs._engine.begin() as connection:
        await connection.execute(leases.update().values(until=1.0))  # the lease ends
    assert (await jobs.register(KEY, handed, account="acme", id="a")).total == len(handed)
    assert [from_text(row.person) for row in await rows_of(jobs, people)] == handed


@pytest.mark.slow
async def test_it_works_behind_a_pooler_of_transactions(pgbouncer_port):
    url = f"postgresql://mettl@127.0.0.1:{pgbouncer_port}/postgres"
    async with Jobs(url) as pooled:
        await asyncio.gather(
            *(pooled.register(KEY, some(3000), account="acme", id=f"j{n}") for n in range(4))
        )
        assert [(await pooled.status(one.id)).waiting for one in await pooled.list()] == [3000] * 4
        for one in await pooled.list():
            await pooled.forget(one.id)


@pytest.mark.parametrize("end", ["cancel", "forget"])
async def test_a_job_that_is_ended_meanwhile_grows_no_more(jobs, small_groups, end):
    async def ended():
        for one in some(4):
            yield one
        await getattr(jobs, end)("a")
        for one in some(5, 4):
            yield one

    with pytest.raises(JobError, match="cancelled or forgotten by somebody else"):
        await jobs.register(KEY, ended(), account="acme", id="a")
    assert len(await rows_of(jobs, people)) == (3 if end == "cancel" else 0)


@pytest.mark.parametrize("count", [1_500, pytest.param(20_000, marks=pytest.mark.slow)])
async def test_a_stream_is_never_held_whole(tmp_path, count):
    alive, most = weakref.WeakSet(), 0

    def stream():
        nonlocal most
        for number in range(count):
            one = person(number)
            alive.add(one)
            most = max(most, len(alive))
            yield one

    async with Jobs(f"sqlite:///{tmp_path / 'jobs.db'}") as jobs:
        job = await jobs.register(KEY, stream(), account="acme", id="a", chunk_size=500)
        assert job.total == count
        assert len(await rows_of(jobs, chunks)) == count // 500
    assert most <= 2 * submitting.GROUP + 1


_PEOPLE = st.lists(
    st.builds(
        Candidate,
        email=st.sampled_from(["a@x.org", "A@X.org", "b@x.org", "c@x.org", "\xe9@x.org", "e\u0301@x.org"]),
        first_name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(lambda text: not text.isspace()),
        fields=st.dictionaries(st.sampled_from(["Town", "\u00df"]), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
        context_data=st.none() | st.sampled_from(["", "x"]),
        compensatory_time=st.none() | st.integers(0, 10**6),
    ),
    max_size=12,
)  # fmt: skip


def do_not_wait_for_the_disk(connection, _):
    connection.execute("pragma synchronous=off")


@given(data=st.data())
@settings(max_examples=4)
def test_every_input_is_parted_into_chunks_each_person_once(tmp_path_factory, data):
    inputs = [(data.draw(_PEOPLE), data.draw(st.integers(1, 5))) for _ in range(3)]

    async def run():
        engine = engine_for(f"sqlite:///{tmp_path_factory.mktemp('any') / 'jobs.db'}")
        event.listen(engine.sync_engine, "connect", do_not_wait_for_the_disk)
        async with Jobs(engine) as jobs:
            for handed, size in inputs:
                await jobs.register(KEY, handed, account="acme", id="a", chunk_size=size)
                rows, parts = await rows_of(jobs, people), await rows_of(jobs, chunks)
                assert [from_text(row.person) for row in rows] == handed
                inside = [n for one in parts for n in range(one.first, one.first + one.size)]
                assert inside == [*range(len(handed))]
                assert all(one.size <= size for one in parts)
                firsts = [row.position for row in rows if row.digest is not None]
                told = {one.index for one in await collected(jobs, "a")}
                assert sorted([*firsts, *told]) == inside
                folded = [digest_of(one.email) for one in handed]
                assert firsts == [n for n, one in enumerate(folded) if one not in folded[:n]]
                assert await jobs.forget("a") == len(handed)
        await engine.dispose()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submitting, "GROUP", data.draw(st.integers(1, 5)))
        asyncio.run(run())
