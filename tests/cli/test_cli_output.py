"""Where the links go: a file that others may touch, stdout, and marks for Excel."""

import asyncio
import csv
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mettl_async.cli import outfile
from mettl_async.cli import run as running
from mettl_async.cli.outfile import CsvText

BOM = "\ufeff".encode()
CHANGES = {
    "deleted": lambda path: path.unlink(),
    "renamed": lambda path: path.rename("mine.csv"),
    "cut short": lambda path: path.write_text("Email"),
    "emptied": lambda path: path.write_text(""),
    "saved in an editor": lambda path: (path.rename("x"), path.write_text("a;b\n1;2\n")),
}


def register(mettl, *more, out="links.csv", source="p.csv"):
    return mettl("register", source, "--sandbox", "--out", out, *more)


@pytest.mark.parametrize("when", ["before the run writes", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_is_changed_while_the_run_goes_on_is_written_again(
    mettl, sandbox, people, read, monkeypatch, change, when
):
    people(60, "first.csv")
    assert register(mettl, source="first.csv").exit_code == 0
    people(100, "p.csv")
    path, touched, register_many = Path("links.csv"), [], running.Run._register

    async def touch(self, client):
        if when == "after":
            await self._write_links()
        CHANGES[change](path)
        touched.append(change)
        await register_many(self, client)

    monkeypatch.setattr(running.Run, "_register", touch)
    done = register(mettl, "--resume")
    assert (done.exit_code, touched) == (0, [change]), done.output
    said = (
        "changed     links.csv was changed by another program while the run went on; "
        "it was written again"
    )
    assert said in done.stdout.splitlines()
    rows = read(path)
    assert [sandbox.owner_of(row["link"]) for row in rows] == [
        f"p{n}@example.org" for n in range(100)
    ]
    assert max(sandbox.stats.registrations.values()) == 1


def test_a_journal_that_is_deleted_while_the_run_goes_on_costs_no_link(
    mettl, sandbox, people, read, monkeypatch
):
    people(100, "p.csv")
    register_many = running.Run._register

    def delete_them():
        for one in Path().glob("links.csv*"):
            one.unlink()

    async def delete(self, client):
        await self._write_links()
        delete_them()
        await register_many(self, client)

    monkeypatch.setattr(running.Run, "_register", delete)
    done = register(mettl)
    assert done.exit_code == 0, done.output
    assert "links.csv.journal was deleted while the run went on" in done.stdout
    rows = read(Path("links.csv"))
    assert [sandbox.owner_of(row["link"]) for row in rows] == [
        f"p{n}@example.org" for n in range(100)
    ]


def test_the_preview_names_the_journal_that_counts(mettl, sandbox, people):
    people(3, "p.csv")
    assert register(mettl, "--journal", "j").exit_code == 0
    done = register(mettl, "--journal", "j", "--resume", "--dry-run")
    assert "who has an answer in j is not sent again" in " ".join(done.stdout.split())


def test_json_says_so_too(mettl, sandbox, people, monkeypatch):
    people(2, "p.csv")
    assert register(mettl).exit_code == 0
    register_many = running.Run._register

    async def touch(self, client):
        CHANGES["saved in an editor"](Path("p.csv").with_name("links.csv"))
        await register_many(self, client)

    monkeypatch.setattr(running.Run, "_register", touch)
    assert json.loads(register(mettl, "--json", "--resume").stdout)["changed"] is True


@pytest.mark.slow
def test_a_file_that_only_this_command_writes_is_not_called_changed(
    mettl, sandbox, people, monkeypatch
):
    monkeypatch.setattr(running, "WRITE_EVERY", 0.01)
    monkeypatch.setattr(running, "_PAUSE_PER_WRITING", 0)
    sandbox.faults.latency = 0.02
    people(300, "p.csv")
    for more in ((), ("--resume",), ("--overwrite",)):
        done = register(mettl, "--concurrency", 1, *more)
        assert done.exit_code == 0, done.output
        assert "changed" not in done.stdout


WIDE = 510  # more than are written at once
NAMES = {"Asha": False, "Åsa": True, "आशा": True}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", [(), ("--bom",), ("--no-bom",)])
def test_csv_begins_with_a_mark_where_excel_needs_one(mettl, sandbox, read, name, option):
    lines = [f"p{n}@example.org,Asha\n" for n in range(WIDE)]
    text = "Email Address,First Name\n" + "".join(lines) + f"last@example.org,{name}\n"
    Path("p.csv").write_text(text, "utf-8")
    for out in ("links.csv", "links.jsonl"):
        assert register(mettl, *option, out=out).exit_code == 0
        wanted = {(): NAMES[name], ("--bom",): True, ("--no-bom",): False}[option]
        assert Path(out).read_bytes().startswith(BOM) is (wanted and out == "links.csv")
        assert [row["First Name"] for row in read(Path(out))] == ["Asha"] * WIDE + [name]


@pytest.mark.parametrize(("first", "mark"), [("ID,a\n", True), ("Id,a\n", False), ("", False)])
def test_a_file_is_not_taken_for_sylk(first, mark):
    text = CsvText(file := io.BytesIO(), bom=None)
    text.write(first)
    text.write("IDLE,b\n")
    text.end()
    assert file.getvalue() == (BOM if mark else b"") + f"{first}IDLE,b\n".encode() or not first


def test_a_long_file_gets_its_mark_in_place(tmp_path):
    lines = [f"{n},ä\n" for n in range(200_000)]
    with (tmp_path / "x").open("w+b") as file:
        text = CsvText(file, bom=None)
        for start in range(0, len(lines), 1000):
            text.write("".join(lines[start : start + 1000]))
        text.end()
    assert (tmp_path / "x").read_bytes() == BOM + "".join(lines).encode()


def test_links_on_stdout_are_alone_there(mettl, sandbox, people):
    people(30, "p.csv")
    done = register(mettl, out="-")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [sandbox.owner_of(row["link"]) for row in rows] == [
        f"p{n}@example.org" for n in range(30)
    ]
    assert "links       on stdout" in done.stderr
    assert "p.csv.journal is what --resume goes on from" in done.stderr
    assert {one.name for one in Path().iterdir()} == {"p.csv", "p.csv.journal"}
    requests = sandbox.stats.requests
    assert "pass --resume" in register(mettl, out="-").stderr
    assert register(mettl, "--resume", out="-").stdout == done.stdout
    assert sandbox.stats.requests == requests


def test_a_reader_that_has_gone_does_not_change_the_exit_code(mettl, sandbox, people, monkeypatch):
    class Gone:
        buffer = property(lambda self: self)
        write = flush = lambda self, *_: (_ for _ in ()).throw(BrokenPipeError())

    people(1, "p.csv")
    monkeypatch.setattr(outfile, "sys", SimpleNamespace(stdout=Gone()))
    monkeypatch.setattr(outfile, "forget", lambda stream: None)
    for fault, code in (("E028", 1), (None, 0)):
        sandbox.faults.script([fault])
        done = register(mettl, "--overwrite", out="-")
        assert done.exit_code == code, done.output
        said = "stdout was closed; the links are in the journal: p.csv.journal"
        assert said in done.stderr
        assert "disk" not in done.stderr


def test_a_stream_without_a_name_needs_one_for_its_journal(mettl, sandbox, people):
    text = "Email Address,First Name\na@x.org,Åsa\n"
    for more in (("-",), ("--generate", "3")):
        done = mettl("register", *more, "--sandbox", "--out", "-", "--resume", input=text)
        assert done.exit_code == 2
        assert "--out - needs --journal FILE here" in done.stderr
        assert not done.stdout
    done = mettl("register", "-", "--sandbox", "--out", "-", "--journal", "j", input=text)
    assert done.exit_code == 0, done.output
    assert "Åsa" in done.stdout
    assert not done.stdout.startswith("\ufeff")  # a program reads it
    assert [one.name for one in Path().iterdir()] == ["j"]


def test_a_journal_may_be_elsewhere(mettl, sandbox, people, read):
    people(5, "p.csv")
    Path("kept").mkdir()
    assert register(mettl, "--journal", "kept/j").exit_code == 0
    assert {one.name for one in Path().rglob("*")} == {"p.csv", "links.csv", "kept", "j"}
    assert register(mettl, "--journal", "kept/j", "--resume").exit_code == 0
    assert "there is no directory" in register(mettl, "--journal", "no/j", "--resume").stderr
    assert "is the input itself" in register(mettl, "--journal", "p.csv", "--resume").stderr
    assert max(sandbox.stats.registrations.values()) == 1


@pytest.mark.parametrize(
    "way", ["> >(exec sleep 0)", pytest.param(">/dev/full", marks=pytest.mark.slow)]
)
async def test_links_that_stdout_does_not_take_are_in_the_journal(environment, people, way):
    people(2000, "p.csv")
    command = f"{sys.executable} -m mettl_async register p.csv --sandbox --out -"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    async def run(line):
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            line,
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return (*(await process.communicate()), process.returncode)

    _, err, code = await run(f"exec {way}; {command}")
    if way == ">/dev/full":
        assert code == 2
        assert b"all outcomes are in p.csv.journal" in err
    else:  # which is the reader's own choice
        assert code == 0
        assert b"stdout was closed; the links are in the journal: p.csv.journal" in err
        assert b"the disk is full" not in err
    assert b"Traceback" not in err
