"""Which page answers which address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from mettl_async.sandbox.candidates import TAKE_TEST
from mettl_async.sandbox.pages import admin, taking
from mettl_async.sandbox.pages.admin_frame import CLOCK, DELIVERIES, FAULTS, schedule_path
from mettl_async.sandbox.pages.paths import ADMIN, AUTHENTICATE, ENDED, ROOTS, is_for_page
from mettl_async.sandbox.pages.web import PageEndpoint, Reply, Visit, problem, see_other

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mettl_async.sandbox.sandbox import Sandbox


def page_routes(sandbox: Sandbox) -> list[Route]:
    """Make the routes of all pages, with an answer for whatever else is below their paths."""
    candidates = {
        TAKE_TEST: PageEndpoint(sandbox, taking.show_test, taking.take_step),
        ENDED: PageEndpoint(sandbox, taking.show_end),
        AUTHENTICATE + "/{access_key}": PageEndpoint(sandbox, taking.show_schedule),
        f"/v2{AUTHENTICATE}/{{access_key}}": PageEndpoint(sandbox, taking.show_schedule),
    }
    admins = {
        ADMIN: (admin.show_schedules, None),
        schedule_path("{access_key}"): (admin.show_schedule, admin.change_candidate),
        DELIVERIES: (admin.show_deliveries, admin.change_deliveries),
        FAULTS: (admin.show_faults, admin.change_faults),
        CLOCK: (admin.show_clock, admin.change_clock),
    }
    nothing = PageEndpoint(sandbox, _nothing)
    return [
        *(Route(path, endpoint) for path, endpoint in candidates.items()),
        *(
            Route(path, PageEndpoint(sandbox, get, post, local=True))
            for path, (get, post) in admins.items()
        ),
        *(Route(root, nothing) for root in ROOTS),
        *(Route(root + "/{anything:path}", nothing) for root in ROOTS),
    ]


class FrontDoor:
    """The bare address: a browser is sent to the admin's pages, anyone else ``elsewhere``."""

    def __init__(self, sandbox: Sandbox, elsewhere: ASGIApp) -> None:
        self._page = PageEndpoint(sandbox, lambda _: see_other(ADMIN))
        self._elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await (self._page if is_for_page(scope) else self._elsewhere)(scope, receive, send)


def _nothing(_: Visit) -> Reply:
    return problem(404, "No such page", "There is nothing at this address.")
