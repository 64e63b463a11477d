"""Requests on httpcore, the layer below httpx: exact bytes out, a response in.

With `httpx_routes` and `tls` the only module that names either.
"""

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
    api_headers,
    decoded,
    joined,
    link_headers,
    make_response,
    target_of,
    user_agent,
)
from mettl_async.core.transports.contract import Download, Resolver
from mettl_async.core.transports.httpx_routes import Lane, Route, route_to
from mettl_async.core.transports.proxies import proxy_of
from mettl_async.core.transports.tls import new_tls_context
from mettl_async.core.transports.translation import translate, translated, translated_chunks
from mettl_async.errors import CallError

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
        self._options = options
        self._route = route_to(base_url, proxy_of(base_url, options))
        self._context: ssl.SSLContext | None = None
        self._free: list[Lane] = []
        self._closed = False
        self._timeout = {
            "connect": options.connect_timeout,
            "read": options.read_timeout,
            "write": options.write_timeout,
            "pool": options.connect_timeout,
        }
        self._agent = user_agent(options.user_agent, LIBRARY)
        self._headers = [*api_headers(parts.netloc, self._agent), *self._route.headers]

    async def _take_lane(self) -> Lane:
        while self._free:
            lane = self._free.pop()
            # A server may close an idle connection at any time: better noticed now than after sending.
            # The pool that a SOCKS proxy needs looks for itself.
            if isinstance(lane, httpcore.AsyncConnectionPool) or (
                lane.is_available() and not lane.has_expired()
            ):
                return lane
            await _close(lane)
        return self._new_lane()

    def _new_lane(self) -> Lane:
        return self._route.new_lane(self._context_for(self._route))

    def _context_for(self, route: Route) -> ssl.SSLContext:
        if self._options.ssl_context is not None:
            return self._options.ssl_context
        # Only where TLS is spoken, for it takes its time.
        if not route.tls:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._context is None:
            self._context = new_tls_context(trust_env=self._options.trust_env)
        return self._context

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        headers = list(self._headers)
        if request.method != "GET" or request.body:
            headers.append((b"Content-Length", str(len(request.body)).encode("ascii")))
        headers += ((name.encode(), value.encode()) for name, value in request.headers.items())
        built = httpcore.Request(
            request.method.encode("ascii"),
            self._route.url(request.target),
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

    def resolver(self, url: str) -> Resolver:
        """See `Transport`."""
        return Resolver.PROXY if proxy_of(url, self._options) else Resolver.OWN

    @asynccontextmanager
    async def stream(self, url: str, address: str | None = None) -> AsyncGenerator[Download]:
        """See `Transport`. A connection of its own, for it may go to any host."""
        parts = urlsplit(url)
        route = route_to(url, proxy_of(url, self._options), address)
        named = {"sni_hostname": parts.hostname} if address else {}
        built = httpcore.Request(
            "GET",
            route.url(target_of(url, parts.netloc).encode("ascii")),
            headers=[*link_headers(parts.netloc, self._agent), *route.headers],
            extensions={"timeout": self._timeout, **named},
        )
        lane = route.new_lane(self._context_for(route))
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
            if not isinstance(oldest, httpcore.AsyncConnectionPool) and oldest.has_expired():
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
