"""What no HTTP library should raise, and what is the caller's own: which of them leaves a transport."""

import asyncio
import gc
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import httpx
import httpx2
import pytest
from raw_answers import answering

from mettl_async import ClientOptions, ConfigurationError, ConnectError, ConnectionLostError
from mettl_async.core.request import SignedRequest
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.injected import InjectedTransport

LOCALHOST = Path(__file__).parents[1] / "data" / "localhost.pem"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
OPTIONS = ClientOptions(trust_env=False)


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request):
    return request.param


@pytest.fixture(params=[LaneTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport_of(request):
    return request.param


def get(url, **headers):
    return SignedRequest(method="GET", url=url, target=b"/v2/x", body=b"", headers=headers)


class Fine(BaseHTTPRequestHandler):
    """Answers, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.wfile.write(OK)

    def log_message(self, *_):
        pass


@pytest.mark.filterwarnings("ignore")  # what a closed event loop leaves open is the point
@pytest.mark.parametrize("way", ["send", "stream"])
def test_a_client_whose_event_loop_is_closed_is_told_in_an_error_of_ours(library, way):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fine)
    server.handle_error = lambda *_: None  # that its connections are dropped is known
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    request = get(f"http://127.0.0.1:{server.server_port}/v2/x")
    transport = InjectedTransport(library.AsyncClient(trust_env=False), OPTIONS)

    async def use():
        if way == "send":
            await transport.send(request)
        else:
            async with transport.stream(request.url):
                pass

    asyncio.run(transport.send(request))
    with pytest.raises(ConnectionLostError, match="event loop") as caught:
        asyncio.run(use())
    assert caught.value.sent
    server.shutdown()
    server.server_close()
    gc.collect()


async def test_an_injected_clients_impossible_proxy_is_an_error_of_ours(library):
    async with library.AsyncClient(proxy="http://127.0.0.1:65536", trust_env=False) as client:
        for url in ("http://h.example", "https://h.example"):
            with pytest.raises(ConnectError, match="OverflowError") as caught:
                await InjectedTransport(client, OPTIONS).send(get(f"{url}/v2/x"))
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None


class HookError(Exception):
    """Of the caller's own."""


async def in_a_group():
    async with anyio.create_task_group():
        raise HookError


async def slowly():
    async with asyncio.timeout(0):
        await asyncio.sleep(1)


async def not_ascii():
    "ü".encode("ascii")


@pytest.mark.parametrize(
    ("act", "raised"),
    [(in_a_group, ExceptionGroup), (slowly, TimeoutError), (not_ascii, UnicodeEncodeError)],
)
@pytest.mark.parametrize("event", ["request", "response"])
async def test_what_an_event_hook_raises_comes_through_as_it_is(library, event, act, raised):
    async def hook(_):
        await act()

    async with (
        answering(OK) as url,
        library.AsyncClient(trust_env=False, event_hooks={event: [hook]}) as client,
    ):
        transport = InjectedTransport(client, OPTIONS)
        with pytest.raises(raised) as caught:
            await transport.send(get(f"{url}/v2/x"))
        assert type(caught.value) is raised
        with pytest.raises(raised):
            async with transport.stream(f"{url}/v2/x"):
                pass


async def test_a_header_that_no_client_can_send_was_not_sent(library, transport_of):
    async with answering(OK) as url, library.AsyncClient(trust_env=False) as client:
        for transport in (transport_of(url, OPTIONS), InjectedTransport(client, OPTIONS)):
            for wrong in ({"X-A": "\ud800"}, {"X\u00fc": "1"}):
                with pytest.raises(ConfigurationError, match="middleware"):
                    await transport.send(get(f"{url}/v2/x", **wrong))
            await transport.aclose()


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [("localhost", False, "self-signed certificate"), ("127.0.0.1", True, "mismatch")],
)
async def test_why_a_certificate_is_not_trusted_is_told(transport_of, name, known, words):
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(LOCALHOST)
    options = ClientOptions(
        trust_env=False,
        ssl_context=ssl.create_default_context(cafile=LOCALHOST) if known else None,
    )
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=served)
    async with server:
        url = f"https://{name}:{server.sockets[0].getsockname()[1]}"
        transport = transport_of(url, options)
        with pytest.raises(ConnectError, match=f"CERTIFICATE_VERIFY_FAILED.*{words}") as caught:
            await transport.send(get(f"{url}/v2/x"))
        await transport.aclose()
        assert not caught.value.sent
        async with httpx.AsyncClient(verify=options.ssl_context or True) as client:
            with pytest.raises(ConnectError, match=f"CERTIFICATE_VERIFY_FAILED.*{words}"):
                await InjectedTransport(client, options).send(get(f"{url}/v2/x"))
