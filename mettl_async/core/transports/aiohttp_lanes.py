"""Requests on aiohttp's connections and through its parser, in our own bytes.

With `aiohttp_connection` the only module that names aiohttp.

What a client session of aiohttp adds for each request (URL parsing and quoting, cookies, redirects, a
second sending behind our back when a kept connection breaks) is not wanted here, and costs more than
the rest. So this goes one layer below: aiohttp connects (names, addresses, TLS, tunnels) and parses the
answer; which bytes go out, and which connection is used again, is said here. aiohttp never learns a
URL beyond its host, so none can appear in its logs or exceptions.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from urllib.parse import urlsplit

import aiohttp
import anyio
from attrs import field, frozen
from multidict import CIMultiDict
from yarl import URL

from mettl_async.config import ClientOptions
from mettl_async.core.request import Response, SignedRequest
from mettl_async.core.transports.aiohttp_connection import (
    Connector,
    CountingHandler,
    Lane,
    chunks,
    meaning,
)
from mettl_async.core.transports.body import unpacked
from mettl_async.core.transports.common import (
    CLOSE_SECONDS,
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
from mettl_async.core.transports.idle import LaneKeeper
from mettl_async.core.transports.proxies import Proxy, bracketed, proxy_of
from mettl_async.core.transports.tls import new_tls_context
from mettl_async.errors import (
    CallError,
    ConfigurationError,
    MettlError,
)

_LIBRARY = f"aiohttp/{aiohttp.__version__}"


@frozen
class _Route:
    """How to connect to a host; ``prefix`` and ``head`` are for a proxy that forwards plain http."""

    template: aiohttp.ClientRequest = field(repr=False)
    prefix: bytes = b""
    head: bytes = field(default=b"", repr=False)


class AiohttpTransport(LaneKeeper[Lane]):
    """See `Transport`; for asyncio, with uvloop or without.

    A lane per request in flight, as in `LaneTransport`: no request waits for a pool.
    """

    def __init__(
        self, base_url: str, options: ClientOptions, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__(options.max_connection_age, clock)
        parts = urlsplit(base_url)
        self._origin, self._options = f"{parts.scheme}://{parts.netloc}", options
        self._connect_timeout = aiohttp.ClientTimeout(total=None, connect=options.connect_timeout)
        self._context = options.ssl_context
        self._proxy = self._proxy_of(base_url)
        self._route: _Route | None = None
        self._connector: Connector | None = None
        self._in_use = 0
        self._agent = user_agent(options.user_agent, _LIBRARY)
        self._head = _lines(api_headers(parts.netloc, self._agent))

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        if self._route is None:
            self._route = self._new_route(self._origin, self._proxy)
        head = self._head_of(request, self._route)
        lane: Lane | None = None
        failure: CallError | None = None
        healthy = False
        self._in_use += 1
        try:
            lane = await self._take_lane() or await self._new_lane(self._route)
            message, content = await lane.exchange(
                head, request.body, self._options, head_only=request.method == "HEAD"
            )
            healthy, abandon = not lane.protocol.should_close, lane.abandon
        except MettlError:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is no error of ours
            failure = meaning(exc, self._options, connected=lane is not None)
        finally:
            self._in_use -= 1
            if lane is not None:
                await self._give_back(lane, healthy=healthy)
            if self._closed and not self._in_use:
                await self._close_connector()
        if failure is not None:
            # Raised out here so that the HTTP library's exception is not its context.
            raise failure
        response = make_response(message.code, decoded(message.raw_headers), content, abandon)
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
        route = self._new_route(f"{parts.scheme}://{parts.netloc}", self._proxy_of(url), address)
        head = b"GET %b%b HTTP/1.1\r\n%b%b\r\n" % (
            route.prefix,
            target_of(url, parts.netloc).encode("ascii"),
            _lines(link_headers(parts.netloc, self._agent)),
            route.head,
        )
        lane: Lane | None = None
        failure: CallError | None = None
        self._in_use += 1
        try:
            try:
                lane = await self._new_lane(route)
                await lane.write(head, b"", self._options)
                message, payload = await lane.answer()
            except MettlError:
                raise
            except Exception as exc:  # noqa: BLE001 - as above
                failure = meaning(exc, self._options, connected=lane is not None)
            if failure is not None:
                raise failure
            yield Download(
                message.code, joined(decoded(message.raw_headers)), chunks(payload, self._options)
            )
        finally:
            self._in_use -= 1
            if lane is not None:
                await lane.aclose()
            if self._closed and not self._in_use:
                await self._close_connector()

    async def aclose(self) -> None:
        """Close the idle lanes; those in use are closed by their users."""
        await self._close_idle()
        if not self._in_use:
            await self._close_connector()

    async def _close_connector(self) -> None:
        connector, self._connector = self._connector, None
        self._route = None
        if connector is not None:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await connector.close()
                # Sockets are closed in the event loop's next turn.
                await asyncio.sleep(0)

    async def _new_lane(self, route: _Route) -> Lane:
        if self._connector is None:
            self._connector = Connector()
        connection = await self._connector.connect(route.template, [], self._connect_timeout)
        if not isinstance(connection.protocol, CountingHandler):
            raise aiohttp.ClientConnectionError
        now = self._clock()
        return Lane(connection, connection.protocol, now, now)

    def _proxy_of(self, url: str) -> Proxy | None:
        proxy = proxy_of(url, self._options)
        if proxy is not None and proxy.socks:
            raise ConfigurationError("proxy: aiohttp speaks no SOCKS; use transport='httpx'")
        return proxy

    def _new_route(self, origin: str, proxy: Proxy | None, address: str | None = None) -> _Route:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None:
            raise ConfigurationError(
                "transport='aiohttp' runs on asyncio only; on trio leave it at 'httpx'"
            )
        plain = origin.startswith("http:")
        parts = urlsplit(origin)
        place = URL(f"{origin}/", encoded=True)
        if address is not None:
            place = URL.build(scheme=parts.scheme, host=address, port=parts.port, path="/")
        proxied, authorization = None, None
        if proxy is not None:
            at = f"{proxy.scheme}://{bracketed(proxy.host)}:{proxy.port}"
            proxied, authorization = URL(at, encoded=True), proxy.authorization
        template = aiohttp.ClientRequest(
            "GET",
            place,
            loop=loop,
            server_hostname=None if address is None else parts.hostname,
            ssl=True
            if plain and (proxied is None or proxied.scheme == "http")
            else self._tls_context(),
            proxy=proxied,
            proxy_headers=CIMultiDict(
                {"Proxy-Authorization": authorization} if authorization else {}
            )
            if proxied is not None
            else None,
        )
        if proxied is None or not plain:
            return _Route(template)
        head = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
        return _Route(template, origin.encode("ascii"), head.encode("ascii"))

    def _head_of(self, request: SignedRequest, route: _Route) -> bytes:
        return b"%b %b%b HTTP/1.1\r\n%b%b%b\r\n" % (
            request.method.encode("ascii"),
            route.prefix,
            request.target,
            self._head,
            route.head,
            _lines(further_headers(request)),
        )

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = new_tls_context(trust_env=self._options.trust_env)
        # As httpcore does: a context that offers HTTP/2 too would be answered in it.
        self._context.set_alpn_protocols(["http/1.1"])
        return self._context


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)
