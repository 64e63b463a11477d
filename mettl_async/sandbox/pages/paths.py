"""Where the pages are; nothing of the API is below these paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mettl_async.sandbox.candidates import TAKE_TEST

if TYPE_CHECKING:
    from starlette.types import Scope

ENDED: Final = f"{TAKE_TEST}/ended"  # the sandbox's own
AUTHENTICATE: Final = "/authenticateKey"
ADMIN: Final = "/admin"
# Browsers ask for it unasked; it must use up no fault.
ICON: Final = "/favicon.ico"

ROOTS: Final = (TAKE_TEST, AUTHENTICATE, "/v2" + AUTHENTICATE, ADMIN, ICON)


def is_for_page(scope: Scope) -> bool:
    """Tell whether a request is for a page: no faults there, and no counting."""
    path: str = scope["raw_path"].decode("latin-1")
    if path.startswith(ROOTS):
        return any(path == root or path.startswith(f"{root}/") for root in ROOTS)
    # To a program the bare address is a path that the API doesn't have.
    return path == "/" and scope["method"] in ("GET", "HEAD") and _shows_html(scope)


def _shows_html(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
