"""The API: its paths, and what happens to every request before its endpoint.

Order: path (E404), method (E405), parameters (E400), timestamp (E504), key (E403), signature (E401).
The last three are in the documented order; that the first come before is [assumed].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from mettl_async.sandbox import (  # noqa: F401 - imported so that they declare their endpoints
    account_endpoints,
    assessment_endpoints,
    candidate_endpoints,
    result_endpoints,
    schedule_endpoints,
)
from mettl_async.sandbox.envelope import RefusalError, bad_request, dumps, failure, status_of
from mettl_async.sandbox.injection import CALL
from mettl_async.sandbox.multipart import FORM_DATA, Parts, read_parts
from mettl_async.sandbox.reports import HTML_PATH, PDF_PATH, make_pdf, read_report
from mettl_async.sandbox.request import ENDPOINTS, ApiRequest, Endpoint
from mettl_async.sandbox.signature import check_signature, check_timestamp, read_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mettl_async.sandbox.simulation import Simulation
    from mettl_async.sandbox.stats import Call

REPORTS: Final = {PDF_PATH: "reports.pdf", HTML_PATH: "reports.html"}
MOST_BODY: Final = 8 * 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded"

Render = Callable[..., bytes]  # a template's name and its values


def make_api(simulation: Simulation, *, real_statuses: bool, render: Render) -> ASGIApp:
    """Make the app of the API and of the reports, without faults."""
    paths: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for endpoint in reversed(ENDPOINTS):  # the busiest are found first
        for version in endpoint.versions:
            paths[f"/{version}{endpoint.path}"][endpoint.method] = endpoint
    paths["/{anything:path}"] = {}
    api = Starlette(
        routes=[
            *(Route(path, _ReportPath(simulation, name, render)) for path, name in REPORTS.items()),
            *(
                Route(path, _ApiPath(simulation, methods, real_statuses=real_statuses))
                for path, methods in paths.items()
            ),
        ]
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Paths are matched as they were sent, so that an email may have an escaped slash. One
            # client asks with a slash at the end [seen]; it is signed so and matched without.
            path: str = scope["raw_path"].decode("latin-1")
            scope = {**scope, "path": path[:-1] if path[1:].endswith("/") else path}
            simulation.settle()
        await api(scope, receive, send)

    return app


class _ReportPath:
    """A report link: no parameters of ours, no signature."""

    def __init__(self, simulation: Simulation, operation: str, render: Render) -> None:
        self._simulation = simulation
        self._operation = operation
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call: Call = scope[CALL]
        call.operation = self._operation
        query: str = scope["query_string"].decode("latin-1")
        call.sent_in = "query" if query else ""
        call.parameters = tuple(sorted(pair.partition("=")[0] for pair in query.split("&")))
        status, media_type, body = 405, "text/html;charset=utf-8", b""
        if scope["method"] == "GET":
            simulation = self._simulation
            now = simulation.clock.now()
            report = read_report(
                simulation.state, scope["path"], query, pace=simulation.pace, now=now
            )
            status = report.status
            if status == 200 and scope["path"] == PDF_PATH:  # noqa: PLR2004 - HTTP
                media_type, body = "application/pdf", make_pdf(report)
            else:
                body = self._render("report.html", title=report.title, pairs=report.pairs)
        call.outcome = "SUCCESS" if status == 200 else str(status)  # noqa: PLR2004 - HTTP
        self._simulation.stats.handled(call.outcome)
        response = Response(body, status, {"content-type": media_type})
        await response(scope, receive, send)


class _ApiPath:
    """One path: an ASGI app that checks a request and calls the endpoint of its method."""

    def __init__(
        self,
        simulation: Simulation,
        endpoints: Mapping[str, Endpoint],
        *,
        real_statuses: bool,
    ) -> None:
        self._simulation = simulation
        self._endpoints = endpoints
        self._real_statuses = real_statuses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call: Call = scope[CALL]
        request = Request(scope, receive)
        status = 200
        try:
            payload = self._answer(request, await _read_body(request), call)
            call.outcome = payload["status"]
        except RefusalError as refusal:
            payload = failure(refusal.code, refusal.message)
            call.outcome = refusal.code
            status = status_of(refusal.code, real=self._real_statuses)
        except ClientDisconnect:
            return
        self._simulation.stats.handled(call.outcome)
        response = Response(dumps(payload), status, media_type="application/json")
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes, call: Call) -> dict[str, Any]:
        if not self._endpoints:
            raise RefusalError("E404")
        if request.method not in self._endpoints:
            raise RefusalError("E405")
        endpoint = self._endpoints[request.method]
        scope = request.scope
        raw_path: str = scope["raw_path"].decode("latin-1")
        call.operation = endpoint.name
        call.version = version = raw_path.split("/", 2)[1]
        form, parts = _split_body(body, request.headers.get("content-type", ""), endpoint)
        query: bytes = scope["query_string"]
        in_body = "form" if form else "multipart" if parts.fields else ""
        call.sent_in = "both" if query and in_body else "query" if query else in_body
        parameters = read_parameters(query, form, parts.fields)
        call.parameters, call.files = tuple(sorted(parameters)), tuple(sorted(parts.files))
        now = self._simulation.clock.now()
        check_timestamp(parameters, now=now, ahead=self._simulation.timestamp_ahead)
        account = self._simulation.state.accounts.get(parameters.get("ak", ""))
        if account is None:
            raise RefusalError("E403")  # a missing key counts as unknown [assumed]
        base_url = f"{scope['scheme']}://{request.headers.get('host', '')}"
        check_signature(
            parameters,
            account.credentials.private_key,
            request.method,
            base_url + raw_path,  # still percent-encoded, as it was sent: [seen]
            version=version,
        )
        payload = endpoint.handle(
            ApiRequest(
                simulation=self._simulation,
                account=account,
                version=version,
                base_url=base_url,
                raw_path=raw_path,
                path={name: unquote(value) for name, value in scope["path_params"].items()},
                parameters=parameters,
                files=parts.files,
                now=now,
            )
        )
        return {"status": "SUCCESS", **payload}


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= MOST_BODY:
            body += chunk
    if len(body) > MOST_BODY:
        raise bad_request("the body is too large")
    return bytes(body)


def _split_body(body: bytes, content_type: str, endpoint: Endpoint) -> tuple[bytes, Parts]:
    """Return the urlencoded body and the parts; one of the two is empty."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body or kind == _FORM:
        return body, Parts()
    if kind == FORM_DATA and endpoint.takes_files:
        return b"", read_parts(content_type, body)
    # No caller that works sends JSON [seen].
    raise bad_request("the body must be application/x-www-form-urlencoded")
