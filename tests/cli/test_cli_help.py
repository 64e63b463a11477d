"""Help: examples, widths, completion, and what a wrong argument is answered with."""

import atexit
import gc
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mettl_async.__main__ import main
from mettl_async.cli.app import app


def commands(group=None, *path):
    """Find all commands, groups included, as the words that call them."""
    group = get_command(app) if group is None else group
    yield path
    for name, one in getattr(group, "commands", {}).items():
        yield from commands(one, *path, name)


BASH = shutil.which("bash")
COMMANDS = list(commands())
LEAVES = [one for one in COMMANDS if one and one not in {path[:-1] for path in COMMANDS if path}]


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_each_command_has_examples_that_it_takes(path, mettl):
    shown = mettl(*path, "--help").stdout
    _, examples = shown.split("Examples:\n")
    lines = [line.removeprefix("  $ ") for line in examples.splitlines()]
    assert lines
    known = set(re.findall(r"--[a-z-]+", shown))
    for line in lines:
        assert line.startswith(f"mettl {' '.join(path)}")
        assert set(re.findall(r"--[a-z-]+", line)) <= known


def help_of(path, width):
    # As wide as it gets on a terminal of this width; a runner has 80 columns otherwise.
    usable = max(50, min(width, 80) - 2)
    done = CliRunner().invoke(app, [*path, "--help"], terminal_width=usable)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("width", [50, 80, 120])
@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_and_is_plain_text(path, width):
    shown = help_of(path, width)
    prose = [line for line in shown.splitlines() if not line.startswith("  $ ")]
    assert max(map(len, prose)) <= min(width, 80)
    assert not set(shown) & set("│╭─\x1b")
    # Nothing is cut, and no name of a file or a variable is broken in two.
    cut = [line for line in prose if line.endswith("...")]
    assert not [line for line in cut if not line.endswith(("[ARGS]...", "[ID]..."))]
    for name in ("links.csv.journal", "METTL_PUBLIC_KEY"):
        assert (name in shown) == (name in help_of(path, 80))
    assert not re.search("<(str|int|path|float)", shown)
    assert "<=x" not in shown


@pytest.mark.parametrize("width", ["50", "120"])
def test_help_fits_the_terminal_that_it_is_asked_on(width):
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": width, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(
        [sys.executable, "-m", "mettl_async", "report", "--help"],
        env=env, stdout=theirs, stderr=theirs, check=True,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines()[:-3])) <= min(int(width), 80)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("register", "--concurrency", "many"), "'--concurrency': is no whole number"),
        (("register", "--generate", "0"), "'--generate': must be at least 1"),
        (("register", "--batch-size", "21"), "'--batch-size': must be (at most|1 to) 20"),
        (("register", "--region", "mars"), "'--region': 'mars' is not one of 'india', 'eu'"),
        (("report", "k", "a@example.org", "--out", "a", "--timeout", "x"), "is no number"),
    ],
)
def test_a_wrong_argument_is_answered_in_plain_words(arguments, words, mettl):
    done = mettl(*arguments)
    assert done.exit_code == 2
    assert re.search(words, done.stderr)


@pytest.mark.skipif(BASH is None, reason="needs bash")
def test_bash_completes_commands_and_options(tmp_path, environment):
    class Nobody:
        base_url = ""

        class credentials:  # noqa: N801 - stands for an attribute
            public_key = private_key = ""

    script = tmp_path / "mettl"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m mettl_async "$@"\n')
    script.chmod(0o755)
    env = environment(Nobody)
    env["PATH"] = f"{tmp_path}{os.pathsep}{env['PATH']}"

    program = (
        'eval "$(mettl --show-completion)"\n'
        'complete() { COMP_WORDS=(mettl "$@"); COMP_CWORD=$#; _mettl_completion mettl; '
        'echo "${COMPREPLY[*]}"; }\n'
        'complete reg; complete register --enc; complete register --region ""'
    )
    done = subprocess.run(  # noqa: S603 - what our own script is for
        [BASH, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["register", "--encoding", "india eu"]


def test_options_stand_together_by_what_they_are_about():
    sections = re.findall(r"^(\S.*):$", help_of(("register",), 80), re.MULTILINE)
    assert sections == [
        "Arguments",
        "Options",
        "How the file is read",
        "Account",
        "Links",
        "Examples",
    ]


def test_the_command_collects_garbage_seldom_and_not_at_its_end(monkeypatch, capsys):
    chosen, at_end = [], []
    monkeypatch.setattr(gc, "set_threshold", lambda *counts: chosen.append(counts))
    monkeypatch.setattr(atexit, "register", at_end.append)
    monkeypatch.setattr(sys, "argv", ["mettl", "register", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "--sandbox" in capsys.readouterr().out
    assert [counts[0] for counts in chosen] == [200_000]
    assert gc.freeze in at_end
