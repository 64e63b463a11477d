"""Each public method has an example in its docstring, and it runs."""

import ast
import asyncio
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import mettl_async
import mettl_async.models
from mettl_async import Candidate, MettlClient
from mettl_async.api.account import Account
from mettl_async.api.assessments import Assessments
from mettl_async.api.candidates import Candidates
from mettl_async.api.pbts import Pbts
from mettl_async.api.results import Results
from mettl_async.api.schedules import Schedules

RESOURCES = (Account, Pbts, Assessments, Schedules, Candidates, Results)
METHODS = {
    f"{cls.__name__}.{name}": method
    for cls in (*RESOURCES, MettlClient)
    for name, method in vars(cls).items()
    if inspect.isfunction(method) and not name.startswith("_")
}


def example_of(method):
    """Give the literal block that follows ``Example::`` in a docstring."""
    found = re.search(
        r"^Example::\n\n((?:    .*\n|\n)+)", f"{inspect.getdoc(method)}\n", re.MULTILINE
    )
    return textwrap.dedent(found[1]) if found else None


@pytest.mark.parametrize("name", METHODS)
def test_each_public_method_has_an_example(name):
    assert example_of(METHODS[name]), f"{name}: add a block that begins with Example::"


async def test_each_example_runs(server, quick_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    async with MettlClient(
        server.credentials, base_url=server.base_url, options=quick_options
    ) as client:
        names = ("asha", "dana", "ravi")
        people = [Candidate(email=f"{name}@example.org", first_name=name) for name in names]
        await client.candidates.register(server.access_key, people)
        for person in people:
            server.sandbox.candidates[person.email].start()
            server.sandbox.candidates[person.email].finish()
        await run_examples(server, client)


async def run_examples(server, client):
    for name, method in METHODS.items():
        if (source := example_of(method)) is None:
            continue
        names = {
            **{one: getattr(mettl_async, one) for one in mettl_async.__all__},
            **{one: getattr(mettl_async.models, one) for one in vars(mettl_async.models)},
            "mettl": client,
            "server": server,
            "Path": Path,
            "ACCESS_KEY": server.access_key,
            "ASSESSMENT_ID": next(iter(server.sandbox.assessments)),
        }
        code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        try:
            result = eval(code, names)  # noqa: S307 - our own docstrings
            if asyncio.iscoroutine(result):
                await result
        except Exception as error:
            raise AssertionError(f"the example of {name} fails") from error
