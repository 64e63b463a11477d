"""The only module that names httpx: exact bytes out, a response in, and what a failure means.

Whether the server may have seen a request (``.sent``) is said only from exceptions whose meaning we
know: those of our own connections. An injected client's transport may hide anything behind a
connect error, so with it every failure counts as maybe sent.
"""

from __future__ import annotations

import platform
import ssl
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks the second

import anyio
import httpx

from mettl_async._version import __version__
from mettl_async.core.redaction import guard_http_loggers, scrub
from mettl_async.core.request import Response
from mettl_async.errors import (
    CallError,
    CallFacts,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    MettlDecodeError,
    TransportTimeout,
)

if TYPE_CHECKING:
    from mettl_async.config import ClientOptions
    from mettl_async.core.request import SignedRequest


class Transport(Protocol):
    """Sends one signed request; never retries, never follows a redirect."""

    async def send(self, request: SignedRequest) -> Response:
        """Send exactly these bytes.

        Raises:
            ConnectError: No connection; ``.sent`` is false where that is certain.
            TransportTimeout: Too slow.
            ConnectionLost: It broke on the way.
            MettlDecodeError: The body could not be decompressed.
        """
        ...

    async def aclose(self) -> None:
        """Give back what was opened by the transport itself."""
        ...


class AsyncHttpClient(Protocol):
    """What is used of an injected client: ``httpx.AsyncClient`` and ``httpx2.AsyncClient`` have it."""

    def build_request(
        self, method: str, url: str, *, content: Any = ..., headers: Any = ...
    ) -> Any:
        """Make a request from an already encoded URL."""
        ...

    async def send(self, request: Any, *, auth: Any = ..., follow_redirects: Any = ...) -> Any:
        """Send it."""
        ...


_CLOSE_SECONDS = 1.0


def user_agent(suffix: str) -> str:
    """The User-Agent header: this library, httpx, Python, then the application's own suffix."""
    own = f"mettl-async/{__version__} httpx/{httpx.__version__} Python/{platform.python_version()}"
    return f"{own} {suffix}".strip()


# The most specific first: names, so that httpx and httpx2 are translated alike.
_FAMILIES: tuple[tuple[str, type[CallError], str, bool], ...] = (
    ("PoolTimeout", TransportTimeout, "no free connection in the pool", False),
    ("ConnectTimeout", TransportTimeout, "connecting took too long", False),
    ("WriteTimeout", TransportTimeout, "sending took too long", True),
    ("ReadTimeout", TransportTimeout, "no byte of the answer for too long", True),
    ("TimeoutException", TransportTimeout, "too slow", True),
    ("ConnectError", ConnectError, "the connection could not be made", False),
    ("ProxyError", ConnectError, "the proxy refused the connection", False),
    ("UnsupportedProtocol", ConnectError, "the URL's scheme is not supported", False),
    ("DecodingError", MettlDecodeError, "the body could not be decompressed", True),
    ("TransportError", ConnectionLost, "the connection broke", True),
)


def translate(exc: Exception, *, known: bool) -> CallError | None:
    """Our error for an exception of httpx's or httpx2's family, or None for anything else.

    Args:
        exc: What was raised.
        known: Whether the connections are our own, so that "not connected" is certain.
    """
    names = {cls.__name__ for cls in type(exc).__mro__ if cls.__module__.startswith("httpx")}
    for name, kind, problem, sent in _FAMILIES:
        if name in names:
            # Connect errors say which (refused, DNS, TLS) in words that hold no request data.
            detail = f": {scrub(str(exc))}" if name == "ConnectError" and known and str(exc) else ""
            return kind(problem + detail, CallFacts(sent=sent or not known))
    return None


def _response(raw: Any, content: bytes) -> Response:
    headers: dict[str, str] = {}
    for name, value in raw.headers.multi_items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Response(status=raw.status_code, headers=headers, content=content)


def _environment_proxy(base_url: str) -> str | None:
    parts = urlsplit(base_url)
    if proxy_bypass_environment(parts.netloc):
        return None
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


class LaneTransport:
    """Our own connections: one lane per request in flight, each a pool of a single connection.

    httpx's shared pool wakes and rescans everything for each freed connection; at 50 in flight that is
    three quarters of the CPU, and some callers get nothing. Lanes have nothing to share. The most
    recently used is taken first, so that no more connections stay warm than are needed.

    Parameters in a query travel through the ``target`` extension: exact bytes, unseen by httpx's log,
    by exceptions and by tracing.
    """

    def __init__(self, base_url: str, options: ClientOptions) -> None:
        parts = urlsplit(base_url)
        self._base = httpx.URL(base_url)
        self._host = parts.netloc.encode("ascii")
        self._options = options
        self._proxy = options.proxy or (_environment_proxy(base_url) if options.trust_env else None)
        # Through an HTTP proxy, a plain http request names the whole URL (RFC 9112, 3.2.2).
        forwarded = parts.scheme == "http" and (self._proxy or "").startswith("http")
        self._target_prefix = f"http://{parts.netloc}".encode("ascii") if forwarded else b""
        self._tls = parts.scheme == "https" or bool(self._proxy)
        self._context: ssl.SSLContext | None = options.ssl_context
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._closed = False
        self._timeout = {
            "connect": options.connect_timeout,
            "read": options.read_timeout,
            "write": options.write_timeout,
            "pool": options.connect_timeout,
        }
        self._headers = [
            (b"Host", self._host),
            (b"User-Agent", user_agent(options.user_agent).encode("ascii")),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"gzip, deflate"),
        ]

    def _new_lane(self) -> httpx.AsyncHTTPTransport:
        if self._context is None:
            # Loading certificates takes 60 ms, so it is done once, and only where TLS is spoken.
            self._context = (
                httpx.create_ssl_context(trust_env=self._options.trust_env)
                if self._tls
                else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            )
        try:
            return httpx.AsyncHTTPTransport(
                verify=self._context,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                proxy=self._proxy,
                trust_env=False,
            )
        except (ValueError, ImportError) as exc:
            problem = type(exc).__name__
        raise ConfigurationError(
            f"proxy: cannot be used ({problem}); write http://host:port"
            " (SOCKS needs `pip install httpx[socks]`)"
        )

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        headers = list(self._headers)
        if request.method != "GET":
            headers.append((b"Content-Length", str(len(request.body)).encode("ascii")))
        if request.content_type is not None:
            headers.append((b"Content-Type", request.content_type.encode("ascii")))
        built = httpx.Request(
            request.method,
            self._base,
            headers=headers,
            stream=httpx.ByteStream(request.body),
            extensions={"target": self._target_prefix + request.target, "timeout": self._timeout},
        )
        lane = self._free.pop() if self._free else self._new_lane()
        failure: CallError | None = None
        healthy = False
        try:
            raw = await lane.handle_async_request(built)
            content = await raw.aread()
            healthy = True
            return _response(raw, content)
        except Exception as exc:
            failure = translate(exc, known=True)
            if failure is None:
                raise
        finally:
            if healthy and not self._closed:
                self._free.append(lane)
            else:
                # A lane that failed, or whose call was cancelled, is never used again.
                with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                    await lane.aclose()
        # Raised out here so that httpx's exception, which knows the URL, is not its context.
        raise failure

    async def aclose(self) -> None:
        """Close the idle lanes; those in use are closed by their users."""
        self._closed = True
        lanes, self._free = self._free, []
        for lane in lanes:
            await lane.aclose()


class InjectedTransport:
    """A client that the caller made and will close; its own timeouts, proxies and hooks apply."""

    def __init__(self, client: AsyncHttpClient, options: ClientOptions) -> None:
        for name in ("build_request", "send"):
            if not callable(getattr(client, name, None)):
                raise ConfigurationError(
                    f"http_client: has no {name}(); pass an httpx.AsyncClient or one shaped like it"
                )
        guard_http_loggers()
        self._client = client
        self._headers = {
            "User-Agent": user_agent(options.user_agent),
            "Accept": "application/json",
        }

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        headers = dict(self._headers)
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        # Its transport may ignore the target extension and lose the parameters: a real URL instead.
        _, mark, query = request.target.partition(b"?")
        failure: CallError | None = None
        try:
            built = self._client.build_request(
                request.method,
                request.url + (mark + query).decode("ascii"),
                content=request.body,
                headers=headers,
            )
            raw = await self._client.send(built, auth=None, follow_redirects=False)
            return _response(raw, raw.content)
        except Exception as exc:
            failure = translate(exc, known=False)
            if failure is None:
                raise
        raise failure

    async def aclose(self) -> None:
        """Nothing: the client belongs to the caller."""
