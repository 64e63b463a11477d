"""Whatever a server says: a typed error or the right answer, nobody else's, and nothing left behind.

Each behaviour meets each kind of client: our own connections by httpx and by aiohttp, and injected clients
of httpx and httpx2. Before it and after it the same client gets right answers.
"""

import asyncio
import tracemalloc
from contextlib import asynccontextmanager
from pathlib import Path

import hostile_behaviours as table
import httpx
import httpx2
import pytest
from hostile_server import HOSTILE, HostileServer

from mettl_async import ClientOptions, Credentials, MettlClient, RetryPolicy
from mettl_async.errors import ApiError, MettlDecodeError, MettlError, ServerError

KEYS = Credentials(public_key="p", private_key="k")
KINDS = ("httpx", "aiohttp", "injected httpx", "injected httpx2")
MOST = table.MIB  # of an answer
MOST_MEMORY = 24 * table.MIB  # a few copies of the largest answer, and buffers of sockets
PATIENCE = 10.0
FILES = Path("/proc/self/fd")


@asynccontextmanager
async def client_of(kind, server, *, hangs):
    wait = 0.2 if hangs else PATIENCE
    options = ClientOptions(
        trust_env=False,
        read_timeout=wait,
        write_timeout=wait,
        retry=RetryPolicy(max_attempts=1, deadline=0.6 if hangs else PATIENCE / 2),
        # One slot, and one connection: what is wrong with it cannot hide behind another.
        max_concurrency=1,
        max_response_bytes=MOST,
    )
    make = {"injected httpx": httpx, "injected httpx2": httpx2}.get(kind)
    if make is None:
        async with MettlClient(
            KEYS, base_url=server.base_url, options=options, transport=kind
        ) as mettl:
            yield mettl
        return
    limits = make.Limits(max_connections=1)
    async with (
        # Without verifying, no certificates are loaded each time; there is no TLS here.
        make.AsyncClient(timeout=wait, limits=limits, trust_env=False, verify=False) as injected,
        MettlClient(KEYS, base_url=server.base_url, options=options, http_client=injected) as mettl,
    ):
        yield mettl


async def good(mettl, kind, number, *, buffered=False):
    """Get an answer that the server gives well, whatever it takes on a slow machine."""
    patient = mettl.with_options(timeout=PATIENCE, max_retries=5)
    if kind.startswith("injected"):
        # What its connection holds cannot be seen; but it is never given out, and only one call meets it.
        try:
            result = await patient.results.get("k", f"{number}@x.org")
        except MettlDecodeError as error:
            assert buffered
            assert error.safe_to_repeat
            result = await patient.results.get("k", f"{number}@x.org")
        assert result.email == f"{number}@x.org", "it has the answer of another"
    else:
        answer = await patient.request("GET", f"/{number}")
        assert answer.payload["for"] == f"/v2/{number}", "it has the answer of another"


async def meet(kind, behaviour):
    """Play it to one client, and say what has become of the call."""
    server = HostileServer(behaviour.script, early=behaviour.early)
    hangs = behaviour.hangs or kind in behaviour.unbounded
    async with server.serve():
        async with client_of(kind, server, hangs=hangs) as mettl:
            await good(mettl, kind, 1)
            outcome = await called(mettl, "a" * behaviour.request_bytes)
            patience = 1.0
            # On a busy machine the deadline can pass before a large request is out: then nothing was met.
            while not await within(patience, server.played):
                patience *= 2
                patient = mettl.with_options(timeout=patience)
                outcome = await called(patient, "a" * behaviour.request_bytes)
            await good(mettl, kind, 2, buffered=behaviour.buffered)
            await asyncio.gather(*(good(mettl, kind, number) for number in (3, 4, 5)))
        await asyncio.wait_for(server.left(), PATIENCE)
    return outcome


async def within(seconds, event):
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def called(mettl, text):
    path = f"/v2{HOSTILE}"
    try:
        async with asyncio.timeout(PATIENCE + mettl.options.retry.deadline):
            answer = await mettl.request("POST", HOSTILE, {"x": text}, placement="form")
    except MettlError as error:
        assert error.sent
        assert error.safe_to_repeat is not error.may_have_been_handled
        # A refusal says that nothing was done, unless the server failed; nothing else does.
        refused = isinstance(error, ApiError) and not isinstance(error, ServerError)
        assert error.may_have_been_handled is not refused
        return names(error)
    assert answer.payload["for"] == path
    return {table.RIGHT}


def names(error):
    return {cls.__name__ for cls in type(error).__mro__}


def files():
    return set(FILES.iterdir()) if FILES.is_dir() else set()


def marked(behaviour):
    marks = [pytest.mark.slow] if behaviour.slow else []
    return pytest.param(behaviour, id=behaviour.name.replace(" ", "_"), marks=marks)


ROWS = [marked(one) for one in table.ALL if not one.bomb]
BOMBS = [marked(one) for one in table.ALL if one.bomb]


@pytest.mark.parametrize("behaviour", ROWS)
async def test_every_client_stands_it(behaviour):
    tasks, opened = asyncio.all_tasks(), files()
    found = await asyncio.gather(*(meet(kind, behaviour) for kind in KINDS), return_exceptions=True)
    wrong = {
        kind: one
        for kind, one in zip(KINDS, found, strict=True)
        if not isinstance(one, set) or not one & set(behaviour.outcomes)
    }
    assert wrong == {}
    for _ in range(20):  # a connection is lost in one turn of the loop, and closed in a later one
        await asyncio.sleep(0)
    assert (asyncio.all_tasks(), files()) == (tasks, opened)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behaviour", BOMBS)
async def test_no_client_fills_the_memory(behaviour, kind):
    behaviour.script(b"")  # bombs are made once
    tracemalloc.start()
    try:
        outcome = await meet(kind, behaviour)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    expected = (table.TIMEOUT,) if kind in behaviour.unbounded else behaviour.outcomes
    assert outcome & set(expected)
    assert most < MOST_MEMORY


def test_there_are_enough_of_them():
    assert len({one.name for one in table.ALL}) == len(table.ALL) > 100
