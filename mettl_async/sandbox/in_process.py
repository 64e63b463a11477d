"""The sandbox without a socket, as a transport of httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote_to_bytes

import anyio
import httpx
from starlette.types import ASGIApp, Message

from mettl_async.sandbox.injection import HANG_UP, RESET


async def _cut(part: bytes, request: httpx.Request) -> AsyncIterator[bytes]:
    """Give a body whose connection breaks in the middle."""
    yield part
    raise httpx.RemoteProtocolError(
        "peer closed connection without sending complete message body", request=request
    )


class InProcessTransport(httpx.AsyncBaseTransport):
    """Calls the app in the caller's task; faults come out as httpx's own exceptions.

    A reset is ``httpx.ReadError``, a body cut by a closed connection ``httpx.RemoteProtocolError``,
    latency beyond the request's read timeout ``httpx.ReadTimeout``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        content = await request.aread()
        # The bytes that would follow the method on the wire, as httpcore decides it.
        target: bytes = request.extensions.get("target", request.url.raw_path)
        raw_path, _, query = target.partition(b"?")
        conversation = _Conversation(content)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": (request.url.host, request.url.port),
            "state": {RESET: conversation.break_off, HANG_UP: conversation.break_off},
        }
        seconds = request.extensions.get("timeout", {}).get("read")
        try:
            with anyio.fail_after(seconds):
                await self._app(scope, conversation.receive, conversation.send)
        except TimeoutError:
            raise httpx.ReadTimeout("the sandbox was too slow", request=request) from None
        if not conversation.status:
            raise httpx.ReadError("connection reset by the sandbox", request=request)
        body = bytes(conversation.body)
        return httpx.Response(
            conversation.status,
            headers=conversation.headers,
            content=body if conversation.complete else _cut(body, request),
        )


class _Conversation:
    """One request and its answer, as the two ASGI callables see them."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.complete = False
        self._broken = anyio.Event()

    def break_off(self) -> None:
        self._broken.set()

    async def receive(self) -> Message:
        if self._broken.is_set() or self._content is None:
            await self._broken.wait()
            return {"type": "http.disconnect"}
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)
