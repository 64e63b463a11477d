"""Which proxy is taken, and what it is told: both transports of our own, over real sockets."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mettl_async import ClientOptions, ConfigurationError, ConnectError
from mettl_async.core.request import SignedRequest
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.proxies import parse_proxy, passed_by, proxy_of

LOCALHOST = Path(__file__).parents[1] / "data" / "localhost.pem"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(params=[LaneTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport_of(request):
    return request.param


def get(url):
    return SignedRequest(method="GET", url=url, target=b"/v2/x", body=b"", headers={})


def own_certificates():
    return ssl.create_default_context(cafile=LOCALHOST)


def server_certificate():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOCALHOST)
    return context


@contextlib.asynccontextmanager
async def proxy(*, tls=False, to=None):
    """A proxy that answers by itself, or passes tunnels on to a port; and the heads it read."""
    heads, tasks = [], set()

    async def pump(reader, writer):
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                writer.write(piece)
            writer.close()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                if not heads[-1].startswith(b"CONNECT"):
                    writer.write(OK)
                elif to is None:
                    writer.write(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
                else:
                    behind, ahead = await asyncio.open_connection("127.0.0.1", to)
                    writer.write(b"HTTP/1.1 200 Fine\r\n\r\n")
                    await asyncio.gather(pump(reader, ahead), pump(behind, writer))
        writer.close()

    server = await asyncio.start_server(
        handle, "127.0.0.1", 0, ssl=server_certificate() if tls else None
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}", heads
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("way", ["send", "stream"])
async def test_an_ipv6_server_is_named_in_brackets_to_a_proxy(transport_of, way):
    async with proxy() as (at, heads):
        for origin in ("http://[::1]:8765", "https://[2001:db8::1]"):
            lanes = transport_of(origin, ClientOptions(proxy=at))
            with contextlib.suppress(ConnectError):
                if way == "send":
                    await lanes.send(get(origin))
                else:
                    async with lanes.stream(f"{origin}/v2/x"):
                        pass
            await lanes.aclose()
    forwarded, tunnelled = (head.split(b"\r\n") for head in heads)
    assert forwarded[0] == b"GET http://[::1]:8765/v2/x HTTP/1.1"
    assert b"Host: [::1]:8765" in forwarded
    assert tunnelled[0] == b"CONNECT [2001:db8::1]:443 HTTP/1.1"
    assert next(line for line in tunnelled if line.lower().startswith(b"host:")).endswith(
        (b" [2001:db8::1]:443", b" [2001:db8::1]")
    )


@pytest.mark.parametrize("tls", [False, True], ids=["http proxy", "https proxy"])
async def test_own_certificates_vouch_for_the_server_and_for_an_https_proxy(transport_of, tls):
    options = ClientOptions(ssl_context=own_certificates())
    async with proxy(tls=True) as (server, asked):
        async with proxy(tls=tls, to=urlsplit(server).port) as (at, heads):
            through = ClientOptions(
                ssl_context=options.ssl_context, proxy=at.replace("//", "//me:pw@")
            )
            lanes = transport_of(server, through)
            for _ in range(3):
                assert (await lanes.send(get(server))).status_code == 200
            async with lanes.stream(f"{server}/report") as download:
                assert download.status_code == 200
            await lanes.aclose()
    assert len(heads) == 2  # a tunnel for all requests, and one for the report
    assert all(b"proxy-authorization: basic bwu6chc=" in head.lower() for head in heads)
    assert len(asked) == 4
    assert not any(b"proxy-authorization" in head.lower() for head in asked)


async def test_an_https_proxy_that_nobody_vouches_for_is_told_nothing(transport_of):
    async with proxy(tls=True) as (at, heads):
        lanes = transport_of("http://mettl.example", ClientOptions(proxy=at))
        with pytest.raises(ConnectError) as caught:
            await lanes.send(get("http://mettl.example"))
        await lanes.aclose()
    assert not caught.value.sent
    assert heads == []


@pytest.mark.parametrize(
    ("url", "no_proxy", "passed"),
    [
        ("https://[::1]:8443", "::1", True),
        ("https://[::1]:8443", "[::1]", True),
        ("https://[::1]:8443", "[::1]:8443", True),
        ("https://[::1]:8443", "[::1]:1", False),
        ("https://[0:0:0:0:0:0:0:1]", "::1", True),
        ("https://[fd00::7]", "10.0.0.0/8, fd00::/8", True),
        ("https://[fe00::7]", "10.0.0.0/8, fd00::/8", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://110.1.2.3", "10.1.2.3", False),
        ("https://api.mettl.com", "mettl.com", True),
        ("https://api.mettl.com", ".mettl.com", True),
        ("https://api.mettl.com", "*.Mettl.com", True),
        ("https://api.mettl.com", "tl.com", False),
        ("https://api.mettl.com", "localhost api.mettl.com:443", True),
        ("https://api.mettl.com", "api.mettl.com:80", False),
        ("https://api.mettl.com", "*", True),
        ("https://api.mettl.com", "", False),
        ("https://api.mettl.com", " , ,,", False),
        ("https://api.mettl.com", "10.0.0.0/99,%,[", False),
    ],
)
def test_no_proxy_takes_names_addresses_and_networks(url, no_proxy, passed):
    assert passed_by(urlsplit(url), no_proxy) is passed


def test_no_proxy_of_the_environment_counts(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "::1,127.0.0.0/8")
    assert proxy_of("http://[::1]:8765", ClientOptions()) is None
    assert proxy_of("http://127.9.9.9", ClientOptions()) is None
    assert proxy_of("http://128.0.0.1", ClientOptions()).port == 1


@pytest.mark.parametrize(
    ("proxy_url", "words"),
    [
        ("http://127.0.0.1:65536", "port"),
        ("http://127.0.0.1:0", "port"),
        ("http://a..b:3128", "empty part"),
        (f"http://{'a' * 64}.example:3128", "too long"),
        ("http://bücher.example", "IDNA"),
        ("http://[::zz]:1", "IPv6|not a proxy"),
        ("gopher://p:1", "http://host:port"),
        ("p:1", "http://host:port"),
        ("http://", "http://host:port"),
        ("socks5://p:1", "SOCKS"),
    ],
)
def test_a_proxy_that_cannot_be_is_refused_when_the_client_is_made(
    transport_of, monkeypatch, proxy_url, words
):
    monkeypatch.setattr("mettl_async.core.transports.proxies.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=words) as caught:
        transport_of("https://h.example", ClientOptions(proxy=proxy_url))
    assert str(caught.value).startswith("proxy: ")
    if "://" in proxy_url and words != "http://host:port":
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
        with pytest.raises(ConfigurationError, match=words) as caught:
            transport_of("https://h.example", ClientOptions())
        assert "HTTPS_PROXY" in str(caught.value)


def test_a_proxys_credentials_are_decoded_and_do_not_show():
    proxy_ = parse_proxy("proxy", "http://us%40er:pa%3Ass@[::1]")
    assert (proxy_.host, proxy_.port, proxy_.user, proxy_.password) == ("::1", 80, "us@er", "pa:ss")
    assert "us@er" not in repr(proxy_)
    assert "pa:ss" not in repr(proxy_)
