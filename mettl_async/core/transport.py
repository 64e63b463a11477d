"""The only module that names httpx (and httpcore, the layer below it): exact bytes out, a response in.

Whether the server may have seen a request (``.sent``) is said only from exceptions whose meaning we
know: those of our own connections. An injected client's transport may hide anything behind a
connect error, so with it every failure counts as maybe sent.
"""

from __future__ import annotations

import inspect
import platform
import ssl
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks the second

import anyio
import httpcore
import httpx
from attrs import evolve

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
    from collections.abc import Iterable

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


Lane = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool

KEEPALIVE_SECONDS = 5.0
"""How long an idle connection is kept, as httpx does: most servers keep it longer."""

_CLOSE_SECONDS = 1.0


def user_agent(suffix: str) -> str:
    """The User-Agent header: this library, httpx, Python, then the application's own suffix."""
    own = f"mettl-async/{__version__} httpx/{httpx.__version__} Python/{platform.python_version()}"
    return f"{own} {suffix}".strip()


# The most specific first: names, so that httpx, httpx2 and what is below them are translated alike.
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
    ("ConnectionNotAvailable", ConnectError, "the connection was closed before it was used", False),
    ("NetworkError", ConnectionLost, "the connection broke", True),
    ("ProtocolError", ConnectionLost, "the connection broke", True),
    ("TransportError", ConnectionLost, "the connection broke", True),
    # Whatever else these libraries raise knows the URL, so it never comes through as it is.
    ("HTTPError", ConnectionLost, "the HTTP library gave up", True),
    ("StreamError", ConnectionLost, "the body could not be read", True),
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


def _response(status: int, pairs: Iterable[tuple[str, str]], content: bytes) -> Response:
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Response(status=status, headers=headers, content=content)


def _unpacked(raw: httpcore.Response, content: bytes) -> Response:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw.headers]
    response = _response(raw.status, pairs, content)
    if "content-encoding" in response.headers:
        unpacked = httpx.Response(raw.status, headers=pairs, content=content).content
        return evolve(response, content=unpacked)
    return response


def _environment_proxy(base_url: str) -> str | None:
    parts = urlsplit(base_url)
    if proxy_bypass_environment(parts.netloc):
        return None
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


class LaneTransport:
    """Our own connections: one lane per request in flight, nothing shared but the certificates.

    httpx's pool wakes and rescans everything for each freed connection; at 50 in flight that is three
    quarters of the CPU, and some callers get nothing. A lane is a single connection of httpcore, the
    layer below httpx: a third cheaper again, and no URL ever reaches httpx's log or a tracer. The most
    recently used is taken first, so that no more connections stay warm than are needed.
    """

    def __init__(self, base_url: str, options: ClientOptions) -> None:
        parts = urlsplit(base_url)
        self._scheme, self._port = parts.scheme.encode("ascii"), parts.port
        self._host = (parts.hostname or "").encode("ascii")
        self._options = options
        self._proxy = options.proxy or (_environment_proxy(base_url) if options.trust_env else None)
        self._tls = parts.scheme == "https" or bool(self._proxy)
        self._context: ssl.SSLContext | None = options.ssl_context
        self._free: list[Lane] = []
        self._closed = False
        self._timeout = {
            "connect": options.connect_timeout,
            "read": options.read_timeout,
            "write": options.write_timeout,
            "pool": options.connect_timeout,
        }
        self._headers = [
            (b"Host", parts.netloc.encode("ascii")),
            (b"User-Agent", user_agent(options.user_agent).encode("ascii")),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"gzip, deflate"),
        ]

    def _url(self, target: bytes) -> httpcore.URL:
        return httpcore.URL(scheme=self._scheme, host=self._host, port=self._port, target=target)

    async def _take_lane(self) -> Lane:
        while self._free:
            lane = self._free.pop()
            # A server may close an idle connection at any time: better noticed now than after sending.
            # The pools of proxied lanes look for themselves.
            if isinstance(lane, httpcore.AsyncConnectionPool) or (
                lane.is_available() and not lane.has_expired()
            ):
                return lane
            await _close(lane)
        return self._new_lane()

    def _new_lane(self) -> Lane:
        if self._context is None:
            self._context = self._new_context()
        if self._proxy is None:
            origin = self._url(b"/").origin
            return httpcore.AsyncHTTPConnection(
                origin, ssl_context=self._context, keepalive_expiry=KEEPALIVE_SECONDS
            )
        return _proxied_lane(self._proxy, self._context)

    def _new_context(self) -> ssl.SSLContext:
        # Loading certificates takes 60 ms, so it is done once, and only where TLS is spoken.
        if not self._tls:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            return httpx.create_ssl_context(trust_env=self._options.trust_env)
        except (OSError, ssl.SSLError) as exc:
            problem = type(exc).__name__
        raise ConfigurationError(
            f"certificates: cannot be loaded ({problem}); look at SSL_CERT_FILE and SSL_CERT_DIR"
        )

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        headers = list(self._headers)
        if request.method != "GET":
            headers.append((b"Content-Length", str(len(request.body)).encode("ascii")))
        headers += ((name.encode(), value.encode()) for name, value in request.headers.items())
        built = httpcore.Request(
            request.method.encode("ascii"),
            self._url(request.target),
            headers=headers,
            content=request.body,
            extensions={"timeout": self._timeout},
        )
        lane = await self._take_lane()
        failure: CallError | None = None
        healthy = False
        try:
            raw = await lane.handle_async_request(built)
            content = await raw.aread()
            await raw.aclose()
            healthy = True
            return _unpacked(raw, content)
        except Exception as exc:
            failure = translate(exc, known=True)
            if failure is None:
                raise
        finally:
            if healthy and not self._closed:
                self._free.append(lane)
                await self._drop_longest_idle()
            else:
                # A lane that failed, or whose call was cancelled, is never used again.
                await _close(lane)
        # Raised out here so that the HTTP library's exception is not its context.
        raise failure

    async def _drop_longest_idle(self) -> None:
        """Close what the server has closed meanwhile: one look per call, at the least used lane."""
        if len(self._free) > 1:
            oldest = self._free[0]
            if isinstance(oldest, httpcore.AsyncHTTPConnection) and oldest.has_expired():
                await _close(self._free.pop(0))

    async def aclose(self) -> None:
        """Close the idle lanes; those in use are closed by their users."""
        self._closed = True
        lanes, self._free = self._free, []
        for lane in lanes:
            await _close(lane)


async def _close(lane: Lane) -> None:
    with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
        await lane.aclose()


def _proxied_lane(url: str, context: ssl.SSLContext) -> Lane:
    """A pool of one connection through a proxy: a tunnel for https, forwarding for plain http."""
    try:
        proxy = httpx.Proxy(url)
        address = httpcore.URL(
            scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
        )
        if proxy.url.scheme in {"socks5", "socks5h"}:
            return httpcore.AsyncSOCKSProxy(
                proxy_url=address,
                proxy_auth=proxy.raw_auth,
                ssl_context=context,
                max_connections=1,
                keepalive_expiry=KEEPALIVE_SECONDS,
            )
        return httpcore.AsyncHTTPProxy(
            proxy_url=address,
            proxy_auth=proxy.raw_auth,
            ssl_context=context,
            max_connections=1,
            keepalive_expiry=KEEPALIVE_SECONDS,
        )
    except (ValueError, RuntimeError, httpx.InvalidURL) as exc:
        problem = type(exc).__name__
    raise ConfigurationError(
        f"proxy: cannot be used ({problem}); write http://host:port"
        " (SOCKS needs `pip install httpx[socks]`)"
    )


def _check_unchanged(built: bytes, wanted: bytes) -> None:
    if built != wanted:
        raise ConfigurationError(
            "http_client: it changes the URL, which would break the signature; "
            "make it without params= and base_url="
        )


class InjectedTransport:
    """A client that the caller made and will close; its own timeouts, proxies and hooks apply."""

    def __init__(self, client: AsyncHttpClient, options: ClientOptions) -> None:
        for name in ("build_request", "send"):
            if not callable(getattr(client, name, None)):
                raise ConfigurationError(
                    f"http_client: has no {name}(); pass an httpx.AsyncClient or one shaped like it"
                )
        if not inspect.iscoroutinefunction(client.send):
            raise ConfigurationError("http_client: send() is not async; pass an httpx.AsyncClient")
        guard_http_loggers()
        self._client = client
        self._headers = {
            "User-Agent": user_agent(options.user_agent),
            "Accept": "application/json",
        }

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        headers = {**self._headers, **request.headers}
        # Its transport may ignore the target extension and lose the parameters: a real URL instead.
        _, mark, query = request.target.partition(b"?")
        failure: CallError | ConfigurationError | None = None
        try:
            built = self._client.build_request(
                request.method,
                request.url + (mark + query).decode("ascii"),
                content=request.body,
                headers=headers,
            )
            _check_unchanged(built.url.raw_path, request.target)
            raw = await self._client.send(built, auth=None, follow_redirects=False)
            return _response(raw.status_code, raw.headers.multi_items(), raw.content)
        except Exception as exc:
            raw = getattr(exc, "response", None)
            if type(exc).__name__ == "HTTPStatusError" and raw is not None:
                # An event hook raised for the status: it is a response all the same.
                return _response(raw.status_code, raw.headers.multi_items(), await raw.aread())
            if getattr(self._client, "is_closed", False) is True:
                failure = ConfigurationError(
                    "http_client: it is closed; keep it open for the client"
                )
            else:
                failure = translate(exc, known=False)
            if failure is None:
                raise
        raise failure

    async def aclose(self) -> None:
        """Nothing: the client belongs to the caller."""
