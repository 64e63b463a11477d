"""What HTTP libraries log: nothing secret of our requests, and of everybody else's what it was."""

import contextlib
import logging

import httpx
import httpx2
import pytest
from raw_answers import answering

from mettl_async import CallError, ClientOptions, Credentials, MettlClient
from mettl_async.core.redaction import guarded
from mettl_async.core.request import SignedRequest
from mettl_async.core.transports.aiohttp_lanes import AiohttpTransport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.injected import InjectedTransport

TARGET = b"/v2/people/asha%40example.org?ak=PUBLIC&asgn=SIGNATURE&rd=asha@example.org"
ANSWER = (
    b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nSet-Cookie: JSESSIONID=COOKIE'\r\n"
    + b"".join(
        b"%b: https://h.example%b\r\n" % (name, TARGET)
        for name in (b"Location", b"Link", b"Content-Location", b"Refresh", b"X-Debug", b"Server")
    )
    + b"X-Echo: '\"asgn=SIGNATURE\"'\r\n\r\n{}"
)
SECRETS = ("PUBLIC", "SIGNATURE", "asha", "COOKIE", "LINK")
WAYS = ["httpx", "aiohttp", "injected httpx", "injected httpx2"]


@contextlib.asynccontextmanager
async def transport_of(way, base_url):
    options = ClientOptions(trust_env=False)
    if way.startswith("injected"):
        library = httpx2 if way.endswith("2") else httpx
        async with library.AsyncClient(trust_env=False) as client:
            yield InjectedTransport(client, options)
        return
    made = (LaneTransport if way == "httpx" else AiohttpTransport)(base_url, options)
    yield made
    await made.aclose()


@pytest.mark.parametrize("way", WAYS)
async def test_our_requests_and_their_answers_show_nothing_secret(way, all_logs):
    async with answering(ANSWER) as url, transport_of(way, url) as transport:
        request = SignedRequest(
            method="GET", url=url + TARGET.decode().partition("?")[0], target=TARGET, body=b"", headers={}
        )  # fmt: skip
        await transport.send(request)
        async with transport.stream(f"{url}/LINK/report.pdf?key=LINK") as download:
            assert [chunk async for chunk in download.chunks] == [b"{}"]
    log = "\n".join(all_logs)
    if way != "aiohttp":
        assert "receive_response_headers.complete" in log
        assert "Content-Length', b'2'" in log
        assert "Set-Cookie', b'<redacted>'" in log
    for secret in SECRETS:
        assert secret not in log


SPOILT = {
    "reason": b"200 asgn=SIGNATURE\r\nContent-Length: 2",
    "quoted reason": b'200 it\'s "SIGNATURE"\r\nContent-Length: 2',
    "space before the colon": b"200 OK\r\nContent-Length: 2\r\nSet-Cookie : session=COOKIE",
    "a name of other letters": b"200 OK\r\nContent-Length: 2\r\nSet-\xffCookie: COOKIE",
    "NUL": b"200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=COOKIE\x00",
    "no name": b"200 OK\r\n COOKIE: COOKIE\r\nContent-Length: 2",
    "no status": b"COOKIE",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spoilt", SPOILT)
async def test_what_is_wrong_with_an_answer_is_told_without_its_words(way, spoilt, all_logs):
    answer = b"HTTP/1.1 " + SPOILT[spoilt] + b"\r\n\r\n{}"
    async with answering(answer) as url, transport_of(way, url) as transport:
        request = SignedRequest(method="GET", url=f"{url}/x", target=b"/x", body=b"", headers={})
        with contextlib.suppress(CallError):
            await transport.send(request)
        await transport.aclose()
    assert all_logs
    for secret in SECRETS:
        assert secret not in "\n".join(all_logs)


@pytest.mark.parametrize("library", ["httpcore", "httpcore2"])
@pytest.mark.parametrize("login", [(b"user", b"SIGNATURE"), (b"server", b"'SIGNATURE)\""), None])
def test_the_password_of_a_socks_proxy_is_in_no_log(library, login, all_logs):
    MettlClient(Credentials(public_key="p", private_key="s"))
    with guarded():
        logging.getLogger(f"{library}.socks").debug(
            f"setup_socks5_connection.started stream=<S> host='h.example' port=443 auth={login!r}"  # noqa: G004
        )
    assert "host='h.example' port=443 auth=" in all_logs[-1]
    assert "SIGNATURE" not in all_logs[-1]


def shown(lines):
    """What was logged about requests, without what differs by chance."""
    texts = (line.partition(" {")[0] for line in lines)
    return [text for text in texts if "_request" in text or "receive_" in text or "HTTP" in text]


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_records_of_other_clients_stay_as_they_are(library, all_logs):
    keys = Credentials(public_key="p", private_key="s")
    url = "https://h.example" + TARGET.decode()

    async with answering(ANSWER) as base_url:

        async def mine():
            async with library.AsyncClient(trust_env=False) as client:
                await client.get(f"{base_url}/mine?key=mine&rd=me@example.org")

        await mine()
        before = shown(all_logs)
        async with MettlClient(keys, base_url=base_url), library.AsyncClient() as injected:
            MettlClient(keys, base_url=base_url, http_client=injected)
            await mine()
    assert shown(all_logs) == before * 2
    assert sum("mine?key=mine&rd=me@example.org" in line for line in all_logs) == 2
    assert sum(url in line for line in all_logs) == 2


def test_making_a_client_changes_no_level_handler_or_propagation():
    def state():
        return {
            name: (one.level, tuple(one.handlers), one.propagate, one.disabled)
            for name, one in logging.root.manager.loggerDict.items()
            if isinstance(one, logging.Logger)
        }

    before = state()
    MettlClient(Credentials(public_key="p", private_key="s"))
    after = state()
    assert {name: after[name] for name in before} == before
