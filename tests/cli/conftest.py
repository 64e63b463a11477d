"""What the command's tests share."""

import asyncio
import csv
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from python_words import python_in
from typer.testing import CliRunner

from mettl_async.cli import register as registering
from mettl_async.cli.app import app
from mettl_async.sandbox import Sandbox

VARIABLES = ("METTL_PUBLIC_KEY", "METTL_PRIVATE_KEY", "METTL_REGION", "METTL_BASE_URL")


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mettl():
    def invoke(*arguments, env=None, input=None):  # noqa: A002 - of click
        done = CliRunner().invoke(app, [str(one) for one in arguments], env=env, input=input)
        assert not python_in(done.stderr), done.stderr
        return done

    return invoke


@pytest.fixture
def sandbox(monkeypatch):
    """The sandbox that ``--sandbox`` starts, to set faults in it and look into it."""
    made = Sandbox()
    monkeypatch.setattr(registering, "load_sandbox", lambda: lambda: made)
    return made


def people(count, name):
    """Write a file of so many people into the test's own directory."""
    lines = [f"p{i}@example.org,Name {i}\n" for i in range(count)]
    Path(name).write_text("Email Address,First Name\n" + "".join(lines))


def read(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(name="people")
def _people():
    return people


@pytest.fixture(name="read")
def _read():
    return read


@pytest.fixture
def environment():
    """The environment of a real process that talks to a server."""

    def make(server, **more):
        return {
            **os.environ,
            "METTL_PUBLIC_KEY": server.credentials.public_key,
            "METTL_PRIVATE_KEY": server.credentials.private_key,
            "METTL_BASE_URL": server.base_url,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **more,
        }

    return make


@pytest.fixture
def listen_to_interrupts():
    """For ``preexec_fn``: a test run in the background would make its children ignore SIGINT."""
    return lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def asleep():
    """Wait until a process sleeps in what it reads from.

    A signal between the moment before and the read itself is only noted by CPython: the read does not end
    by it, and the test would wait for ever.
    """

    async def wait(process):
        stat = Path(f"/proc/{process.pid}/stat")
        if not await asyncio.to_thread(stat.exists):
            await asyncio.sleep(0.3)  # not Linux
            return
        polls = 0
        while polls < 5 and process.returncode is None:
            text = await asyncio.to_thread(stat.read_text)
            sleeps = text.rpartition(") ")[2].startswith("S")
            polls = polls + 1 if sleeps else 0
            await asyncio.sleep(0.01)

    return wait
