"""The plugin for pytest, in a pytest of its own: whatever runs the tests, and without what it needs."""

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

    def run(files, *arguments, without=(), default_scope="function", seconds=120):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        unneeded = ("cacheprovider", "faker", "hypothesispytest", "xdist")  # half of the time
        arguments = ["-q", "-W", "error", *(f"-pno:{name}" for name in unneeded), *arguments]
        if "no:asyncio" not in arguments:
            arguments += ["-o", f"asyncio_default_fixture_loop_scope={default_scope}"]
        program = WITHOUT.format(names=without, arguments=arguments)
        env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", program],
            cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=seconds,
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
        (["starlette"], 'pip install "mettl-async[pytest]"'),
        (["uvicorn"], 'pip install "mettl-async[pytest]"'),
    ],
)
def test_what_is_missing_is_said_in_one_line(run, without, message):
    code, said = run({"test_it.py": NEEDS_IT}, "-o", "asyncio_mode=auto", without=without)
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


EVERY_LOOP = """
import asyncio, threading, unittest
import pytest
from mettl_async import Candidate

ASHA = [Candidate(email="asha@example.org", first_name="Asha")]
used = []

async def use(client, server):
    used.append(client)
    assert server.sandbox.stats.requests == 0
    await asyncio.gather(*(client.candidates.register(server.access_key, ASHA) for _ in range(5)))
    report = await client.candidates.register_many(server.access_key, ASHA)
    assert len(report.registered) == 1
    server.sandbox.candidates["asha@example.org"].finish()
    result = await client.results.get(server.access_key, "asha@example.org")
    assert result.test_status.is_finished
    assert server.sandbox.stats.requests == 7
    assert server.sandbox.stats.in_flight == 0
    assert server.sandbox.stats.statuses == {200: 7}

@pytest.fixture(autouse=True)
def _those_before_are_closed():
    assert all(one.is_closed for one in used)

class TestByScope:
    @pytest.mark.asyncio(loop_scope="function")
    async def test_function(self, mettl_client, mettl_server):
        await use(mettl_client, mettl_server)

    @pytest.mark.asyncio(loop_scope="class")
    async def test_class(self, mettl_client, mettl_server):
        await use(mettl_client, mettl_server)

    @pytest.mark.asyncio(loop_scope="class")
    async def test_class_again(self, mettl_client, mettl_server):
        await use(mettl_client, mettl_server)

@pytest.mark.asyncio(loop_scope="module")
async def test_module(mettl_client, mettl_server):
    await use(mettl_client, mettl_server)

@pytest.mark.asyncio(loop_scope="session")
async def test_session(mettl_client, mettl_server):
    await use(mettl_client, mettl_server)

@pytest.mark.asyncio(loop_scope="session")
async def test_session_again(mettl_client, mettl_server):
    await use(mettl_client, mettl_server)

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio(anyio_backend, mettl_client, mettl_server):
    await use(mettl_client, mettl_server)

def test_plain(mettl_client, mettl_server):
    asyncio.run(use(mettl_client, mettl_server))
    assert mettl_client.is_closed

def test_in_a_thread(mettl_client, mettl_server):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(use(mettl_client, mettl_server), loop).result(30)
        asyncio.run_coroutine_threadsafe(mettl_client.aclose(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

class Isolated(unittest.IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _with(self, mettl_client, mettl_server):
        self.client, self.server = mettl_client, mettl_server

    async def test_one(self):
        await use(self.client, self.server)

    async def test_two(self):
        await use(self.client, self.server)

def test_unused(mettl_client, mettl_server):
    used.append(mettl_client)

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_trio(anyio_backend, mettl_client, mettl_server):
    from mettl_async import ConfigurationError
    with pytest.raises(ConfigurationError, match="runs on asyncio; elsewhere"):
        await mettl_client.account.get()

def test_last(): pass
"""


@pytest.mark.parametrize("scope", ["function", "session"])
def test_it_works_in_event_loops_of_every_scope_and_closes_each_client(run, scope):
    arguments = [
        "-o", f"asyncio_default_test_loop_scope={scope}", "-p", "no:timeout", "-p", "no:xdist",
    ]  # fmt: skip
    code, said = run({"test_it.py": EVERY_LOOP}, *arguments, default_scope=scope, seconds=60)
    assert code == 0, said
    assert "14 passed" in said


def test_its_import_loads_nothing_but_what_pytest_has():
    program = """
import sys
import pytest
before = set(sys.modules)
import mettl_async.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "mettl_async",
        "mettl_async._version",
        "mettl_async.pytest_plugin",
    ]
