"""A call that is cancelled on its way to a connection leaves no socket, without the garbage collector."""

import asyncio
import contextlib
import gc
from pathlib import Path

import pytest
from raw_server import get, raw_server

from mettl_async import ClientOptions
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport


@pytest.fixture(params=[LaneTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport_of(request):
    return request.param


@pytest.fixture(scope="module")
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


DESCRIPTORS = Path("/proc/self/fd")


def descriptors():
    return len(list(DESCRIPTORS.iterdir()))


async def half_a_handshake(reader, writer):
    await reader.read(16)


async def no_answer_to_connect(reader, writer):
    await reader.readuntil(b"\r\n\r\n")


async def half_an_answer_to_connect(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Conn")


async def no_handshake_in_the_tunnel(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
    await reader.read(16)


async def no_answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")


STOPS = {
    "tls": half_a_handshake,
    "connect": no_answer_to_connect,
    "half of connect": half_an_answer_to_connect,
    "tls in a tunnel": no_handshake_in_the_tunnel,
    "answer": no_answer,
}


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors as Linux shows them")
@pytest.mark.parametrize("way", ["send", "stream"])
@pytest.mark.parametrize("stop", STOPS)
async def test_where_a_call_is_cancelled_no_socket_is_left(transport_of, stop, way, no_collector):
    reached, left = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def serve(reader, writer):
        await STOPS[stop](reader, writer)
        reached.release()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        left.release()

    async with asyncio.timeout(30), raw_server(serve) as (at, _):
        url, proxy = at, None
        if stop == "tls":
            url = at.replace("http:", "https:")
        elif stop in {"connect", "half of connect", "tls in a tunnel"}:
            url, proxy = "https://mettl.example", at
        options = ClientOptions(trust_env=False, proxy=proxy)
        lanes = transport_of(url, options)

        async def call():
            if way == "send":
                await lanes.send(get(url))
            else:
                async with lanes.stream(f"{url}/report"):
                    pass

        before = descriptors()
        for _ in range(5):
            task = asyncio.create_task(call())
            await reached.acquire()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            await left.acquire()
        await asyncio.sleep(0)
        assert lanes._free == []
        assert descriptors() == before
        await lanes.aclose()
