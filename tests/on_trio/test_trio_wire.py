"""On trio: surplus bytes, closed connections and cancelled handshakes, over sockets."""

import contextlib
import ssl
from pathlib import Path

import pytest
import trio
import trio.testing
from by_trio import on_trio

from mettl_async import ClientOptions
from mettl_async.core.request import SignedRequest
from mettl_async.core.transports import idle
from mettl_async.core.transports.httpx_lanes import LaneTransport

LOCALHOST = Path(__file__).parents[1] / "data" / "localhost.pem"
DESCRIPTORS = Path("/proc/self/fd")


def descriptors():
    return len(list(DESCRIPTORS.iterdir()))


def answer(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def get(url):
    return SignedRequest(method="GET", url=f"{url}/x", target=b"/x", body=b"")


async def request_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await stream.receive_some() or b"\r\n\r\n"
    return head != b"\r\n\r\n"


@contextlib.asynccontextmanager
async def lanes_to(serve, *, tls=False, shown=True):
    """Give lanes to a server of which each connection is handled by ``serve(stream)``."""

    async def handle(stream):
        if tls and shown:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(LOCALHOST)
            stream = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await serve(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, handle, 0)
        port = listeners[0].socket.getsockname()[1]
        name = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        context = ssl.create_default_context(cafile=LOCALHOST) if tls else None
        lanes = LaneTransport(name, ClientOptions(trust_env=False, ssl_context=context))
        yield lanes, name
        await lanes.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", ["at once", "idle", "none"])
@on_trio
async def test_a_surplus_is_nobodys_answer(way, tls):
    made, finished, said = [], trio.Event(), trio.Event()

    async def serve(stream):
        made.append(stream)
        first = len(made) == 1
        while await request_head(stream):
            await stream.send_all(answer(b"yours"))
            if first and not said.is_set():
                if way == "idle":
                    await finished.wait()
                if way != "none":
                    await stream.send_all(answer(b"not yours"))
                said.set()

    async with lanes_to(serve, tls=tls) as (lanes, url):
        contents = []
        for _ in range(2):
            contents.append((await lanes.send(get(url))).content)
            finished.set()
            await said.wait()
    assert contents == [b"yours"] * 2
    assert len(made) == (1 if way == "none" else 2)


@on_trio
async def test_what_the_server_closed_is_closed_without_a_further_call(monkeypatch):
    monkeypatch.setattr(idle, "SWEEP_SECONDS", 0.01)
    closed = trio.Event()

    async def serve(stream):
        await request_head(stream)
        await stream.send_all(answer(b"yours"))
        await stream.send_eof()
        assert await stream.receive_some() == b""
        closed.set()

    async with lanes_to(serve) as (lanes, url):
        await lanes.send(get(url))
        await closed.wait()
        while lanes._stop_sweep is not None:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.001)
        assert lanes._free == []


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors as Linux shows them")
@on_trio
async def test_a_call_that_is_cancelled_in_a_handshake_leaves_no_socket():
    reached, left = trio.Semaphore(0), trio.Semaphore(0)

    async def serve(stream):
        await stream.receive_some()
        reached.release()
        while await stream.receive_some():
            pass
        left.release()

    async def cancel(scope):
        await reached.acquire()
        scope.cancel()

    async with lanes_to(serve, tls=True, shown=False) as (lanes, url):
        before = descriptors()
        for _ in range(5):
            async with trio.open_nursery() as nursery:
                with trio.CancelScope() as scope:
                    nursery.start_soon(cancel, scope)
                    await lanes.send(get(url))
            await left.acquire()
        await trio.testing.wait_all_tasks_blocked()
        assert descriptors() == before
