"""Fetching something unsigned, such as a report: its address is the key to it.

The address goes out exactly as it came (its double escapes matter [seen]), without our parameters, and
never into a log or an error.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

from mettl_async.config import is_loopback
from mettl_async.core.transports.contract import Download, Transport
from mettl_async.errors import ConnectError, InvalidInputError

MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}


def check_link(field: str, url: object, *, allow_insecure_http: bool = False) -> str:
    """Refuse an address that would be fetched in the clear, or is none.

    Raises:
        InvalidInputError: Not https (http is for loopback, unless allowed), or not printable ASCII.
    """
    if isinstance(url, str) and url.isascii() and url.isprintable() and " " not in url:
        try:
            parts = urlsplit(url)
            host = parts.hostname if parts.port != 0 and "@" not in parts.netloc else None
        except ValueError:
            host = None
        if host:
            plain = parts.scheme == "http" and (allow_insecure_http or is_loopback(host))
            if parts.scheme == "https" or plain:
                return url
    raise InvalidInputError(field, "is no https address", "pass the link as the server gave it")


@asynccontextmanager
async def fetch(
    transport: Transport, url: str, *, allow_insecure_http: bool = False
) -> AsyncGenerator[Download]:
    """GET an address; redirects are followed, for there is no signature that they could carry away.

    Raises:
        ConnectError: No connection, too many redirects, or one to an address in the clear.
        TransportTimeoutError: Too slow.
        ConnectionLostError: It broke on the way.
    """
    for _ in range(MOST_REDIRECTS + 1):
        async with transport.stream(url) as download:
            if download.status_code not in _REDIRECTS:
                yield download
                return
            location = download.headers.get("location", "")
        try:
            url = check_link(
                "redirect", urljoin(url, location), allow_insecure_http=allow_insecure_http
            )
        except ValueError:
            raise ConnectError("redirected to no https address") from None
    raise ConnectError(f"redirected more than {MOST_REDIRECTS} times")
