"""``mettl register --resume``: the journal is gone on from, whatever became of the file of links."""

import asyncio
import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest

from mettl_async import FileJournal, JournalError
from mettl_async.cli import run as running

NAMES = ("links.csv", "links.jsonl")


def resume(mettl, *more, out="links.csv", source=("p.csv",)):
    return mettl("register", *source, "--sandbox", "--out", out, "--resume", *more)


def check_everybody(sandbox, rows, count):
    """Each exactly once, each with a link of their own."""
    assert len(rows) == len({row["Email Address"] for row in rows}) == count
    for row in rows:
        assert row["status"] == "registered"
        assert sandbox.owner_of(row["link"]) == row["Email Address"]


def sent(sandbox):
    return {email: count for (_, email), count in sandbox.stats.registrations.items() if count}


def change_journal(statement, *values):
    with contextlib.closing(sqlite3.connect("links.csv.journal")) as database, database:
        assert database.execute(statement, values).rowcount > 0


@pytest.mark.parametrize("out", NAMES)
def test_without_a_journal_it_begins_and_with_a_whole_one_nothing_is_sent(
    mettl, sandbox, people, read, out
):
    people(50, "p.csv")
    done = resume(mettl, out=out)
    assert done.exit_code == 0, done.output
    assert "already" not in done.output
    check_everybody(sandbox, read(Path(out)), 50)
    before, requests = Path(out).read_bytes(), sandbox.stats.requests
    done = resume(mettl, out=out)
    assert done.exit_code == 0
    assert "50/50, 50 already there" in done.stderr
    assert "already     50 of them had their answer before" in done.stdout
    assert Path(out).read_bytes() == before
    assert sandbox.stats.requests == requests
    for name in (out, f"{out}.journal"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    assert {one.name for one in Path().iterdir()} == {"p.csv", out, f"{out}.journal"}


def test_those_without_a_final_answer_are_tried_again(mettl, sandbox, people, read):
    people(60, "p.csv")
    assert resume(mettl).exit_code == 0
    links = {row["Email Address"]: row["link"] for row in read(Path("links.csv"))}
    ways = {"p1@": "failed", "p2@": "unknown", "p3@": "rejected"}
    for start, status in ways.items():
        change_journal(
            "UPDATE mettl_journal SET status = ?, url = '', code = 'E028', final = 0 WHERE url = ?",
            status,
            links[f"{start}example.org"],
        )
    change_journal(
        "UPDATE mettl_journal SET status = 'rejected', url = '', code = 'Completed' WHERE url = ?",
        links["p7@example.org"],
    )
    before = sent(sandbox)
    done = resume(mettl)
    assert "already     57 of them" in done.stdout
    assert done.exit_code == 1  # one has completed the test, and has no link
    assert "rejected     1  Completed 1" in done.stdout
    after = sent(sandbox)
    again = {email for email in after if after[email] > before.get(email, 0)}
    assert again == {"p1@example.org", "p2@example.org", "p3@example.org"}
    rows = read(Path("links.csv"))
    check_everybody(sandbox, [row for row in rows if row["status"] == "registered"], 59)
    assert rows[7]["code"] == "Completed"


CHANGES = {
    "sorted": lambda text: "".join(sorted(text.splitlines(keepends=True))),
    "by a spreadsheet program": lambda text: "\ufeff" + text.replace(",", ";"),
    "cut short": lambda text: text[:1000],
    "edited": lambda text: text.replace("registered", "seen"),
    "emptied": lambda _: "",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_user_may_change_the_file_of_links(mettl, sandbox, people, read, change):
    people(40, "p.csv")
    people(20, "first.csv")
    assert resume(mettl, source=("first.csv",)).exit_code == 0
    path = Path("links.csv")
    path.write_text(CHANGES[change](path.read_text("utf-8")), "utf-8")
    assert resume(mettl).exit_code == 0
    check_everybody(sandbox, read(path), 40)
    assert max(sent(sandbox).values()) == 1


def test_a_user_may_delete_it(mettl, sandbox, people, read):
    people(20, "p.csv")
    assert resume(mettl).exit_code == 0
    requests = sandbox.stats.requests
    Path("links.csv").unlink()
    done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 2
    assert (
        "links.csv.journal: has outcomes of an earlier run; pass --resume to go on with it, "
        "--overwrite, or another --out"
    ) in done.stderr
    assert not Path("links.csv").exists()
    assert resume(mettl).exit_code == 0
    check_everybody(sandbox, read(Path("links.csv")), 20)
    assert sandbox.stats.requests == requests


def test_the_input_may_grow_and_change_its_order_and_case(mettl, sandbox, people, read):
    people(30, "p.csv")
    assert resume(mettl).exit_code == 0
    people(45, "p.csv")
    header, *lines = Path("p.csv").read_text().splitlines(keepends=True)
    Path("p.csv").write_text(header + "".join(reversed(lines)).replace("p3@", "P3@"))
    done = resume(mettl)
    assert done.exit_code == 0
    assert "already     30 of them" in done.stdout
    rows = read(Path("links.csv"))
    assert [row["Email Address"] for row in rows] == [
        f"{'P' if n == 3 else 'p'}{n}@example.org" for n in reversed(range(45))
    ]
    # Registered by the address as it was then.
    assert [sandbox.owner_of(row["link"]) for row in rows] == [
        f"p{n}@example.org" for n in reversed(range(45))
    ]
    assert max(sent(sandbox).values()) == 1


def test_overwrite_asks_for_everybody_again(mettl, sandbox, people, read):
    people(20, "p.csv")
    assert resume(mettl).exit_code == 0
    change_journal("UPDATE mettl_journal SET status = 'rejected', url = '', code = 'InValid'")
    assert "registered   0" in resume(mettl).stdout
    assert mettl("register", "p.csv", "--sandbox", "--overwrite").exit_code == 0
    check_everybody(sandbox, read(Path("links.csv")), 20)
    assert set(sent(sandbox).values()) == {2}


ENV = {"METTL_PUBLIC_KEY": "public", "METTL_PRIVATE_KEY": "private"}


def test_another_schedules_journal_is_refused_and_left_alone(mettl, sandbox, people):
    people(5, "p.csv")
    assert resume(mettl).exit_code == 0
    files = [Path("links.csv"), Path("links.csv.journal")]
    before = [one.read_bytes() for one in files]
    common = ("register", "p.csv", "--schedule", "other", "--out", "links.csv")
    done = mettl(*common, "--resume", env=ENV)
    assert done.exit_code == 2
    assert "links.csv.journal: is the journal of another schedule" in done.stderr
    assert [one.read_bytes() for one in files] == before


@pytest.mark.parametrize("name", NAMES)
def test_what_this_command_has_not_written_is_refused_and_left_alone(mettl, sandbox, people, name):
    people(5, "p.csv")
    Path(name).write_text("some notes\n")
    done = resume(mettl, out=name)
    assert done.exit_code == 2
    assert f"{name}.journal is missing; pass another --out" in done.stderr
    assert "--overwrite" not in done.stderr
    Path(f"{name}.journal").write_text("other notes\n")
    for way in ("--resume", "--overwrite"):
        done = mettl("register", "p.csv", "--sandbox", "--out", name, way)
        assert done.exit_code == 2
        assert f"{name}.journal: is not a journal of a bulk run" in done.stderr
    assert Path(name).read_text() == "some notes\n"
    assert Path(f"{name}.journal").read_text() == "other notes\n"
    assert sandbox.stats.requests == 0


def test_wrong_usage_is_said(mettl, sandbox, people):
    people(5, "p.csv")
    Path("links.csv").write_text("x")
    assert "pass --resume to go on" in mettl("register", "p.csv", "--sandbox").stderr
    assert "pass one of them" in resume(mettl, "--overwrite").stderr
    assert "there is no directory" in resume(mettl, out="no/links.csv").stderr
    assert sandbox.stats.requests == 0


def test_two_commands_do_not_use_one_journal(mettl, sandbox, people):
    people(5, "p.csv")
    assert resume(mettl).exit_code == 0
    before = Path("links.csv").read_bytes()

    async def hold():
        journal = FileJournal("links.csv.journal")
        with contextlib.closing(sqlite3.connect("links.csv.journal")) as database:
            [schedule] = database.execute("SELECT schedule FROM mettl_journal").fetchone()
        await journal.open(schedule)
        for option in ("--resume", "--overwrite"):
            done = await asyncio.to_thread(mettl, "register", "p.csv", "--sandbox", option)
            assert done.exit_code == 2
            assert "links.csv.journal: is in use by another run" in done.stderr
        await journal.close()

    asyncio.run(hold())
    assert Path("links.csv").read_bytes() == before
    assert resume(mettl).exit_code == 0


def test_a_run_that_had_no_answer_leaves_no_links(mettl, sandbox, people, monkeypatch):
    people(5, "p.csv")

    def broken(_):
        yield from ()
        raise running.CommandError("p.csv: was removed")

    with monkeypatch.context() as patch:
        patch.setattr(running.Run, "_candidates", broken)
        assert mettl("register", "p.csv", "--sandbox").exit_code != 0
    assert not Path("links.csv").exists()
    assert mettl("register", "p.csv", "--sandbox").exit_code == 0


def test_a_link_to_the_file_stays_a_link(mettl, sandbox, people, read):
    people(10, "p.csv")
    Path("real").mkdir()
    Path("links.csv").symlink_to("real/links.csv")
    assert resume(mettl).exit_code == 0
    assert resume(mettl).exit_code == 0
    assert Path("links.csv").is_symlink()
    check_everybody(sandbox, read(Path("real/links.csv")), 10)
    assert {one.name for one in Path("real").iterdir()} == {"links.csv", "links.csv.journal"}


def test_the_links_are_written_from_time_to_time(mettl, sandbox, people, read, monkeypatch):
    people(400, "p.csv")
    monkeypatch.setattr(running, "WRITE_EVERY", 0.05)
    monkeypatch.setattr(running, "_PAUSE_PER_WRITING", 1)
    sandbox.faults.latency = 0.05
    seen, write = [], running.write_links

    async def note(*arguments, **more):
        await write(*arguments, **more)
        rows = read(Path("links.csv"))
        assert len(rows) == 400
        seen.append(sum(row["status"] == "registered" for row in rows))
        assert {row["status"] for row in rows} <= {"registered", "not sent"}

    monkeypatch.setattr(running, "write_links", note)
    done = mettl("register", "p.csv", "--sandbox", "--concurrency", 1)
    assert done.exit_code == 0, done.output
    assert any(0 < count < 400 for count in seen)
    assert seen == sorted(seen)
    assert seen[-1] == 400


def test_links_that_cannot_be_written_are_in_the_journal(mettl, sandbox, people, read, monkeypatch):
    people(20, "p.csv")

    async def full(*_, **__):
        raise running.CommandError("links.csv: cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(running, "write_links", full)
        done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 2
    assert "all outcomes are in links.csv.journal" in done.stderr
    requests = sandbox.stats.requests
    assert resume(mettl).exit_code == 0
    check_everybody(sandbox, read(Path("links.csv")), 20)
    assert sandbox.stats.requests == requests


def test_a_journal_that_cannot_be_read_at_the_end_keeps_the_summary(
    mettl, sandbox, people, read, monkeypatch
):
    people(20, "p.csv")
    has_answers, had = FileJournal.has_answers, []

    async def broken(self):
        if had:
            raise JournalError("links.csv.journal: cannot be read or written: disk I/O error")
        had.append(await has_answers(self))
        return had[0]

    with monkeypatch.context() as patch:
        patch.setattr(FileJournal, "has_answers", broken)
        done = mettl("register", "p.csv", "--sandbox")
    assert done.exit_code == 2
    assert "registered  20" in done.stdout
    assert "disk I/O error; all outcomes are in links.csv.journal" in done.stderr
    assert resume(mettl).exit_code == 0
    check_everybody(sandbox, read(Path("links.csv")), 20)
