"""Who may ask for the API, and for the admin's pages, which have no login: this machine, and no other site.

Two attacks of other sites are refused. A site can let its own name resolve to this machine (DNS
rebinding): then ``Host`` has that name. It can post a form to here (CSRF): then the browser says so in
``Sec-Fetch-Site`` or ``Origin``.
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from mettl_async.sandbox.envelope import responded


class GuardedApp:
    """Answers under this machine's own names, and refuses what comes under another.

    Args:
        app: What answers.
        hosts: Further names.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; 403 and a reason under another name."""
        app = self._app
        if scope["type"] == "http" and not is_here(scope, self._hosts):
            app = responded(
                {
                    "status": "ERROR",
                    "error": {
                        "code": "E403",
                        "message": "The sandbox answers only to this machine's own names, such as "
                        "localhost, and to the hosts that it was given",
                    },
                },
                403,
            )
        await app(scope, receive, send)


def is_here(scope: Scope, hosts: Collection[str]) -> bool:
    """Tell whether a request came under a name of this machine, or one of ``hosts``."""
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    bound = (scope.get("server") or (None,))[0]
    return len(named) == 1 and host_is_here(named[0], bound, hosts)


def host_is_here(host: str, bound: str | None, hosts: Collection[str] = ()) -> bool:
    """Tell whether a ``Host`` header names this machine's loopback, or the address it came in at.

    Args:
        host: The header.
        bound: The address; None where it is not known.
        hosts: Further names, without a port.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost") or name in map(str.lower, hosts):
        return True
    try:
        address = ip_address(name)
        return address.is_loopback or (bound is not None and address == ip_address(bound))
    except ValueError:
        return False


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser sent this from a page of another site.

    What no browser sent has neither header, and is not from a page at all.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        # "same-site" is another port of this machine: somebody else's server.
        return site not in ("same-origin", "none")
    # Such as "http://127.0.0.1:8765", or "null".
    scheme, _, host = headers.get("origin", "http://" + headers.get("host", "")).partition("://")
    return scheme not in ("http", "https") or host.lower() != headers.get("host", "").lower()
