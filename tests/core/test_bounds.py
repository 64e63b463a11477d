"""What an answer may cost: bounds of its body, as it comes and unpacked, of its head, and of each wait."""

import asyncio
import contextlib
import gzip
import tracemalloc
import zlib

import httpx
import httpx2
import pytest
from raw_server import answer, get, raw_server

from mettl_async import ClientOptions, ConnectionLostError, MettlDecodeError, TransportTimeoutError
from mettl_async.core.transports import body
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.injected import InjectedTransport

LIMIT = 2048
OWN = {"httpx": LaneTransport, "aiohttp": AiohttpTransport}
INJECTED = {"injected httpx": httpx, "injected httpx2": httpx2}


@pytest.fixture(params=[*OWN, *INJECTED])
def kind(request):
    return request.param


@contextlib.asynccontextmanager
async def asked(kind, serve, **options):
    """Give an answer's coroutine function and the transport; connections are handled by ``serve``."""

    async def once(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await serve(writer)

    async with raw_server(once, **options) as (url, made), contextlib.AsyncExitStack() as stack:
        if kind in OWN:
            transport = OWN[kind](url, made)
        else:
            client = INJECTED[kind].AsyncClient(trust_env=False, timeout=30)
            transport = InjectedTransport(await stack.enter_async_context(client), made)
        yield lambda: transport.send(get(url)), transport
        await transport.aclose()


def saying(*pieces):
    async def serve(writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return serve


async def for_ever(writer, start, piece):
    writer.write(start)
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "chunks": (CHUNKED, b"3E8\r\n" + b"x" * 1000 + b"\r\n"),
    "tiny chunks": (CHUNKED, b"1\r\nx\r\n" * 100),
    "no length": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000),
    "a large length": (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", b"x" * 1000),
}


@pytest.mark.parametrize("way", ENDLESS)
async def test_a_body_without_an_end_is_an_error(kind, way):
    async def serve(writer):
        await for_ever(writer, *ENDLESS[way])

    async with asked(kind, serve, max_response_bytes=LIMIT) as (ask, transport):
        with pytest.raises(MettlDecodeError, match="longer than 2048 bytes") as caught:
            await ask()
        assert not getattr(transport, "_free", [])
    assert caught.value.sent


@pytest.mark.parametrize("length", [0, LIMIT])
async def test_a_body_within_its_bound_is_taken_whole(kind, length):
    said = saying(answer(b"x" * length))
    async with asked(kind, said, max_response_bytes=LIMIT) as (ask, _):
        assert (await ask()).content == b"x" * length


RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
TEXT = b'{"x":1}' * 50
PACKED = {
    "gzip": (b"gzip", gzip.compress(TEXT)),
    "x-gzip": (b"X-GZip", gzip.compress(TEXT)),
    "deflate": (b"deflate", zlib.compress(TEXT)),
    "raw deflate": (b"deflate", RAW.compress(TEXT) + RAW.flush()),
    "twice": (b"gzip, deflate", zlib.compress(gzip.compress(TEXT))),
    "none": (b"identity", TEXT),
    "no encoding at all": (b"UTF-8", TEXT),
}


@pytest.mark.parametrize("way", PACKED)
async def test_what_is_compressed_is_unpacked(kind, way):
    name, content = PACKED[way]
    odd = b"X-Served-By: M\xc3\xbcnchen"
    async with asked(kind, saying(answer(content, b"Content-Encoding: " + name, odd))) as (ask, _):
        assert (await ask()).content == TEXT


async def test_nothing_unpacks_to_nothing(kind):
    async with asked(kind, saying(answer(b"", b"Content-Encoding: gzip"))) as (ask, _):
        assert (await ask()).content == b""


BROKEN = {
    "junk": (b"gzip", b"junk"),
    "a bad end": (b"gzip", gzip.compress(TEXT)[:-8] + b"\0" * 8),
    "half of it twice": (b"gzip, gzip", gzip.compress(b"junk" * 100)),
    "five times": (b"gzip, gzip, gzip, gzip, gzip", gzip.compress(TEXT)),
}


@pytest.mark.parametrize("way", BROKEN)
async def test_what_cannot_be_unpacked_is_an_error(kind, way):
    name, content = BROKEN[way]
    said = saying(answer(content, b"Content-Encoding: " + name))
    async with asked(kind, said) as (ask, _):
        with pytest.raises(MettlDecodeError, match="decompressed") as caught:
            await ask()
    assert caught.value.sent


@pytest.fixture(scope="module")
def bomb():
    """3 kB that are 64 MiB after two unpackings."""
    return gzip.compress(gzip.compress(bytes(64 * 2**20)))


async def test_a_bomb_takes_neither_the_memory_nor_the_event_loop(kind, bomb, monkeypatch):
    monkeypatch.setattr(body, "_PIECE", 65_536)
    turns, said = 0, saying(answer(bomb, b"Content-Encoding: gzip, gzip"))

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asked(kind, said, max_response_bytes=8 * 2**20) as (ask, _):
        counting = asyncio.create_task(count_turns())
        await asyncio.sleep(0)
        tracemalloc.start()
        try:
            with pytest.raises(MettlDecodeError, match="longer than"):
                await ask()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            counting.cancel()
    assert most < 24 * 2**20
    assert turns > 100


async def test_a_hook_that_reads_the_answer_of_an_injected_client_changes_nothing():
    async def hook(response):
        await response.aread()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(gzip.compress(TEXT), b"Content-Encoding: gzip"))

    async with (
        raw_server(serve) as (url, options),
        httpx.AsyncClient(event_hooks={"response": [hook]}) as client,
    ):
        assert (await InjectedTransport(client, options).send(get(url))).content == TEXT
        small = InjectedTransport(client, ClientOptions(max_response_bytes=1024))
        big = gzip.compress(bytes(1025))
        mock = httpx.MockTransport(
            lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=big)
        )
        client._transport = mock
        with pytest.raises(MettlDecodeError, match="longer than"):
            await small.send(get("http://127.0.0.1:1"))


async def test_an_answer_that_a_hook_refused_is_closed_and_has_its_status():
    async def hook(response):
        response.raise_for_status()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer().replace(b"200 OK", b"503 No"))

    async with (
        raw_server(serve) as (url, options),
        httpx.AsyncClient(event_hooks={"response": [hook]}) as client,
    ):
        assert (await InjectedTransport(client, options).send(get(url))).status_code == 503


HEADS = {
    "a line": (b"HTTP/1.1 200 OK\r\nX-A: ", b"x" * 1000),
    "lines": (b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 100),
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "interim answers with headers": (
        b"",
        b"HTTP/1.1 103 Early Hints\r\n" + b"Link: </a>\r\n" * 99 + b"\r\n",
    ),
}


@pytest.mark.parametrize("way", HEADS)
@pytest.mark.parametrize("own", OWN)
async def test_a_head_without_an_end_is_an_error(own, way):
    async def serve(writer):
        await for_ever(writer, *HEADS[way])

    async with asked(own, serve) as (ask, transport):
        with pytest.raises((MettlDecodeError, ConnectionLostError)) as caught:
            await ask()
        assert transport._free == []
    assert caught.value.sent


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize(
    "head",
    [
        answer(b"{}", *[b"X-A: " + b"x" * 50_000] * 20),
        (b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 1000 + b"\r\n\r\n") * 1000 + answer(),
    ],
    ids=["headers", "interim answers"],
)
async def test_a_head_that_is_too_long_is_an_error(own, head):
    async with asked(own, saying(head)) as (ask, transport):
        with pytest.raises((MettlDecodeError, ConnectionLostError)) as caught:
            await ask()
        assert transport._free == []
    assert caught.value.sent


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("way", ["a header", "an interim answer", "a piece"])
async def test_the_read_timeout_begins_again_for_each_wait(own, way):
    pieces = {
        "a header": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n",
        "an interim answer": b"HTTP/1.1 103 Early Hints\r\n\r\n",
        "a piece": CHUNKED + b"1\r\nx\r\n",
    }
    over = asyncio.Event()

    async def serve(writer):
        writer.write(pieces[way])
        await over.wait()

    async with asked(own, serve, read_timeout=0.05) as (ask, _):
        async with asyncio.timeout(30):
            with pytest.raises(TransportTimeoutError, match="read timed out") as caught:
                await ask()
        over.set()
    assert caught.value.sent
