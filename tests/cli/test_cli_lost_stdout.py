"""What was asked for on stdout and cannot be written: told on stderr, and 2 where nothing else came of it."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mettl_async.cli import streams
from mettl_async.cli.app import app

FULL = "mettl: stdout cannot be written: No space left on device\n"
STDOUTS = {
    ">/dev/full": lambda: io.TextIOWrapper(io.FileIO("/dev/full", "w"), "utf-8"),
    ">&-": lambda: streams._Nowhere(io.BytesIO(), "utf-8"),
}
LOOK, LINKS = ("p.csv", "--dry-run"), ("p.csv", "--sandbox", "--out", "-")

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")


@pytest.fixture
def register(monkeypatch, capsys, people):
    people(1, "p.csv")

    def run(*arguments, way):
        with STDOUTS[way]() as stdout, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stdout)
            with pytest.raises(SystemExit) as ended:
                app(["register", *arguments], prog_name="mettl")
        return ended.value.code, capsys.readouterr().err

    return run


def test_a_dry_run_as_json_is_nothing_without_its_document(register):
    code, said = register(*LOOK, "--json", way=">/dev/full")
    assert code == 2
    assert said.endswith(f"1 person would be registered.\n{FULL}")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [(LOOK, "--dry-run"), ((*LOOK, "--json"), "--dry-run"), (LINKS, "--out -")],
)
def test_nothing_begins_for_a_stdout_that_is_closed(register, sandbox, arguments, option):
    code, said = register(*arguments, way=">&-")
    assert code == 2
    assert said == f"mettl: {option} writes to stdout, which is closed; nothing was sent\n"
    assert sandbox.stats.requests == 0


def test_a_run_whose_people_are_registered_says_so(register, sandbox, read):
    run = ("p.csv", "--sandbox", "--overwrite", "--out", "links.csv")
    for way, more, told in (
        (">/dev/full", ("--json",), FULL),
        (">/dev/full", (), FULL),
        (
            ">&-",
            ("--json",),
            "mettl: stdout is closed; nobody can read the JSON that was asked for\n",
        ),
        (">&-", (), ""),
    ):
        code, said = register(*run, *more, way=way)
        assert (code, "".join(re.findall("mettl: .*\n", said))) == (0, told)
        assert read(Path("links.csv"))[0]["link"]
    assert sandbox.stats.requests


def test_links_that_stdout_cannot_take_are_in_the_journal(register, sandbox):
    code, said = register(*LINKS, way=">/dev/full")
    assert code == 2
    assert (
        "stdout cannot be written: No space left on device; all outcomes are in p.csv.journal"
        in said
    )
    assert sandbox.stats.requests


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [LOOK, LINKS])
def test_a_shell_that_closes_stdout(people, arguments):
    people(1, "p.csv")
    line = f"{sys.executable} -m mettl_async register {' '.join(arguments)} >&-"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    shell = ["/bin/bash", "-c", line]
    done = subprocess.run(shell, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 2
    assert "writes to stdout, which is closed; nothing was sent" in done.stderr
