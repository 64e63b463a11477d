"""How long a connection is kept, and that none lingers when the server has closed it."""

import asyncio

import pytest
from raw_server import WAYS, answer, get, raw_server

from mettl_async.core.transports import idle
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport


@pytest.fixture(params=[LaneTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport_of(request):
    return request.param


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def keeping(made):
    async def serve(reader, writer):
        made.append(writer)
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer())

    return serve


@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_has_a_greatest_age_however_busy_it_is(transport_of, way):
    clock, made, connections = Clock(), [], []
    async with raw_server(keeping(made), way, max_connection_age=10) as (url, options):
        lanes = transport_of(url, options, clock)
        for _ in range(12):
            await lanes.send(get(url))
            connections.append(len(made))
            clock.now += 4
        await lanes.aclose()
    assert connections == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]


async def test_a_call_that_outlives_its_connections_age_does_not_keep_it(transport_of):
    clock, made = Clock(), []
    async with raw_server(keeping(made), max_connection_age=10) as (url, options):
        lanes = transport_of(url, options, clock)
        lane = lanes._give_back

        async def late(*args, **kwargs):
            clock.now += 11
            await lane(*args, **kwargs)

        lanes._give_back = late
        await lanes.send(get(url))
        assert lanes._free == []
        await lanes.aclose()


async def test_what_the_server_closed_is_closed_without_a_further_call(transport_of, monkeypatch):
    monkeypatch.setattr(idle, "SWEEP_SECONDS", 0.01)
    closed = [asyncio.Event() for _ in range(3)]
    numbers = iter(closed)

    async def once(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer())
        writer.write_eof()
        # The end of what the client sends comes only when it has closed its side too.
        assert await reader.read() == b""
        next(numbers).set()

    async with asyncio.timeout(30), raw_server(once) as (url, options):
        lanes = transport_of(url, options)
        await asyncio.gather(*(lanes.send(get(url)) for _ in closed))
        for one in closed:
            await one.wait()
        await lanes.aclose()


async def test_those_that_were_idle_for_too_long_are_closed_and_the_looking_ends(
    transport_of, monkeypatch
):
    monkeypatch.setattr(idle, "SWEEP_SECONDS", 0.01)
    clock = Clock()
    async with asyncio.timeout(30), raw_server(keeping([])) as (url, options):
        lanes = transport_of(url, options, clock)
        await asyncio.gather(*(lanes.send(get(url)) for _ in range(4)))
        assert len(lanes._free) == 4
        clock.now += idle.KEEPALIVE_SECONDS / 2
        await lanes.send(get(url))
        clock.now += idle.KEEPALIVE_SECONDS / 2 + 1
        while len(lanes._free) > 1:  # noqa: ASYNC110 - a timer tells nobody
            await asyncio.sleep(0.001)
        clock.now += idle.KEEPALIVE_SECONDS
        while lanes._stop_sweep is not None:  # noqa: ASYNC110 - same
            await asyncio.sleep(0.001)
        assert lanes._free == []
        await lanes.aclose()


async def test_looking_is_no_task_and_ends_with_the_transport(transport_of):
    before = asyncio.all_tasks()
    async with raw_server(keeping([])) as (url, options):
        lanes = transport_of(url, options)
        await lanes.send(get(url))
        ours = {one for one in asyncio.all_tasks() - before if "raw_server" not in repr(one)}
        assert ours == set()
        assert lanes._stop_sweep is not None
        await lanes.aclose()
        assert lanes._stop_sweep is None
