"""A process that is killed between a request and its answer, or has no disk: what the next one finds."""

import asyncio
import os
import resource
import sys
from pathlib import Path

import pytest
from faulty_servers import Relay, relayed
from matrix import BULK, CREATE, READ, REGISTER, Operation
from one_call import NEW, PEOPLE, perform

from mettl_async import MettlClient
from mettl_async.sandbox import Sandbox

pytestmark = pytest.mark.slow

PROGRAM = str(Path(__file__).with_name("one_call.py"))

both = pytest.mark.parametrize("transport", ["httpx", "aiohttp"])


async def start(server, operation, transport, *, base_url="", journal="", **more):
    """A process that performs one call."""
    environ = {
        **os.environ,
        "METTL_PUBLIC_KEY": server.credentials.public_key,
        "METTL_PRIVATE_KEY": server.credentials.private_key,
        "METTL_BASE_URL": base_url or server.base_url,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, operation, server.access_key, str(assessment(server)), transport,
        str(journal), env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        **more,
    )  # fmt: skip


async def output(process):
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


def assessment(server):
    return next(iter(server.sandbox.assessments))


def client(server, transport):
    return MettlClient(server.credentials, base_url=server.base_url, transport=transport)


def links_are_their_own(sandbox, items):
    return [sandbox.owner_of(one.url) for one in items] == [
        one.email for one in PEOPLE[: len(items)]
    ]


@both
@pytest.mark.parametrize("operation", list(Operation))
async def test_after_a_kill_the_same_call_finishes_the_work(operation, transport, tmp_path):
    sandbox, journal = Sandbox(), tmp_path / "journal"
    last = 2 if operation is BULK else 1
    async with sandbox.serve() as server:
        # The server does the last one too, and nobody hears of it.
        relay = Relay(server.base_url, holds=lambda: sandbox.stats.requests >= last)
        async with relayed(relay) as base_url:
            process = await start(server, operation, transport, base_url=base_url, journal=journal)
            await relay.held.wait()
            process.kill()
            out, _ = await process.communicate()
        assert out == b""
        before = people_of(sandbox)
        assert len(before) == {READ: 0, REGISTER: 20, BULK: 25, CREATE: 0}[operation]

        async with client(server, transport) as mettl:
            if operation is CREATE:
                found = await mettl.schedules.get_or_create(assessment(server), NEW)
                named = [key for key, one in sandbox.schedules.items() if one.name == NEW.name]
                assert named == [found.access_key]
                return
            again = await perform(mettl, operation, server.access_key, assessment(server), journal)
        if operation is READ:
            assert again.access_key == server.access_key
            return
        items = again.registered if operation is BULK else again
        assert len(items) == len(before)
        assert links_are_their_own(sandbox, items)
        # The very links that were made before the kill: nobody was registered anew.
        assert people_of(sandbox) == before
        if operation is BULK:
            lost = {
                sandbox.stats.registrations[server.access_key, one.email] for one in PEOPLE[20:]
            }
            assert lost == {2}


def people_of(sandbox):
    """Who was registered, and the secret of each link."""
    return {person.email: person.candidate.ecc for person in sandbox.candidates}


def no_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def small_disk():
    # The journal's empty tables fit, its shared memory of 32 KiB too, but no record.
    resource.setrlimit(resource.RLIMIT_FSIZE, (33_000, 33_000))


@both
@pytest.mark.parametrize("operation", [READ, REGISTER, CREATE])
async def test_where_no_file_can_be_written_single_calls_work(operation, transport):
    async with Sandbox().serve() as server:
        process = await start(server, operation, transport, preexec_fn=no_disk)
        assert await output(process) == "done"


@both
async def test_a_journal_on_a_full_disk_gives_the_links_and_lets_the_run_go_on(transport, tmp_path):
    sandbox, journal = Sandbox(), tmp_path / "journal"
    async with sandbox.serve() as server:
        process = await start(server, BULK, transport, journal=journal, preexec_fn=small_disk)
        said = await output(process)
        assert said == f"interrupted: {len(sandbox.stats.registrations)} links"
        async with client(server, transport) as mettl:
            report = await perform(mettl, BULK, server.access_key, assessment(server), journal)
        assert links_are_their_own(sandbox, report.registered)
        assert len(report.registered) == 25
