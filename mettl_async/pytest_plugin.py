"""A plugin for pytest: a Mettl that runs on this machine for each test, and a client of it.

::

    async def test_registering(mettl_client, mettl_sandbox):
        await mettl_client.candidates.register(mettl_sandbox.access_key, [candidate])
        assert len(mettl_sandbox.candidates) == 1

Install the extra: ``pip install "mettl-async[pytest]"``. The fixtures work in both modes of
pytest-asyncio, strict and auto. A sandbox with options of your own is a fixture of that name in your
``conftest.py``; the others use it::

    @pytest.fixture
    def mettl_sandbox():
        return Sandbox(seed=7)

pytest imports this module in every project where the package is installed, so what it needs beyond
the package is imported only inside the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mettl_async import MettlClient
    from mettl_async.sandbox import Sandbox, Server

_INSTALL = 'pip install "mettl-async[pytest]"'

try:
    import pytest_asyncio
except ImportError:
    # The fixtures exist all the same, to say what is missing.
    _async_fixture = pytest.fixture
else:
    _async_fixture = pytest_asyncio.fixture  # type: ignore[assignment] # it takes no less


@pytest.fixture
def _mettl_asyncio(request: pytest.FixtureRequest) -> None:
    if not request.config.pluginmanager.hasplugin("asyncio"):
        pytest.fail(f"this fixture needs pytest-asyncio: {_INSTALL}", pytrace=False)


@pytest.fixture
def mettl_sandbox() -> Sandbox:
    """Make a new sandbox with its own people, schedules, faults, clock and counters; see `mettl_server`."""
    try:
        from mettl_async.sandbox import Sandbox  # noqa: PLC0415 - only where it is used
    except ImportError as error:
        pytest.fail(f"{error}, or all that the fixtures need: {_INSTALL}", pytrace=False)
    return Sandbox()


@_async_fixture
async def mettl_server(_mettl_asyncio: None, mettl_sandbox: Sandbox) -> AsyncIterator[Server]:
    """`mettl_sandbox` on a free port of this machine: base_url, credentials, access_key."""
    async with mettl_sandbox.serve() as server:
        yield server


@_async_fixture
async def mettl_client(mettl_server: Server) -> AsyncIterator[MettlClient]:
    """Open a client of `mettl_server`, and close it after the test."""
    from mettl_async import ClientOptions, MettlClient  # noqa: PLC0415 - only where it is used

    # A proxy of the environment would not find the way to this machine's loopback.
    options = ClientOptions(trust_env=False)
    async with MettlClient(
        mettl_server.credentials, base_url=mettl_server.base_url, options=options
    ) as client:
        yield client
