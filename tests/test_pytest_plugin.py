"""The plugin for pytest, in a pytest of its own: both modes, and without what it needs."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MARKED = """
import pytest
from mettl_async import Candidate, ClientClosedError, ConfigurationError

@pytest.mark.asyncio
async def test_one(mettl_client, mettl_sandbox, mettl_server):
    assert mettl_server.sandbox is mettl_sandbox
    await mettl_client.candidates.register(
        mettl_server.access_key, [Candidate(email="asha@example.org", first_name="Asha")]
    )
    assert mettl_sandbox.stats.outcomes["SUCCESS"] == 1
    globals()["client"] = mettl_client

@pytest.mark.asyncio
async def test_another_has_a_sandbox_of_its_own(mettl_client, mettl_sandbox):
    assert client is not mettl_client
    with pytest.raises(ClientClosedError, match="closed"):
        await client.account.get()
    assert mettl_sandbox.stats.requests == 0
    await mettl_client.account.get()
"""
OWN_SANDBOX = """
import pytest
from mettl_async.sandbox import Sandbox

@pytest.fixture
def mettl_sandbox():
    return Sandbox(seed=7)
"""
NEEDS_IT = """
async def test_it(mettl_client):
    raise AssertionError("not reached")
"""
NEEDS_NOTHING = "def test_nothing(): pass\n"
# Runs pytest with some packages made impossible to import, as if they were not installed.
WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import pytest
sys.exit(pytest.main({arguments!r}))
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest on some files, in a directory and a process of its own."""

    def run(files, *arguments, without=()):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        arguments = ["-q", "-W", "error", "-p", "no:cacheprovider", *arguments]
        if "no:asyncio" not in arguments:
            arguments += ["-o", "asyncio_default_fixture_loop_scope=function"]
        program = WITHOUT.format(names=without, arguments=arguments)
        env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", program],
            cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_each_test_has_a_sandbox_and_a_client_that_is_closed(run, mode):
    marked = MARKED if mode == "strict" else MARKED.replace("@pytest.mark.asyncio\n", "")
    code, said = run({"test_it.py": marked}, "-o", f"asyncio_mode={mode}")
    assert code == 0, said
    assert "2 passed" in said


def test_a_sandbox_of_ones_own_is_the_one_that_is_served(run):
    test = """
def test_it(mettl_client, mettl_server, mettl_sandbox):
    assert mettl_server.sandbox is mettl_sandbox
    assert mettl_server.access_key == Sandbox(seed=7).access_key != Sandbox().access_key
"""
    files = {
        "conftest.py": OWN_SANDBOX,
        "test_it.py": "from mettl_async.sandbox import Sandbox\n" + test,
    }
    code, said = run(files)
    assert code == 0, said


@pytest.mark.parametrize(
    ("without", "message"),
    [
        (["pytest_asyncio"], "needs pytest-asyncio: pip install"),
        (["starlette"], 'pip install "mettl-async[pytest]"'),
        (["uvicorn"], 'pip install "mettl-async[pytest]"'),
    ],
)
def test_what_is_missing_is_said_in_one_line(run, without, message):
    arguments = ["-p", "no:asyncio"] if "pytest_asyncio" in without else ["-o", "asyncio_mode=auto"]
    code, said = run({"test_it.py": NEEDS_IT}, *arguments, without=without)
    assert code == 1
    assert message in said
    assert "Traceback" not in said
    assert "not reached" not in said


def test_whoever_does_not_use_it_pays_nothing_and_needs_nothing(run):
    missing = ["mettl_async.sandbox", "pytest_asyncio", "starlette", "uvicorn"]
    code, said = run({"test_it.py": NEEDS_NOTHING}, without=missing)
    assert code == 0, said
    assert "1 passed" in said


def test_it_is_found_by_its_entry_point_and_described(run):
    code, said = run({"test_it.py": NEEDS_NOTHING}, "--fixtures")
    assert code == 0
    for name in ("mettl_sandbox", "mettl_server", "mettl_client"):
        assert f"{name} -- " in said
    assert "_mettl_asyncio" not in said
