"""The transport: exact headers, proxies, TLS, and what each exception means."""

import asyncio
import base64
import contextlib
import gzip
import itertools
import ssl
from pathlib import Path

import httpx
import httpx2
import pytest

from mettl_async import (
    ClientOptions,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    MettlDecodeError,
    TransportTimeoutError,
)
from mettl_async.core.request import FORM_CONTENT_TYPE, SignedRequest
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.injected import InjectedTransport
from mettl_async.core.transports.proxies import proxy_of
from mettl_async.core.transports.tls import new_tls_context
from mettl_async.core.transports.translation import translate


@pytest.fixture(params=[LaneTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport_of(request):
    """Both transports of our own: they keep the same promises."""
    return request.param


def request(base_url, *, body=b"a=1", target=b"/v2/x", method="POST"):
    return SignedRequest(
        method=method, url=f"{base_url}/v2/x", target=target, body=body,
        headers={"Content-Type": FORM_CONTENT_TYPE} if body else {},
    )  # fmt: skip


@contextlib.asynccontextmanager
async def server_of(serve):
    """A server whose connections are all handled by ``serve(reader, writer)``."""
    tasks = set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def recording_server(reply):
    """A bare server that keeps raw request heads and bodies, and answers each with ``reply``."""
    seen = []

    async def serve(reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = [
                int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")
            ]
            seen.append((head, await reader.readexactly(sum(size))))
            writer.write(reply)
            await writer.drain()

    async with server_of(serve) as url:
        yield url, seen


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\n{}"


async def test_a_lane_sends_these_headers_and_no_others(transport_of):
    async with recording_server(OK) as (url, seen):
        lanes = transport_of(url, ClientOptions(user_agent="acme-ats/3.1"))
        answer = await lanes.send(request(url))
        await lanes.send(request(url, body=b"", target=b"/v2/x?q=%20+", method="GET"))
        await lanes.aclose()
    (first, body), (second, nothing) = seen
    assert first.split(b"\r\n")[0] == b"POST /v2/x HTTP/1.1"
    names = {line.split(b":")[0].lower() for line in first.split(b"\r\n")[1:] if line}
    assert names == {
        b"host",
        b"user-agent",
        b"accept",
        b"accept-encoding",
        b"content-length",
        b"content-type",
    }
    assert b"acme-ats/3.1" in first
    assert b"mettl-async/" in first
    assert body == b"a=1"
    assert second.split(b"\r\n")[0] == b"GET /v2/x?q=%20+ HTTP/1.1"
    assert b"content-length" not in second.lower()
    assert nothing == b""
    assert (answer.status_code, answer.content, answer.headers["x-a"]) == (200, b"{}", "1, 2")


async def test_a_compressed_answer_is_unpacked_and_a_broken_one_is_typed(transport_of):
    packed = gzip.compress(b'{"x":1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    async with recording_server(head % len(packed) + packed) as (url, _):
        lanes = transport_of(url, ClientOptions())
        assert (await lanes.send(request(url))).content == b'{"x":1}'
        await lanes.aclose()
    async with recording_server(head % 4 + b"junk") as (url, _):
        lanes = transport_of(url, ClientOptions())
        with pytest.raises(MettlDecodeError) as caught:
            await lanes.send(request(url))
        assert caught.value.sent
        await lanes.aclose()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_used_unless_told_otherwise(
    transport_of, monkeypatch, variable
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with recording_server(OK) as (proxy, seen):
        monkeypatch.setenv(variable, proxy.removeprefix("http://"))
        target = "http://mettl.example"
        lanes = transport_of(target, ClientOptions())
        await lanes.send(request(target, target=b"/v2/x?q=1"))
        await lanes.aclose()
        assert seen[0][0].split(b"\r\n")[0] == b"POST http://mettl.example/v2/x?q=1 HTTP/1.1"
        assert b"Host: mettl.example\r\n" in seen[0][0]
        assert proxy_of(target, ClientOptions(trust_env=False)) is None
        assert proxy_of(target, ClientOptions(proxy="http://p:1")).host == "p"


async def test_a_proxy_that_cannot_be_is_a_configuration_error(transport_of):
    with pytest.raises(ConfigurationError, match="proxy"):
        transport_of("https://h.example", ClientOptions(proxy="gopher://p:1"))


async def test_tls_that_does_not_verify_was_not_sent(transport_of):
    async with recording_server(OK) as (url, seen):
        https = url.replace("http:", "https:")
        lanes = transport_of(https, ClientOptions(connect_timeout=0.5))
        with pytest.raises((ConnectError, TransportTimeoutError)) as caught:
            await lanes.send(request(https))
        assert not caught.value.sent
        await lanes.aclose()
    assert seen == []


async def test_own_certificates_are_used():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lanes = LaneTransport("https://h.example", ClientOptions(ssl_context=context))
    assert lanes._context_for(lanes._route) is context


async def test_an_unknown_host_was_not_sent(transport_of):
    lanes = transport_of("https://no-such-host.invalid", ClientOptions(trust_env=False))
    with pytest.raises((ConnectError, TransportTimeoutError)) as caught:
        await lanes.send(request("https://no-such-host.invalid"))
    assert not caught.value.sent
    assert "no-such-host" not in repr(caught.value.__context__)
    await lanes.aclose()


FAMILIES = [
    ("ConnectError", ConnectError, False),
    ("ConnectTimeout", TransportTimeoutError, False),
    ("PoolTimeout", TransportTimeoutError, False),
    ("ReadTimeout", TransportTimeoutError, True),
    ("WriteTimeout", TransportTimeoutError, True),
    ("ReadError", ConnectionLostError, True),
    ("WriteError", ConnectionLostError, True),
    ("CloseError", ConnectionLostError, True),
    ("RemoteProtocolError", ConnectionLostError, True),
    ("LocalProtocolError", ConnectionLostError, True),
    ("ProxyError", ConnectError, False),
    ("UnsupportedProtocol", ConnectError, False),
    ("DecodingError", MettlDecodeError, True),
]


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize(("name", "kind", "sent"), FAMILIES)
def test_each_exception_of_both_families_is_translated(library, name, kind, sent):
    exception = getattr(library, name)("secret https://h/?asgn=SECRET", request=None)
    known, unknown = translate(exception, {"connect": 5.0}), translate(exception)
    assert type(known) is type(unknown) is kind
    assert (known.sent, unknown.sent) == (sent, True)
    assert "SECRET" not in str(unknown)


def test_other_exceptions_are_left_alone():
    class ReadTimeout(Exception):  # noqa: N818 - the name is the point
        """Looks like one of httpx's, and is not."""

    assert translate(ReadTimeout()) is None
    assert translate(ValueError()) is None


def test_what_is_no_client_is_refused():
    with pytest.raises(ConfigurationError, match="build_request"):
        InjectedTransport(object(), ClientOptions())


async def test_a_programming_error_in_an_injected_client_comes_through():
    def explode(_):
        raise ZeroDivisionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(explode)) as client:
        transport = InjectedTransport(client, ClientOptions())
        with pytest.raises(ZeroDivisionError):
            await transport.send(request("https://h.example"))


async def test_errors_carry_no_trace_of_the_http_librarys_exception(transport_of):
    async with recording_server(b"") as (url, _):
        lanes = transport_of(url, ClientOptions(read_timeout=0.05))
        with pytest.raises(TransportTimeoutError) as caught:
            await lanes.send(request(url))
        await lanes.aclose()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_a_cancelled_call_throws_its_lane_away(transport_of):
    async with recording_server(b"") as (url, seen):
        lanes = transport_of(url, ClientOptions())
        task = asyncio.create_task(lanes.send(request(url)))
        while not seen:  # noqa: ASYNC110 - the server is another task's, and tells nobody
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert lanes._free == []
        await lanes.aclose()


async def test_https_through_a_proxy_asks_for_a_tunnel_and_shows_nothing_else(transport_of):
    async with recording_server(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n") as (proxy, seen):
        lanes = transport_of("https://mettl.example", ClientOptions(proxy=proxy))
        with pytest.raises(ConnectError, match="proxy") as caught:
            await lanes.send(
                request("https://mettl.example", target=b"/v2/x?rd=secret&asgn=secret")
            )
        await lanes.aclose()
    assert seen[0][0].split(b"\r\n")[0] == b"CONNECT mettl.example:443 HTTP/1.1"
    assert b"secret" not in b"".join(head + body for head, body in seen)
    assert not caught.value.sent


async def test_a_connection_that_the_server_closed_while_idle_is_not_used_again(transport_of):
    async def once(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(3)
        writer.write(OK)
        await writer.drain()

    async with server_of(once) as url:
        lanes = transport_of(url, ClientOptions())
        for _ in range(3):
            assert (await lanes.send(request(url))).status_code == 200
            await asyncio.sleep(0.02)
        assert len(lanes._free) == 1
        await lanes.aclose()


async def test_certificates_that_cannot_be_loaded_are_a_configuration_error(
    transport_of, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    lanes = transport_of("https://h.example", ClientOptions())
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        await lanes.send(request("https://h.example"))
    assert new_tls_context(trust_env=False)


async def test_an_event_hook_that_raises_for_a_status_changes_nothing():
    async def hook(response):
        response.raise_for_status()

    mock = httpx.MockTransport(lambda _: httpx.Response(404, json={"a": 1}))
    async with httpx.AsyncClient(transport=mock, event_hooks={"response": [hook]}) as client:
        answer = await InjectedTransport(client, ClientOptions()).send(request("https://h.example"))
    assert (answer.status_code, answer.content) == (404, b'{"a":1}')


@pytest.mark.parametrize(
    "changes", [{"params": {"x": "1"}}, {"base_url": "https://other.example/p/"}]
)
async def test_an_injected_client_that_changes_the_url_is_refused(changes):
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200)), **changes
    ) as client:
        transport = InjectedTransport(client, ClientOptions())
        if "params" in changes:
            with pytest.raises(ConfigurationError, match="changes the URL"):
                await transport.send(request("https://h.example"))
        else:  # a base URL does not touch an absolute one
            assert (await transport.send(request("https://h.example"))).status_code == 200


async def test_an_injected_clients_own_auth_is_not_used():
    seen = []

    def keep(sent):
        seen.append(sent)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(keep), auth=("u", "p")) as client:
        await InjectedTransport(client, ClientOptions()).send(request("https://h.example"))
    assert "authorization" not in seen[0].headers


async def test_injected_clients_that_are_sync_or_closed_are_refused_clearly():
    with httpx.Client() as sync, pytest.raises(ConfigurationError, match="not async"):
        InjectedTransport(sync, ClientOptions())
    async with httpx.AsyncClient() as client:
        transport = InjectedTransport(client, ClientOptions())
    with pytest.raises(ConfigurationError, match="closed"):
        await transport.send(request("https://h.example"))


async def test_errors_have_no_cause_either(transport_of):
    lanes = transport_of("http://127.0.0.1:1", ClientOptions())
    with pytest.raises(ConnectError) as caught:
        await lanes.send(request("http://127.0.0.1:1"))
    assert caught.value.__cause__ is None
    await lanes.aclose()


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
@pytest.mark.parametrize("kept", [0, 1], ids=["new", "kept"])
async def test_nothing_is_sent_twice_when_the_server_hangs_up_without_an_answer(
    transport_of, method, kept
):
    seen = []

    async def serve(reader, writer):
        while True:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            if len(seen) > kept:
                return
            writer.write(OK)

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        for _ in range(kept):
            await lanes.send(request(url, body=b"", method=method))
        with pytest.raises(ConnectionLostError) as caught:
            await lanes.send(request(url, body=b"", method=method))
        await lanes.aclose()
    assert caught.value.sent
    assert len(seen) == kept + 1


@pytest.mark.parametrize(
    "answer", [OK.replace(b": 2", b": 20"), b"SSH-2.0-OpenSSH\r\n\r\n"], ids=["short", "other"]
)
async def test_an_answer_that_breaks_off_or_is_none_was_sent(transport_of, answer):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\na=1")
        writer.write(answer)

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        with pytest.raises(ConnectionLostError) as caught:
            await lanes.send(request(url))
        await lanes.aclose()
    assert caught.value.sent
    assert caught.value.__context__ is None


async def test_the_targets_bytes_go_out_as_they_are(transport_of):
    target = b"/v2/x/a@b+c/%2f%2F..%2e?q=%20+%2B;:@,&%c3%bc=%e2&a=//&ts=1#"[:-1]
    async with recording_server(OK) as (url, seen):
        lanes = transport_of(url, ClientOptions())
        await lanes.send(request(url, target=target))
        await lanes.aclose()
    assert seen[0][0].split(b"\r\n")[0] == b"POST " + target + b" HTTP/1.1"


async def test_a_large_body_arrives_whole(transport_of):
    body = bytes(range(256)) * 8192
    async with recording_server(OK) as (url, seen):
        lanes = transport_of(url, ClientOptions())
        assert (await lanes.send(request(url, body=body))).status_code == 200
        await lanes.aclose()
    assert seen[0][1] == body


async def test_head_and_body_leave_in_one_packet(transport_of):
    packets = []

    async def serve(reader, writer):
        packets.append(await reader.read(65_536))
        writer.write(OK)

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        await lanes.send(request(url, body=b"x" * 1000))
        await lanes.aclose()
    assert packets[0].endswith(b"\r\n\r\n" + b"x" * 1000)


async def test_a_server_that_stops_reading_runs_into_the_write_timeout(transport_of):
    done = asyncio.Event()

    async def serve(reader, _):
        await reader.readuntil(b"\r\n\r\n")
        await done.wait()

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions(write_timeout=0.1, read_timeout=30))
        with pytest.raises(TransportTimeoutError, match="sending") as caught:
            await lanes.send(request(url, body=bytes(16_000_000)))
        await lanes.aclose()
        done.set()
    assert caught.value.sent


async def test_a_silent_tls_server_runs_into_the_connect_timeout(transport_of):
    async def serve(reader, _):
        await reader.read()

    async with server_of(serve) as url:
        https = url.replace("http:", "https:")
        lanes = transport_of(https, ClientOptions(connect_timeout=0.1, read_timeout=3600))
        async with asyncio.timeout(30):
            with pytest.raises(TransportTimeoutError, match="connecting") as caught:
                await lanes.send(request(https))
        await lanes.aclose()
    assert not caught.value.sent


async def test_interim_answers_are_passed_over(transport_of):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with recording_server(hints + OK) as (url, _):
        lanes = transport_of(url, ClientOptions())
        answers = [await lanes.send(request(url)) for _ in range(2)]
        await lanes.aclose()
    assert [one.status_code for one in answers] == [200, 200]


async def test_a_proxys_user_and_password_go_to_the_proxy(transport_of):
    async with recording_server(OK) as (proxy, seen):
        options = ClientOptions(proxy=proxy.replace("//", "//us%40er:pa%3Ass@"))
        lanes = transport_of("http://mettl.example", options)
        await lanes.send(request("http://mettl.example"))
        await lanes.aclose()
    credentials = base64.b64encode(b"us@er:pa:ss")
    assert b"proxy-authorization: basic " + credentials.lower() in seen[0][0].lower()


async def test_closing_lets_what_is_in_flight_finish(transport_of):
    begun, go = asyncio.Event(), asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\na=1")
        begun.set()
        await go.wait()
        writer.write(OK)

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        task = asyncio.create_task(lanes.send(request(url)))
        await begun.wait()
        await lanes.aclose()
        go.set()
        assert (await task).status_code == 200
        assert lanes._free == []
        assert getattr(lanes, "_connector", None) is None
        await lanes.aclose()


async def test_a_download_is_asked_for_by_its_very_address_and_follows_no_redirect(transport_of):
    moved = b"HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 3\r\n\r\nabc"
    async with recording_server(moved) as (url, seen):
        lanes = transport_of(url, ClientOptions())
        async with lanes.stream(f"{url}/r/%252F?key=a%2Bb+c#part") as download:
            body = b"".join([chunk async for chunk in download.chunks])
        await lanes.aclose()
    assert (download.status_code, download.headers["location"], body) == (302, "/b", b"abc")
    lines = seen[0][0].split(b"\r\n")
    assert lines[0] == b"GET /r/%252F?key=a%2Bb+c HTTP/1.1"
    assert {line.split(b":")[0].lower() for line in lines[1:] if line} <= {
        b"host", b"accept-encoding", b"user-agent", b"accept", b"connection",
    }  # fmt: skip
    assert len(seen) == 1


async def test_a_download_that_breaks_off_is_an_error_without_its_address(transport_of, all_logs):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b": 2", b": 20"))

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        with pytest.raises(ConnectionLostError) as caught:
            async with lanes.stream(f"{url}/r?key=SECRET") as download:
                async for _ in download.chunks:
                    pass
        await lanes.aclose()
    assert "SECRET" not in f"{caught.value!r}{caught.value.__context__!r}{all_logs}"


LOCALHOST = Path(__file__).parents[1] / "data" / "localhost.pem"


@contextlib.asynccontextmanager
async def tls_server(name):
    """A server that shows the certificate of "localhost", under ``name``; and what it was asked."""
    seen = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOCALHOST)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://{name}:{server.sockets[0].getsockname()[1]}", seen


@pytest.mark.parametrize("way", ["send", "stream"])
async def test_a_server_that_only_own_certificates_vouch_for_is_asked(transport_of, way):
    options = ClientOptions(ssl_context=ssl.create_default_context(cafile=LOCALHOST))
    async with tls_server("localhost") as (url, seen):
        lanes = transport_of(url, options)
        if way == "send":
            assert (await lanes.send(request(url))).status_code == 200
        else:
            async with lanes.stream(f"{url}/report") as download:
                assert download.status_code == 200
        await lanes.aclose()
    assert len(seen) == 1


async def test_own_certificates_vouch_for_a_report_too_where_the_api_is_plain_http(transport_of):
    options = ClientOptions(ssl_context=ssl.create_default_context(cafile=LOCALHOST))
    async with tls_server("localhost") as (url, _), recording_server(OK) as (plain, _):
        lanes = transport_of(plain, options)
        assert (await lanes.send(request(plain))).status_code == 200
        async with lanes.stream(f"{url}/report") as download:
            assert download.status_code == 200
        await lanes.aclose()


@pytest.mark.parametrize("way", ["send", "stream"])
@pytest.mark.parametrize(
    ("name", "own"), [("localhost", False), ("127.0.0.1", True)], ids=["stranger", "other name"]
)
async def test_a_server_whose_certificate_is_not_its_own_is_told_nothing(
    transport_of, name, own, way
):
    context = ssl.create_default_context(cafile=LOCALHOST) if own else None
    async with tls_server(name) as (url, seen):
        lanes = transport_of(url, ClientOptions(ssl_context=context))
        with pytest.raises(ConnectError) as caught:
            if way == "send":
                await lanes.send(request(url))
            else:
                async with lanes.stream(f"{url}/report"):
                    pass
        await lanes.aclose()
    assert not caught.value.sent
    assert seen == []


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(transport_of):
    late, numbers = asyncio.Event(), itertools.count()

    async def serve(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\na=1")
            number = next(numbers)
            if number == 0:
                await late.wait()
            writer.write(OK.replace(b"{}", b"%02d" % number))

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions(read_timeout=0.1))
        with pytest.raises(TransportTimeoutError):
            await lanes.send(request(url))
        late.set()
        assert (await lanes.send(request(url))).content == b"01"
        await lanes.aclose()


async def test_a_body_that_stops_midway_runs_into_the_read_timeout(transport_of):
    done = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\na=1")
        writer.write(OK.replace(b": 2", b": 20"))
        await done.wait()

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions(read_timeout=0.1))
        async with asyncio.timeout(30):
            with pytest.raises(
                TransportTimeoutError, match=r"read timed out after 0\.\d+ s"
            ) as caught:
                await lanes.send(request(url))
        done.set()
        await lanes.aclose()
    assert caught.value.sent


@pytest.mark.parametrize(("kept", "connections"), [(3600.0, 1), (0.0, 2)], ids=["in time", "over"])
async def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    transport_of, monkeypatch, kept, connections
):
    monkeypatch.setattr("mettl_async.core.transports.idle.KEEPALIVE_SECONDS", kept)
    made = []

    async def serve(reader, writer):
        made.append(writer)
        while True:
            await reader.readuntil(b"\r\n\r\na=1")
            writer.write(OK)

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        for _ in range(2):
            assert (await lanes.send(request(url))).status_code == 200
            await asyncio.sleep(0.05)
        await lanes.aclose()
    assert len(made) == connections


async def test_a_download_that_is_left_midway_closes_its_connection(transport_of):
    closed = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b": 2", b": 20"))
        with contextlib.suppress(ConnectionError):
            await reader.read()
        closed.set()

    async with asyncio.timeout(30), server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        async with lanes.stream(f"{url}/report") as download:
            assert download.status_code == 200
        await closed.wait()
        await lanes.aclose()


async def test_words_that_came_while_a_connection_was_idle_are_nobodys_answer(transport_of):
    said = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\na=1")
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(OK.replace(b"{}", b"[]"))
        said.set()
        await reader.read()

    async with server_of(serve) as url:
        lanes = transport_of(url, ClientOptions())
        assert (await lanes.send(request(url))).content == b"{}"
        await said.wait()
        await asyncio.sleep(0.05)
        assert (await lanes.send(request(url))).content == b"{}"
        await lanes.aclose()
