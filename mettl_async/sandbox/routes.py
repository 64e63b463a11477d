"""What happens to every request of the API before its endpoint, and which endpoint it has.

Order: path (E404), method (E405), parameters (E400), timestamp (E504), key (E403), signature (E401).
The last three are in the documented order; that the first come before is [assumed].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from mettl_async.sandbox import (  # noqa: F401 - imported so that they declare their endpoints
    account_endpoints,
    assessment_endpoints,
    candidate_endpoints,
    result_endpoints,
    schedule_endpoints,
)
from mettl_async.sandbox.envelope import RefusalError, bad_request, failed, responded
from mettl_async.sandbox.reports import HTML_PATH, PDF_PATH, make_pdf, read_report
from mettl_async.sandbox.request import ENDPOINTS, ApiRequest, Endpoint, Payload
from mettl_async.sandbox.signature import check_signature, check_timestamp, read_parameters
from mettl_async.sandbox.simulation import Simulation
from mettl_async.sandbox.stats import Call

_REPORTS: Final = {PDF_PATH: "reports.pdf", HTML_PATH: "reports.html"}

Render = Callable[..., bytes]  # a template's name and its values


class Router:
    """Answers a request: with an endpoint's payload, a refusal or a report."""

    def __init__(self, simulation: Simulation, render: Render) -> None:
        self._simulation = simulation
        self._render = render

    def __call__(self, request: Request, body: bytes | None, call: Call) -> Response:
        """Answer one request, and fill in its record."""
        raw_path: str = request.scope["raw_path"].decode("latin-1")
        if raw_path in _REPORTS:
            return self._report(request, raw_path, call)
        try:
            payload = self._payload(request, raw_path, body, call)
        except RefusalError as refusal:
            call.outcome = refusal.code
            real = self._simulation.error_http_status
            return failed(refusal.code, refusal.message, real=real, details=refusal.details)
        call.outcome = payload["status"]
        return responded(payload)

    def _report(self, request: Request, path: str, call: Call) -> Response:
        """Answer a report link: no parameters of ours, no signature."""
        query: str = request.scope["query_string"].decode("latin-1")
        call.operation = _REPORTS[path]
        call.sent_in = "query" if query else ""
        call.parameters = tuple(sorted(pair.partition("=")[0] for pair in query.split("&")))
        status, content_type, body = 405, "text/html;charset=utf-8", b""
        if request.method == "GET":
            simulation = self._simulation
            now = simulation.clock.now()
            report = read_report(simulation.state, path, query, pace=simulation.pace, now=now)
            status = report.status
            if status == 200 and path == PDF_PATH:  # noqa: PLR2004 - HTTP
                content_type, body = "application/pdf", make_pdf(report)
            else:
                body = self._render("report.html", title=report.title, pairs=report.pairs)
        call.outcome = "SUCCESS" if status == 200 else str(status)  # noqa: PLR2004 - HTTP
        return Response(body, status, {"content-type": content_type})

    def _payload(self, request: Request, raw_path: str, body: bytes | None, call: Call) -> Payload:
        endpoint, version, path = _find(raw_path, request.method)
        call.operation, call.version = endpoint.name, version
        if body is None:
            raise bad_request("the body is too large")
        sent = read_parameters(
            request.scope["query_string"],
            body,
            request.headers.get("content-type", ""),
            takes_files=endpoint.takes_files,
        )
        parameters = sent.fields
        call.sent_in, call.files = sent.sent_in, tuple(sorted(sent.files))
        call.parameters = tuple(sorted(parameters))
        simulation = self._simulation
        now = simulation.clock.now()
        check_timestamp(parameters, now=now, ahead=simulation.timestamp_ahead)
        account = simulation.state.accounts.get(parameters.get("ak", ""))
        if account is None:
            raise RefusalError("E403")  # a missing key counts as unknown [assumed]
        base_url = f"{request.scope['scheme']}://{request.headers.get('host', '')}"
        check_signature(
            parameters,
            account.credentials,
            request.method,
            base_url + raw_path,  # still percent-encoded, as it was sent: [seen]
            version=version,
            lenient=simulation.lenient_signatures,
        )
        payload = endpoint.handle(
            ApiRequest(
                simulation=simulation,
                account=account,
                version=version,
                base_url=base_url,
                raw_path=raw_path,
                path=path,
                parameters=parameters,
                files=sent.files,
                now=now,
            )
        )
        return {"status": "SUCCESS", **payload}


def _find(raw_path: str, method: str) -> tuple[Endpoint, str, dict[str, str]]:
    """Find an endpoint, its version, and the decoded variables of its path.

    Paths are matched as they were sent, so that an email may have an escaped slash. One client asks
    with a slash at the end [seen]; it is signed so and matched without.
    """
    version, _, rest = raw_path.removesuffix("/")[1:].partition("/")
    refusal = RefusalError("E404")
    for endpoint in ENDPOINTS:
        match = endpoint.pattern.fullmatch(f"/{rest}")
        if match is not None and version in endpoint.versions:
            if endpoint.method == method:
                path = {name: unquote(text) for name, text in match.groupdict().items()}
                return endpoint, version, path
            refusal = RefusalError("E405")
    raise refusal
