"""Fixtures shared by all tests: a sandbox on a socket, and clients of it."""

from __future__ import annotations

import logging

import httpx
import httpx2
import pytest

from mettl_async import ClientOptions, MettlClient, RetryPolicy
from mettl_async.sandbox import Sandbox

QUICK = RetryPolicy(max_attempts=4, backoff_base=0.001, backoff_cap=0.01, deadline=20.0)
QUICK_BULK = RetryPolicy(max_attempts=40, backoff_base=0.001, backoff_cap=0.02, deadline=120.0)


@pytest.fixture
def quick_options():
    """Options whose pauses are milliseconds."""
    return ClientOptions(retry=QUICK, bulk_retry=QUICK_BULK)


@pytest.fixture
async def server():
    """A sandbox on a real socket."""
    async with Sandbox().serve() as running:
        yield running


@pytest.fixture(params=["lanes", "httpx", "httpx2"])
async def mettl(request, server, quick_options):
    """A client of the sandbox: on its own connections, and on two injected clients."""
    injected = {"httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}.get(request.param)
    if injected is None:
        async with MettlClient(
            server.credentials, base_url=server.base_url, options=quick_options
        ) as client:
            yield client
        return
    async with (
        injected(trust_env=False) as http_client,
        MettlClient(
            server.credentials,
            base_url=server.base_url,
            options=quick_options,
            http_client=http_client,
        ) as client,
    ):
        yield client


class Recorder(logging.Handler):
    """Keeps every record as text, its arguments and extra fields included."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{record.getMessage()} {record.__dict__}")


@pytest.fixture
def all_logs():
    """Everything that any logger says at DEBUG."""
    root = logging.getLogger()
    recorder, level = Recorder(), root.level
    root.addHandler(recorder)
    root.setLevel(logging.DEBUG)
    yield recorder.lines
    root.removeHandler(recorder)
    root.setLevel(level)
