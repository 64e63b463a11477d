"""Who is cancelled, or too late, sends nothing, also where a connection is ready and a slot is free."""

import asyncio
import contextlib

import anyio
import pytest

from mettl_async import ClientClosedError, Credentials, MettlClient, Middlewares
from mettl_async.sandbox import Sandbox

PAYLOAD = b'{"status":"SUCCESS"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PAYLOAD), PAYLOAD)


@pytest.fixture(params=["httpx", "aiohttp"])
async def warm(request):
    """A client with a connection that is ready, and what the server was asked since."""
    asked = []

    async def serve(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    keys = Credentials(public_key="p", private_key="s")
    async with server:
        async with MettlClient(keys, base_url=url, transport=request.param) as mettl:
            await mettl.request("POST", "/first")
            asked.clear()
            yield mettl, asked
        await asyncio.sleep(0.01)  # the server sees that all have left


async def test_nothing_is_sent_in_a_scope_that_was_cancelled_before(warm):
    mettl, asked = warm
    with anyio.CancelScope() as scope:
        scope.cancel()
        await mettl.request("POST", "/late")
    assert scope.cancelled_caught
    await asyncio.sleep(0.05)
    assert asked == []


async def test_nothing_is_sent_by_what_cleans_up_in_a_cancelled_group(warm):
    mettl, asked = warm

    async def child():
        try:
            await anyio.sleep_forever()
        finally:
            await mettl.request("POST", "/late")

    async with anyio.create_task_group() as group:
        group.start_soon(child)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await asyncio.sleep(0.05)
    assert asked == []


async def test_nothing_is_sent_after_closing_by_a_call_that_a_middleware_held_up():
    gate, server = asyncio.Event(), Sandbox()

    async def wait(request, call_next):
        await gate.wait()
        return await call_next(request)

    async with server.serve() as served:
        mettl = MettlClient(served.credentials, base_url=served.base_url)
        slow = mettl.with_options(middleware=Middlewares(per_call=[wait]))
        call = asyncio.create_task(slow.schedules.get(served.access_key))
        await anyio.wait_all_tasks_blocked()
        await mettl.aclose()
        gate.set()
        with pytest.raises(ClientClosedError, match="closed") as caught:
            await call
        assert not caught.value.sent
        assert server.stats.requests == 0
