"""Ten thousand calls at once to a server that is dying: how many requests that costs it."""

import asyncio
import socket
import struct
from contextlib import asynccontextmanager

import pytest

from mettl_async import ClientOptions, ConnectionLostError, Credentials, MettlClient, RetryPolicy
from mettl_async.core.retry import RETRY_COST

pytestmark = pytest.mark.slow

CALLS = 10_000
QUOTA = 500
AT_ONCE = 50
KEYS = Credentials(public_key="a", private_key="b")
RESET = struct.pack("ii", 1, 0)


class DyingServer:
    """Reads each request and resets the connection.

    Attributes:
        requests: It has read.
        most_at_once: Connections that were open together.
    """

    def __init__(self):
        self.requests = self.most_at_once = self.open = 0

    @asynccontextmanager
    async def on_a_socket(self):
        """Its base URL, while it lives."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=1024)
        async with server:
            host, port = server.sockets[0].getsockname()
            yield f"http://{host}:{port}"


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server, self.transport, self.read = server, None, b""

    def connection_made(self, transport):
        self.transport = transport
        self.server.open += 1
        self.server.most_at_once = max(self.server.most_at_once, self.server.open)

    def data_received(self, data):
        self.read += data
        if self.read.endswith(b"\r\n\r\n"):
            self.server.requests += 1
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()

    def connection_lost(self, exc):
        self.server.open -= 1


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_ten_thousand_calls_cost_at_most_the_quota_more(transport):
    options = ClientOptions(
        retry=RetryPolicy(max_attempts=5, backoff_base=0.001, deadline=600.0),
        retry_quota=QUOTA,
        max_concurrency=AT_ONCE,
        trust_env=False,
    )
    dying = DyingServer()
    async with (
        dying.on_a_socket() as base_url,
        MettlClient(KEYS, base_url=base_url, options=options, transport=transport) as mettl,
    ):
        errors = await asyncio.gather(
            *(mettl.schedules.get("abc123") for _ in range(CALLS)), return_exceptions=True
        )
    assert {type(error) for error in errors} == {ConnectionLostError}
    assert dying.requests == CALLS + QUOTA // RETRY_COST
    # What callers are told adds up to what the server saw.
    assert sum(error.attempts for error in errors) == dying.requests
    assert dying.most_at_once <= AT_ONCE
