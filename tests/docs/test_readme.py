"""The README is true: its Python runs, its tables and commands match."""

import re

from running_pages import ROOT, blocks, run_page

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks(README)


async def test_every_block_of_python_runs(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (first,) = await run_page("README.md", BLOCKS, monkeypatch)
    assert first.startswith("asha@example.org ToBeTaken http")
    assert capsys.readouterr().out.count("has a link") == 100


def test_it_is_short_and_right_wherever_it_is_shown():
    assert len(README.splitlines()) <= 160
    assert re.findall(r"\]\((?!https://)", README) == []  # a package index knows no paths


def test_ci_runs_the_readmes_two_commands():
    commands = re.findall(r"^```sh\n(.*)\n```$", README, re.MULTILINE)
    assert len(commands) == 2
    assert all(command.startswith("python3 -m venv .venv && ") for command in commands)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "register --sandbox --generate" in commands[0]
    assert "python -m pytest" in commands[1]
    assert ci.count("eval ") == 2


def test_files_that_are_named_exist():
    for name in re.findall(r"`((?:docs|tests|benchmarks|\.ci)/[\w./]*)`", README):
        assert (ROOT / name).exists(), name
