"""Where the pages are; nothing of the API is below these paths."""

from __future__ import annotations

from typing import Final

from mettl_async.sandbox.candidates import TAKE_TEST

ENDED: Final = f"{TAKE_TEST}/ended"  # the sandbox's own
AUTHENTICATE: Final = "/authenticateKey"
ADMIN: Final = "/admin"
# Browsers ask for it unasked; it must use up no fault.
ICON: Final = "/favicon.ico"

ROOTS: Final = (TAKE_TEST, AUTHENTICATE, "/v2" + AUTHENTICATE, ADMIN, ICON)


def is_page(path: str) -> bool:
    """Tell whether a path is a page's: no faults there, and no counting."""
    return path.startswith(ROOTS) and any(
        path == root or path.startswith(f"{root}/") for root in ROOTS
    )
