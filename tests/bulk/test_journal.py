"""A run with a journal: killed at any instant and run again, it does the rest and nothing twice."""

import asyncio
import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from journalled import KEY, Remembering, answers, collect, link, people, person, stream

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
    NotFoundError,
    Region,
    Registered,
    Rejected,
    RunInterruptedError,
    Unknown,
)
from mettl_async.bulk import file_journal
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.journal_table import schedule_digest
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
    journal = more.pop("journal", None) or FileJournal(path)
    return await collect(candidates, server, journal, **more), server


def count_of(path):
    """How many candidates a journal that is not in use holds."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = ("mettl_journal", "mettl_journal_added")
        return sum(database.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in tables)  # noqa: S608


def copy_of(path, to):
    """What a kill would leave now."""
    for part in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(FileNotFoundError):  # at the end of a run there is no log
            shutil.copy(part, to.with_name(part.name.replace(path.name, to.name)))
    return to


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


async def of_a_killed_run(home):
    """The files of a run that was killed before its end."""
    journal = FileJournal(home / "journal")
    await journal.open(KEY)
    for first in (0, 20, 40):
        await journal.record([registered(number) for number in range(first, first + 20)])
    copy_of(home / "journal", home / "copy")
    await journal.close()
    return (home / "copy").read_bytes(), (home / "copy-wal").read_bytes()


def registered(number):
    email = f"c{number}@x.org"
    return JournalRecord(
        email=email, status="registered", url=link(email), code="ToBeTaken", final=True
    )


with tempfile.TemporaryDirectory() as _home:
    FILE, LOG = asyncio.run(of_a_killed_run(Path(_home)))


@given(cut=st.integers(0, len(LOG)), zeros=st.sampled_from([0, 0, 1, 700]))
def test_whatever_a_power_cut_leaves_can_be_gone_on_with(cut, zeros):
    candidates = people(60)
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal"
        path.write_bytes(FILE)
        path.with_name("journal-wal").write_bytes(LOG[:cut] + bytes(zeros))
        outcomes, server = asyncio.run(run(path, candidates))
        check_all_registered(outcomes, candidates)
        found = sum(one.attempts == 0 for one in outcomes)
        assert found + sum(server.sent.values()) == 60
        assert found == 60 or cut < len(LOG)
        outcomes, server = asyncio.run(run(path, candidates))
        check_all_registered(outcomes, candidates)
        assert not server.sent
        assert [one.name for one in Path(home).iterdir()] == ["journal"]


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


async def test_an_outcome_is_yielded_only_after_it_is_on_the_disk(tmp_path):
    told = 0
    async for _ in stream(people(95), Remembering(), FileJournal(tmp_path / "journal")):
        told += 1
        if told % 20 == 1:
            assert count_of(copy_of(tmp_path / "journal", tmp_path / "copy")) >= told


async def test_only_what_is_final_is_found_again(tmp_path):
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
    assert count_of(path) == 7
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
    before, server = path.read_bytes(), Remembering()
    with pytest.raises(JournalError, match="journal of another schedule"):
        await run(path, people(3), server, key=schedule_digest("other"))
    assert not server.calls
    assert path.read_bytes() == before
    assert b"abc123" not in before
    assert b"c0@x.org" not in before.replace(link("c0@x.org").encode(), b"")


@pytest.mark.parametrize("count", [0, 3])
async def test_a_journal_without_answers_is_not_in_the_way_of_another_schedule(tmp_path, count):
    def refuse(entries):
        raise NotFoundError("no such schedule", CallFacts(code="E404", attempts=1))

    path = tmp_path / "journal"
    await run(path, people(count), Remembering(refuse), key=schedule_digest("mistyped"))
    candidates = people(3)
    outcomes, _ = await run(path, candidates)
    check_all_registered(outcomes, candidates)
    assert count_of(path) == 3


@pytest.mark.parametrize(
    "content",
    [b"Email Address,status\n", b'{"mettl_journal":1}\n', b"\0" * 5000, b"\xff\xfe\n"],
)
async def test_what_is_no_journal_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="not a journal"):
        await run(path, people(3))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE TABLE theirs (x)", "not a journal"),
        ("PRAGMA user_version = 7", "not a journal"),
        ("PRAGMA application_id = 7", "not a journal"),
    ],
)
async def test_another_database_is_refused_and_left_alone(tmp_path, statement, words):
    path = tmp_path / "journal"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(statement)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=words):
        await run(path, people(3))
    assert path.read_bytes() == before


async def test_a_journal_of_another_version_a_directory_and_no_directory_are_refused(tmp_path):
    path = tmp_path / "journal"
    await run(path, people(1))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match="another version"):
        await run(path, people(1))
    with pytest.raises(JournalError, match="cannot be opened: No such file") as caught:
        await run(tmp_path / "no" / "journal", people(1))
    assert caught.value.unrecorded == ()
    for no_file in (tmp_path, "/dev/null"):
        with pytest.raises(JournalError, match="is not a file"):
            await run(no_file, people(1))


@pytest.mark.parametrize("schedule", ["abc123", "other"])
async def test_a_journal_can_be_begun_anew(tmp_path, schedule):
    path = tmp_path / "journal"
    await run(path, people(5))
    candidates, key = people(3), schedule_digest(schedule)
    outcomes, server = await run(
        path, candidates, journal=FileJournal(path, overwrite=True), key=key
    )
    check_all_registered(outcomes, candidates)
    assert len(server.sent) == 3
    _, server = await run(path, candidates, key=key)
    assert not server.sent
    assert count_of(path) == 3


async def test_a_damaged_journal_is_told(tmp_path):
    path = tmp_path / "journal"
    await run(path, people(400))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(JournalError, match="cannot be read or written: database disk image"):
        await run(path, people(3))


async def test_a_link_to_a_journal_is_followed_but_makes_none(tmp_path):
    path, link_to_it = tmp_path / "journal", tmp_path / "link"
    link_to_it.symlink_to(path)
    with pytest.raises(JournalError, match="No such file"):
        await run(link_to_it, people(3))
    await run(path, people(3))
    _, server = await run(link_to_it, people(3))
    assert not server.sent


@pytest.mark.parametrize("name", ["journal", "journal-wal", "link", "to nothing"])
async def test_what_belongs_to_another_user_is_refused(tmp_path, monkeypatch, name):
    path = tmp_path / (name if name in {"link", "to nothing"} else "journal")
    (tmp_path / "to nothing").symlink_to(tmp_path / "nothing")
    await run(tmp_path / "journal", people(1))
    (tmp_path / "link").symlink_to(tmp_path / "journal")
    (tmp_path / "journal-wal").touch()
    theirs, real = tmp_path / name, Path.lstat

    def lstat(self):
        found = list(real(self))
        found[stat.ST_UID] += self == theirs
        return os.stat_result(found)

    monkeypatch.setattr(Path, "lstat", lstat)
    server = Remembering()
    with pytest.raises(JournalError, match=f"{name}: belongs to another user"):
        await run(path, people(1), server)
    assert not server.calls


async def test_two_runs_cannot_share_a_journal(tmp_path):
    path = tmp_path / "journal"
    lifecycle = Lifecycle()
    first = stream(people(4000), Remembering(), FileJournal(path), lifecycle=lifecycle)
    await anext(first)
    with pytest.raises(JournalError, match="in use"):
        await collect(people(1), Remembering(), FileJournal(path))
    await first.aclose()
    await lifecycle.drain()
    journal = FileJournal(path)
    assert len(await collect(people(40), Remembering(), journal)) == 40
    assert len(await collect(people(41), Remembering(), journal)) == 41


HOLDS_IT = """
import asyncio, sys
from mettl_async import FileJournal
async def hold():
    await FileJournal(sys.argv[1]).open("s")
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(hold())
"""


async def test_a_killed_process_does_not_keep_its_journal(tmp_path):
    path = tmp_path / "journal"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS_IT, path, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert await process.stdout.readline() == b"open\n"
    with pytest.raises(JournalError, match="is in use by another run"):
        await run(path, people(1))
    process.kill()
    await process.communicate()
    assert len((await run(path, people(1)))[0]) == 1


async def test_one_journal_object_is_not_used_by_two_runs_at_once(tmp_path):
    journal, lifecycle = FileJournal(tmp_path / "journal"), Lifecycle()
    first = stream(people(4000), Remembering(), journal, lifecycle=lifecycle)
    await anext(first)
    with pytest.raises(JournalError, match="in use"):
        await collect(people(1), Remembering(), journal)
    await first.aclose()
    await lifecycle.drain()


async def test_of_two_runs_that_begin_at_once_one_has_the_journal_object(tmp_path):
    path = tmp_path / "journal"
    journal, candidates, server = FileJournal(path), people(60), Remembering()
    first, second = await asyncio.gather(
        run(path, candidates, server, journal=journal),
        run(path, candidates, server, journal=journal, key=schedule_digest("other")),
        return_exceptions=True,
    )
    check_all_registered(first[0], candidates)
    assert isinstance(second, JournalError)
    assert "in use by another run" in str(second)
    assert max(server.sent.values()) == 1
    _, server = await run(path, candidates, journal=journal)
    assert not server.sent
    journal = FileJournal(tmp_path / "later" / "journal")
    with pytest.raises(JournalError, match="No such file"):
        await run(path, candidates, journal=journal)
    (tmp_path / "later").mkdir()
    check_all_registered((await run(path, candidates, journal=journal))[0], candidates)


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("new", [True, False])
async def test_what_lies_beside_a_journal_must_be_its_own(tmp_path, ending, new):
    path, beside = tmp_path / "journal", tmp_path / f"journal{ending}"
    (tmp_path / "link").symlink_to(path)
    if not new:
        await run(path, people(1))
    beside.symlink_to(tmp_path / "theirs")
    for one in (path, tmp_path / "link"):
        with pytest.raises(JournalError, match=f"journal{ending}: .* is a link; remove it"):
            await run(one, people(1))
    assert path.exists() != new
    beside.unlink()
    beside.touch()
    if new:
        for _ in range(2):
            with pytest.raises(JournalError, match=f"journal{ending}: is left of a journal"):
                await run(path, people(1))
        assert not path.exists()
        beside.unlink()
    assert len((await run(path, people(1)))[0]) == 1
    assert not (tmp_path / "theirs").exists()


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


async def test_a_disk_that_is_full_for_a_moment_loses_nothing(tmp_path):
    path = tmp_path / "journal"

    class Small(FileJournal):
        async def open(self, schedule):
            await super().open(schedule)
            self._database.execute("PRAGMA max_page_count = 20")

    with pytest.raises(JournalError, match=f"{path}: cannot be read or written: .* is full"):
        await run(path, people(2000), journal=Small(path))
    recorded = count_of(path)
    assert 20 <= recorded < 2000
    outcomes, server = await run(path, people(2000))
    check_all_registered(outcomes, [one.candidate for one in sorted(outcomes, key=by_index)])
    assert sum(server.sent.values()) == 2000 - recorded


async def test_batches_that_wait_for_the_disk_go_there_together(tmp_path):
    journal, statements = FileJournal(tmp_path / "journal"), []
    await journal.open(KEY)
    journal._database.set_trace_callback(statements.append)
    every = [registered(number) for number in range(200)]
    await asyncio.gather(*(journal.record(every[n : n + 20]) for n in range(0, 200, 20)))
    assert 1 <= statements.count("COMMIT") <= 2
    # Each statement is a turn of the threads, which costs more than a row.
    assert len(statements) <= 8
    assert await journal.read([one.email for one in every]) == {one.email: one for one in every}
    [mode], [synchronous] = (
        journal._database.execute(f"PRAGMA {name}").fetchone()
        for name in ("journal_mode", "synchronous")
    )
    assert (mode, synchronous) == ("wal", 2)  # FULL: a commit waits for the disk
    await journal.close()


async def test_new_records_are_merged_some_at_a_time_and_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(file_journal, "_MERGED_AT_ONCE", 50)
    journal, path = FileJournal(tmp_path / "journal"), tmp_path / "journal"
    await journal.open(KEY)
    added = []
    for number in range(130):
        await journal.record([registered(number)])
        count = journal._database.execute("SELECT count(*) FROM mettl_journal_added")
        added.append(count.fetchone()[0])
    assert added == [n % 50 for n in range(1, 131)]
    copy = copy_of(path, tmp_path / "copy")
    await journal.close()
    for one in (path, copy):  # which was closed, and which was killed
        _, server = await run(one, people(131))
        assert list(server.sent) == ["c130@x.org"]


async def test_what_is_recorded_can_be_read_where_nothing_can_be_written(tmp_path):
    journal = FileJournal(tmp_path / "journal")
    failed = JournalRecord(email="c0@x.org", status="failed", code="E500", final=False)
    later = evolve(failed, email="c2@x.org", code="E503")
    await journal.open(KEY)
    await journal.record([registered(0), evolve(later, code="E500")])
    await journal.close()  # which merges these
    await journal.open(KEY)
    await journal.record([registered(1), failed, later])
    await journal.record([evolve(failed, email="c1@x.org")])
    journal._database.execute("PRAGMA query_only = on")
    assert await journal.count() == 3
    found = {"c0@x.org": registered(0), "c1@x.org": registered(1), "c2@x.org": later}
    assert await journal.read([*found, "c3@x.org"]) == found
    await journal.close()
    await journal.open(KEY)
    assert await journal.read(list(found)) == found
    await journal.close()


async def test_a_cancelled_task_hides_the_commit_of_no_other(tmp_path):
    journal = FileJournal(tmp_path / "journal")
    await journal.open(KEY)
    with journal._one_at_a_time:  # for which the thread that writes waits
        tasks = [asyncio.create_task(journal.record([registered(number)])) for number in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        tasks[0].cancel()  # not by a cancel scope
        await asyncio.sleep(0)
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [
        asyncio.CancelledError,
        type(None),
        type(None),
    ]
    assert await journal.count() == 3
    await journal.close()


async def test_a_record_that_is_not_final_never_replaces_one_that_is(tmp_path):
    journal = FileJournal(tmp_path / "journal")
    await journal.open(KEY)
    failed = JournalRecord(email="c0@x.org", status="failed", code="E500", final=False)
    unknown = JournalRecord(email="c0@x.org", status="unknown", reason="l\0st \ud800", final=False)
    await journal.record([failed])
    assert await journal.read(["c0@x.org"]) == {"c0@x.org": failed}
    await journal.record([unknown])
    assert await journal.read(["c0@x.org"]) == {"c0@x.org": evolve(unknown, reason="lst ?")}
    await journal.record([registered(0)])
    await journal.record([failed])
    again = evolve(registered(0), url="https://x/again")
    await journal.record([again, unknown])
    await journal.close()
    await journal.open(KEY)
    assert await journal.find(["c0@x.org", "c1@x.org"]) == {"c0@x.org": again}
    assert await journal.count() == 1
    await journal.close()
    with pytest.raises(JournalError, match="not open"):
        await journal.record([failed])


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
