"""The outermost layer of the app: counts each request, injects its fault, sends its answer.

The pages for people stand outside: no faults there, and they don't count.

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
    from collections.abc import Callable
    from random import Random

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mettl_async.sandbox.faults import Fault, Faults
    from mettl_async.sandbox.stats import Stats

RESET: Final = "mettl_async.sandbox.reset"
HANG_UP: Final = "mettl_async.sandbox.hang_up"
EXCHANGE: Final = "mettl_async.sandbox.exchange"

_HANDLED: Final = frozenset({"reset_after", "truncate", "empty"})
_JSON: Final = b"application/json"  # without a charset: [seen], by inference
_HTML: Final = b"text/html;charset=utf-8"
_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"
)

_log = logging.getLogger("mettl_async.sandbox")


@define(eq=False)
class Exchange:
    """What the inner layers tell of one request."""

    operation: str = ""
    version: str = ""
    sent_in: str = ""
    parameters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    outcome: str = ""


@define(eq=False)
class FaultyResponse:
    """An answer before it is sent."""

    status: int
    body: bytes
    content_type: bytes = _JSON
    headers: list[tuple[bytes, bytes]] = field(factory=list)


def _page(status: int, title: bytes) -> FaultyResponse:
    return FaultyResponse(status, _PAGE % (title, title), _HTML)


class FaultLayer:
    """ASGI middleware around the routes; see the module."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        faults: Faults,
        stats: Stats,
        random: Random,
        now: Callable[[], float],
        error_http_status: bool,
    ) -> None:
        self.faults = faults
        self._inner = inner
        self._stats = stats
        self._random = random
        self._now = now
        self._real = error_http_status
        self._date = (0, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        exchange = scope[EXCHANGE] = Exchange()
        fault = self.faults.draw(self._random)
        status = 0
        self._stats.began()
        try:
            wait = self.faults.wait(self._random)
            if wait:
                await anyio.sleep(wait)
            status = await self._serve(fault, scope, receive, send)
        finally:
            self._stats.ended()
            self._stats.answered(
                Call(
                    method=scope["method"],
                    operation=exchange.operation,
                    version=exchange.version,
                    sent_in=exchange.sent_in,
                    parameters=exchange.parameters,
                    files=exchange.files,
                    status=status,
                    outcome=exchange.outcome,
                    fault=None if fault is None else fault.label,
                )
            )

    async def _serve(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> int:
        handled = fault is None or fault.kind in _HANDLED or fault.variant == "504"
        answer = await self._handle(scope, receive) if handled else None
        if handled and answer is None:
            return 0  # the client went away
        if fault is not None and fault.kind in {"reset_before", "reset_after"}:
            if await _disconnect(RESET, scope, receive):
                return 0
            answer = _page(502, b"Bad Gateway")
        elif fault is not None and fault.kind == "truncate" and answer is not None:
            half = answer.body[: len(answer.body) // 2]
            if fault.variant == "closed" and HANG_UP in scope.get("state", {}):
                await self._send(answer, send, cut=half)
                await _disconnect(HANG_UP, scope, receive)
                return answer.status
            answer.body = half
        elif fault is not None:
            answer = self._replacement(fault)
        if answer is None:
            return 0
        await self._send(answer, send)
        return answer.status

    async def _handle(self, scope: Scope, receive: Receive) -> FaultyResponse | None:
        """Run the routes and collect their answer; None if the client went away meanwhile."""
        answer = FaultyResponse(0, b"")

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.content_type = dict(message["headers"]).get(b"content-type", _JSON)
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        try:
            await self._inner(scope, receive, collect)
        except Exception as error:  # noqa: BLE001 - a bug here must not print candidate data
            _log.error("unhandled %s in the sandbox", place_of(error))
            scope[EXCHANGE].outcome = "E000"
            self._stats.handled("E000")
            return FaultyResponse(500, dumps(failure("E000")))
        return answer if answer.status else None

    def _replacement(self, fault: Fault) -> FaultyResponse:
        """Make what is answered instead of the real answer."""
        kind, variant = fault.kind, fault.variant
        if kind == "empty":
            return FaultyResponse(200, b"")
        if kind == "html":
            return _page(200, b"Maintenance")
        if kind == "code" or variant == "E509":
            status = status_of(variant, real=self._real)
            return FaultyResponse(status, dumps(failure(variant)))
        if variant == "E408":
            return FaultyResponse(500, dumps(failure(variant)))
        if variant in ("429", "429-date"):
            seconds = self.faults.retry_after
            value = (
                str(seconds) if variant == "429" else formatdate(self._now() + seconds, usegmt=True)
            )
            answer = _page(429, b"Too Many Requests")
            answer.headers.append((b"retry-after", value.encode()))
            return answer
        titles = {
            "500": b"Internal Server Error",
            "502": b"Bad Gateway",
            "503": b"Service Unavailable",
            "504": b"Gateway Timeout",
        }
        return _page(int(variant), titles[variant])

    async def _send(self, answer: FaultyResponse, send: Send, *, cut: bytes | None = None) -> None:
        headers = [
            (b"date", self._date_header()),
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            *answer.headers,
        ]
        body = answer.body if cut is None else cut
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": cut is not None})

    def _date_header(self) -> bytes:
        second = int(self._now())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]


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
