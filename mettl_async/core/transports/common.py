"""What all transports have in common: headers and responses."""

import platform
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mettl_async._version import __version__
from mettl_async.core.request import Response, SignedRequest
from mettl_async.errors import ConfigurationError, ConnectError
from mettl_async.host_names import host_and_port

KEEPALIVE_SECONDS: Final = 5.0
"""How long an idle connection is kept, as httpx does: most servers keep it longer."""

CLOSE_SECONDS: Final = 1.0
"""How long closing a connection may take."""


def user_agent(suffix: str, library: str) -> str:
    """Name this library, the one below, Python, and then the application."""
    own = f"mettl-async/{__version__} {library} Python/{platform.python_version()}"
    return f"{own} {suffix}".strip()


def api_headers(netloc: str, agent: str) -> list[tuple[bytes, bytes]]:
    """List the headers of every signed request."""
    return [
        (b"Host", netloc.encode("ascii")),
        (b"User-Agent", agent.encode("ascii")),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"gzip, deflate"),
    ]


def link_headers(netloc: str, agent: str) -> list[tuple[bytes, bytes]]:
    """List the headers of a request for a link, whose body is taken as it comes."""
    return [
        (b"Host", netloc.encode("ascii")),
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", agent.encode("ascii")),
    ]


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
_OURS = {"host", "content-length", "transfer-encoding"}
_PATH = re.compile(rb"/[\x21-\x7e]*")


def further_headers(request: SignedRequest) -> list[tuple[bytes, bytes]]:
    """List the headers that a request has of its own, after a look at what middleware can spoil.

    Raises:
        ConfigurationError: Its path or a header would change the request, or cannot be sent.
    """
    query = request.target.find(b"?")
    if not _PATH.fullmatch(request.target, 0, query if query >= 0 else len(request.target)):
        raise ConfigurationError("a middleware put characters into the URL that no URL has")
    headers = []
    for name, value in request.headers.items():
        if name.lower() in _OURS or not _HEADER.fullmatch(f"{name}: {value}"):
            raise ConfigurationError(
                f"header {name[:40]!r}: cannot be sent; look at the middleware"
            )
        headers.append((name.encode("ascii"), value.encode()))
    if request.method != "GET" or request.body:
        headers.append((b"Content-Length", str(len(request.body)).encode("ascii")))
    return headers


def decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Decode headers to text."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Make a mapping of headers: names in lower case, repeated ones joined."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def make_response(
    status: int,
    pairs: Iterable[tuple[str, str]],
    content: bytes,
    abandon: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """Make our response of what an HTTP library gives; see there for ``abandon``."""
    return Response(status_code=status, headers=joined(pairs), content=content, abandon=abandon)


def link_parts(url: str) -> SplitResult:
    """Split an address that the server gave, and that could be fetched.

    Raises:
        ConnectError: It could not; its text is a secret, so it is not repeated.
    """
    try:
        parts = urlsplit(url)
        host_and_port("link", parts)
        if parts.scheme in {"http", "https"} and parts.hostname and url.isascii():
            return parts
    except (ValueError, ConfigurationError):
        pass
    raise ConnectError("the link cannot be fetched")


def target_of(url: str, netloc: str) -> str:
    """Cut path and query out of an address, exactly as they stand there."""
    target = url.partition("#")[0].partition(netloc)[2]
    return target if target.startswith("/") else f"/{target}"
