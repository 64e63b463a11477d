"""How much ``mettl register`` says, to people and to programs, and whom it takes of a file."""

import json
import os
import pty
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

SANDBOX = ("register", "p.csv", "--sandbox")


def document(done):
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)


def test_quiet_says_nothing_but_what_is_wrong(mettl, people, sandbox):
    people(3, "p.csv")
    done = mettl(*SANDBOX, "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    assert len(sandbox.candidates) == 3
    again = mettl(*SANDBOX, "--quiet")
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_verbose_logs_each_call_without_people(mettl, people, sandbox):
    people(3, "p.csv")
    done = mettl(*SANDBOX, "--verbose")
    assert "POST /v2/schedules/{access_key}/candidates -> 200" in done.stderr
    assert "@" not in done.stderr
    assert sandbox.credentials.private_key not in done.output
    assert "DEBUG" not in mettl(*SANDBOX, "--overwrite").stderr
    assert mettl(*SANDBOX, "--verbose", "--quiet").exit_code == 2


def test_the_librarys_log_is_not_mixed_into_what_is_said(mettl, people, sandbox):
    people(3, "p.csv")
    for option, logged in (("--no-bom", False), ("--verbose", True)):
        sandbox.faults.script(["E401"])
        done = mettl(*SANDBOX, "--overwrite", option)
        assert done.exit_code == 2
        assert ("the run was stopped by" in done.stderr) is logged


def test_json_is_one_document_of_what_became_of_the_run(mettl, people, sandbox):
    people(3, "p.csv")
    with Path("p.csv").open("a") as file:
        file.write("p0@example.org,Again\n")
    done = mettl(*SANDBOX, "--json", "--skip-bad", "bad.csv")
    assert done.exit_code == 1
    told = document(done)
    assert told.pop("seconds") > 0
    assert told == {
        "exit_code": 1,
        "exit_reason": "some_not_registered",
        "error": None,
        "total": 3,
        "registered": 3,
        "rejected": 0,
        "failed": 0,
        "unknown": 0,
        "not_sent": 0,
        "already": 0,
        "bad_rows": 1,
        "changed": False,
        "earlier": 0,
        "differing": 0,
        "elsewhere": 0,
        "codes": {},
        "files": {"links": "links.csv", "journal": "links.csv.journal", "bad_rows": "bad.csv"},
    }
    looked = document(mettl(*SANDBOX, "--json", "--overwrite", "--dry-run"))
    assert (looked["exit_reason"], looked["total"], looked["bad_rows"]) == ("dry_run", 3, 1)


@pytest.mark.parametrize(
    ("arguments", "env", "reason"),
    [
        (("missing.csv", "--sandbox"), {}, "refused"),
        (("p.csv",), {}, "refused"),
        (("p.csv", "--sandbox", "--only", "nobody@example.org"), {}, "refused"),
        (("bad.csv", "--sandbox"), {}, "refused"),
        (
            ("p.csv", "--schedule", "ab", "--out", "l.csv", "--base-url", "http://127.0.0.1:9"),
            {"METTL_PUBLIC_KEY": "a", "METTL_PRIVATE_KEY": "b d"},
            "refused",
        ),
    ],
)
def test_json_is_one_document_also_where_nothing_could_be_done(
    arguments, env, reason, mettl, people
):
    people(3, "p.csv")
    Path("bad.csv").write_text("Email Address,First Name\nnobody,Name\n")
    done = mettl("register", *arguments, "--json", env=env)
    told = document(done)
    assert (done.exit_code, told["exit_code"], told["exit_reason"]) == (2, 2, reason)
    assert told["error"] or told["bad_rows"]
    assert told["files"] == {"links": None, "journal": None, "bad_rows": None}


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_json_tells_that_rows_are_why_nothing_was_sent(mettl, people, more):
    people(3, "p.csv")
    with Path("p.csv").open("a") as file:
        file.write("nobody,Name\n")
    told = document(mettl(*SANDBOX, "--json", *more))
    assert (told["exit_code"], told["error"]) == (2, "1 row cannot be sent; nothing was sent")


def test_json_tells_why_a_run_was_stopped(mettl, people, sandbox):
    people(30, "p.csv")
    sandbox.faults.script(["E401"] * 50)
    told = document(mettl(*SANDBOX, "--json"))
    assert (told["exit_code"], told["exit_reason"]) == (2, "stopped")
    assert told["codes"] == {"failed": {"E401": 30}}
    assert told["error"].startswith("registering: E401")


def test_json_and_links_do_not_share_stdout(mettl, people):
    people(1, "p.csv")
    done = mettl(*SANDBOX, "--json", "--out", "-", "--journal", "j")
    assert done.exit_code == 2
    assert "both write to stdout" in done.stderr


def test_only_takes_some_people_of_a_file_whatever_else_is_wrong_in_it(
    mettl, people, sandbox, read
):
    people(9, "p.csv")
    with Path("p.csv").open("a") as file:
        file.write("nobody,Name\n")
    done = mettl(*SANDBOX, "--only", "P3@Example.org", "--only", " p5@example.org")
    assert done.exit_code == 0, done.output
    assert {one.email for one in sandbox.candidates} == {"p3@example.org", "p5@example.org"}
    assert len(read(Path("links.csv"))) == 2


def test_only_refuses_somebody_who_is_not_in_the_file(mettl, people, sandbox):
    people(9, "p.csv")
    done = mettl(*SANDBOX, "--only", "p3@example.org", "--only", "p30@example.org")
    assert done.exit_code == 2
    assert done.stderr.endswith("--only: p.csv has no row of p30@example.org; nothing was sent\n")
    assert not sandbox.candidates
    assert not Path("links.csv").exists()


class Terminal:
    """A run of the command on a terminal."""

    def __init__(self, *arguments, env):
        self.side, theirs = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "mettl_async", *arguments],
            env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""

    def until(self, words):
        while words not in self.shown:
            self.shown += os.read(self.side, 65_536).decode()

    def end(self):
        try:
            while chunk := os.read(self.side, 65_536):
                self.shown += chunk.decode()
        except OSError:
            pass  # how a pseudo-terminal says that the other side is gone
        os.close(self.side)
        return self.process.wait()


@pytest.fixture
def terminal(environment):
    class Nobody:
        base_url = ""

        class credentials:  # noqa: N801 - stands for an attribute
            public_key = private_key = ""

    return lambda *arguments: Terminal(
        *arguments, env=environment(Nobody, TERM="xterm", COLUMNS="80", CI="")
    )


def test_the_sandbox_of_a_trial_stays_up_until_enter(terminal, people, read):
    people(3, "p.csv")
    run = terminal(*SANDBOX)
    run.until("Press Enter to end it")
    assert "registered  3" in run.shown
    link = read(Path("links.csv"))[0]["link"]
    with urllib.request.urlopen(link) as page:  # noqa: S310 - of our own sandbox
        assert page.status == 200
    os.write(run.side, b"\n")
    assert run.end() == 0


@pytest.mark.slow
def test_ctrl_c_ends_the_sandbox_too_and_the_run_was_no_failure(terminal, people):
    people(3, "p.csv")
    run = terminal(*SANDBOX)
    run.until("Press Enter to end it")
    run.process.send_signal(2)
    assert run.end() == 0


@pytest.mark.parametrize(
    "option",
    ["--json", *(pytest.param(one, marks=pytest.mark.slow) for one in ("--quiet", "--yes"))],
)
def test_the_sandbox_does_not_stay_for_programs(option, terminal, people):
    people(3, "p.csv")
    run = terminal(*SANDBOX, option)
    assert run.end() == 0
    assert "Press Enter" not in run.shown


@pytest.mark.slow
def test_no_color_is_kept_to_on_a_terminal(environment, people):
    class Nobody:
        base_url = ""

        class credentials:  # noqa: N801 - stands for an attribute
            public_key = private_key = ""

    people(30, "p.csv")
    env = environment(Nobody, TERM="xterm", COLUMNS="80", CI="", NO_COLOR="1")
    run = Terminal(*SANDBOX, "--yes", env=env)
    assert run.end() == 0
    assert "30/30" in run.shown
    assert "\x1b[3" not in run.shown.replace("\x1b[?25", "")
