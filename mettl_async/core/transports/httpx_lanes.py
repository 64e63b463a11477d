"""The only module that names httpx (and httpcore, the layer below it): exact bytes out, a response in."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import httpcore
import httpx

from mettl_async.config import ClientOptions
from mettl_async.core.redaction import guard_http_loggers
from mettl_async.core.request import Response, SignedRequest
from mettl_async.core.transports.common import (
    CLOSE_SECONDS,
    KEEPALIVE_SECONDS,
    api_headers,
    decoded,
    joined,
    link_headers,
    make_response,
    proxy_of,
    target_of,
    user_agent,
)
from mettl_async.core.transports.contract import Download
from mettl_async.core.transports.translation import translate, translated, translated_chunks
from mettl_async.errors import CallError, ConfigurationError

Lane = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool

LIBRARY = f"httpx/{httpx.__version__}"
"""The library below, as the User-Agent header names it."""


def unpacked(status: int, pairs: list[tuple[str, str]], content: bytes) -> Response:
    """Make a response, decompressed.

    Raises:
        MettlDecodeError: It could not be.
    """
    response = make_response(status, pairs, content)
    if "content-encoding" not in response.headers:
        return response
    failure: CallError | None = None
    try:
        plain = httpx.Response(status, headers=pairs, content=content).content
        return response.evolve(content=plain)
    except httpx.DecodingError as exc:
        failure = translate(exc)
    raise failure or AssertionError


def new_tls_context(*, trust_env: bool) -> ssl.SSLContext:
    """Load the certificates that are trusted: 60 ms, so do it once.

    Raises:
        ConfigurationError: They cannot be loaded.
    """
    try:
        return httpx.create_ssl_context(trust_env=trust_env)
    except (OSError, ssl.SSLError) as exc:
        problem = type(exc).__name__
    raise ConfigurationError(
        f"certificates: cannot be loaded ({problem}); look at SSL_CERT_FILE and SSL_CERT_DIR"
    )


class LaneTransport:
    """Our own connections: one lane per request in flight, nothing shared but the certificates.

    httpx's pool wakes and rescans everything for each freed connection; at 50 in flight that is three
    quarters of the CPU, and some callers get nothing. A lane is a single connection of httpcore, the
    layer below httpx: a third cheaper again, and no URL ever reaches httpx's log or a tracer. The most
    recently used is taken first, so that no more connections stay warm than are needed.
    """

    def __init__(self, base_url: str, options: ClientOptions) -> None:
        guard_http_loggers()
        parts = urlsplit(base_url)
        self._scheme, self._port = parts.scheme.encode("ascii"), parts.port
        self._host = (parts.hostname or "").encode("ascii")
        self._options = options
        self._proxy = proxy_of(base_url, options)
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
        self._agent = user_agent(options.user_agent, LIBRARY)
        self._headers = api_headers(parts.netloc, self._agent)

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
            self._context = self._new_context(tls=self._tls)
        if self._proxy is None:
            origin = self._url(b"/").origin
            return httpcore.AsyncHTTPConnection(
                origin, ssl_context=self._context, keepalive_expiry=KEEPALIVE_SECONDS
            )
        return _proxied_lane(self._proxy, self._context)

    def _new_context(self, *, tls: bool) -> ssl.SSLContext:
        # Only where TLS is spoken, for it takes its time.
        if not tls:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return new_tls_context(trust_env=self._options.trust_env)

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        headers = list(self._headers)
        if request.method != "GET" or request.body:
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
            return unpacked(raw.status, decoded(raw.headers), content)
        except Exception as exc:
            failure = translate(exc, self._timeout)
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

    @asynccontextmanager
    async def stream(self, url: str) -> AsyncGenerator[Download]:
        """See `Transport`. A connection of its own, for it may go to any host."""
        parts = urlsplit(url)
        address = httpcore.URL(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port,
            target=target_of(url, parts.netloc),
        )
        built = httpcore.Request(
            "GET",
            address,
            headers=link_headers(parts.netloc, self._agent),
            extensions={"timeout": self._timeout},
        )
        proxy = proxy_of(url, self._options)
        tls = proxy is not None or parts.scheme == "https"
        context = self._options.ssl_context or (self._context if self._tls else None)
        context = context or self._new_context(tls=tls)
        lane: Lane = (
            httpcore.AsyncHTTPConnection(address.origin, ssl_context=context)
            if proxy is None
            else _proxied_lane(proxy, context)
        )
        try:
            raw = await translated(lane.handle_async_request(built), self._timeout)
            chunks = translated_chunks(raw.aiter_stream(), self._timeout)
            yield Download(raw.status, joined(decoded(raw.headers)), chunks)
        finally:
            await _close(lane)

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
    with anyio.move_on_after(CLOSE_SECONDS, shield=True):
        await lane.aclose()


def _proxied_lane(url: str, context: ssl.SSLContext) -> Lane:
    """Make a pool of one connection through a proxy: a tunnel for https, forwarding for plain http."""
    try:
        proxy = httpx.Proxy(url)
        address = httpcore.URL(
            scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
        )
        socks = proxy.url.scheme in {"socks5", "socks5h"}
        pool = httpcore.AsyncSOCKSProxy if socks else httpcore.AsyncHTTPProxy
        return pool(
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
