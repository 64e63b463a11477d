"""From an HTTP library's exceptions to our errors; by names, so without importing it.

Whether the server may have seen a request (``.sent``) is said only from exceptions whose meaning we
know: those of our own connections. An injected client's transport may hide anything behind a
connect error, so with it every failure counts as maybe sent.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Mapping
from typing import TypeVar

from mettl_async.core.redaction import scrub
from mettl_async.errors import (
    CallError,
    CallFacts,
    ConnectError,
    ConnectionLostError,
    MettlDecodeError,
    TransportTimeoutError,
)

T = TypeVar("T")

# The most specific first: names, so that httpx, httpx2 and what is below them are translated alike.
_FAMILIES: tuple[tuple[str, type[CallError], str, bool], ...] = (
    ("PoolTimeout", TransportTimeoutError, "no free connection in the pool", False),
    ("ConnectTimeout", TransportTimeoutError, "connecting timed out", False),
    ("WriteTimeout", TransportTimeoutError, "sending timed out", True),
    ("ReadTimeout", TransportTimeoutError, "read timed out", True),
    ("TimeoutException", TransportTimeoutError, "timed out", True),
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


def translate(exc: Exception, timeouts: Mapping[str, float] | None = None) -> CallError | None:
    """Translate an exception of httpx, httpx2 or httpcore; give None for anything else.

    Args:
        exc: What was raised.
        timeouts: Seconds by phase (``connect``, ``read``, ``write``) of our own connections, with which
            "not connected" is certain; None for an injected client.
    """
    names = {cls.__name__ for cls in type(exc).__mro__ if _library(cls) in _LIBRARIES}
    for name, kind, problem, sent in _FAMILIES:
        if name in names:
            # Connect errors say which (refused, DNS, TLS) in words that hold no request data.
            detail = (
                f": {scrub(str(exc))}" if name == "ConnectError" and timeouts and str(exc) else ""
            )
            seconds = (timeouts or {}).get(name.removesuffix("Timeout").lower())
            if seconds is not None and kind is TransportTimeoutError:
                detail = f" after {seconds:g} s"
            return kind(problem + detail, CallFacts(sent=sent or not timeouts))
    return None


async def translated(answer: Awaitable[T], timeouts: Mapping[str, float] | None = None) -> T:
    """Await something of an HTTP library, and raise its exceptions as ours, without a trace of them."""
    failure: CallError | None = None
    try:
        return await answer
    except Exception as exc:
        failure = translate(exc, timeouts)
        if failure is None:
            raise
    raise failure


async def translated_chunks(
    source: AsyncIterable[bytes], timeouts: Mapping[str, float] | None = None
) -> AsyncGenerator[bytes]:
    """Yield the pieces of a body as they come, and raise as `translated`."""
    chunks = aiter(source)
    while True:
        try:
            yield await translated(anext(chunks), timeouts)
        except StopAsyncIteration:
            return
