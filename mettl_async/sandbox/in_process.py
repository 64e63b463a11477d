"""The sandbox without a socket: httpx transports."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import anyio
import anyio.lowlevel
import httpx

from mettl_async.sandbox.candidates import candidate_link
from mettl_async.sandbox.envelope import dumps, failure, loads
from mettl_async.sandbox.injection import HANG_UP, RESET
from mettl_async.sandbox.state import fold_email

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message

    from mettl_async.sandbox.stats import Stats


def _target(request: httpx.Request) -> bytes:
    """Give the bytes that would follow the method on the wire, as httpcore decides it."""
    target: bytes = request.extensions.get("target", request.url.raw_path)
    return target


class _CutBody(httpx.AsyncByteStream):
    """A body whose connection breaks in the middle."""

    def __init__(self, part: bytes, request: httpx.Request) -> None:
        self._part = part
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._part
        raise httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body", request=self._request
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
        raw_path, _, query = _target(request).partition(b"?")
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
        if not conversation.complete:
            return httpx.Response(
                conversation.status,
                headers=conversation.headers,
                stream=_CutBody(bytes(conversation.body), request),
            )
        return httpx.Response(
            conversation.status, headers=conversation.headers, content=bytes(conversation.body)
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


class StubTransport(httpx.AsyncBaseTransport):
    """Answers registrations with links, checks nothing and remembers nothing but counters."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self._stats.began()
        try:
            content = await request.aread()
            await anyio.lowlevel.checkpoint()  # let others run: a real answer never comes at once
            path, _, query = _target(request).partition(b"?")
            answer = self._register(request, path, query or content)
        finally:
            self._stats.in_flight -= 1
        return httpx.Response(
            200, headers={"content-type": "application/json"}, content=dumps(answer)
        )

    def _register(self, request: httpx.Request, path: bytes, pairs: bytes) -> dict[str, Any]:
        if not path.rstrip(b"/").endswith(b"/candidates") or request.method != "POST":
            return failure("E404")
        for pair in pairs.split(b"&"):
            if pair.startswith(b"rd="):
                text = unquote_to_bytes(pair[3:].replace(b"+", b" ")).decode()
                break
        else:
            return failure("E400", "rd is required")
        details = loads(text)["registrationDetails"]
        self._stats.largest_batch = max(self._stats.largest_batch, len(details))
        base = candidate_link(f"{request.url.scheme}://{request.url.netloc.decode()}", "")
        return {
            "status": "SUCCESS",
            "registrationStatus": [_stub_item(base, path, d["Email Address"]) for d in details],
        }


def _stub_item(base: str, path: bytes, email: str) -> dict[str, str]:
    ecc = blake2b(path + b"\n" + fold_email(email).encode(), digest_size=20).hexdigest()
    return {
        "email": email,
        "status": "ToBeTaken",
        "message": f"Candidate ('{email}') successfully registered for the test",
        "url": base + ecc,
    }
