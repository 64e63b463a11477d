"""No file is in the way of the right command, and a second run says which process is."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from mettl_async.bulk import journal_owner, journal_session
from mettl_async.bulk.file_journal import FileJournal
from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.bulk.outcomes import JournalError
from mettl_async.cli import run as running

IN_USE = re.compile(
    rf"links\.csv\.journal: is in use by another run "
    rf"\(process {os.getpid()}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\)"
)


def files():
    return sorted(one.name for one in Path().iterdir())


def mode_of(name):
    return Path(name).stat().st_mode & 0o777


def register(mettl, *more):
    return mettl("register", "p.csv", "--sandbox", *more)


@pytest.mark.parametrize("way", ["", "--overwrite", "--resume"])
def test_a_mistyped_schedule_leaves_no_file(mettl, sandbox, people, read, way):
    people(300, "p.csv")
    sandbox.faults.script(["E404"])
    done = register(mettl, "--concurrency", 1, *filter(None, [way]))
    assert done.exit_code == 2
    assert "links       none, and no file: nobody was registered" in done.stdout
    assert "journal" not in done.stdout
    assert files() == ["p.csv"]
    assert register(mettl).exit_code == 0
    assert len(read(Path("links.csv"))) == 300
    assert files() == ["links.csv", "links.csv.journal", "p.csv"]


def test_files_of_an_earlier_run_stay(mettl, sandbox, people, read):
    people(5, "p.csv")
    assert register(mettl).exit_code == 0
    people(30, "p.csv")
    sandbox.faults.script(["E404"])
    assert register(mettl, "--resume", "--concurrency", 1).exit_code == 2
    assert sum(row["status"] == "registered" for row in read(Path("links.csv"))) == 5
    assert register(mettl, "--resume").exit_code == 0
    assert max(sandbox.stats.registrations.values()) == 1


def test_who_may_be_registered_is_not_forgotten(mettl, sandbox, people, read, monkeypatch):
    people(3, "p.csv")
    monkeypatch.setattr(running.Tally, "cut_short", property(lambda _: True))
    to_record = journal_session.to_record

    def without_answer(outcome):
        return evolve(to_record(outcome), status="unknown", url="", final=False)

    monkeypatch.setattr(journal_session, "to_record", without_answer)
    assert register(mettl).exit_code == 2
    assert {row["status"] for row in read(Path("links.csv"))} == {"unknown"}
    assert Path("links.csv.journal").exists()


def test_the_links_of_the_time_when_it_went_on_are_removed_too(mettl, sandbox, people, monkeypatch):
    people(400, "p.csv")
    monkeypatch.setattr(running, "WRITE_EVERY", 0.001)
    monkeypatch.setattr(running, "_PAUSE_PER_WRITING", 1)
    sandbox.faults.script(["E404"] * 20)
    sandbox.faults.latency = 0.1
    assert register(mettl).exit_code == 2
    assert files() == ["p.csv"]


def test_a_journal_of_failures_alone_needs_no_resume(mettl, sandbox, people, read):
    """As of a run that was killed before it could remove it."""
    people(5, "p.csv")

    async def failed():
        journal = FileJournal("links.csv.journal")
        await journal.open(schedule_digest(sandbox.access_key))
        await journal.record([JournalRecord(email="p1@example.org", status="failed", final=False)])
        await journal.close()

    asyncio.run(failed())
    assert register(mettl).exit_code == 0
    assert [row["status"] for row in read(Path("links.csv"))] == ["registered"] * 5


def test_a_journal_of_failures_is_taken_over_by_another_schedule():
    async def failed(schedule):
        journal = FileJournal("j")
        await journal.open(schedule)
        assert await journal.count() == 0
        await journal.record([JournalRecord(email="a@x.org", status="failed", final=False)])
        assert not await journal.has_answers()
        await journal.close()

    asyncio.run(failed("mistyped"))
    asyncio.run(failed("right"))


@pytest.mark.parametrize("status", ["registered", "rejected", "unknown"])
def test_whoever_may_be_registered_counts_as_an_answer(status):
    async def check():
        journal = FileJournal("j")
        await journal.open("s")
        await journal.record([JournalRecord(email="a@x.org", status=status, final=False)])
        assert await journal.has_answers()
        await journal.close()
        await journal.open("s")
        assert await journal.has_answers()
        await journal.close(delete=True)

    asyncio.run(check())
    assert files() == []


def test_a_second_run_says_which_process_has_it(mettl, sandbox, people):
    people(5, "p.csv")
    assert register(mettl).exit_code == 0

    async def hold():
        journal = FileJournal("links.csv.journal", overwrite=True)
        await journal.open("any")
        assert mode_of("links.csv.journal-owner") == 0o600
        done = await asyncio.to_thread(register, mettl, "--resume")
        assert done.exit_code == 2
        assert IN_USE.search(done.stderr), done.stderr
        assert "links.csv.journal-owner" in files()
        done = await asyncio.to_thread(register, mettl)  # as the first time
        assert done.exit_code == 2
        assert f"links.csv: is in use by another run (process {os.getpid()}, since " in done.stderr
        await journal.close()

    asyncio.run(hold())
    assert files() == ["links.csv", "links.csv.journal", "p.csv"]
    assert "links.csv: exists already; pass --resume" in register(mettl).stderr


KILLED = """
import asyncio, os
from mettl_async.bulk.file_journal import FileJournal
asyncio.run(FileJournal("links.csv.journal").open("s"))
os._exit(9)
"""


async def test_the_note_of_a_killed_run_is_replaced():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED)
    assert await process.wait() == 9
    assert journal_owner.owner_words(Path("links.csv.journal"), living=True) == ""
    assert "links.csv.journal-owner" in files()
    journal = FileJournal("links.csv.journal")
    await journal.open("s")
    with pytest.raises(JournalError, match=IN_USE.pattern):
        await FileJournal("links.csv.journal").open("s")
    await journal.close()
    assert files() == ["links.csv.journal"]


def test_a_note_of_another_machine_names_it(monkeypatch):
    path = Path("j")
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "other")
        journal_owner.note_owner(path)
    assert f"(process {os.getpid()} on other, since " in journal_owner.owner_words(path)
    assert journal_owner.owner_words(path, living=True) == ""


@pytest.mark.parametrize(
    "text", ["", "no note", "1 2 3\n", "\x1b[2J 2026-01-01 10:00:00 h\n", "1" * 999]
)
def test_what_is_no_note_is_not_shown(text):
    Path("j-owner").write_text(text)
    assert journal_owner.owner_words(Path("j")) == ""


def test_a_note_is_never_written_into_what_lies_there():
    Path("precious").write_text("x")
    Path("j-owner").symlink_to("precious")
    journal_owner.note_owner(Path("j"))
    assert Path("precious").read_text() == "x"
    assert not Path("j-owner").is_symlink()
    journal_owner.forget_owner(Path("j"))
    assert files() == ["precious"]


async def test_a_journal_that_was_deleted_between_is_not_used(monkeypatch):
    begin = FileJournal._begin

    def deleted(self, database, schedule):
        found = begin(self, database, schedule)
        Path("j").unlink()
        return found

    monkeypatch.setattr(FileJournal, "_begin", deleted)
    with pytest.raises(JournalError, match="is in use by another run"):
        await FileJournal("j").open("s")


def test_stdin_and_out_of_one_file_are_refused(mettl):
    text = "Email Address,First Name\na@x.org,A\n"
    Path("p.csv").write_text(text)
    Path("hard.csv").hardlink_to("p.csv")
    command = (sys.executable, "-m", "mettl_async", "register", "-", "--sandbox", "--overwrite")
    for out in ("p.csv", "hard.csv"):
        with Path("p.csv").open("rb") as file:
            done = subprocess.run(  # noqa: S603 - our own command
                [*command, "--out", out], stdin=file, capture_output=True, text=True, check=False
            )
        assert done.returncode == 2
        assert f"{out}: is the input itself; write the links to another file" in done.stderr
        done = mettl("register", "p.csv", "--sandbox", "--overwrite", "--out", out)
        assert done.exit_code == 2
        assert f"{out}: is the input itself" in done.stderr
    assert Path("p.csv").read_text() == text
    assert files() == ["hard.csv", "p.csv"]
