"""``mettl register --resume``: the file of links is gone on with, whatever state it was left in."""

import csv
import io
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mettl_async import Failed, Registered, Rejected, Unknown
from mettl_async.bulk import offsets
from mettl_async.bulk.files import lock
from mettl_async.cli.earlier import Earlier
from mettl_async.cli.links import LinkFile, cells_of
from mettl_async.cli.outfile import csv_line, unguarded
from mettl_async.cli.problems import CommandError
from mettl_async.errors import CallFacts, ConnectError, ConnectionLostError
from mettl_async.models import Candidate, RegistrationStatus

NAMES = ("links.csv", "links.jsonl")


def resume(mettl, *more, out="links.csv", source=("p.csv",)):
    return mettl("register", *source, "--sandbox", "--out", out, "--resume", *more)


def check_whole(sandbox, rows, count):
    """Each exactly once, each with a link of their own."""
    assert len(rows) == len({row["Email Address"] for row in rows}) == count
    for row in rows:
        assert row["status"] == "registered"
        assert sandbox.owner_of(row["url"]) == row["Email Address"]
        assert row["schedule"] == sandbox.access_key


def sent(sandbox):
    return {email: count for (_, email), count in sandbox.stats.registrations.items() if count}


@pytest.mark.parametrize("out", NAMES)
def test_without_a_file_it_begins_and_with_a_whole_one_nothing_is_sent(
    mettl, sandbox, people, read, out
):
    people(50, "p.csv")
    done = resume(mettl, out=out)
    assert done.exit_code == 0, done.output
    assert "0 of 50 candidates have their answer already" in done.stderr
    check_whole(sandbox, read(Path(out)), 50)
    before, requests = Path(out).read_bytes(), sandbox.stats.requests
    done = resume(mettl, out=out)
    assert done.exit_code == 0
    assert "50 of 50 candidates have their answer already" in done.stderr
    assert "50/50, 50 already there" in done.stderr
    assert "already     50 of them had their answer in links." in done.stdout
    assert Path(out).read_bytes() == before
    assert sandbox.stats.requests == requests
    assert stat.S_IMODE(Path(out).stat().st_mode) == 0o600


@pytest.mark.parametrize("out", NAMES)
def test_those_without_a_final_answer_are_tried_again(mettl, sandbox, people, read, out):
    people(60, "p.csv")
    completed = "p7@example.org"
    assert mettl("register", "p.csv", "--sandbox", "--out", out).exit_code == 0
    lines = Path(out).read_text("utf-8").splitlines(keepends=True)
    rows = read(Path(out))
    ways = {"p1@": "failed", "p2@": "unknown", "p3@": "rejected", "p7@": "rejected"}
    for row in rows:
        for start, status in ways.items():
            if row["Email Address"].startswith(start):
                row.update(status=status, url="", code="E028", reason='says "no",\nor so')
        if row["Email Address"] == completed:
            row["code"] = "Completed"
    write(Path(out), rows)
    before = sent(sandbox)
    done = resume(mettl, out=out)
    assert "57 of 60 candidates have their answer already" in done.stderr
    assert done.exit_code == 1  # one has completed the test, and has no link
    assert "rejected     1  Completed 1" in done.stdout
    after = sent(sandbox)
    again = {email for email in after if after[email] > before.get(email, 0)}
    assert again == {"p1@example.org", "p2@example.org", "p3@example.org"}
    found = read(Path(out))
    check_whole(sandbox, [row for row in found if row["Email Address"] != completed], 59)
    assert len(found) == 60
    assert len(lines) in {60, 61}
    assert [one.name for one in sorted(Path().iterdir())] == sorted([out, "p.csv"])


def write(path, rows):
    if path.suffix == ".csv":
        text = csv_line(list(rows[0])) + "".join(csv_line(list(row.values())) for row in rows)
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, "utf-8")


def outcomes():
    """Awkward ones, of every kind: cells with quotes, commas, other scripts, and formulas."""
    down = ConnectError('refused, "down"', CallFacts())
    found = []
    for number in range(24):
        email = f"{'+' * (number % 3 == 1)}{chr(39) * (number % 5 == 1)}p{number}@example.org"
        same = {
            "index": number,
            "candidate": Candidate(email=email, first_name="A"),
            "attempts": 1,
        }
        match number % 6:
            case 0 | 1 | 2:
                one = Registered(
                    **same, url=f"https://x/?e={number}", status=RegistrationStatus.TO_BE_TAKEN
                )
            case 3:
                one = Rejected(**same, code="Completed", reason=f'"{email}", आशा, has\ncompleted')
            case 4:
                one = Failed(**same, error=down)
            case _:
                one = Unknown(**same, error=ConnectionLostError("lost"))
        found.append(one)
    return found


def whole(name, tmp):
    path = tmp / name
    with LinkFile(path, overwrite=True) as links:
        for line, outcome in enumerate(outcomes(), 2):
            links.write(cells_of(outcome, line, "abc"))
    return path.read_bytes()


def rows_of(content, name):
    if name.endswith("csv"):
        return [
            {key: unguarded(cell) for key, cell in row.items()}
            for row in csv.DictReader(io.StringIO(content.decode(), newline=""))
        ]
    return [json.loads(line) for line in content.decode().splitlines()]


def final(row):
    return row["status"] == "registered" or row["code"] == "Completed"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("name", NAMES)
def test_every_prefix_of_a_file_can_be_gone_on_with(tmp_path, name, data):
    content = whole(name, tmp_path)
    cut = data.draw(st.integers(0, len(content)))
    zeros = data.draw(st.sampled_from([0, 0, 1, 600]))
    path = tmp_path / name
    path.write_bytes(content[:cut] + bytes(zeros))
    kept = [row for row in rows_of(content[: content.rfind(b"\n", 0, cut) + 1], name) if final(row)]
    go_on(path, kept)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("name", NAMES)
def test_a_hole_costs_the_rows_in_it_and_no_others(tmp_path, name, data):
    content = whole(name, tmp_path)
    first = content.index(b"\n") + 1 if name.endswith("csv") else 30
    start = data.draw(st.integers(first, len(content) - 1))
    hole = content[start : start + data.draw(st.integers(1, 300))]
    path = tmp_path / name
    path.write_bytes(content[:start] + bytes(len(hole)) + content[start + len(hole) :])
    lines = content[:start].count(b"\n"), content[: start + len(hole)].count(b"\n")
    every = rows_of(content, name)
    offset = 1 if name.endswith("csv") else 0
    untouched = [
        row
        for place, row in enumerate(every, offset)
        if final(row) and not lines[0] <= place <= lines[1]
    ]
    go_on(path, untouched, at_most=sum(map(final, every)))


def go_on(path, kept, at_most=None):
    """Finish a run by hand, and look whether everybody is there once."""
    every = outcomes()
    with Earlier(path, "abc") as earlier, LinkFile(path, overwrite=False, earlier=earlier) as links:
        known = {one.candidate.email: earlier.find(one.candidate.email) for one in every}
        there = {email for email, found in known.items() if found}
        assert {row["Email Address"] for row in kept} <= there
        assert len(there) <= (len(kept) if at_most is None else at_most)
        for line, one in enumerate(every, 2):
            if one.candidate.email not in there:
                again = Registered(
                    index=one.index, candidate=one.candidate, attempts=1, url="https://x/again",
                    status=RegistrationStatus.TO_BE_TAKEN,
                )  # fmt: skip
                links.write(cells_of(again, line, "abc"))
    rows = rows_of(path.read_bytes(), path.name)
    assert sorted(row["Email Address"] for row in rows) == sorted(
        one.candidate.email for one in every
    )
    assert all(row in rows for row in kept)
    assert all(map(final, rows))


@pytest.mark.parametrize("name", NAMES)
def test_a_kill_while_the_file_is_replaced_loses_nothing(tmp_path, monkeypatch, name):
    content = whole(name, tmp_path)
    path = tmp_path / name
    calls = []

    class KilledError(BaseException):
        pass

    for step in range(3):

        def die(*_, step=step):
            calls.append(step)
            raise KilledError

        with monkeypatch.context() as patch, pytest.raises(KilledError):
            target = [(os, "fsync"), (Path, "replace"), (os, "ftruncate")][step]
            patch.setattr(*target, die)
            Earlier(path, "abc")
        assert {row["url"] for row in rows_of(path.read_bytes(), name)} == {
            row["url"] for row in rows_of(content, name)
        } or step == 2
    assert calls == [0, 1, 2]
    (tmp_path / f".{name}.resume").write_text("of a killed one")
    go_on(path, [row for row in rows_of(content, name) if final(row)])


def test_a_full_disk_while_the_file_is_replaced_leaves_it_as_it_was(tmp_path, monkeypatch):
    content = whole("links.csv", tmp_path)
    path = tmp_path / "links.csv"

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match=r"cannot be resumed: No space left"):
        Earlier(path, "abc")
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["links.csv"]


def test_columns_and_order_of_a_user_are_kept(mettl, sandbox, people, read):
    people(40, "p.csv")
    people(20, "first.csv")
    assert resume(mettl, source=("first.csv",)).exit_code == 0
    rows = read(Path("links.csv"))
    own = [
        {"note": f"n{place}\r\nx", **dict(reversed(row.items()))} for place, row in enumerate(rows)
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(own[0]))  # as a spreadsheet does: "\r\n", BOM
    writer.writeheader()
    writer.writerows(own)
    Path("links.csv").write_bytes(text.getvalue().encode("utf-8-sig"))
    assert resume(mettl).exit_code == 0
    with Path("links.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    check_whole(sandbox, found, 40)
    assert [row["note"] for row in found] == [f"n{n}\r\nx" for n in range(20)] + [""] * 20
    assert max(sent(sandbox).values()) == 1


def test_the_input_may_grow_and_change_its_order_and_case(mettl, sandbox, people, read):
    people(30, "p.csv")
    assert resume(mettl).exit_code == 0
    people(45, "p.csv")
    header, *lines = Path("p.csv").read_text().splitlines(keepends=True)
    Path("p.csv").write_text(header + "".join(reversed(lines)).replace("p3@", "P3@"))
    done = resume(mettl)
    assert done.exit_code == 0
    assert "30 of 45 candidates have their answer already" in done.stderr
    check_whole(sandbox, read(Path("links.csv")), 45)
    assert max(sent(sandbox).values()) == 1


def test_another_schedules_file_is_refused_and_left_alone(mettl, sandbox, people):
    people(5, "p.csv")
    assert resume(mettl).exit_code == 0
    before = Path("links.csv").read_bytes()
    env = {"METTL_PUBLIC_KEY": "public", "METTL_PRIVATE_KEY": "private"}
    common = ("register", "p.csv", "--schedule", "other", "--out", "links.csv")
    done = mettl(*common, "--resume", env=env)
    assert done.exit_code == 2
    assert "holds links of another schedule" in done.stderr
    assert Path("links.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "links.csv",
            "Email Address,status,url,code,reason,attempts,line\na@x.org,failed,,,,1,2\n",
        ),
        ("links.csv", "some notes\n"),
        ("links.csv", "some notes"),
        ("links.csv", "\n\n"),
        ("links.jsonl", '{"Email Address": "a@x.org"}\n'[1:]),
        ("links.jsonl", "some notes"),
        ("links.jsonl", '{"a": 1}\n'),
    ],
)
def test_what_this_command_has_not_written_is_refused_and_left_alone(
    mettl, sandbox, people, name, content
):
    people(5, "p.csv")
    Path(name).write_text(content)
    done = resume(mettl, out=name)
    assert done.exit_code == 2
    assert "pass another --out" in done.stderr
    assert Path(name).read_text() == content
    assert sandbox.stats.requests == 0


def test_wrong_usage_is_said(mettl, sandbox, people):
    people(5, "p.csv")
    Path("links.csv").write_text("x")
    assert "pass --resume to go on" in mettl("register", "p.csv", "--sandbox").stderr
    assert "pass one of them" in resume(mettl, "--overwrite").stderr
    Path("d.csv").mkdir()
    assert "d.csv: cannot be resumed: Is a directory" in resume(mettl, out="d.csv").stderr
    Path("null.csv").symlink_to("/dev/null")
    assert "is not a file" in resume(mettl, out="null.csv").stderr
    assert "there is no directory" in resume(mettl, out="no/links.csv").stderr
    assert sandbox.stats.requests == 0


def test_two_commands_do_not_write_to_one_file(mettl, sandbox, people):
    people(5, "p.csv")
    assert resume(mettl).exit_code == 0
    with Path("links.csv").open("rb") as other:
        assert lock(other.fileno())
        for option in ("--resume", "--overwrite"):
            done = mettl("register", "p.csv", "--sandbox", "--out", "links.csv", option)
            assert done.exit_code == 2
            assert "another command is writing to it" in done.stderr
    assert resume(mettl).exit_code == 0


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_taken_for_another_whatever_the_hashes(tmp_path, monkeypatch, name):
    monkeypatch.setattr(offsets, "_hashed", lambda _: (3, 5))
    content = whole(name, tmp_path)
    go_on(tmp_path / name, [row for row in rows_of(content, name) if final(row)])


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_there_twice_stay_once(tmp_path, name):
    content = whole(name, tmp_path)
    path = tmp_path / name
    rows = rows_of(content, name)
    write(path, rows + rows)
    go_on(path, [row for row in rows if final(row)])


def test_a_link_to_the_file_stays_a_link(mettl, sandbox, people, read):
    people(10, "p.csv")
    Path("real").mkdir()
    Path("links.csv").symlink_to("real/links.csv")
    assert resume(mettl).exit_code == 0
    rows = read(Path("links.csv"))
    rows[3]["status"] = "failed"
    write(Path("links.csv"), rows)
    assert resume(mettl).exit_code == 0
    assert Path("links.csv").is_symlink()
    check_whole(sandbox, read(Path("real/links.csv")), 10)
    assert [one.name for one in Path("real").iterdir()] == ["links.csv"]


@pytest.mark.parametrize(
    "cell", ["", "a", "'", "'a", "=1", "'=1", "''=1", "+a@x", "'+a@x", "\t", "-"]
)
def test_a_guarded_cell_is_read_back_as_it_was(cell):
    [[found, _]] = csv.reader(io.StringIO(csv_line([cell, "b"])))
    assert unguarded(found) == cell
