"""What all transports have in common: headers and responses."""

import platform
from collections.abc import Iterable
from typing import Final

from mettl_async._version import __version__
from mettl_async.core.request import Response

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


def make_response(status: int, pairs: Iterable[tuple[str, str]], content: bytes) -> Response:
    """Make our response of what an HTTP library gives."""
    return Response(status_code=status, headers=joined(pairs), content=content)


def target_of(url: str, netloc: str) -> str:
    """Cut path and query out of an address, exactly as they stand there."""
    target = url.partition("#")[0].partition(netloc)[2]
    return target if target.startswith("/") else f"/{target}"
