"""The README is true: its Python runs, its tables and commands match."""

import builtins
import re

import pytest
from running_pages import ROOT, blocks, run_page

import mettl_async

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks(README)


async def test_every_block_of_python_runs(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    first, flow = await run_page("README.md", BLOCKS, monkeypatch)
    assert first.startswith("asha@example.org ToBeTaken http")
    assert flow.splitlines()[1:] == [
        "can be resumed: True",
        "the same link: True",
        *flow.splitlines()[3:4],
        "asha.pdf b'%PDF-'",
        "exported: 1",
    ]
    assert flow.splitlines()[3].endswith(", Completed")
    said = capsys.readouterr().out
    assert said.count("has a link") == 100
    assert "pbts.add /v2/pbts/add 1 200" in said


def test_there_are_blocks_to_run():
    assert len(BLOCKS) >= 9


def test_ci_runs_the_readmes_two_commands():
    commands = re.findall(r"^```sh\n(.*)\n```$", README, re.MULTILINE)
    assert len(commands) == 2
    assert all(command.startswith("python3 -m venv .venv && ") for command in commands)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "register --sandbox --generate" in commands[0]
    assert "python -m pytest" in commands[1]
    assert ci.count("eval ") == 2


@pytest.mark.parametrize("name", re.findall(r"`(mettl\.\w+\.\w+)\(", README))
def test_every_method_that_is_named_exists(name):
    _, resource, method = name.split(".")
    assert callable(getattr(getattr(mettl_async.MettlClient, resource), method))


def test_every_error_of_the_tree_exists():
    tree = README.partition("```text\n")[2].partition("```")[0]
    names = set(re.findall(r"\b[A-Z]\w+Error\b", tree))
    own = {*dir(mettl_async), *dir(mettl_async.errors), *dir(builtins)}
    assert names <= own
    assert {name for name in mettl_async.__all__ if name.endswith("Error")} <= names


def test_all_nineteen_endpoints_stand_in_the_table_with_a_test_that_exists():
    rows = re.findall(r"^\| (\d+) \|.*`(tests/[\w/]+\.py)::(\w+)` \|$", README, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 20))
    for _, file, name in rows:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_files_that_are_named_exist():
    for name in re.findall(r"`((?:tests|benchmarks|\.ci)/[\w./]*)`", README):
        assert (ROOT / name).exists(), name
