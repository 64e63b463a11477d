"""The paths of the API, and what happens to every request before its endpoint.

Order: path (E404), method (E405), parameters (E400), timestamp (E504), key (E403), signature (E401).
The last three are the documented order, api.md section 2; that the first come before is [assumed].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.routing import Route

from mettl_async.sandbox import endpoints
from mettl_async.sandbox.endpoints import Asked
from mettl_async.sandbox.envelope import RefusalError, bad_request, dumps, failure, status_of
from mettl_async.sandbox.injection import EXCHANGE, Exchange
from mettl_async.sandbox.signature import check_signature, check_timestamp, read_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from mettl_async.sandbox.sandbox import Sandbox

Operation = tuple[str, "Callable[[Asked], dict[str, Any]]"]

OPERATIONS: Final[dict[str, dict[str, Operation]]] = {
    "/pbts/add": {"POST": ("pbts.add", endpoints.add_pbts)},
    "/assessments/{assessment_id}/schedules": {
        "POST": ("schedules.create", endpoints.create_schedule)
    },
    "/schedules/{access_key}/edit": {"POST": ("schedules.edit", endpoints.edit_schedule)},
    "/schedules/{access_key}/candidates": {
        "POST": ("candidates.register", endpoints.register_candidates)
    },
}
VERSIONS: Final = ("v2", "v1")
MOST_BODY: Final = 8 * 1024 * 1024
_FORM: Final = b"application/x-www-form-urlencoded"


def make_app(sandbox: Sandbox) -> Starlette:
    """Make the app of a sandbox, without faults."""
    routes = [
        # One client asks with a slash at the end [seen]; it is signed as requested.
        Route(f"/{version}{path}{slash}", Endpoint(sandbox, operations, version))
        for version in VERSIONS
        for path, operations in OPERATIONS.items()
        for slash in ("", "/")
    ]
    return Starlette(routes=[*routes, Route("/{anything:path}", Endpoint(sandbox, None, ""))])


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
            form = await _read_body(scope, receive)
            payload = self._answer(scope, form, exchange)
            exchange.outcome, status = payload["status"], 200
        except RefusalError as refusal:
            payload = failure(refusal.code, refusal.message)
            exchange.outcome = refusal.code
            status = status_of(refusal.code, real=sandbox.error_http_status)
        except _ClientGoneError:
            return
        sandbox.stats.handled(exchange.outcome)
        await send({"type": "http.response.start", "status": status, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": dumps(payload)})

    def _answer(self, scope: Scope, form: bytes, exchange: Exchange) -> dict[str, Any]:
        if self._operations is None:
            raise RefusalError("E404")
        if scope["method"] not in self._operations:
            raise RefusalError("E405")
        exchange.operation, handle = self._operations[scope["method"]]
        exchange.version = self._version
        query: bytes = scope["query_string"]
        exchange.sent_in = (
            "both" if query and form else "query" if query else "form" if form else ""
        )
        parameters = read_parameters(query, form)
        exchange.parameters = tuple(sorted(parameters))
        sandbox = self._sandbox
        now = sandbox.now()
        check_timestamp(parameters, now=now, ahead=sandbox.timestamp_ahead)
        account = sandbox.state.accounts.get(parameters.get("ak", ""))
        if account is None:
            raise RefusalError("E403")  # a missing key counts as unknown [assumed]
        base_url = f"{scope['scheme']}://{_header(scope, b'host').decode('latin-1')}"
        check_signature(
            parameters,
            account.credentials.private_key,
            scope["method"],
            # Still percent-encoded, as it was sent: [seen]
            base_url + scope["raw_path"].decode("latin-1"),
            version=self._version,
        )
        return handle(
            Asked(
                state=sandbox.state,
                stats=sandbox.stats,
                account=account,
                path=scope["path_params"],
                parameters=parameters,
                base_url=base_url,
                now=now,
            )
        )


_HEADERS: Final = [(b"content-type", b"application/json")]


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return b""


async def _read_body(scope: Scope, receive: Receive) -> bytes:
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
    content_type = _header(scope, b"content-type").partition(b";")[0].strip().lower()
    if body and content_type != _FORM:
        # No caller that works sends JSON [seen]. Multipart comes with the endpoints that take files;
        # its file parts are not signed.
        raise bad_request("the body must be application/x-www-form-urlencoded")
    return bytes(body)
