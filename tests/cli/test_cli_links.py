"""The file of links: the input's own rows, each with what became of it; whole, for its owner only."""

import asyncio
import csv
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.cli import outfile
from mettl_async.cli.links import check_out, journal_of, write_links
from mettl_async.cli.outfile import remove_unfinished, whole_file
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.rows import BadRow, Cells
from mettl_async.cli.reading.source import ReadOptions, Source

NAMES = ("links.csv", "links.jsonl")
LINK = "https://tests.example.org/?ecc=1"
ANSWERS = {
    "asha@x.org": ("registered", LINK, "InProgress", ""),
    "tom@x.org": ("rejected", "", "Completed", "has\ncompleted"),
    "li@x.org": ("failed", "", "E607", "E607 used up"),
}


def record(email):
    status, url, code, reason = ANSWERS[email]
    return JournalRecord(
        email=email, status=status, url=url, code=code, reason=reason, final=bool(url)
    )


async def read_answers(emails):
    return {email: record(email) for email in emails if email in ANSWERS}


def row(number, email, **more):
    known = {"Email Address": email, "First Name": "A"}
    return Cells(number, known, {**known, **more})


def write(path, rows, columns=("Email Address", "First Name"), read=read_answers):
    asyncio.run(write_links(path, rows, columns, read))


@pytest.mark.parametrize("name", NAMES)
def test_each_row_has_its_outcome_in_the_order_of_the_input(tmp_path, read, name):
    emails = ["zoe@x.org", "li@x.org", "TOM@x.org", "asha@x.org"]
    write(tmp_path / name, [row(n, email) for n, email in enumerate(emails)])
    assert [list(one.values()) for one in read(tmp_path / name)] == [
        ["zoe@x.org", "A", "not sent", "", "", ""],
        ["li@x.org", "A", "failed", "", "E607", "E607 used up"],
        ["TOM@x.org", "A", "rejected", "", "Completed", "has completed"],
        ["asha@x.org", "A", "registered", LINK, "", ""],
    ]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


INPUTS = {
    "p.csv": (
        "My Notes;E-mail;First Name;status\n=1+1;asha@x.org; Asha;new\n;tom@x.org;Tom;old\n",
        ["'=1+1", ""],
    ),
    "p.jsonl": (
        (
            '{"My Notes": {"a": [1, null]}, "E-mail": "asha@x.org", "First Name": "Asha"}\n'
            '{"E-mail": "tom@x.org", "First Name": "Tom", "status": "new", "n": 1.5}\n'
        ),
        ['{"a": [1, null]}', ""],
    ),
}


@pytest.mark.parametrize("source", INPUTS)
def test_the_inputs_own_columns_come_first_even_those_that_are_not_sent(
    mettl, sandbox, read, source
):
    text, notes = INPUTS[source]
    Path(source).write_text(text)
    options = ("--map", "E-mail=Email Address", "--drop", "My Notes", "--drop", "status")
    done = mettl("register", source, "--sandbox", *options)
    assert done.exit_code == 0, done.output
    rows = read(Path("links.csv"))
    assert [one["My Notes"] for one in rows] == notes
    assert [one["E-mail"] for one in rows] == ["asha@x.org", "tom@x.org"]
    # Ours take the place of columns that are called the same.
    assert list(rows[0])[-4:] == ["status", "link", "code", "reason"]
    assert [one["status"] for one in rows] == ["registered"] * 2
    assert not next(iter(sandbox.candidates)).candidate.fields.keys() & {"My Notes", "status"}


def test_json_lines_keep_the_inputs_own_values(mettl, sandbox, read):
    Path("p.jsonl").write_text(INPUTS["p.jsonl"][0])
    options = ("--map", "E-mail=Email Address", "--drop", "My Notes", "--drop", "status")
    assert mettl("register", "p.jsonl", "--sandbox", "--out", "l.jsonl", *options).exit_code == 0
    first, second = read(Path("l.jsonl"))
    assert first["My Notes"] == {"a": [1, None]}
    assert (second["n"], second["status"]) == (1.5, "registered")


def test_bytes_that_are_no_text_do_not_hinder_where_they_are_not_sent(mettl, sandbox, read):
    Path("p.csv").write_bytes(b"Email Address,First Name,Note\na@x.org,A,\xff\n")
    options = ("--encoding", "utf-8", "--drop", "Note")
    assert mettl("register", "p.csv", "--sandbox", *options).exit_code == 0
    assert read(Path("links.csv"))[0]["Note"] == "?"


@pytest.mark.parametrize("start", "=+-@")
def test_no_cell_of_a_csv_is_a_formula_but_json_lines_are_exact(tmp_path, read, start):
    # No address begins with "@", but a server's words may.
    email = "plain@example.org" if start == "@" else f"{start}SUM(A1)@example.org"
    answer = JournalRecord(
        email=email, status="rejected", code="InValid", reason=f"{start}1", final=True
    )

    async def found(emails):
        return dict.fromkeys(emails, answer)

    for name, sign in (("links.csv", "'"), ("links.jsonl", "")):
        write(tmp_path / name, [row(2, email, note=f"{start}2")], ("note", "Email Address"), found)
        [one] = read(tmp_path / name)
        in_front = "" if start == "@" else sign
        assert one["Email Address"] == f"{in_front}{email}"
        assert (one["reason"], one["note"]) == (f"{sign}{start}1", f"{sign}{start}2")


def test_outcomes_are_asked_for_by_some_hundred_rows_and_bad_rows_are_passed_over(tmp_path, read):
    asked = []

    async def note(emails):
        asked.append(len(emails))
        return {}

    rows = (row(n, f"p{n}@x.org") if n % 10 else BadRow(n, "changed") for n in range(1_500))
    write(tmp_path / "links.csv", rows, read=note)
    assert max(asked) <= 500
    assert sum(asked) == len(read(tmp_path / "links.csv")) == 1_350


def test_a_file_is_replaced_in_one_step_when_it_is_whole(tmp_path, monkeypatch):
    path, steps = tmp_path / "links.csv", []
    path.write_text("before")
    path.chmod(0o644)
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("fsync") or fsync(handle))
    monkeypatch.setattr(Path, "replace", lambda *to: steps.append("replace") or replace(*to))

    async def broken(emails):
        assert path.read_text() == "before"
        raise CommandError("stop")

    with pytest.raises(CommandError, match="stop"):
        write(path, [row(1, "asha@x.org")], read=broken)
    assert path.read_text() == "before"
    assert not steps
    write(path, [row(1, "asha@x.org")])
    assert steps == ["fsync", "replace", "fsync"]
    assert LINK in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "links.csv"
    path.write_text("before")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match="cannot be written: No space left"):
        write(path, [row(1, "asha@x.org")])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writing_left_is_removed_and_nothing_else(tmp_path):
    class KilledError(BaseException):
        pass

    others = [tmp_path / name for name in ("links.csv", ".links.csv", ".links2.csv.abcd_123.part")]
    others.append(tmp_path / ".links.csv.old.abcd_123.part")  # of an output "links.csv.old"
    for one in others:
        one.touch()
    (tmp_path / ".links.csv.abc_1234.part").write_text("of a killed one")
    remove_unfinished(tmp_path / "links.csv")
    assert set(tmp_path.iterdir()) == set(others)
    with pytest.raises(KilledError), whole_file(others[0], overwrite=True) as file:
        [part] = set(tmp_path.iterdir()) - set(others)
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        file.write(b"x")
        raise KilledError
    assert set(tmp_path.iterdir()) == set(others)


def test_what_cannot_be_written_is_refused_before_anything_is_touched(tmp_path):
    there = tmp_path / "there.csv"
    there.write_text("x")
    (tmp_path / "d.csv").mkdir()
    (tmp_path / "null.csv").symlink_to("/dev/null")
    cases = [
        (there, "", "exists already; pass --resume to go on"),
        (there, "resume", "its journal .* is missing"),
        (tmp_path / "no" / "l.csv", "", "there is no directory"),
        (tmp_path / "l.txt", "", "neither CSV"),
        (tmp_path / "d.csv", "overwrite", "is not a file"),
        (tmp_path / "null.csv", "resume", "is not a file"),
    ]
    for path, way, words in cases:
        with pytest.raises(CommandError, match=words):
            check_out(path, journal_of(path), overwrite=way == "overwrite", resume=way == "resume")
    assert there.read_text() == "x"


def test_the_file_of_another_user_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "links.csv"
    path.write_text("theirs")
    journal_of(path).touch()
    monkeypatch.setattr(outfile, "belongs_to_another", lambda one: one == path)
    for overwrite in (True, False):
        with pytest.raises(CommandError, match="belongs to another user"):
            check_out(path, journal_of(path), overwrite=overwrite, resume=not overwrite)


def test_a_link_that_another_user_planted_is_refused_whether_or_not_it_leads_anywhere(
    tmp_path, monkeypatch
):
    path, lstat = tmp_path / "links.csv", Path.lstat
    path.symlink_to(tmp_path / "elsewhere.csv")

    def of_another(self):
        found = list(lstat(self))
        found[stat.ST_UID] += self == path
        return os.stat_result(found)

    check_out(path, journal_of(path), overwrite=False, resume=False)
    monkeypatch.setattr(Path, "lstat", of_another)
    with pytest.raises(CommandError, match="belongs to another user"):
        check_out(path, journal_of(path), overwrite=False, resume=False)
    with pytest.raises(CommandError, match="belongs to another user"):
        write(path, [row(1, "asha@x.org")])
    assert list(tmp_path.iterdir()) == [path]


def test_the_event_loop_waits_neither_for_the_disk_nor_for_the_input(tmp_path, monkeypatch):
    threads = []

    def rows():
        threads.append(threading.current_thread())
        yield row(1, "asha@x.org")

    def fsync(_):
        threads.append(threading.current_thread())
        time.sleep(0.2)

    monkeypatch.setattr(os, "fsync", fsync)

    async def cancelled():
        with anyio.move_on_after(0.1):
            await write_links(tmp_path / "links.csv", rows(), ("Email Address",), read_answers)
        return list(tmp_path.iterdir())

    # Cancelled while it was on its way to the disk, it ended before anything else was done.
    assert asyncio.run(cancelled()) == [tmp_path / "links.csv"]
    assert len(threads) == 3
    assert threading.main_thread() not in threads


def test_two_links_to_one_file_have_one_journal(tmp_path):
    (tmp_path / "real").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).symlink_to("real/links.csv")
        assert journal_of(tmp_path / name) == (tmp_path / "real/links.csv.journal").resolve()
    assert journal_of(Path("links.csv")) == Path("links.csv.journal")


def test_a_stream_can_be_read_at_two_places_at_once(tmp_path):
    os.mkfifo(pipe := tmp_path / "p.csv")
    lines = [f"p{n}@x.org,N\n" for n in range(10_000)]
    writer = threading.Thread(
        target=pipe.write_text, args=("Email Address,First Name\n" + "".join(lines),)
    )
    writer.start()
    with closing(Source(pipe, ReadOptions())) as source:
        slow = source.rows()
        first = [next(slow) for _ in range(3_000)]
        with ThreadPoolExecutor(2) as pool:
            for all_of_them in [pool.submit(list, source.rows()) for _ in range(2)]:
                assert len({one.candidate.email for one in all_of_them.result()}) == 10_000
        rest = list(slow)
    writer.join()
    assert [one.candidate.email for one in first + rest] == [f"p{n}@x.org" for n in range(10_000)]


def test_a_file_of_links_as_input_has_the_peoples_own_values(mettl, sandbox, read):
    names = ("My=Note", "=Sum", "Email Address", "First Name", "College")
    row = ("=1+1", "x;=1", "+tag@example.org", "Asha", "'A, -B")
    with Path("p.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, row])
    assert mettl("register", "p.csv", "--sandbox", "--drop", "My=Note").exit_code == 0
    before = dict(zip(names, row, strict=True))
    [first] = read(Path("links.csv"))
    assert list(first)[:3] == ["My=Note", "'=Sum", "Email Address"]
    done = mettl(
        *("register", "links.csv", "--sandbox", "--out", "again.jsonl", "--drop", "My=Note")
    )
    assert done.exit_code == 0, done.output
    [again] = read(Path("again.jsonl"))
    assert {name: again[name] for name in names} == before
    sent = {name: before[name] for name in names[1:]}
    assert [one.candidate.fields for one in sandbox.candidates] == [sent]
