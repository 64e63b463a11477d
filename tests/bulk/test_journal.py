"""A run with a journal: killed at any instant and run again, it does the rest and nothing twice."""

import asyncio
import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journalled import Remembering, answers, collect, link, people, person, stream

from mettl_async import (
    BadRequestError,
    Candidate,
    ConnectError,
    ConnectionLostError,
    Credentials,
    Failed,
    FileJournal,
    InvalidInputError,
    JournalError,
    MettlClient,
    Region,
    Registered,
    Rejected,
    RunInterruptedError,
    Unknown,
)
from mettl_async.bulk import files
from mettl_async.bulk.journal_record import schedule_digest
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.errors import CallFacts


def check_all_registered(outcomes, candidates):
    assert sorted(one.index for one in outcomes) == list(range(len(candidates)))
    for one in outcomes:
        assert isinstance(one, Registered)
        assert one.candidate is candidates[one.index]
        assert one.url == link(one.candidate.email)


async def run(path, candidates, server=None, **more):
    server = server or Remembering()
    outcomes = await collect(candidates, server, FileJournal(path, fsync=False), **more)
    return outcomes, server


def whole(count=60):
    """The bytes of a journal of so many people."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal"
        asyncio.run(run(path, people(count)))
        return path.read_bytes()


WHOLE = whole()


async def test_who_has_a_recorded_link_comes_out_with_it_and_is_not_sent(tmp_path):
    path, candidates = tmp_path / "journal", people(75)
    first, server = await run(path, candidates)
    check_all_registered(first, candidates)
    assert all(one.attempts == 1 for one in first)
    again, server = await run(path, candidates)
    check_all_registered(again, candidates)
    assert all(one.attempts == 0 for one in again)
    assert {one.status for one in again} == {one.status for one in first}
    assert not server.calls


@given(cut=st.integers(0, len(WHOLE)), zeros=st.sampled_from([0, 0, 1, 700]))
def test_every_prefix_of_a_journal_can_be_gone_on_with(cut, zeros):
    candidates = people(60)
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal"
        # Zeros at the end are what a power cut may leave.
        path.write_bytes(WHOLE[:cut] + bytes(zeros))
        lines = WHOLE[:cut].split(b"\n")[1:-1]
        outcomes, server = asyncio.run(run(path, candidates))
        check_all_registered(outcomes, candidates)
        assert sum(server.sent.values()) == 60 - len(lines)
        assert sum(one.attempts == 0 for one in outcomes) == len(lines)
        outcomes, server = asyncio.run(run(path, candidates))
        check_all_registered(outcomes, candidates)
        assert not server.sent
        content = path.read_bytes()
        assert content.count(b"\n") == 61
        assert content.endswith(b"\n")
        assert b"\0" not in content


@given(start=st.integers(WHOLE.index(b"\n") + 1, len(WHOLE) - 1), length=st.integers(1, 400))
def test_a_hole_costs_the_records_in_it_and_no_others(start, length):
    candidates = people(60)
    content = bytearray(WHOLE)
    hole = content[start : start + length]
    content[start : start + length] = bytes(len(hole))
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal"
        path.write_bytes(content)
        outcomes, server = asyncio.run(run(path, candidates))
    check_all_registered(outcomes, candidates)
    assert sum(server.sent.values()) <= hole.count(b"\n") + 2


@given(
    st.lists(st.integers(0, 60), unique=True, max_size=60),
    st.permutations(range(40)),
    st.booleans(),
)
def test_the_input_may_grow_and_change_its_order_and_case(before, order, loud):
    now = [person(number) for number in order] + [person(number) for number in range(61, 70)]
    if loud:
        now = [Candidate(email=one.email.upper(), first_name="A") for one in now]
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal"
        asyncio.run(run(path, [person(number) for number in before]))
        outcomes, server = asyncio.run(run(path, now))
    check_all_registered(outcomes, now)
    assert sum(server.sent.values()) == len(now) - len(set(before) & set(order))
    assert not set(server.sent) & {f"c{number}@x.org" for number in before}


async def test_an_outcome_is_yielded_only_after_it_was_recorded(tmp_path):
    path = tmp_path / "journal"
    async for outcome in stream(people(95), Remembering(), FileJournal(path)):
        assert f'"{outcome.candidate.email}"' in path.read_text()


async def test_only_what_is_final_is_recorded(tmp_path):
    lost = ConnectionLostError("lost", CallFacts(sent=True, may_have_been_handled=True, attempts=1))
    down = ConnectError("refused", CallFacts(attempts=1))
    image = BadRequestError("bad image", CallFacts(code="E028", status_code=200, attempts=1))
    ways = {0: "Completed", 1: "InValid", 2: lost, 3: down, 4: image, 5: "Sleeping"}

    def behave(entries):
        [one] = entries
        way = ways.get(one.index)
        if isinstance(way, Exception):
            raise way
        return answers(entries, way, url=lambda _: None) if way else None

    path = tmp_path / "journal"
    first, _ = await run(path, people(7), Remembering(behave), batch_size=1)
    kinds = [type(one) for one in sorted(first, key=lambda one: one.index)]
    assert kinds == [Rejected, Rejected, Unknown, Failed, Rejected, Rejected, Registered]
    assert all(f"c{number}@x.org" not in path.read_text() for number in (2, 3, 4, 5))
    again, server = await run(path, people(7))
    assert set(server.sent) == {f"c{number}@x.org" for number in (2, 3, 4, 5)}
    by_index = {one.index: one for one in again}
    assert by_index[0].reason == "Candidate ('c0@x.org') is Completed"
    assert [by_index[n].code for n in (0, 1)] == ["Completed", "InValid"]
    assert [by_index[n].attempts for n in range(7)] == [0, 0, 1, 1, 1, 1, 0]


async def test_an_email_that_comes_twice_is_a_duplicate_with_a_record_too(tmp_path):
    path = tmp_path / "journal"
    await run(path, people(1))
    outcomes, server = await run(path, [person(0), person(0)])
    assert [getattr(one, "code", None) for one in sorted(outcomes, key=lambda one: one.index)] == [
        None,
        "DuplicateEmail",
    ]
    assert not server.sent


async def test_those_who_are_left_fill_their_calls(tmp_path):
    path = tmp_path / "journal"
    await run(path, [person(number) for number in range(400) if number % 4])
    outcomes, server = await run(path, people(400))
    assert len(outcomes) == 400
    assert sorted(server.calls) == [20] * 5


async def test_the_journal_of_another_schedule_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "journal"
    await run(path, people(3))
    before = path.read_bytes()
    server = Remembering()
    with pytest.raises(JournalError, match="journal of another schedule"):
        await run(path, people(3), server, key=schedule_digest("other"))
    assert not server.calls
    assert path.read_bytes() == before
    assert b"abc123" not in before


@pytest.mark.parametrize(
    "content",
    [b"Email Address,status\n", b"no line end", b'{"a":1}\n{}', b"[]\n", b"\xff\xfe\n", b"\n"],
)
async def test_what_is_no_journal_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="not a journal"):
        await run(path, people(3))
    assert path.read_bytes() == content


async def test_a_journal_of_another_version_a_directory_and_no_directory_are_refused(tmp_path):
    path = tmp_path / "journal"
    path.write_text('{"mettl_journal":2}\n')
    with pytest.raises(JournalError, match="another version"):
        await run(path, people(1))
    with pytest.raises(JournalError, match="cannot be opened: Is a directory"):
        await run(tmp_path, people(1))
    with pytest.raises(JournalError, match="cannot be opened: No such file") as caught:
        await run(tmp_path / "no" / "journal", people(1))
    assert caught.value.unrecorded == ()
    with pytest.raises(JournalError, match="is not a file"):
        await run("/dev/null", people(1))


async def test_two_runs_cannot_share_a_journal(tmp_path):
    path = tmp_path / "journal"
    lifecycle = Lifecycle()
    first = stream(people(4000), Remembering(), FileJournal(path), lifecycle=lifecycle)
    await anext(first)
    for journal in (FileJournal(path), FileJournal(path, fsync=False)):
        with pytest.raises(JournalError, match="in use"):
            await collect(people(1), Remembering(), journal)
    await first.aclose()
    await lifecycle.drain()
    journal = FileJournal(path)
    assert len(await collect(people(40), Remembering(), journal)) == 40
    assert len(await collect(people(41), Remembering(), journal)) == 41


async def test_one_journal_object_is_not_used_by_two_runs_at_once(tmp_path):
    journal, lifecycle = FileJournal(tmp_path / "journal"), Lifecycle()
    first = stream(people(4000), Remembering(), journal, lifecycle=lifecycle)
    await anext(first)
    with pytest.raises(JournalError, match="in use"):
        await collect(people(1), Remembering(), journal)
    await first.aclose()
    await lifecycle.drain()


async def test_a_journal_is_for_its_owner_only(tmp_path):
    path = tmp_path / "journal"
    await run(path, people(3))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    await run(path, people(3))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "@" not in repr(FileJournal(path))


async def test_who_leaves_early_finds_what_was_in_flight_recorded(tmp_path):
    path, lifecycle, server = tmp_path / "journal", Lifecycle(), Remembering()
    outcomes = stream(people(400), server, FileJournal(path), lifecycle=lifecycle)
    await anext(outcomes)
    await outcomes.aclose()
    await lifecycle.drain()
    assert 20 <= len(server.sent) < 400
    _, second = await run(path, people(400))
    assert not set(second.sent) & set(server.sent)


class FullDisk(FileJournal):
    """Takes so many records, and no more."""

    room = 60

    async def record(self, settled):
        if self.room < len(settled):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(settled)
        await super().record(settled)


async def test_a_journal_that_fails_ends_the_run_and_hides_nobody(tmp_path):
    path, server, read = tmp_path / "journal", Remembering(), []

    def source():
        for one in people(100_000):
            read.append(one)
            yield one

    outcomes = []
    with pytest.raises(JournalError, match="cannot be written: No space left") as caught:
        async for one in stream(source(), server, FullDisk(path)):
            outcomes.append(one)
    error = caught.value
    assert isinstance(error.__cause__, OSError)
    assert len(read) < 1000
    told = [one for one in outcomes if isinstance(one, Registered)]
    assert len(told) == 60
    # Whoever was sent is either told of or in the error; the others were not sent.
    assert {one.candidate.email for one in [*told, *error.unrecorded]} == set(server.sent)
    assert all(isinstance(one, Registered) for one in error.unrecorded)
    rest = [one for one in outcomes if not isinstance(one, Registered)]
    assert all(isinstance(one, Failed) and one.attempts == 0 for one in rest)
    assert "@" not in f"{error!s}{error!r}"
    assert f"{len(error.unrecorded)} outcomes are not in it" in str(error)
    _, second = await run(path, people(200))
    assert not set(second.sent) & {one.candidate.email for one in told}


async def test_a_disk_that_is_full_for_a_moment_leaves_whole_lines(tmp_path, monkeypatch):
    path, real = tmp_path / "journal", os.write
    left = 3000

    def write(handle, content):
        nonlocal left
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real(handle, content[:left])
        left -= count
        return count

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "write", write)
        with pytest.raises(JournalError):
            await run(path, people(500))
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert 1000 < len(content) <= 3000
    outcomes, server = await run(path, people(500))
    check_all_registered(outcomes, [one.candidate for one in sorted(outcomes, key=by_index)])
    assert sum(server.sent.values()) == 500 - content.count(b"\n") + 1


def by_index(one):
    return one.index


@pytest.mark.parametrize("error", [RuntimeError("secret@x.org"), asyncio.CancelledError()])
@pytest.mark.parametrize("method", ["find", "record"])
async def test_whatever_a_journal_raises_ends_the_run_in_order(tmp_path, method, error):
    journal, server = FileJournal(tmp_path / "journal"), Remembering()

    async def broken(_):
        raise error

    setattr(journal, method, broken)
    with pytest.raises((JournalError, Exception)) as caught:
        await collect(people(100), server, journal)
    assert isinstance(caught.value, JournalError) or method == "find"
    assert "secret" not in str(caught.value)
    assert bool(server.sent) == (method == "record")
    # It was closed, so that another run may have it.
    assert len(await collect(people(5), server, FileJournal(tmp_path / "journal"))) == 5


async def test_a_path_is_no_journal():
    async with MettlClient(
        Credentials(public_key="public", private_key="private"), region=Region.INDIA
    ) as mettl:
        for wrong in ("people.journal", Path("x"), FileJournal):
            with pytest.raises(InvalidInputError, match="FileJournal"):
                await mettl.candidates.register_many("abc", people(1), journal=wrong)


async def test_a_client_resumes_and_reports_what_was_not_recorded(server, quick_options, tmp_path):
    box, key = server.sandbox, server.access_key
    async with MettlClient(
        server.credentials, base_url=server.base_url, options=quick_options
    ) as mettl:
        with pytest.raises(RunInterruptedError, match="journal failed with JournalError") as caught:
            await mettl.candidates.register_many(
                key, people(200), journal=FullDisk(tmp_path / "journal")
            )
        known = {one.candidate.email for one in caught.value.report.registered}
        assert known == {email for (_, email), count in box.stats.registrations.items() if count}
        assert len(known) > 60
        report = await mettl.candidates.register_many(
            key, people(200), journal=FileJournal(tmp_path / "journal")
        )
        report.raise_for_failures()
        assert sum(one.attempts == 0 for one in report.registered) == 60
        assert all(box.owner_of(one.url) == one.candidate.email for one in report.registered)
        assert sum(box.stats.registrations.values()) == 200 + len(known) - 60
        with pytest.raises(JournalError, match="another schedule"):
            await mettl.candidates.register_many(
                "other", people(1), journal=FileJournal(tmp_path / "journal")
            )
