"""The part of ASGI that a receiver needs: a bounded body, the responses, the lifespan."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from attrs import frozen

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


@frozen
class HttpResponse:
    """A whole HTTP response.

    Attributes:
        status_code: HTTP status.
        text: Body, and line of the log; a constant, so it holds nobody's data.
        header: One more header.
        closes_connection: Whether the rest of a body is still coming, so that the connection is of no use.
    """

    status_code: int
    text: str = ""
    header: tuple[bytes, bytes] | None = None
    closes_connection: bool = False

    def __str__(self) -> str:
        return f"{self.status_code}: {self.text}"


_CHALLENGE: Final = (b"www-authenticate", b'Basic realm="webhooks", charset="UTF-8"')
_RETRY: Final = (b"retry-after", b"30")  # seconds; [assumed] nobody says whether Mettl heeds it
OK: Final = HttpResponse(200)
NOT_A_POST: Final = HttpResponse(405, "only POST is served", (b"allow", b"POST"))
WRONG_NETWORK: Final = HttpResponse(403, "the peer is in no allowed network")
WRONG_CREDENTIALS: Final = HttpResponse(401, "no credentials, or wrong ones", _CHALLENGE)
BAD_LENGTH: Final = HttpResponse(400, "content-length is not a number")
TOO_LARGE: Final = HttpResponse(413, "the body is too large", closes_connection=True)
TOO_SLOW: Final = HttpResponse(408, "the body did not come in time", closes_connection=True)
NOT_AN_EVENT: Final = HttpResponse(400, "the body is not an event")
UNREADABLE: Final = HttpResponse(400, "the event lacks what its type must have")
WRONG_CONTEXT: Final = HttpResponse(401, "context_data does not prove what it must", _CHALLENGE)
NOT_HANDLED: Final = HttpResponse(503, "the event could not be handled", _RETRY)
BUSY: Final = HttpResponse(503, "the event is being handled", _RETRY)


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
