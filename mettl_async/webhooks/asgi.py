"""The part of ASGI that a receiver needs: the body, the answer, the lifespan."""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from mettl_async.errors import ConfigurationError
from mettl_async.webhooks.body import AsgiBody, Message, Receive
from mettl_async.webhooks.http import NOT_WHOLE, TOO_LARGE, TOO_SLOW, HeaderPairs, HttpAnswer

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Respond: TypeAlias = Callable[
    [str, HeaderPairs, AsyncIterable[bytes], str | None], Awaitable[HttpAnswer]
]

_logger = logging.getLogger("mettl_async.webhooks")


# The rest of the body is still coming, so the connection is of no use.
_CLOSING: Final = {NOT_WHOLE.status_code, TOO_SLOW.status_code, TOO_LARGE.status_code}


async def serve(respond: Respond, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request, or a lifespan; a websocket is refused.

    Raises:
        ConfigurationError: A scope of another type.
    """
    kind = scope["type"]
    if kind == "http":
        peer = scope.get("client")
        body = AsgiBody(receive)
        answer = await respond(scope["method"], scope["headers"], body, peer[0] if peer else None)
        try:
            await send_answer(scope, send, answer)
        except OSError:
            # How servers say it since ASGI 2.4. The event was handled all the same.
            _logger.debug("the client disconnected before the response")
    elif kind == "lifespan":
        await serve_lifespan(receive, send)
    elif kind == "websocket":
        await refuse_websocket(receive, send)
    else:
        raise ConfigurationError("only the scopes http and lifespan are served")


async def send_answer(scope: Scope, send: Send, answer: HttpAnswer) -> None:
    """Send a whole answer."""
    headers = [(b"content-length", b"%d" % len(answer.body))]
    for name, value in answer.headers.items():
        headers.append((name.encode("ascii"), value.encode("ascii")))
    # Later versions of HTTP have no such header, and refuse it.
    if answer.status in _CLOSING and scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def serve_lifespan(receive: Receive, send: Send) -> None:
    """Confirm startup and shutdown: there is nothing to open or to close."""
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Close a websocket before it is accepted, which servers answer with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": ""})
