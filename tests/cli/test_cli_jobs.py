"""``mettl jobs``: hand in, look, change and export, in this process and without a worker."""

import json
import re
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mettl_async import cli
from mettl_async.cli import asking
from mettl_async.cli.app import app
from mettl_async.sql_backend import sa

URL = "sqlite:///jobs.db"
SUBMIT = ("jobs", "submit", "people.csv", "--schedule", "ab12", "--account", "acme")


@pytest.fixture(scope="session")
def _with_tables(tmp_path_factory):
    path = tmp_path_factory.mktemp("jobs") / "jobs.db"
    done = CliRunner().invoke(app, ["jobs", "init", "--db", f"sqlite:///{path}"])
    assert done.exit_code == 0, done.output
    assert path.stat().st_mode & 0o777 == 0o600
    return path


@pytest.fixture
def jobs(_with_tables, mettl, people, monkeypatch):
    """The command, in a folder with a database of jobs and a file of five people."""
    shutil.copy(_with_tables, "jobs.db")
    people(5, "people.csv")
    monkeypatch.setenv("METTL_JOBS_DB", URL)
    return mettl


def change(*statements):
    with closing(sqlite3.connect("jobs.db")) as connection, connection:
        for one in statements:
            connection.execute(one)


def answer():
    """Let a worker have been there: three have a link, one was refused, one failed."""
    rows = [
        (1, 0, "registered", "https://m.example/t?ecc=1", "ToBeTaken", ""),
        (1, 1, "registered", "https://m.example/t?ecc=2", "ToBeTaken", ""),
        (1, 2, "rejected", "", "E028", "City: is missing"),
        (1, 3, "registered", "https://m.example/t?ecc=4", "ToBeTaken", ""),
        (1, 4, "failed", "", "NotSent", "ServerError"),
    ]
    with closing(sqlite3.connect("jobs.db")) as connection, connection:
        connection.executemany("insert into mettl_job_outcomes values (?, ?, ?, ?, ?, ?)", rows)
    change(
        "update mettl_job_chunks set done = 1, registered = 3, rejected = 1, failed = 1",
        "update mettl_jobs set state = 'done', ended_at = 1800000000",
    )


def document(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# ---- handing in


def test_people_are_handed_in_under_an_id_and_only_once(jobs):
    done = jobs(*SUBMIT, "--id", "autumn")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "autumn: 5 people are handed in",
        "",
        "mettl jobs watch autumn",
        "mettl jobs export autumn --out links.csv",
    ]
    assert "mettl jobs worker --account acme" in done.stderr
    again = jobs(*SUBMIT, "--id", "autumn")
    assert again.exit_code == 0
    assert again.stdout == "autumn was handed in before, and is ready; nobody was added\n"
    assert document(jobs("jobs", "status", "autumn", "--json"))["total"] == 5


def test_without_an_id_it_is_another_job_each_time(jobs):
    first, second = (document(jobs(*SUBMIT, "--json")) for _ in range(2))
    assert first["id"] != second["id"]
    assert first["state"] == "ready"
    assert (first["total"], first["bad_rows"], first["was_there"]) == (5, 0, False)
    assert [one["id"] for one in document(jobs("jobs", "list", "--json"))] == [
        second["id"],
        first["id"],
    ]


def test_the_same_id_for_something_else_is_refused(jobs):
    assert jobs(*SUBMIT, "--id", "autumn").exit_code == 0
    for differs, words in (
        (("--account", "other"), "--account: differs from that of the job that has this id"),
        (("--schedule", "cd34"), "access key: differs"),
        (("--time-limit-in-sec", 60), "--time-limit-in-sec: differs"),
    ):
        done = jobs(*SUBMIT, "--id", "autumn", *differs)
        assert done.exit_code == 2
        assert words in done.stderr
        assert "mettl jobs forget" in done.stderr


def test_what_ended_midway_goes_on_and_other_people_are_refused(jobs, people):
    assert jobs(*SUBMIT, "--id", "autumn").exit_code == 0
    change(
        "update mettl_jobs set state = 'submitting', total = 3",
        "delete from mettl_job_people where position >= 3",
        "delete from mettl_job_chunks",
    )
    Path("others.csv").write_text("Email Address,First Name\n" + "x@example.org,X\n" * 1)
    others = [one if one != "people.csv" else "others.csv" for one in SUBMIT]
    done = jobs(*others, "--id", "autumn")
    assert done.exit_code == 2
    assert "candidates[0].email: differs from what was handed in before" in done.stderr
    assert "x@example.org" not in done.output
    done = jobs(*SUBMIT, "--id", "autumn")
    assert done.exit_code == 0, done.output
    assert "autumn: goes on after 3 people who are in" in done.stderr
    assert document(jobs("jobs", "status", "autumn", "--json"))["total"] == 5


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (sa.exc.OperationalError("insert", {}, OSError("gone")), 2, "the database refused"),
    ],
)
def test_who_is_interrupted_is_told_the_id_to_go_on_with(jobs, monkeypatch, error, code, words):
    async def interrupted(*_given, **_more):
        raise error

    monkeypatch.setattr("mettl_async.jobs.Jobs.register", interrupted)
    done = jobs(*SUBMIT)
    assert done.exit_code == code
    name = re.search(r"--id (\w+) goes on where it ended", done.stderr)[1]
    assert len(name) == 8
    assert words in done.stderr.splitlines()[-1]


def test_a_file_is_read_checked_and_shown_as_by_register(jobs):
    with Path("people.csv").open("a") as file:
        file.write("p9@example.org,\n")
    done = jobs(*SUBMIT, "--id", "autumn")
    assert done.exit_code == 2
    assert "people.csv:7: First Name: is empty" in done.stderr or "people.csv:7:" in done.stderr
    assert "nothing was sent" in done.stderr
    shown = jobs(*SUBMIT, "--dry-run", "--skip-bad", "bad.csv")
    assert shown.exit_code == 1
    assert "Account: acme, by its workers" in shown.stdout
    assert "5 people would be registered in schedule ab12." in shown.stdout
    shown = jobs(*SUBMIT, "--dry-run", "--json")
    assert json.loads(shown.stdout) == {
        "exit_code": 2, "dry_run": True, "total": 5, "bad_rows": 1,
    }  # fmt: skip
    assert document(jobs("jobs", "list", "--json")) == []
    done = jobs(*SUBMIT, "--id", "autumn", "--skip-bad", "bad.csv")
    assert done.exit_code == 1
    assert "not sent: 1 row, in bad.csv" in done.stdout
    assert "p9@example.org" in Path("bad.csv").read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("people.csv", "--account", "acme"), "--schedule is missing"),
        (("people.csv", "--schedule", "ab12"), "--account is missing"),
        (("--schedule", "ab12", "--account", "acme"), "FILE is missing"),
        (("people.csv", "--schedule", "a/b", "--account", "acme"), "access key"),
        (("people.csv", "--schedule", "ab12", "--account", "a b"), "--account: is no name"),
        (("people.csv", "--schedule", "ab12", "--account", "a", "--id", "x/y"), "--id: is no name"),
        (("people.csv", "--sandbox", "--schedule", "ab12"), "--sandbox has its own schedule"),
        (("--sandbox",), "give either a FILE or --sandbox --generate N"),
        (("people.csv", "--sandbox", "--out", "people.csv"), "is the input itself"),
    ],
)
def test_what_cannot_be_handed_in_is_said(jobs, arguments, words):
    done = jobs("jobs", "submit", *arguments)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    assert document(jobs("jobs", "list", "--json")) == []


# ---- looking and changing


def test_status_and_list_say_how_it_is(jobs):
    jobs(*SUBMIT, "--id", "autumn", "--chunk-size", 2)
    found = document(jobs("jobs", "status", "autumn", "--json"))
    assert (found["waiting"], found["chunks"], found["chunks_done"]) == (5, 3, 0)
    assert (found["state"], found["account"], found["workers"]) == ("ready", "acme", 0)
    shown = jobs("jobs", "status", "autumn")
    assert "chunks\t3, 0 done, 0 in work" in shown.stdout
    assert "no worker is alive" in shown.stderr
    answer()
    listed = jobs("jobs", "list").stdout.splitlines()
    assert listed[1].startswith("autumn\tregister\tacme\tdone\t5\t")
    assert document(jobs("jobs", "list", "--open", "--json")) == []


def test_a_job_is_paused_resumed_cancelled_and_forgotten(jobs):
    jobs(*SUBMIT, "--id", "autumn")
    assert "is paused" in jobs("jobs", "pause", "autumn").stdout
    assert document(jobs("jobs", "resume", "autumn", "--json"))["state"] == "ready"
    assert "is cancelled" in jobs("jobs", "cancel", "autumn").stdout
    done = jobs("jobs", "resume", "autumn")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "is cancelled, and cannot become ready" in done.stderr
    done = jobs("jobs", "forget", "autumn")
    assert done.exit_code == 2
    assert "--yes is missing" in done.stderr
    assert jobs("jobs", "forget", "autumn", "--yes").stdout == (
        "autumn is deleted, with 5 people\n"
    )
    for command in ("status", "pause", "resume", "cancel", "watch", "forget"):
        done = jobs("jobs", command, "autumn")
        assert done.exit_code == 2
        assert "mettl jobs list shows them" in done.stderr


@pytest.mark.parametrize("command", ["cancel", "forget"])
def test_what_cannot_be_undone_is_asked_for_on_a_terminal(jobs, monkeypatch, command):
    jobs(*SUBMIT, "--id", "autumn")
    asked = []
    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(
        asking, "confirm", lambda question: asked.append(question) or len(asked) > 1
    )
    done = jobs("jobs", command, "autumn")
    assert (done.exit_code, done.stderr) == (2, "mettl: not confirmed; nothing was changed\n")
    assert "5 people" in asked[0]
    assert document(jobs("jobs", "status", "autumn", "--json"))["state"] == "ready"
    assert jobs("jobs", command, "autumn").exit_code == 0
    assert jobs("jobs", command, "autumn", "--yes").exit_code == (0 if command == "cancel" else 2)
    assert len(asked) == 2


def test_watch_ends_with_the_job_and_its_code_says_how(jobs):
    assert jobs("jobs", "watch").stderr == "all jobs are over\n"
    jobs(*SUBMIT, "--id", "autumn")
    answer()
    done = jobs("jobs", "watch", "autumn")
    assert (done.exit_code, done.stdout) == (1, "autumn: done, 5/5, 1 rejected, 1 failed\n")
    done = jobs("jobs", "watch", "autumn", "--json")
    assert json.loads(done.stdout)["registered"] == 3
    change("update mettl_jobs set state = 'paused', problem = 'registering: wrong key'")
    done = jobs("jobs", "watch", "autumn")
    assert done.exit_code == 2
    assert "wrong key; then: mettl jobs resume autumn" in done.stderr


# ---- links


@pytest.mark.parametrize("out", ["links.csv", "links.jsonl"])
def test_an_export_is_the_file_that_register_writes(jobs, read, out):
    Path("people.csv").write_text(
        "Email Address,First Name,City,context_data,compensatory_time\n"
        + "".join(f"p{i}@example.org,=Zoë,{'=SUM(A1)' if i else ''},c{i},15\n" for i in range(5))
    )
    assert jobs(*SUBMIT, "--id", "autumn").exit_code == 0
    done = jobs("jobs", "export", "autumn", "--out", out)
    assert done.exit_code == 1
    assert done.stdout == f"0 links of 5 people: {out}\n"
    assert "5 people without an outcome yet: not in the file" in done.stderr
    answer()
    done = jobs("jobs", "export", "autumn", "--out", out)
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    done = jobs("jobs", "export", "autumn", "--out", out, "--overwrite")
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout == f"3 links of 5 people: {out}\n"
    assert Path(out).stat().st_mode & 0o777 == 0o600
    rows = read(Path(out))
    assert [one["status"] for one in rows] == [
        "registered", "registered", "rejected", "registered", "not sent",
    ]  # fmt: skip
    assert rows[1]["link"] == "https://m.example/t?ecc=2"
    assert (rows[2]["code"], rows[2]["reason"]) == ("E028", "City: is missing")
    assert rows[4]["reason"] == "ServerError"
    assert (rows[3]["context_data"], rows[3]["compensatory_time"]) == ("c3", "15")
    if out.endswith("csv"):
        assert Path(out).read_bytes().startswith(b"\xef\xbb\xbf")
        assert rows[1]["City"] == "'=SUM(A1)"  # a formula, for a spreadsheet


def test_an_export_goes_to_stdout_or_says_what_it_wrote_for_programs(jobs):
    jobs(*SUBMIT, "--id", "autumn")
    answer()
    done = jobs("jobs", "export", "autumn", "--out", "-")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].startswith("p0@example.org,Name 0,registered,https://")
    assert done.stderr == "3 links of 5 people: -\n"
    done = jobs("jobs", "export", "autumn", "--out", "links.csv", "--json")
    assert json.loads(done.stdout) == {
        "exit_code": 1, "rows": 5, "links": 3, "total": 5, "state": "done", "file": "links.csv",
    }  # fmt: skip
    assert jobs("jobs", "export", "autumn", "--out", "-", "--json").exit_code == 2
    assert jobs("jobs", "export", "nobody", "--out", "x.csv").exit_code == 2
    assert not Path("x.csv").exists()


# ---- what is wrong names its remedy


@pytest.mark.parametrize("command", [("list",), ("status", "a"), SUBMIT[1:], ("worker",)])
def test_a_database_that_cannot_be_used_is_said(mettl, people, monkeypatch, command):
    people(2, "people.csv")
    if command == ("worker",):
        monkeypatch.setenv("METTL_PUBLIC_KEY", "public")
        monkeypatch.setenv("METTL_PRIVATE_KEY", "private")
        command = ("worker", "--env-account", "acme")
    sqlite3.connect("empty.db").close()
    Path("other.db").write_text("no database, but a text that is long enough to be read as one" * 9)
    for db, words in (
        (None, "give --db, or set METTL_JOBS_DB"),
        ("sqlite:///nowhere.db", "no such file; make it with: mettl jobs init"),
        ("sqlite:///empty.db", "no table of jobs; make it with: mettl jobs init"),
        ("sqlite:///other.db", "the database refused; check --db"),
        ("mysql://me:secret@db/jobs", "neither sqlite nor postgresql"),
        ("postgresql://me:secret@127.0.0.1:1/jobs", "the database refused; check --db"),
    ):
        done = mettl("jobs", *command, *(("--db", db) if db else ()))
        assert done.exit_code == 2, (db, done.output)
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "secret" not in done.output
    assert not Path("nowhere.db").exists()


def test_init_can_be_repeated(jobs):
    jobs(*SUBMIT)
    assert jobs("jobs", "init").exit_code == 0
    assert len(document(jobs("jobs", "list", "--json"))) == 1


def test_without_the_extra_it_says_what_to_install(mettl, monkeypatch):
    for name in ("jobs_database", "jobs_show"):
        monkeypatch.delitem(sys.modules, f"mettl_async.cli.{name}", raising=False)
        monkeypatch.delattr(cli, name, raising=False)
    monkeypatch.setitem(sys.modules, "mettl_async.jobs", None)
    done = mettl("jobs", "pause", "autumn", "--db", URL)
    assert done.exit_code == 2
    assert done.stderr == 'mettl: jobs need more packages: pip install "mettl-async[jobs]"\n'


# ---- recurring work


def test_recurring_work_is_added_listed_and_removed(jobs):
    add = ("jobs", "schedule", "add", "nightly", "--cron", "0 2 * * *", "--account", "acme")
    done = jobs(*add, "--schedule", "ab12", "--reports", "pdfs", "--timezone", "Asia/Kolkata")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("nightly is due next at ")
    [found] = document(jobs("jobs", "schedule", "list", "--json"))
    assert (found["name"], found["cron"], found["timezone"]) == (
        "nightly", "0 2 * * *", "Asia/Kolkata",
    )  # fmt: skip
    assert found["next_at"].endswith("T20:30:00Z")
    with closing(sqlite3.connect("jobs.db")) as connection:
        (spec,) = connection.execute("select spec from mettl_job_schedules").fetchone()
    assert str(Path("pdfs").absolute()) in spec
    assert jobs("jobs", "schedule", "list").stdout.splitlines()[1].startswith("nightly\tacme\t")
    for more, words in (
        (("--cron", "soon"), "--cron: is no cron expression"),
        (("--timezone", "Mars"), "--timezone: is no time zone"),
        (("--no-table",), "--no-table leaves nowhere to store anything"),
        (("--schedule", "k", "--assessment", 7), "give --schedule or --assessment, not both"),
    ):
        done = jobs(*add, *more)
        assert done.exit_code == 2
        assert words in done.stderr
    assert jobs("jobs", "schedule", "remove", "nightly").exit_code == 0
    done = jobs("jobs", "schedule", "remove", "nightly")
    assert done.exit_code == 2
    assert "mettl jobs schedule list" in done.stderr
