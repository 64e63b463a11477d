"""The pages as an ASGI app: which page answers which address, and who may ask."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from email.utils import formatdate
from typing import Final
from urllib.parse import parse_qsl, unquote

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mettl_async.sandbox.candidates import TAKE_TEST
from mettl_async.sandbox.injection import place_of
from mettl_async.sandbox.pages import admin, candidate, guard
from mettl_async.sandbox.pages.rendering import problem, see_other
from mettl_async.sandbox.pages.visit import Visit
from mettl_async.sandbox.simulation import Simulation

MOST_FORM: Final = 16 * 1024
_KEY: Final = "/{access_key}"

# What answers GET, and what answers POST where there is something to do.
PAGES: Final = {
    "/": (lambda _: see_other(admin.SCHEDULES), None),
    TAKE_TEST: (candidate.show_test, candidate.take_step),
    candidate.ENDED: (candidate.show_end, None),
    f"/authenticateKey{_KEY}": (candidate.show_schedule, None),
    f"/v2/authenticateKey{_KEY}": (candidate.show_schedule, None),
    admin.SCHEDULES: (admin.show_schedules, None),
    f"{admin.SCHEDULE}{_KEY}": (admin.show_schedule, admin.change_candidate),
    admin.DELIVERIES: (admin.show_deliveries, admin.change_deliveries),
    admin.FAULTS: (admin.show_faults, admin.change_faults),
    admin.CLOCK: (admin.show_clock, admin.change_clock),
}
# Nothing of the API is below these. Browsers ask for the icon unasked; it must use up no fault.
_BELOW: Final = re.compile(r"(/v2/take-test|(/v2)?/authenticateKey|/admin|/favicon\.ico)(/.*)?")

_log = logging.getLogger("mettl_async.sandbox")


class PagesApp:
    """Answers what is for pages, and gives everything else to another app.

    So pages stand outside of the API's faults and counters.
    """

    def __init__(
        self, sandbox: Simulation, elsewhere: ASGIApp, hosts: Collection[str] = ()
    ) -> None:
        self._sandbox = sandbox
        self._elsewhere = elsewhere
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not _is_for_page(scope):
            await self._elsewhere(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the browser went away
            if len(body) <= MOST_FORM:
                body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            self._sandbox.settle()
            response = self._response(scope, body)
        except Exception as error:  # noqa: BLE001 - a bug here must not print candidate data
            _log.error("unhandled %s in a page of the sandbox", place_of(error))
            response = problem(500, "Something went wrong", "This is a fault of the sandbox.")
        response.headers["date"] = formatdate(self._sandbox.clock.now(), usegmt=True)
        if scope["method"] == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    def _response(self, scope: Scope, body: bytes) -> Response:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        host = headers.get("host", "")
        path: str = scope["raw_path"].decode("latin-1")
        if path.startswith("/admin") and not guard.is_here(scope, self._hosts):
            text = "The admin's pages have no login, so they answer only to this machine's own names, such as localhost, and to the address that the sandbox listens on."
            return problem(403, "Not under this name", text)
        posted = scope["method"] == "POST"
        if posted and guard.is_cross_site(headers):
            return problem(403, "Not from another site", "The form was sent by another site.")
        if not posted and scope["method"] not in ("GET", "HEAD"):
            return problem(405, "Not possible", "A page can be opened, and its buttons pressed.")
        path = path[:-1] if path[1:].endswith("/") else path
        parent, _, access_key = path.rpartition("/")
        pair = PAGES.get(path) or (PAGES.get(parent + _KEY) if access_key else None)
        if pair is None:
            return problem(404, "No such page", "There is nothing at this address.")
        handler = pair[posted]
        if handler is None:
            return problem(405, "Not possible", "Nothing can be sent to this page.")
        if len(body) > MOST_FORM:
            return problem(413, "Too much", "No form of these pages is as large as this.")
        try:
            visit = Visit(
                sandbox=self._sandbox,
                access_key=unquote(access_key),
                query=_pairs(scope["query_string"]),
                form=_pairs(body) if posted else {},
                base_url=f"{scope['scheme']}://{host}",
            )
        except ValueError:
            return problem(400, "Not understood", "The address or the form is not readable.")
        return handler(visit)


def _is_for_page(scope: Scope) -> bool:
    path: str = scope["raw_path"].decode("latin-1")
    # To a program the bare address is a path that the API doesn't have.
    return bool(_BELOW.fullmatch(path)) or (
        path == "/"
        and scope["method"] in ("GET", "HEAD")
        and any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
    )


def _pairs(text: bytes) -> dict[str, str]:
    return dict(parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=50))
