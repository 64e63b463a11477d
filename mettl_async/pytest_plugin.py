"""A plugin for pytest: a Mettl that runs on this machine for each test, and a client of it.

::

    async def test_registering(mettl_client, mettl_sandbox):
        await mettl_client.candidates.register(mettl_sandbox.access_key, [candidate])
        assert len(mettl_sandbox.candidates) == 1

Install the extra: ``pip install "mettl-async[pytest]"``. The server has a thread and an event loop of its
own, and the client belongs to the event loop that first uses it. So they work with any plugin that runs
tests on asyncio, with loops of any scope, with `unittest.IsolatedAsyncioTestCase`, and in a plain test that
calls `asyncio.run` once. A sandbox with options of your own is a fixture of that name in your
``conftest.py``; the others use it::

    @pytest.fixture
    def mettl_sandbox():
        return Sandbox(seed=7)

pytest imports this module in every project where the package is installed, so what it needs beyond
pytest is imported only inside the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mettl_async import MettlClient
    from mettl_async.sandbox import Sandbox, Server


@pytest.fixture
def mettl_sandbox() -> Sandbox:
    """Make a new sandbox with its own people, schedules, faults, clock and counters; see `mettl_server`."""
    try:
        from mettl_async.sandbox import Sandbox  # noqa: PLC0415 - only where it is used
    except ImportError as error:
        install = 'pip install "mettl-async[pytest]"'
        pytest.fail(f"{error}, or all that the fixtures need: {install}", pytrace=False)
    return Sandbox()


@pytest.fixture
def mettl_server(mettl_sandbox: Sandbox) -> Iterator[Server]:
    """`mettl_sandbox` on a free port of this machine: base_url, credentials, access_key."""
    with mettl_sandbox.serve_in_thread() as server:
        yield server


@pytest.fixture
def mettl_client(mettl_server: Server) -> Iterator[MettlClient]:
    """Make a client of `mettl_server`, on asyncio, and close it after the test."""
    from mettl_async._pytest_client import LoopBoundClient  # noqa: PLC0415 - only where it is used

    bound = LoopBoundClient(mettl_server.credentials, mettl_server.base_url)
    yield bound.client
    bound.close()
