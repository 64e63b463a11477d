"""The paths of the API, and what happens to every request before its endpoint.

The pages for people are routed by ``pages/routes.py``.

Order: path (E404), method (E405), parameters (E400), timestamp (E504), key (E403), signature (E401).
The last three are the documented order, api.md section 2; that the first come before is [assumed].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from attrs import field, frozen
from starlette.applications import Starlette
from starlette.routing import Route

from mettl_async.sandbox import (
    account_endpoints,
    assessment_endpoints,
    candidate_endpoints,
    reports,
    result_endpoints,
    schedule_endpoints,
)
from mettl_async.sandbox.asked import Asked
from mettl_async.sandbox.envelope import RefusalError, bad_request, dumps, failure, status_of
from mettl_async.sandbox.injection import EXCHANGE, Exchange
from mettl_async.sandbox.multipart import FORM_DATA, Parts, read_parts
from mettl_async.sandbox.pages.rendering import render
from mettl_async.sandbox.signature import check_signature, check_timestamp, read_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mettl_async.sandbox.sandbox import Sandbox

VERSIONS: Final = ("v2", "v1", "v3")
MOST_BODY: Final = 8 * 1024 * 1024
_FORM: Final = b"application/x-www-form-urlencoded"
_JSON_HEADERS: Final = [(b"content-type", b"application/json")]


@frozen
class Operation:
    """What one method of one path does: its name in `Stats`, its code, and where it exists."""

    name: str
    handle: Callable[[Asked], dict[str, Any]]
    versions: tuple[str, ...] = field(default=("v2", "v1"), kw_only=True)
    takes_files: bool = field(default=False, kw_only=True)


# In the order of the API's numbers, as far as one path has one method.
OPERATIONS: Final[dict[str, dict[str, Operation]]] = {
    "/account": {"GET": Operation("account.get", account_endpoints.get_account)},
    "/account/upload-logo": {
        "POST": Operation("account.update_logo", account_endpoints.update_logo, takes_files=True)
    },
    "/account/update-white-labeling": {
        "POST": Operation(
            "account.update_white_label", account_endpoints.update_white_label, takes_files=True
        )
    },
    "/pbts": {"GET": Operation("pbts.list", account_endpoints.list_pbts)},
    "/pbts/add": {"POST": Operation("pbts.add", account_endpoints.add_pbts)},
    "/assessments": {
        "GET": Operation("assessments.list", assessment_endpoints.list_assessments),
        "POST": Operation("assessments.create", assessment_endpoints.create_assessment),
    },
    "/assessments/{assessment_id}": {
        "GET": Operation("assessments.get", assessment_endpoints.get_assessment)
    },
    "/assessments/{assessment_id}/settings/edit": {
        "POST": Operation("assessments.edit_settings", assessment_endpoints.edit_settings)
    },
    "/assessments/{assessment_id}/schedules": {
        "GET": Operation(
            "schedules.list_in_assessment", schedule_endpoints.list_schedules_in_assessment
        ),
        "POST": Operation("schedules.create", schedule_endpoints.create_schedule),
    },
    "/schedules": {"GET": Operation("schedules.list", schedule_endpoints.list_schedules)},
    "/schedules/{access_key}": {"GET": Operation("schedules.get", schedule_endpoints.get_schedule)},
    "/schedules/{access_key}/edit": {
        "POST": Operation("schedules.edit", schedule_endpoints.edit_schedule)
    },
    "/schedules/{access_key}/candidates": {
        "GET": Operation("results.list", result_endpoints.list_results),
        "POST": Operation("candidates.register", candidate_endpoints.register_candidates),
    },
    "/schedules/{access_key}/candidates/{email}": {
        "GET": Operation("results.get", result_endpoints.get_result),
        "DELETE": Operation("results.delete", result_endpoints.delete_result),
    },
    "/candidates/{email}": {
        "GET": Operation(
            "results.list_for_candidate",
            result_endpoints.list_results_of_candidate,
            versions=("v2", "v1", "v3"),  # that v3 has the same path is [assumed]
        )
    },
}
REPORTS: Final = {reports.PDF_PATH: "reports.pdf", reports.HTML_PATH: "reports.html"}


def make_app(sandbox: Sandbox) -> ASGIApp:
    """Make the app of a sandbox, without faults."""
    routes = []
    for version in VERSIONS:
        for path, methods in reversed(OPERATIONS.items()):  # the busiest are found first
            there = {name: one for name, one in methods.items() if version in one.versions}
            if there:
                routes.append(Route(f"/{version}{path}", Endpoint(sandbox, there, version)))
    routes += [Route(path, ReportPage(sandbox, path)) for path in REPORTS]
    routes.append(Route("/{anything:path}", Endpoint(sandbox, None, "")))
    return RawPaths(Starlette(routes=routes), before=sandbox.settle)


class RawPaths:
    """Lets paths be matched as they were sent, so that an email may have an escaped slash.

    One client asks with a slash at the end [seen]; it is signed as requested and matched without.
    What is due happens before each request.
    """

    def __init__(self, inner: ASGIApp, *, before: Callable[[], None]) -> None:
        self._inner = inner
        self._before = before

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            path: str = scope["raw_path"].decode("latin-1")
            scope = {**scope, "path": path[:-1] if path[1:].endswith("/") else path}
            self._before()
        await self._inner(scope, receive, send)


class ReportPage:
    """A report link: no parameters of ours, no signature."""

    def __init__(self, sandbox: Sandbox, path: str) -> None:
        self._sandbox = sandbox
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange: Exchange = scope[EXCHANGE]
        sandbox = self._sandbox
        try:
            await _read_body(receive)
        except _ClientGoneError:
            return
        exchange.operation = REPORTS[self._path]
        query: str = scope["query_string"].decode("latin-1")
        exchange.sent_in = "query" if query else ""
        exchange.parameters = tuple(sorted(pair.partition("=")[0] for pair in query.split("&")))
        if scope["method"] == "GET":
            found = reports.read_report(
                sandbox.state, sandbox.pace, self._path, query, sandbox.clock.now()
            )
            status, content_type = found.status, reports.HTML
            if status == 200 and self._path == reports.PDF_PATH:  # noqa: PLR2004 - HTTP
                content_type, body = reports.PDF, reports.make_pdf(found)
            else:
                body = render("report.html", title=found.title, pairs=found.pairs)
        else:
            status, content_type, body = 405, reports.HTML, b""
        exchange.outcome = "SUCCESS" if status == 200 else str(status)  # noqa: PLR2004 - HTTP
        sandbox.stats.handled(exchange.outcome)
        headers = [(b"content-type", content_type)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _ClientGoneError(Exception):
    """The client went away before its request was whole."""


class Endpoint:
    """One path: an ASGI app that checks a request and calls the operation of its method."""

    def __init__(
        self, sandbox: Sandbox, operations: Mapping[str, Operation] | None, version: str
    ) -> None:
        self._sandbox = sandbox
        self._operations = operations
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange: Exchange = scope[EXCHANGE]
        sandbox = self._sandbox
        try:
            body = await _read_body(receive)
            payload = self._answer(scope, body, exchange)
            exchange.outcome, status = payload["status"], 200
        except RefusalError as refusal:
            payload = failure(refusal.code, refusal.message)
            exchange.outcome = refusal.code
            status = status_of(refusal.code, real=sandbox.error_http_status)
        except _ClientGoneError:
            return
        sandbox.stats.handled(exchange.outcome)
        await send({"type": "http.response.start", "status": status, "headers": _JSON_HEADERS})
        await send({"type": "http.response.body", "body": dumps(payload)})

    def _answer(self, scope: Scope, body: bytes, exchange: Exchange) -> dict[str, Any]:
        if self._operations is None:
            raise RefusalError("E404")
        if scope["method"] not in self._operations:
            raise RefusalError("E405")
        operation = self._operations[scope["method"]]
        exchange.operation = operation.name
        exchange.version = self._version
        form, parts = _split_body(body, _header(scope, b"content-type"), operation)
        query: bytes = scope["query_string"]
        in_body = "form" if form else "multipart" if parts.fields else ""
        exchange.sent_in = "both" if query and in_body else "query" if query else in_body
        parameters = read_parameters(query, form, parts.fields)
        exchange.parameters = tuple(sorted(parameters))
        exchange.files = tuple(sorted(parts.files))
        sandbox = self._sandbox
        now = sandbox.clock.now()
        check_timestamp(parameters, now=now, ahead=sandbox.timestamp_ahead)
        account = sandbox.state.accounts.get(parameters.get("ak", ""))
        if account is None:
            raise RefusalError("E403")  # a missing key counts as unknown [assumed]
        base_url = f"{scope['scheme']}://{_header(scope, b'host').decode('latin-1')}"
        raw_path: str = scope["raw_path"].decode("latin-1")
        check_signature(
            parameters,
            account.credentials.private_key,
            scope["method"],
            # Still percent-encoded, as it was sent: [seen]
            base_url + raw_path,
            version=self._version,
        )
        return operation.handle(
            Asked(
                state=sandbox.state,
                stats=sandbox.stats,
                pace=sandbox.pace,
                account=account,
                version=self._version,
                base_url=base_url,
                raw_path=raw_path,
                path={name: unquote(value) for name, value in scope["path_params"].items()},
                parameters=parameters,
                files=parts.files,
                now=now,
            )
        )


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return b""


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise _ClientGoneError
        if len(body) <= MOST_BODY:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > MOST_BODY:
        raise bad_request("the body is too large")
    return bytes(body)


def _split_body(body: bytes, content_type: bytes, operation: Operation) -> tuple[bytes, Parts]:
    """Tell what of a body is urlencoded and what are parts; one of the two is empty."""
    kind = content_type.partition(b";")[0].strip().lower()
    if not body or kind == _FORM:
        return body, Parts()
    if kind == FORM_DATA and operation.takes_files:
        return b"", read_parts(content_type, body)
    # No caller that works sends JSON [seen].
    raise bad_request("the body must be application/x-www-form-urlencoded")
