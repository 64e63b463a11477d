"""What is signed is byte for byte what is sent: checked by a verifier that reads raw bytes.

The verifier below shares no line with the client or the sandbox: a bare socket, its own parser, its own
idea of the signature.
"""

import asyncio
import base64
import hashlib
import hmac
import ssl
from functools import partial

import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mettl_async import ClientOptions, Credentials, MettlClient
from mettl_async.api.endpoint import Endpoint, one
from mettl_async.config import ApiVersion
from mettl_async.core.request import Placement

KEYS = Credentials(public_key="ab12c345-6789-0123-456d-78e9f0123456", private_key="p-k")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NASTY = st.sampled_from(
    [
        "+",
        "&",
        "#",
        "%",
        '"',
        "\n",
        "%2B",
        "a+b&c=d#e%f",
        "😀",
        "नमस्ते",
        "a b",
        "?",
        "/",
        "\x00",
        "ü",
        "=",
        "\r\n",
    ]
)
TEXT = st.one_of(ANY_TEXT, NASTY, st.tuples(ANY_TEXT, NASTY).map("".join))
SEGMENT = TEXT.filter(lambda text: text.strip(".") != "")
NAMES = st.sampled_from(["rd", "sc", "pbts", "sort", "allowMissingMandatoryRegistrationFields"])


def unescape(raw):
    out, i = bytearray(), 0
    while i < len(raw):
        if raw[i : i + 1] == b"%":
            out.append(int(raw[i + 1 : i + 3], 16))
            i += 3
        else:
            assert raw[i : i + 1] not in b'+ "<>#' and raw[i] < 128, "left unescaped"
            out += raw[i : i + 1]
            i += 1
    return out.decode("utf-8")


def verify(raw, port):
    """The signed parameters of a raw request, or an AssertionError."""
    head, _, body = raw.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].split(b" ")
    path, _, query = target.partition(b"?")
    assert not (query and body), "parameters in two places"
    pairs = [pair.split(b"=") for pair in (query or body).split(b"&")]
    assert all(len(pair) == 2 for pair in pairs)
    params = {unescape(name): unescape(value) for name, value in pairs}
    assert len(params) == len(pairs), "a parameter was sent twice"
    text = method + f"http://127.0.0.1:{port}".encode() + path
    for name in sorted(params):
        if name != "asgn":
            text += b"\n" + params[name].encode()
    expected = base64.b64encode(hmac.new(b"p-k", text, hashlib.sha256).digest()).decode()
    assert params["asgn"] == expected
    return params


async def receive(send):
    """Start a bare server, let ``send(port)`` talk to it, and return the bytes it got."""
    got = []

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [
            int(line[15:])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        got.append(head + await reader.readexactly(sum(lengths)))
        body = b'{"status":"SUCCESS","x":1}'
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 20)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await send(port)
    assert len(got) == 1
    return got[0], port


async def call(port, endpoint, path, params, sender="httpx"):
    base_url = f"http://127.0.0.1:{port}"
    options = ClientOptions(max_url_bytes=60_000)
    if isinstance(sender, str):
        async with MettlClient(KEYS, base_url=base_url, options=options, transport=sender) as mettl:
            await mettl.pbts._caller.send(endpoint, path, params, lambda answer: None)
        return
    async with (
        sender(trust_env=False) as http_client,
        MettlClient(KEYS, base_url=base_url, options=options, http_client=http_client) as mettl,
    ):
        await mettl.pbts._caller.send(endpoint, path, params, lambda answer: None)


def endpoint(method, placement):
    return Endpoint(
        operation="test", method=method, path="/candidates/{email}", placement=placement, returns=one(dict, "x"),
        repeatable=True, versions=tuple(ApiVersion),
    )  # fmt: skip


# Each client of httpx would load its own.
CERTIFICATES = ssl.create_default_context()
CLIENTS = {
    "lanes": "httpx",
    "aiohttp": "aiohttp",
    "httpx": partial(httpx.AsyncClient, verify=CERTIFICATES),
    "httpx2": partial(httpx2.AsyncClient, verify=CERTIFICATES),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("method", "placement"),
    [
        ("GET", Placement.QUERY),
        ("POST", Placement.QUERY),
        ("POST", Placement.FORM),
        ("DELETE", Placement.QUERY),
    ],
)
@settings(max_examples=40)  # each sends a request
@given(params=st.dictionaries(NAMES, TEXT, max_size=4), segment=SEGMENT)
def test_no_text_signs_differently_from_what_is_sent(client, method, placement, params, segment):
    async def main():
        raw, port = await receive(
            lambda port: call(
                port, endpoint(method, placement), {"email": segment}, params, CLIENTS[client]
            )
        )
        sent = verify(raw, port)
        assert {name: sent[name] for name in params} == params
        assert set(sent) == {*params, "ak", "ts", "asgn"}
        path = raw.split(b" ")[1].partition(b"?")[0]
        assert path.rpartition(b"/")[2].replace(b"+", b"%2B").replace(b"@", b"%40").isascii()
        assert unescape(path.rpartition(b"/")[2].replace(b"+", b"%2B")) == segment

    asyncio.run(main())


def test_the_verifier_can_fail():
    async def main():
        raw, port = await receive(
            lambda port: call(
                port, endpoint("POST", Placement.FORM), {"email": "a@x.org"}, {"rd": "é"}
            )
        )
        verify(raw, port)
        with pytest.raises(AssertionError):
            verify(raw.replace(b"%C3%A9", b"%C3%A8"), port)
        with pytest.raises(AssertionError):
            verify(raw, port + 1)

    asyncio.run(main())
