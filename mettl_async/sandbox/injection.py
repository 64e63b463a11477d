"""The outermost layer of the API: counts each request, injects its fault, sends its answer.

How a connection is reset or hung up is the server's affair: it puts two callables into the scope's
state under `RESET` and `HANG_UP`. A foreign server that has neither gets HTTP 502 instead.
"""

from __future__ import annotations

import logging
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define, field

from mettl_async.sandbox.envelope import dumps, failure, status_of
from mettl_async.sandbox.stats import Call

if TYPE_CHECKING:
    from random import Random

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mettl_async.sandbox.faults import Fault
    from mettl_async.sandbox.simulation import Simulation

RESET: Final = "mettl_async.sandbox.reset"
HANG_UP: Final = "mettl_async.sandbox.hang_up"
CALL: Final = "mettl_async.sandbox.call"  # the record that the inner layers fill in

_HANDLED: Final = frozenset({"reset_after", "truncate", "empty"})
_JSON: Final = b"application/json"  # without a charset: [seen], by inference
_HTML: Final = b"text/html;charset=utf-8"
_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"
)
_TITLES: Final = {
    200: b"Maintenance",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}

_log = logging.getLogger("mettl_async.sandbox")


@define(eq=False)
class RawResponse:
    """A response before it is sent."""

    status: int
    body: bytes
    content_type: bytes = _JSON
    headers: list[tuple[bytes, bytes]] = field(factory=list)


def _page(status: int) -> RawResponse:
    return RawResponse(status, _PAGE % ((_TITLES[status],) * 2), _HTML)


class FaultLayer:
    """ASGI middleware around the routes; see the module."""

    def __init__(
        self, inner: ASGIApp, simulation: Simulation, *, random: Random, real_statuses: bool
    ) -> None:
        self._inner = inner
        self._simulation = simulation
        self._random = random
        self._real_statuses = real_statuses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        faults, stats = self._simulation.faults, self._simulation.stats
        fault = faults.draw(self._random)
        call = Call(method=scope["method"], fault=None if fault is None else fault.label)
        scope[CALL] = call
        stats.began()
        try:
            wait = faults.wait(self._random)
            if wait:
                await anyio.sleep(wait)
            call.status = await self._serve(fault, scope, receive, send)
        finally:
            stats.ended(call)

    async def _serve(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> int:
        handled = fault is None or fault.kind in _HANDLED or fault.variant == "504"
        response = await self._handle(scope, receive) if handled else None
        if handled and response is None:
            return 0  # the client went away
        if fault is not None and fault.kind in {"reset_before", "reset_after"}:
            if await _disconnect(RESET, scope, receive):
                return 0
            response = _page(502)
        elif fault is not None and fault.kind == "truncate" and response is not None:
            half = response.body[: len(response.body) // 2]
            if fault.variant == "closed" and HANG_UP in scope.get("state", {}):
                await self._send(response, send, cut=half)
                await _disconnect(HANG_UP, scope, receive)
                return response.status
            response.body = half
        elif fault is not None:
            response = self._replacement(fault)
        if response is None:
            return 0
        await self._send(response, send)
        return response.status

    async def _handle(self, scope: Scope, receive: Receive) -> RawResponse | None:
        """Run the routes and collect their response; None if the client went away meanwhile."""
        response = RawResponse(0, b"")

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.content_type = dict(message["headers"]).get(b"content-type", _JSON)
            elif message["type"] == "http.response.body":
                response.body += message.get("body", b"")

        try:
            await self._inner(scope, receive, collect)
        except Exception as error:  # noqa: BLE001 - a bug here must not print candidate data
            _log.error("unhandled %s in the sandbox", place_of(error))
            scope[CALL].outcome = "E000"
            self._simulation.stats.handled("E000")
            return RawResponse(500, dumps(failure("E000")))
        return response if response.status else None

    def _replacement(self, fault: Fault) -> RawResponse:
        """Make what is answered instead of the real response."""
        kind, variant = fault.kind, fault.variant
        if kind == "empty":
            return RawResponse(200, b"")
        if kind == "html":
            return _page(200)
        if kind == "code" or variant in ("E509", "E408"):
            real = status_of(variant, real=self._real_statuses)
            return RawResponse(500 if variant == "E408" else real, dumps(failure(variant)))
        status, _, form = variant.partition("-")
        response = _page(int(status))
        if status == "429":
            seconds = self._simulation.faults.retry_after
            at = self._simulation.clock.now() + seconds
            value = formatdate(at, usegmt=True) if form == "date" else str(seconds)
            response.headers.append((b"retry-after", value.encode()))
        return response

    async def _send(self, response: RawResponse, send: Send, *, cut: bytes | None = None) -> None:
        headers = [
            (b"date", formatdate(self._simulation.clock.now(), usegmt=True).encode()),
            (b"content-type", response.content_type),
            (b"content-length", b"%d" % len(response.body)),
            *response.headers,
        ]
        body = response.body if cut is None else cut
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": cut is not None})


async def _disconnect(how: str, scope: Scope, receive: Receive) -> bool:
    """Break the connection and wait until it is broken; False if the server can't."""
    act = scope.get("state", {}).get(how)
    if act is None:
        return False
    act()
    while (await receive())["type"] != "http.disconnect":
        pass
    return True


def place_of(error: BaseException) -> str:
    """Name the kind and place of an error, nothing of its values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__name__}{where}"
