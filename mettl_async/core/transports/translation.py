"""From an HTTP library's exceptions to our errors; by names, so without importing it.

Whether the server may have seen a request (``.sent``) is said only from exceptions whose meaning we
know: those of our own connections. An injected client's transport may hide anything behind a
connect error, so with it every failure counts as maybe sent.
"""

import ssl
import traceback
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Iterator, Mapping
from itertools import pairwise
from types import FrameType
from typing import TypeVar

from mettl_async.core.redaction import scrub
from mettl_async.errors import (
    CallError,
    CallFacts,
    ConnectError,
    ConnectionLostError,
    MettlDecodeError,
    MettlError,
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
_BELOW = {
    "anyio", "asyncio", "codecs", "encodings", "h11", "h2", "hpack", "idna", "selectors", "socket",
    "socksio", "sniffio", "ssl", "trio", "uvloop", "winloop",
}  # fmt: skip
_CONNECTING = {"connect_tcp", "connect_unix_socket", "start_tls"}
_CALLS_HOOKS = "_send_handling_redirects"
"""The function of httpx and httpx2 in which event hooks are called."""


def _library(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def translate(exc: Exception, timeouts: Mapping[str, float] | None = None) -> CallError | None:
    """Translate what sending by httpx, httpx2 or httpcore raised; give None for what is not theirs.

    Not theirs are our own errors and, of an injected client, what the caller's code raised: an event
    hook, or a transport of his own.

    Args:
        exc: What was raised.
        timeouts: Seconds by phase (``connect``, ``read``, ``write``) of our own connections, with which
            "not connected" is certain; None for an injected client.
    """
    names = {cls.__name__ for cls in type(exc).__mro__ if _library(cls) in _LIBRARIES}
    for name, kind, problem, sent in _FAMILIES:
        if name in names:
            # Connect errors say which (refused, DNS, TLS) in words that hold no request data.
            detail = tls_reason(exc)
            if not detail and name == "ConnectError" and timeouts and str(exc):
                detail = f": {scrub(str(exc))}"
            seconds = (timeouts or {}).get(name.removesuffix("Timeout").lower())
            if seconds is not None and kind is TransportTimeoutError:
                detail = f" after {seconds:g} s"
            return kind(problem + detail, CallFacts(sent=sent or not timeouts))
    if isinstance(exc, MettlError):
        return None
    path = [(frame.f_globals.get("__name__", ""), frame.f_code.co_name) for frame in _frames(exc)]
    if timeouts is None and _is_the_callers(path):
        return None
    return unforeseen(
        exc,
        connecting=any(name in _CONNECTING and _top(module) in _LIBRARIES for module, name in path),
        certain=timeouts is not None,
    )


def unforeseen(exc: Exception, *, connecting: bool, certain: bool = True) -> CallError:
    """Make an error of what no library should raise, by its type: its text could hold anything.

    Args:
        exc: Such as a `UnicodeError` for a host's name, or a group of `OverflowError` for a port.
        connecting: Whether it came up before anything of the request went out.
        certain: Whether that is certain.
    """
    kinds = {type(one).__name__ for one in _leaves(exc)}
    problem = "the connection could not be made" if connecting else "the HTTP library gave up"
    if _is_of_another_loop(exc):
        problem = "the http_client's connections belong to another event loop; make one in each event loop"
    kind = ConnectError if connecting else ConnectionLostError
    return kind(
        f"{problem} ({', '.join(sorted(kinds))}){tls_reason(exc)}",
        CallFacts(sent=not (connecting and certain)),
    )


def tls_reason(exc: BaseException | None) -> str:
    """Say why TLS failed, as OpenSSL names it: that is no secret, though it looks like a key."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return f": CERTIFICATE_VERIFY_FAILED, {scrub(exc.verify_message)}"
        if isinstance(exc, ssl.SSLError) and exc.reason:
            return f": {exc.reason}"
        exc = exc.__cause__ or exc.__context__
    return ""


def _top(module: str) -> str:
    return module.partition(".")[0]


def _frames(exc: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(exc.__traceback__)]


def _is_the_callers(path: list[tuple[str, str]]) -> bool:
    """Tell whether a hook of the caller, or the last function of all, is of no library."""
    if not path or _top(path[-1][0]) not in _LIBRARIES | _BELOW:
        return True
    return any(
        name == _CALLS_HOOKS and _top(module) in _LIBRARIES and _top(after) not in _LIBRARIES
        for (module, name), (after, _) in pairwise(path)
    )


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    if isinstance(exc, BaseExceptionGroup):
        for one in exc.exceptions:
            yield from _leaves(one)
    else:
        yield exc


def _is_of_another_loop(exc: BaseException) -> bool:
    # asyncio has no type of its own for these.
    words = str(exc) if isinstance(exc, RuntimeError) else ""
    return "Event loop is closed" in words or ("different" in words and "loop" in words)


async def translated(answer: Awaitable[T], timeouts: Mapping[str, float] | None = None) -> T:
    """Await something of an HTTP library, and raise its exceptions as ours, without a trace of them."""
    failure: CallError | None = None
    try:
        return await answer
    except StopAsyncIteration:
        raise
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
