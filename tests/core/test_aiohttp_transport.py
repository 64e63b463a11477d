"""What only the transport on aiohttp has: its choice, its limits, other event loops."""

import asyncio
import socket
import sys
import threading

import anyio
import httpx
import pytest

from mettl_async import Candidate, ClientOptions, ConfigurationError, Credentials, MettlClient
from mettl_async.core.request import SignedRequest
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.sandbox import Sandbox

KEYS = Credentials(public_key="a", private_key="b")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def request(url, **headers):
    return SignedRequest(
        method="POST", url=f"{url}/v2/x", target=b"/v2/x", body=b"a=1", headers=headers
    )


def test_a_client_has_the_transport_it_asks_for(monkeypatch):
    assert type(MettlClient(KEYS, transport="httpx")._shared.transport) is LaneTransport
    assert type(MettlClient(KEYS, transport="aiohttp")._shared.transport) is AiohttpTransport
    monkeypatch.setenv("METTL_PUBLIC_KEY", "a")
    monkeypatch.setenv("METTL_PRIVATE_KEY", "b")
    chosen = MettlClient(transport="aiohttp")
    assert type(chosen._shared.transport) is AiohttpTransport


def test_what_is_no_transport_is_refused():
    with pytest.raises(ConfigurationError, match="'httpx' or 'aiohttp'"):
        MettlClient(KEYS, transport="requests")


async def test_an_injected_client_and_a_transport_are_one_too_many():
    async with httpx.AsyncClient() as http_client:
        with pytest.raises(ConfigurationError, match="both given"):
            MettlClient(KEYS, http_client=http_client, transport="aiohttp")


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mettl_async.core.transports.aiohttp_lanes", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'mettl-async\[aiohttp\]'"):
        MettlClient(KEYS, transport="aiohttp")


def test_on_trio_it_is_refused():
    async def use():
        async with MettlClient(KEYS, transport="aiohttp") as mettl:
            with pytest.raises(ConfigurationError, match="asyncio only"):
                await mettl.account.get()

    anyio.run(use, backend="trio")


async def test_a_socks_proxy_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="SOCKS") as caught:
        AiohttpTransport("https://h.example", ClientOptions(proxy="socks5://u:pw@p:1"))
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "1\r\nX-B: 2"},
        {"X-A\r\nX-B": "1"},
        {"X-A": "\x00"},
        {"": "1"},
        {"Content-Length": "0"},
        {"transfer-encoding": "chunked"},
        {"Host": "other.example"},
    ],
)
async def test_a_header_that_would_change_the_request_is_refused(headers):
    transport = AiohttpTransport("http://127.0.0.1:1", ClientOptions())
    with pytest.raises(ConfigurationError, match="header"):
        await transport.send(request("http://127.0.0.1:1", **headers))
    await transport.aclose()


@pytest.mark.parametrize("target", [b"/v2/x y", b"/v2/x\r\nX-A: 1", b"v2", b""])
async def test_a_target_that_would_change_the_request_is_refused(target):
    transport = AiohttpTransport("http://127.0.0.1:1", ClientOptions())
    asked = SignedRequest(method="GET", url="http://127.0.0.1:1", target=target, body=b"")
    with pytest.raises(ConfigurationError, match="URL"):
        await transport.send(asked)
    await transport.aclose()


async def test_a_connection_that_died_while_the_program_was_busy_is_not_used_again():
    """The event loop cannot have seen it: it did not run."""
    busy, dead = threading.Event(), threading.Event()

    def serve(listener):
        first, _ = listener.accept()
        first.recv(65_536)
        first.sendall(OK)
        busy.wait()
        first.close()
        dead.set()
        second, _ = listener.accept()
        second.recv(65_536)
        second.sendall(OK)
        second.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = AiohttpTransport(url, ClientOptions())
        await transport.send(request(url))
        busy.set()
        dead.wait()
        assert (await transport.send(request(url))).status_code == 200
        await transport.aclose()
        thread.join()


async def test_no_more_connections_stay_than_are_needed():
    async with Sandbox().serve() as server:
        options = ClientOptions(max_concurrency=8)
        async with MettlClient(
            server.credentials, base_url=server.base_url, options=options, transport="aiohttp"
        ) as mettl:
            await asyncio.gather(*(mettl.account.get() for _ in range(30)))
            lanes = mettl._shared.transport._free
            assert len(lanes) == 8
            await mettl.account.get()
            lanes[0].idle_since -= 60
            await mettl._shared.transport._sweep()
            assert len(lanes) == 7


def test_a_bulk_run_under_uvloop():
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not made for this platform")
    sandbox = Sandbox()
    sandbox.faults.script([None, "reset_before", None, "truncate", "reset_after"])

    async def run():
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
        async with (
            sandbox.serve() as server,
            MettlClient(server.credentials, base_url=server.base_url, transport="aiohttp") as mettl,
        ):
            return await mettl.candidates.register_many(
                server.access_key,
                (Candidate(email=f"c{n}@x.example", first_name="A") for n in range(400)),
            )

    report = uvloop.run(run())
    report.raise_for_failures()
    assert len(report.registered) == 400
    assert sandbox.stats.bad_signatures == 0


async def test_no_repr_of_a_transport_or_of_its_routes_shows_a_proxys_credentials():
    options = ClientOptions(proxy="http://bob:hunter2@127.0.0.1:1")
    lanes = AiohttpTransport("http://mettl.example", options)
    route = lanes._new_route(lanes._origin, lanes._proxy)
    assert b"Proxy-Authorization" in route.head
    for shown in (repr(route), repr(lanes)):
        assert "hunter2" not in shown
        assert "Ym9iOmh1bnRlcjI" not in shown
    await lanes.aclose()
