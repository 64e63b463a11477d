"""Fixtures shared by all tests: a sandbox on a socket, and clients of it."""

from __future__ import annotations

import functools
import gc
import logging
import os
import signal

import httpx
import httpx2
import pytest
from hypothesis import HealthCheck, settings
from running_postgres import database_url, engine, pgbouncer_port, postgres_url  # noqa: F401 - fixtures

from mettl_async import ClientOptions, MettlClient, RetryPolicy
from mettl_async.sandbox import Sandbox

# A shell that starts the tests in the background has it ignored, and what they start would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where it is set, each process of a test compiles the whole package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

QUICK = RetryPolicy(max_attempts=4, backoff_base=0.001, backoff_cap=0.01, deadline=20.0)
QUICK_BULK = RetryPolicy(max_attempts=40, backoff_base=0.001, backoff_cap=0.02, deadline=120.0)
SLOW_TIMEOUT = 300.0  # seconds

# Machines that run tests side by side are slow at times, which is no defect of a test.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", UNHURRIED, max_examples=30)
settings.register_profile("deep", UNHURRIED, max_examples=200)
settings.load_profile("quick")  # --hypothesis-profile beats it


def pytest_addoption(parser):
    parser.addoption(
        "--transport",
        choices=["httpx", "aiohttp"],
        default="httpx",
        help="what carries the requests of clients that tests build without saying so",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Three workers on two cores, for ``-n auto``: a third of their time tests wait."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores + cores // 2


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Nothing of what is collected is garbage: the collector looks at it neither now nor beside each test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))
    if config.getoption("--transport") != "httpx":
        items[:] = [one for one in items if takes_any_transport(one)]


def takes_any_transport(item):
    """Whether a test builds a client without saying its transport: others are not repeated."""
    own = {"mettl", "transport"} & set(item.fixturenames)
    return hasattr(item.module, "MettlClient") and not own


@pytest.fixture(scope="session", autouse=True)
def _chosen_transport(request):
    """Clients that are given neither a transport nor an HTTP client get the one of ``--transport``."""
    name, build = request.config.getoption("--transport"), MettlClient.__init__

    @functools.wraps(build)
    def built(*args, **kwargs):
        if kwargs.get("http_client") is None:
            kwargs.setdefault("transport", name)
        build(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        if name != "httpx":
            patch.setattr(MettlClient, "__init__", built)
        yield


@pytest.fixture
def quick_options():
    """Options whose pauses are milliseconds."""
    return ClientOptions(retry=QUICK, bulk_retry=QUICK_BULK)


@pytest.fixture
async def server():
    """A sandbox on a real socket."""
    async with Sandbox().serve() as running:
        yield running


@pytest.fixture(params=["lanes", "aiohttp", "httpx", "httpx2"])
async def mettl(request, server, quick_options):
    """A client of the sandbox: on its own connections of two libraries, and on two injected clients."""
    injected = {"httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}.get(request.param)
    if injected is None:
        async with MettlClient(
            server.credentials,
            base_url=server.base_url,
            options=quick_options,
            transport="httpx" if request.param == "lanes" else "aiohttp",
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
