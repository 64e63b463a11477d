"""The part of ASGI that a receiver needs: a bounded body, an answer, the lifespan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from attrs import frozen

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class BodyTooLarge(Exception):  # noqa: N818 - never leaves the package
    """More bytes were announced or came than are allowed."""


class ClientLeft(Exception):  # noqa: N818 - same
    """The connection was lost before the whole body came."""


@frozen
class Answer:
    """A whole response.

    Attributes:
        status: Of HTTP.
        text: For whoever looks at it, and for the log; always the same, so there is no data in it.
        header: One more header.
        closes: Whether the connection is of no more use, since the rest of a body is on its way.
    """

    status: int
    text: str = ""
    header: tuple[bytes, bytes] | None = None
    closes: bool = False

    def __str__(self) -> str:
        return f"{self.status}: {self.text}"


OK = Answer(200)


def read_head(scope: Scope) -> tuple[bytes | None, bytes | None]:
    """Authorization and content-length of a request; None for what was not sent.

    What was sent twice, not the same, has no meaning and counts as empty.
    """
    authorization = length = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value if authorization in {None, value} else b""
        elif name == b"content-length":
            length = value if length in {None, value} else b""
    return authorization, length


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read a whole body, and never hold more than ``limit`` bytes and one message.

    Raises:
        BodyTooLarge: More came.
        ClientLeft: The client disconnected.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientLeft
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        if part:
            parts.append(part)


async def respond(scope: Scope, send: Send, answer: Answer) -> None:
    """Send a whole response."""
    text = answer.text.encode("ascii")
    headers = [(b"content-length", b"%d" % len(text))]
    if text:
        headers.append((b"content-type", b"text/plain"))
    if answer.header is not None:
        headers.append(answer.header)
    # Later versions of HTTP have no such header, and refuse it.
    if answer.closes and scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def live(receive: Receive, send: Send) -> None:
    """Say yes to startup and shutdown: there is nothing to open or to close."""
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Close before accepting, which servers answer with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": ""})
