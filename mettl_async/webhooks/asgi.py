"""The part of ASGI that a receiver needs: a bounded body, a response, the lifespan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from mettl_async.webhooks.responses import HttpResponse

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class BodyTooLarge(Exception):  # noqa: N818 - never leaves the package
    """More bytes came than are allowed."""


class ClientDisconnected(Exception):  # noqa: N818 - same
    """The connection was lost before the whole body came."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read a whole body, and never hold more than ``limit`` bytes and one message.

    Raises:
        BodyTooLarge: More than ``limit`` bytes came.
        ClientDisconnected: The client disconnected.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        if part:
            parts.append(part)


async def send_response(scope: Scope, send: Send, response: HttpResponse) -> None:
    """Send a whole response."""
    text = response.text.encode("ascii")
    headers = [(b"content-length", b"%d" % len(text))]
    if text:
        headers.append((b"content-type", b"text/plain"))
    if response.header is not None:
        headers.append(response.header)
    # Later versions of HTTP have no such header, and refuse it.
    if response.closes_connection and scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def serve_lifespan(receive: Receive, send: Send) -> None:
    """Confirm startup and shutdown: there is nothing to open or to close."""
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Close a websocket before it is accepted, which servers answer with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": ""})
