"""The API as an ASGI app: counts each request, injects its fault, sends its response.

How a connection is reset or hung up is the server's affair: it puts two callables into the scope's
state under `RESET` and `HANG_UP`. A foreign server that has neither gets HTTP 502 instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from mettl_async.sandbox.envelope import failed
from mettl_async.sandbox.faults import Fault
from mettl_async.sandbox.simulation import Simulation
from mettl_async.sandbox.stats import Call

RESET: Final = "mettl_async.sandbox.reset"
HANG_UP: Final = "mettl_async.sandbox.hang_up"
MOST_BODY: Final = 8 * 1024 * 1024

_HANDLED: Final = frozenset({"reset_after", "truncate", "empty"})
# Answers a request with its body, of which None was too large, and fills in the record.
Handler = Callable[[Request, bytes | None, Call], Response]

_log = logging.getLogger("mettl_async.sandbox")


def _page(status: int) -> Response:
    title = "Maintenance" if status == 200 else HTTPStatus(status).phrase  # noqa: PLR2004 - HTTP
    return HTMLResponse(
        f"<!DOCTYPE html><html><head><title>{title}</title></head>"
        f"<body><h1>{title}</h1></body></html>\n",
        status,
    )


class FaultLayer:
    """The app around ``handle``."""

    def __init__(self, handle: Handler, simulation: Simulation) -> None:
        self._handle = handle
        self._simulation = simulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a server that asks for the lifespan goes on without."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        faults, stats = self._simulation.faults, self._simulation.stats
        random = self._simulation.fault_random
        fault = faults.draw(random)
        call = Call(method=scope["method"], fault=None if fault is None else fault.label)
        stats.began()
        ended = False

        async def counted(message: Message) -> None:
            # Before the last bytes leave, so that who has the answer finds it counted, in any thread.
            nonlocal ended
            if message["type"] == "http.response.start":
                call.status = message["status"]
            elif not message.get("more_body", False):
                ended = True
                stats.ended(call)
            await send(message)

        try:
            wait = faults.wait(random)
            if wait:
                await anyio.sleep(wait)
            await self._serve(fault, call, scope, receive, counted)
        except ClientDisconnect:
            pass
        finally:
            if not ended:
                stats.ended(call)

    async def _serve(
        self, fault: Fault | None, call: Call, scope: Scope, receive: Receive, send: Send
    ) -> None:
        response: Response | None = None
        if fault is None or fault.kind in _HANDLED or fault.variant == "504":
            response = await self._respond(Request(scope, receive), call)
        if fault is not None and fault.kind in {"reset_before", "reset_after"}:
            if await _disconnect(RESET, scope, receive):
                return
            response = _page(502)
        elif fault is not None and fault.kind == "truncate" and response is not None:
            half = response.body[: len(response.body) // 2]
            if fault.variant == "closed" and HANG_UP in scope.get("state", {}):
                self._date(response)
                start = {"status": response.status_code, "headers": response.raw_headers}
                await send({"type": "http.response.start", **start})
                await send({"type": "http.response.body", "body": half, "more_body": True})
                await _disconnect(HANG_UP, scope, receive)
                return
            response.body = half
            response.headers["content-length"] = str(len(half))
        elif fault is not None:
            response = self._replacement(fault)
        assert response is not None  # noqa: S101 - either handled or replaced
        self._date(response)
        await response(scope, receive, send)

    async def _respond(self, request: Request, call: Call) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            if len(body) <= MOST_BODY:
                body += chunk
        try:
            self._simulation.settle()
            return self._handle(request, bytes(body) if len(body) <= MOST_BODY else None, call)
        except Exception as error:  # noqa: BLE001 - a bug here must not print candidate data
            _log.error("unhandled %s in the sandbox", place_of(error))
            call.outcome = "E000"
            response = failed("E000")
            response.status_code = 500
            return response
        finally:
            if call.outcome:
                self._simulation.stats.outcomes[call.outcome] += 1

    def _date(self, response: Response) -> None:
        response.headers["date"] = formatdate(self._simulation.clock.now(), usegmt=True)

    def _replacement(self, fault: Fault) -> Response:
        """Make what is answered instead of the real response."""
        kind, variant = fault.kind, fault.variant
        if kind == "empty":
            return Response(b"", 200, media_type="application/json")
        if kind == "html":
            return _page(200)
        if kind == "code" or variant in ("E408", "E509"):
            response = failed(variant, real=self._simulation.error_http_status)
            if variant == "E408":
                response.status_code = 500
            return response
        status, _, form = variant.partition("-")
        response = _page(int(status))
        if status == "429":
            seconds = self._simulation.faults.retry_after
            at = formatdate(self._simulation.clock.now() + seconds, usegmt=True)
            response.headers["retry-after"] = at if form == "date" else str(seconds)
        return response


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
