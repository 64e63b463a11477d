"""A report's host is looked up once, and the connection goes to the address that was checked."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import httpx
import httpx2
import pytest

from mettl_async import (
    ClientOptions,
    ConnectError,
    Credentials,
    InvalidInputError,
    MettlClient,
    NotReadyError,
    TransportTimeoutError,
)
from mettl_async.core.download import Fetcher
from mettl_async.core.link_rules import check_link
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.contract import Download, Resolver
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.injected import InjectedTransport
from mettl_async.models import CandidateResult, TestStatus

BASE = "https://api.mettl.com"
KEYS = Credentials(public_key="p", private_key="k")
PUBLIC, OTHER, HOME = "93.184.215.14", "93.184.215.15", "127.0.0.1"
LOCALHOST = Path(__file__).parents[1] / "data" / "localhost.pem"
REPORT = "https://reports.example/r?key=SECRET"


class Network:
    """The event loop's resolver, with scripted answers, and its connections, none of which comes about."""

    def __init__(self, monkeypatch, *answers):
        self.answers, self.asked, self.connected = list(answers), [], []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr(loop, "sock_connect", self.sock_connect)

    async def getaddrinfo(self, host, port, **_):
        self.asked.append(host if isinstance(host, str) else host.decode())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port),
            )
            for one in answer
        ]

    async def sock_connect(self, _socket, address):
        self.connected.append(address[0])
        raise ConnectionRefusedError


def own(library):
    return {"httpx": LaneTransport, "aiohttp": AiohttpTransport}[library](
        BASE, ClientOptions(trust_env=False)
    )


@pytest.fixture(params=["httpx", "aiohttp"])
def transport(request):
    """Both transports of our own."""
    return own(request.param)


async def fetch(transport, url=REPORT):
    fetcher = Fetcher(transport, BASE, 5.0)
    async with fetcher.fetch(check_link("f", url, BASE)):
        pass


@pytest.mark.parametrize("name", ["httpx", "aiohttp"])
async def test_a_second_answer_of_the_resolver_changes_nothing(monkeypatch, tmp_path, name):
    network, pauses = Network(monkeypatch, [PUBLIC], [HOME]), []

    async def sleep(_seconds):
        pauses.append((list(network.asked), list(network.connected)))

    result = CandidateResult(email="a@x.org", test_status=TestStatus(pdf_report=REPORT))
    options = ClientOptions(trust_env=False)
    async with MettlClient(KEYS, transport=name, options=options) as mettl:
        object.__setattr__(mettl._shared.effects, "sleep", sleep)
        with pytest.raises(NotReadyError, match="public") as caught:
            await mettl.results.download_report(result, tmp_path / "r.pdf")
    assert pauses == [(["reports.example"], [PUBLIC])]
    # The second look asked anew, and what it was told then was checked as well.
    assert (len(network.asked), network.connected) == (2, [PUBLIC])
    assert caught.value.final
    assert "SECRET" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "answer", [[HOME], [PUBLIC, HOME], ["10.0.0.1"], ["::1"], ["fe80::1%2"], ["::ffff:127.0.0.1"]]
)
async def test_a_host_that_is_not_public_is_never_connected_to(monkeypatch, transport, answer):
    network = Network(monkeypatch, answer)
    with pytest.raises(InvalidInputError, match="not at a public host"):
        await fetch(transport)
    assert network.connected == []


async def test_each_address_of_a_host_is_tried(monkeypatch, transport):
    network = Network(monkeypatch, [PUBLIC, PUBLIC, OTHER])
    with pytest.raises(ConnectError):
        await fetch(transport)
    assert network.connected == [PUBLIC, OTHER]
    assert len(network.asked) == 1


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "Name or service not known"), UnicodeError()]
)
async def test_a_host_that_is_not_found_is_a_connect_error(monkeypatch, transport, error):
    Network(monkeypatch, error)
    with pytest.raises(ConnectError, match="not found") as caught:
        await fetch(transport)
    assert not caught.value.sent


async def test_finding_a_host_has_a_time_limit(monkeypatch, transport):
    network = Network(monkeypatch, [PUBLIC])

    async def never(*_, **__):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    with pytest.raises(TransportTimeoutError, match="finding"):
        async with Fetcher(transport, BASE, 0.01).fetch(check_link("f", REPORT, BASE)):
            pass
    assert network.connected == []


async def test_a_clients_own_host_is_looked_up_as_for_its_requests(monkeypatch, transport):
    network = Network(monkeypatch, [HOME])
    with pytest.raises(ConnectError):
        await fetch(transport, f"{BASE}/report")
    assert network.connected == [HOME]


@contextlib.asynccontextmanager
async def tls_server():
    """A server of the name "localhost"; the names that it was asked by, in TLS and in HTTP."""
    named = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            named.extend(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOCALHOST)
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    server = await asyncio.start_server(serve, HOME, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], named


@pytest.mark.parametrize("kind", [LaneTransport, AiohttpTransport])
async def test_a_connection_to_an_address_is_one_to_the_name(kind):
    options = ClientOptions(
        trust_env=False, ssl_context=ssl.create_default_context(cafile=LOCALHOST)
    )
    async with tls_server() as (port, named):
        lanes = kind(BASE, options)
        async with lanes.stream(f"https://localhost:{port}/r", HOME) as download:
            assert download.status_code == 200
        assert named == ["localhost", b"Host: localhost:%d" % port]
        named.clear()
        with pytest.raises(ConnectError):  # its certificate is not of this name
            async with lanes.stream(f"https://reports.example:{port}/r", HOME):
                pass
        assert named == ["reports.example"]
        await lanes.aclose()


class Redirecting:
    """A transport whose first answer leads elsewhere."""

    def __init__(self, location, kind=Resolver.OWN):
        self.location, self.kind, self.asked = location, kind, []

    def resolver(self, _url):
        return self.kind

    @contextlib.asynccontextmanager
    async def stream(self, url, address=None):
        self.asked.append((url, address))
        yield Download(302 if len(self.asked) == 1 else 200, {"location": self.location}, None)


async def test_a_redirect_is_looked_up_and_checked_like_the_first_address(monkeypatch):
    Network(monkeypatch, [PUBLIC], [OTHER])
    transport = Redirecting("//elsewhere.example/x")
    await fetch(transport)
    assert transport.asked == [(REPORT, PUBLIC), ("https://elsewhere.example/x", OTHER)]
    Network(monkeypatch, [PUBLIC], [HOME])
    transport = Redirecting("https://elsewhere.example/x")
    with pytest.raises(InvalidInputError, match="redirects to"):
        await fetch(transport)
    assert len(transport.asked) == 1


@pytest.mark.parametrize("location", ["http://reports.example/", "https://127.0.0.1/", "/\ud800"])
@pytest.mark.parametrize("kind", list(Resolver))
async def test_no_redirect_leads_into_the_clear_or_home(monkeypatch, location, kind):
    Network(monkeypatch, [PUBLIC])
    transport = Redirecting(location, kind)
    with pytest.raises(InvalidInputError):
        await fetch(transport)
    assert len(transport.asked) == 1


@pytest.mark.parametrize("kind", [LaneTransport, AiohttpTransport])
async def test_a_proxy_looks_names_up_itself(monkeypatch, kind):
    network = Network(monkeypatch, [HOME])
    options = ClientOptions(trust_env=False, proxy=f"http://{PUBLIC}:3128")
    assert kind(BASE, options).resolver(REPORT) is Resolver.PROXY
    with pytest.raises(ConnectError):
        await fetch(kind(BASE, options))
    assert (network.asked, network.connected) == ([], [PUBLIC])


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_transport_of_the_callers_is_asked_for_public_hosts_only(monkeypatch, library):
    asked = []

    def answer(request):
        asked.append((str(request.url), request.headers["connection"]))
        return library.Response(200)

    async with library.AsyncClient(transport=library.MockTransport(answer)) as client:
        transport = InjectedTransport(client, ClientOptions())
        Network(monkeypatch, [HOME])
        with pytest.raises(InvalidInputError):
            await fetch(transport)
        # Its own look might find another answer.
        Network(monkeypatch, socket.gaierror(-2, "unknown"))
        with pytest.raises(ConnectError, match="not found"):
            await fetch(transport)
        assert asked == []
        Network(monkeypatch, [PUBLIC])
        await fetch(transport)
    assert asked == [(REPORT, "close")]


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("failure", [[HOME], socket.gaierror(-3, "try again")])
async def test_an_injected_client_connects_to_an_address_that_was_checked(
    monkeypatch, library, failure
):
    async with library.AsyncClient(trust_env=False) as client:
        transport = InjectedTransport(client, ClientOptions())
        network = Network(monkeypatch, [PUBLIC, OTHER], [HOME])
        with pytest.raises(ConnectError):
            await fetch(transport)
        assert network.connected == [PUBLIC, OTHER]
        network = Network(monkeypatch, failure, [HOME])
        with pytest.raises((ConnectError, InvalidInputError)):
            await fetch(transport)
        assert network.connected == []


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_its_connection_to_an_address_is_one_to_the_name(library):
    trusted = ssl.create_default_context(cafile=LOCALHOST)
    made = library.AsyncClient(trust_env=False, verify=trusted)
    async with tls_server() as (port, named), made as client:
        transport = InjectedTransport(client, ClientOptions())
        link = f"https://localhost:{port}/r?url=a%252Fb"
        async with transport.stream(link, HOME) as download:
            assert download.status_code == 200
        assert named == ["localhost", b"Host: localhost:%d" % port]
        named.clear()
        with pytest.raises(ConnectError):  # its certificate is not of this name
            async with transport.stream(f"https://reports.example:{port}/r", HOME):
                pass
        assert named == ["reports.example"]


def clients(library):
    """Clients with the resolver that each has."""
    proxy = f"http://{PUBLIC}:3128"
    plain = library.AsyncHTTPTransport
    yield Resolver.OWN, {}
    yield Resolver.OWN, {"transport": plain(), "mounts": {"all://localhost": None}}
    yield Resolver.PROXY, {"proxy": proxy}
    yield Resolver.PROXY, {"mounts": {"https://": plain(proxy=proxy)}}
    yield Resolver.UNKNOWN, {"mounts": {"all://elsewhere.example": plain(proxy=proxy)}}
    yield Resolver.UNKNOWN, {"transport": library.MockTransport(None)}
    yield Resolver.UNKNOWN, {"transport": type("Other", (plain,), {})()}
    yield Resolver.UNKNOWN, {"transport": plain(uds="/nowhere")}
    yield Resolver.UNKNOWN, {"http2": True}


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_an_injected_client_of_its_own_kind_is_left_as_it_is(monkeypatch, library):
    for known, made in clients(library):
        async with library.AsyncClient(trust_env=False, **made) as client:
            assert InjectedTransport(client, ClientOptions()).resolver(REPORT) is known, made
    network = Network(monkeypatch, [HOME])
    async with library.AsyncClient(trust_env=False, proxy=f"http://{PUBLIC}:3128") as client:
        with pytest.raises(ConnectError):
            await fetch(InjectedTransport(client, ClientOptions()))
    assert (network.asked, network.connected) == ([], [PUBLIC])
