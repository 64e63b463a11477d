"""Who may ask for the admin's pages, which have no login: people at this machine, and no other site.

Two attacks of other sites are refused. A site can let its own name resolve to this machine (DNS
rebinding): then ``Host`` has that name. It can post a form to here (CSRF): then the browser says so in
``Sec-Fetch-Site`` or ``Origin``.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit


def host_is_here(host: str, bound: str | None) -> bool:
    """Tell whether a ``Host`` header names this machine's loopback, or the address it came in at."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
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
