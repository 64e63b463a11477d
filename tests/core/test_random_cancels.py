"""Calls that are cancelled at random instants leave no socket, task or slot; the client goes on."""

import asyncio
import gc
import random
from pathlib import Path

import anyio
import pytest
from raw_server import answer, raw_server

from mettl_async import Credentials, MettlClient, MettlError

KEYS = Credentials(public_key="p", private_key="k")
DESCRIPTORS = Path("/proc/self/fd")
SUCCESS = answer(b'{"status":"SUCCESS"}')
AT_ONCE = 20


def descriptors():
    return len(list(DESCRIPTORS.iterdir()))


async def serve(reader, writer):
    chance = random.Random(7)
    while True:
        await reader.readuntil(b"\r\n\r\n")
        cut = chance.randrange(len(SUCCESS))
        writer.write(SUCCESS[:cut])
        await asyncio.sleep(0)
        writer.write(SUCCESS[cut:])
        if chance.random() < 0.2:
            return


async def cancelled_at_random(mettl, chance):
    """Make a call; tell whether it came to its end."""
    kind, turns = chance.randrange(3), chance.randrange(40)
    with anyio.CancelScope() as scope:
        call = asyncio.create_task(mettl.request("GET", "/x"))
        if kind == 0:  # by a scope
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            asyncio.get_running_loop().call_later(turns / 4000, scope.cancel)
            try:
                await mettl.request("GET", "/x")
            except MettlError:
                return False
            return True
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        if kind == 1:  # and once more while it cleans up
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            call.cancel()
        (ended,) = await asyncio.gather(call, return_exceptions=True)
        assert not isinstance(ended, Exception) or isinstance(ended, MettlError), ended
        return not isinstance(ended, BaseException)
    return False


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors as Linux shows them")
@pytest.mark.parametrize("calls", [300, pytest.param(3_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("way", ["plain", "tls", "tunnelled"])
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_nothing_is_left_of_calls_that_are_cancelled(transport, way, calls):
    chance = random.Random(f"{way} {calls}")
    gc.collect()
    before, tasks = descriptors(), asyncio.all_tasks()
    gc.disable()
    try:
        async with raw_server(serve, way, max_concurrency=8) as (url, options):
            mettl = MettlClient(KEYS, base_url=url, options=options, transport=transport)
            done = []
            for _ in range(calls // AT_ONCE):
                done += await asyncio.gather(
                    *(cancelled_at_random(mettl, chance) for _ in range(AT_ONCE))
                )
            assert mettl._shared.admission._queues.slots.value == 8
            assert len(mettl._shared.transport._free) <= 8
            assert (await mettl.request("GET", "/x")).payload == {"status": "SUCCESS"}
            await mettl.aclose()
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == tasks
        assert descriptors() <= before + 1  # the server's own
    finally:
        gc.enable()
    assert 0 < sum(done) < len(done)
