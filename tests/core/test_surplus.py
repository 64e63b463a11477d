"""A connection with bytes that nobody asked for is never used again, on any way to the server."""

import asyncio
import select

import pytest
from raw_server import WAYS, answer, get, raw_server

from mettl_async import ConnectionLostError
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FIRST = {
    "length": answer(),
    "chunked": CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "100 then 200": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
    "empty": answer(b""),
}
SURPLUS = {
    "an answer": answer(b"not yours"),
    "a chunked answer": CHUNKED + b"2\r\nno\r\n0\r\n\r\n",
    "a head": CHUNKED,
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a letter": b"H",
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "an end": b"0\r\n\r\n",
    "a blank line": b"\r\n",
    "junk": b"\x00junk",
}


@pytest.fixture(params=[LaneTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport_of(request):
    return request.param


async def connections_of_two(transport_of, first, surplus, *, at_once, way="plain", method="GET"):
    """Ask twice; return the two bodies, and how many connections were made."""
    made, finished, said = [], asyncio.Event(), asyncio.Event()

    async def serve(reader, writer):
        made.append(writer)
        number = len(made)
        while True:
            await reader.readuntil(b"\r\n\r\n")
            if number > 1 or said.is_set():
                writer.write(answer(b"yours"))
                continue
            # At once, but not in one record of TLS.
            packets = [first, surplus] if way in {"tls", "tunnelled"} else [first + surplus]
            for packet in packets if at_once else [first]:
                writer.write(packet)
            if not at_once:
                await finished.wait()
                writer.write(surplus)
            said.set()

    async with raw_server(serve, way) as (url, options):
        lanes = transport_of(url, options)
        one = None
        try:
            one = (await lanes.send(get(url, method))).content
        except ConnectionLostError as error:
            # aiohttp's parser drops an answer with what cannot follow it; whoever may asks again.
            assert at_once and transport_of is AiohttpTransport and error.sent
        finished.set()
        await said.wait()
        two = await lanes.send(get(url))
        await lanes.aclose()
    return one, two.content, len(made)


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "idle"])
@pytest.mark.parametrize("surplus", SURPLUS)
@pytest.mark.parametrize("first", FIRST)
async def test_a_surplus_is_nobodys_answer(transport_of, first, surplus, at_once):
    _, two, made = await connections_of_two(
        transport_of, FIRST[first], SURPLUS[surplus], at_once=at_once
    )
    assert (two, made) == (b"yours", 2)


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "idle"])
@pytest.mark.parametrize("surplus", ["an answer", "half a head"])
@pytest.mark.parametrize("way", WAYS[1:])
async def test_nor_is_it_behind_tls_or_a_proxy(transport_of, way, surplus, at_once):
    _, two, made = await connections_of_two(
        transport_of, FIRST["length"], SURPLUS[surplus], at_once=at_once, way=way
    )
    assert (two, made) == (b"yours", 2)


@pytest.mark.parametrize("surplus", ["an answer", "a letter"])
async def test_nor_is_it_where_there_is_no_poll(transport_of, surplus, monkeypatch):
    monkeypatch.delattr(select, "poll", raising=False)
    _, two, made = await connections_of_two(
        transport_of, FIRST["length"], SURPLUS[surplus], at_once=False
    )
    assert (two, made) == (b"yours", 2)
    _, two, made = await connections_of_two(transport_of, FIRST["length"], b"", at_once=True)
    assert (two, made) == (b"yours", 1)


async def test_nor_is_what_came_with_the_last_bytes_that_were_read(transport_of):
    """httpcore reads 65,536 bytes at a time, and asyncio more of them."""
    first = answer(b"x" * 65_000)
    first = answer(b"x" * (65_000 + 65_536 - len(first)))
    assert len(first) == 65_536
    _, two, made = await connections_of_two(transport_of, first, answer(b"not yours"), at_once=True)
    assert (two, made) == (b"yours", 2)


async def test_nor_is_the_body_of_an_answer_to_head(transport_of):
    one, two, made = await connections_of_two(
        transport_of, answer(b"surplus"), b"", at_once=True, method="HEAD"
    )
    assert not one
    assert (two, made) == (b"yours", 2)


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("way", WAYS)
async def test_without_a_surplus_the_connection_is_used_again(transport_of, way, first):
    _, two, made = await connections_of_two(transport_of, FIRST[first], b"", at_once=True, way=way)
    assert (two, made) == (b"yours", 1)


@pytest.mark.parametrize("way", WAYS)
async def test_however_the_answer_is_cut_into_packets(transport_of, way):
    made, text = [], b"HTTP/1.1 103 Early\r\n\r\n" + CHUNKED + b"2\r\n{}\r\n3\r\n  \n\r\n0\r\n\r\n"

    async def serve(reader, writer):
        made.append(writer)
        while True:
            await reader.readuntil(b"\r\n\r\n")
            for place in range(len(text)):
                writer.write(text[place : place + 1])
                await asyncio.sleep(0)

    async with raw_server(serve, way) as (url, options):
        lanes = transport_of(url, options)
        for _ in range(2):
            assert (await lanes.send(get(url))).content == b"{}  \n"
        await lanes.aclose()
    assert len(made) == 1
