"""A bare server for what no framework sends, and the four ways to it."""

import asyncio
import contextlib
import ssl
from pathlib import Path

from attrs import evolve

from mettl_async import ClientOptions
from mettl_async.core.request import SignedRequest

LOCALHOST = Path(__file__).parents[1] / "data" / "localhost.pem"
WAYS = ("plain", "tls", "forwarded", "tunnelled")


def get(url, method="GET"):
    return SignedRequest(method=method, url=f"{url}/v2/x", target=b"/v2/x", body=b"")


def answer(body=b"{}", *lines):
    head = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *lines]
    return b"\r\n".join([*head, b"", body])


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOCALHOST)
    return context


@contextlib.asynccontextmanager
async def raw_server(serve, way="plain", **options):
    """Handle each connection with ``serve(reader, writer)``; give a base URL and options to reach it."""
    tasks = set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            if way == "tunnelled":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                await writer.start_tls(server_context())
            await serve(reader, writer)
        writer.close()

    tls = server_context() if way == "tls" else None
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    made = ClientOptions(trust_env=False, **options)
    if way in {"tls", "tunnelled"}:
        made = evolve(made, ssl_context=ssl.create_default_context(cafile=LOCALHOST))
    if way in {"forwarded", "tunnelled"}:
        made = evolve(made, proxy=f"http://127.0.0.1:{port}")
    url = {
        "plain": f"http://127.0.0.1:{port}",
        "tls": f"https://localhost:{port}",
        "forwarded": "http://mettl.example",
        "tunnelled": "https://localhost",
    }[way]
    async with server:
        yield url, made
        await asyncio.gather(*tasks)
