"""Whatever a host, a port, a header or a body is: only our own errors leave a transport."""

import asyncio
import contextlib
import gzip
import socket
import ssl

import httpx
import httpx2
import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from mettl_async import (
    CallError,
    ClientOptions,
    ConfigurationError,
    Credentials,
    MettlClient,
    MettlError,
    RetryPolicy,
)
from mettl_async.core.request import SignedRequest
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.injected import InjectedTransport

KEYS = Credentials(public_key="p", private_key="s")
OPTIONS = ClientOptions(
    trust_env=False, retry=RetryPolicy(max_attempts=1), connect_timeout=1.0, read_timeout=1.0
)
WAYS = ["httpx", "aiohttp", "injected httpx", "injected httpx2"]

LABELS = st.sampled_from(
    ["", "a", "A", "-", "_", "a" * 63, "a" * 64, "xn--", "xn--zzzzzz", "ü", "\u2100", "1", "256", "%00", " "]
) | st.text(max_size=5)  # fmt: skip
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join) | st.sampled_from(
    ["[::1", "[]", "[::1%lo]", "[v1.a]", "[::ffff:1.2.3.4]", "0x7f.1", "1.2.3", "a@b", "\ud800"]
)
PORTS = st.sampled_from(
    ["", ":", ":0", ":1", ":65535", ":65536", ":-1", ":99999999999", ":x", ":\u0661"]
)
PRINTED = st.binary(max_size=20).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
HEADERS = st.lists(
    st.tuples(st.sampled_from([b"X-A", b"x-\xc3\xbc", b"Date", b"Retry-After", b"Location", b"Set-Cookie",
                               b"Content-Type", b"Content-Encoding", b"", b"a b"]) | PRINTED, PRINTED),
    max_size=4,
)  # fmt: skip
# Each client of httpx would load its own.
CERTIFICATES = ssl.create_default_context()
BODIES = st.binary(max_size=60) | st.binary(max_size=60).map(gzip.compress)


@contextlib.asynccontextmanager
async def transport_of(way, base_url):
    """A transport of each kind, past the checks of a client."""
    if way == "httpx":
        made = LaneTransport(base_url, OPTIONS)
    elif way == "aiohttp":
        made = AiohttpTransport(base_url, OPTIONS)
    else:
        library = httpx2 if way.endswith("2") else httpx
        client = library.AsyncClient(trust_env=False, timeout=1.0, verify=CERTIFICATES)
        async with client:
            yield InjectedTransport(client, OPTIONS)
        return
    yield made
    await made.aclose()


@pytest.fixture(autouse=True)
def _no_names_outside(monkeypatch):
    """Names are encoded as the system does it, and lead nowhere but to this machine."""
    real = socket.getaddrinfo

    def nearby(host, *args, **kwargs):
        if isinstance(host, str):
            host.encode("idna")
        return real("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", nearby)


async def outcome(act):
    """None, or the error; what is none of ours is raised."""
    try:
        await act
    except MettlError as error:
        assert error.__cause__ is None
        return error
    return None


@pytest.mark.parametrize("way", WAYS)
@given(host=HOSTS, port=PORTS)
@example(host="a..b", port="")
@example(host="a" * 64 + ".example", port="")
@example(host="127.0.0.1", port=":65536")
@example(host="1.1.1.256", port="")
@example(host="xn--zzzzzz", port="")
def test_an_address_that_cannot_be_is_our_error(way, host, port):
    async def send(transport, url):
        await transport.send(
            SignedRequest(method="GET", url=url, target=b"/v2/x", body=b"", headers={})
        )

    async def fetch(transport, url):
        async with transport.stream(url) as download:
            async for _ in download.chunks:
                pass

    async def run():
        for scheme in ("https", "http"):
            url = f"{scheme}://{host}{port}"
            try:
                client = MettlClient(KEYS, base_url=url, options=OPTIONS)
            except ConfigurationError as error:
                assert "base_url" in str(error)
                client = None
            if client is not None:
                # What a client takes can be sent to.
                async with transport_of(way, client.base_url) as transport:
                    error = await outcome(send(transport, f"{client.base_url}/v2/x"))
                    assert isinstance(error, CallError | None)
            async with transport_of(way, "https://h.example") as transport:
                error = await outcome(fetch(transport, f"{url}/report.pdf"))
                assert isinstance(error, CallError | None)

    asyncio.run(run())


@pytest.mark.parametrize("way", WAYS[:2])
@given(host=HOSTS, port=PORTS)
@example(host="127.0.0.1", port=":65536")
def test_a_proxy_that_cannot_be_is_refused_when_the_client_is_made(way, host, port):
    async def run():
        try:
            options = evolve(OPTIONS, proxy=f"http://{host}{port}")
            client = MettlClient(KEYS, base_url="https://h.example", transport=way, options=options)
        except ConfigurationError as error:
            assert "proxy" in str(error)
            return
        async with client:
            error = await outcome(client.account.get())
        assert isinstance(error, CallError)
        assert not error.sent

    asyncio.run(run())


@pytest.mark.parametrize("way", WAYS)
@given(
    headers=HEADERS,
    coding=st.sampled_from(["", "gzip", "deflate", "br", "x", "gzip, gzip", "\u00fc"]),
    body=BODIES,
)
@example(headers=[(b"X-Served-By", b"M\xc3\xbcnchen")], coding="gzip", body=gzip.compress(b"{}"))
def test_whatever_headers_and_body_are_a_call_ends_in_a_response_or_our_error(
    way, headers, coding, body
):
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    if coding:
        lines.append(b"Content-Encoding: %b\r\n" % coding.encode())
    reply = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        b"".join(lines), len(body), body,
    )  # fmt: skip

    async def serve(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await writer.drain()
        writer.close()

    async def run():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            request = SignedRequest(
                method="GET", url=f"{url}/v2/x", target=b"/v2/x", body=b"", headers={}
            )
            async with transport_of(way, url) as transport:
                error = await outcome(transport.send(request))
        assert error is None or error.sent

    asyncio.run(run())
