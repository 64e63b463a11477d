"""What an HTTP library's exceptions mean, and its answers as ours; by names, so without importing it.

Whether the server may have seen a request (``.sent``) is said only from exceptions whose meaning we
know: those of our own connections. An injected client's transport may hide anything behind a
connect error, so with it every failure counts as maybe sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mettl_async.core.redaction import scrub
from mettl_async.core.request import Response
from mettl_async.errors import (
    CallError,
    CallFacts,
    ConnectError,
    ConnectionLostError,
    MettlDecodeError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Iterable

T = TypeVar("T")

# The most specific first: names, so that httpx, httpx2 and what is below them are translated alike.
_FAMILIES: tuple[tuple[str, type[CallError], str, bool], ...] = (
    ("PoolTimeout", TransportTimeoutError, "no free connection in the pool", False),
    ("ConnectTimeout", TransportTimeoutError, "connecting took too long", False),
    ("WriteTimeout", TransportTimeoutError, "sending took too long", True),
    ("ReadTimeout", TransportTimeoutError, "no byte of the answer for too long", True),
    ("TimeoutException", TransportTimeoutError, "too slow", True),
    ("ConnectError", ConnectError, "the connection could not be made", False),
    ("ProxyError", ConnectError, "the proxy refused the connection", False),
    ("UnsupportedProtocol", ConnectError, "the URL's scheme is not supported", False),
    ("DecodingError", MettlDecodeError, "the body could not be decompressed", True),
    ("ConnectionNotAvailable", ConnectError, "the connection was closed before it was used", False),
    ("NetworkError", ConnectionLostError, "the connection broke", True),
    ("ProtocolError", ConnectionLostError, "the connection broke", True),
    ("TransportError", ConnectionLostError, "the connection broke", True),
    # Whatever else these libraries raise knows the URL, so it never comes through as it is.
    ("HTTPError", ConnectionLostError, "the HTTP library gave up", True),
    ("StreamError", ConnectionLostError, "the body could not be read", True),
    ("InvalidURL", ConnectError, "the URL was refused by the HTTP library", False),
)


_LIBRARIES = {"httpx", "httpx2", "httpcore", "httpcore2"}


def _library(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def translate(exc: Exception, *, known: bool) -> CallError | None:
    """Our error for an exception of httpx's, httpx2's or httpcore's, or None for anything else.

    Args:
        exc: What was raised.
        known: Whether the connections are our own, so that "not connected" is certain.
    """
    names = {cls.__name__ for cls in type(exc).__mro__ if _library(cls) in _LIBRARIES}
    for name, kind, problem, sent in _FAMILIES:
        if name in names:
            # Connect errors say which (refused, DNS, TLS) in words that hold no request data.
            detail = f": {scrub(str(exc))}" if name == "ConnectError" and known and str(exc) else ""
            return kind(problem + detail, CallFacts(sent=sent or not known))
    return None


async def translated(answer: Awaitable[T], *, known: bool) -> T:
    """Wait for something of an HTTP library's; its exceptions come as ours, without a trace of them."""
    failure: CallError | None = None
    try:
        return await answer
    except Exception as exc:
        failure = translate(exc, known=known)
        if failure is None:
            raise
    raise failure


async def translated_chunks(source: AsyncIterable[bytes], *, known: bool) -> AsyncGenerator[bytes]:
    """The pieces of a body, as they come."""
    chunks = aiter(source)
    while True:
        try:
            yield await translated(anext(chunks), known=known)
        except StopAsyncIteration:
            return


def make_response(status: int, pairs: Iterable[tuple[str, str]], content: bytes) -> Response:
    """Our response; names of headers in lower case, repeated ones joined."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Response(status_code=status, headers=headers, content=content)
