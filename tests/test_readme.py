"""The README is true: its Python runs, its tables and commands match."""

import ast
import asyncio
import builtins
import os
import re
import sys
from pathlib import Path

import pytest

import mettl_async
from mettl_async.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


async def test_every_block_of_python_runs(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    async with Sandbox().serve() as server:
        monkeypatch.setenv("METTL_PUBLIC_KEY", server.credentials.public_key)
        monkeypatch.setenv("METTL_PRIVATE_KEY", server.credentials.private_key)
        monkeypatch.setenv("METTL_BASE_URL", server.base_url)
        names = {
            "ACCESS_KEY": server.access_key,
            "ASSESSMENT_ID": next(iter(server.sandbox.assessments)),
        }
        alone = []
        for block in BLOCKS:
            if "asyncio.run(" in block:
                alone.append(await run_alone(block))
                continue
            code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)  # noqa: S307 - our own README
            if asyncio.iscoroutine(result):
                await result
        assert server.sandbox.stats.bad_signatures == 0
    first, flow = alone
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


async def run_alone(block):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", block, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


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
