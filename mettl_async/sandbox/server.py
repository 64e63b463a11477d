"""The sandbox on a socket: uvicorn's HTTP protocol on the running loop, and nothing else of it.

uvicorn's own server takes over the signal handlers and needs a few tenths of a second to stop, which
is right for a process and wrong for something embedded.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from mettl_async.sandbox.injection import HANG_UP, RESET

# A request line may be long: 20 candidates in a query.
_MOST_HEAD = 256 * 1024
# Longer than clients keep connections, so that none is closed under a request that is on its way.
_KEEP_ALIVE_SECONDS = 75
_LINGER_NOT = struct.pack("ii", 1, 0)


class _Connection(H11Protocol):
    """A connection that the app may reset or hang up, through the scope's state."""

    def __init__(self, config: uvicorn.Config, server_state: ServerState) -> None:
        super().__init__(config, server_state, {RESET: self._reset, HANG_UP: self._hang_up})

    def _reset(self) -> None:
        if self.transport.is_closing():
            return
        # Closing without lingering sends RST instead of FIN.
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.transport.abort()

    def _hang_up(self) -> None:
        self.transport.close()  # after what was written is out


def _cancellable(app: ASGIApp) -> ASGIApp:
    """Let a request that is cancelled by the stop end quietly: uvicorn would log a traceback."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            scope["state"][RESET]()
            while (await receive())["type"] != "http.disconnect":
                pass

    return serve


@asynccontextmanager
async def listening(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve an app while the block runs; gives the base URL.

    Raises:
        OSError: The address can't be bound.
    """
    config = uvicorn.Config(
        _cancellable(app),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=_MOST_HEAD,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: _Connection(config, state), host, port)
    try:
        yield _base_url(listener.sockets[0].getsockname())
    finally:
        listener.close()
        await _stop(state)
        await listener.wait_closed()


async def _stop(state: ServerState) -> None:
    for connection in list(state.connections):
        connection.transport.abort()
    while state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0)  # each connection is told that it is lost in a turn of its own
    tasks = list(state.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _base_url(address: tuple[Any, ...]) -> str:
    host, port = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0]), address[1]  # noqa: S104 - compared
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
