"""Requests on httpcore, the layer below httpx: exact bytes out, a response in.

With `httpx_connection`, `httpx_routes` and `tls` the only module that names either.
"""

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from urllib.parse import urlsplit

import httpcore
import httpx

from mettl_async.config import ClientOptions
from mettl_async.core.redaction import guard_http_loggers, guarded
from mettl_async.core.request import Response, SignedRequest
from mettl_async.core.transports.body import unpacked
from mettl_async.core.transports.common import (
    api_headers,
    decoded,
    further_headers,
    joined,
    link_headers,
    link_parts,
    make_response,
    target_of,
    user_agent,
)
from mettl_async.core.transports.contract import Download, Resolver
from mettl_async.core.transports.httpx_connection import Body, Lane
from mettl_async.core.transports.httpx_routes import Route, route_to
from mettl_async.core.transports.idle import LaneKeeper
from mettl_async.core.transports.proxies import proxy_of
from mettl_async.core.transports.tls import new_tls_context
from mettl_async.core.transports.translation import translate, translated, translated_chunks
from mettl_async.errors import CallError

LIBRARY = f"httpx/{httpx.__version__}"
"""The library below, as the User-Agent header names it."""


class LaneTransport(LaneKeeper[Lane]):
    """Our own connections: one lane per request in flight, nothing shared but the certificates.

    httpx's pool wakes and rescans everything for each freed connection; at 50 in flight that is three
    quarters of the CPU, and some callers get nothing. A lane is a single connection of httpcore, the
    layer below httpx: a third cheaper again, and no URL ever reaches httpx's log or a tracer.
    """

    def __init__(
        self, base_url: str, options: ClientOptions, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__(options.max_connection_age, clock)
        guard_http_loggers()
        parts = urlsplit(base_url)
        self._options = options
        self._route = route_to(base_url, proxy_of(base_url, options))
        self._context: ssl.SSLContext | None = None
        self._timeout = {
            "connect": options.connect_timeout,
            "read": options.read_timeout,
            "write": options.write_timeout,
            "pool": options.connect_timeout,
        }
        self._agent = user_agent(options.user_agent, LIBRARY)
        self._headers = [*api_headers(parts.netloc, self._agent), *self._route.headers]

    def _new_lane(self, route: Route) -> Lane:
        context = self._context_for(route)
        return Lane(lambda sockets: route.connection(context, sockets), self._clock())

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
        built = httpcore.Request(
            request.method.encode("ascii"),
            self._route.url(request.target),
            headers=[*self._headers, *further_headers(request)],
            content=Body(request.body),
            extensions={"timeout": self._timeout},
        )
        lane = await self._take_lane() or self._new_lane(self._route)
        failure: CallError | None = None
        healthy = False
        try:
            with guarded():
                status, pairs, content = await lane.exchange(
                    built, self._options.max_response_bytes
                )
            healthy = True
        except Exception as exc:
            failure = translate(exc, self._timeout)
            if failure is None:
                raise
        finally:
            await self._give_back(lane, healthy=healthy)
        if failure is not None:
            # Raised out here so that the HTTP library's exception is not its context.
            raise failure
        response = make_response(status, decoded(pairs), content, lane.abandon)
        if "content-encoding" in response.headers:
            return await unpacked(response, self._options.max_response_bytes)
        return response

    def resolver(self, url: str) -> Resolver:
        """See `Transport`."""
        return Resolver.PROXY if proxy_of(url, self._options) else Resolver.OWN

    @asynccontextmanager
    async def stream(self, url: str, address: str | None = None) -> AsyncGenerator[Download]:
        """See `Transport`. A connection of its own, for it may go to any host."""
        parts = link_parts(url)
        route = route_to(url, proxy_of(url, self._options), address)
        named = {"sni_hostname": parts.hostname} if address else {}
        built = httpcore.Request(
            "GET",
            route.url(target_of(url, parts.netloc).encode("ascii")),
            headers=[*link_headers(parts.netloc, self._agent), *route.headers],
            extensions={"timeout": self._timeout, **named},
        )
        lane = self._new_lane(route)
        try:
            with guarded("link"):
                raw = await translated(lane.open(built), self._timeout)
            chunks = translated_chunks(raw.aiter_stream(), self._timeout)
            yield Download(raw.status, joined(decoded(raw.headers)), chunks)
        finally:
            await lane.aclose()

    async def aclose(self) -> None:
        """Close the idle lanes; those in use are closed by their users."""
        await self._close_idle()
