"""How requests leave on httpcore: straight to the server, or through a proxy."""

import ssl
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

import httpcore
from attrs import define, field, frozen

from mettl_async.core.transports.httpx_connection import Connection
from mettl_async.core.transports.proxies import Proxy, bracketed


@define(eq=False)
class Tunnel:
    """A connection through a proxy that only passes bytes on; it is opened by its first request.

    httpcore's own one writes an IPv6 address without brackets, and has no certificates for the proxy.
    """

    _outside: httpcore.AsyncHTTPConnection
    _proxy: Proxy
    _server: httpcore.Origin
    _context: ssl.SSLContext = field(repr=False)
    inside: httpcore.AsyncHTTP11Connection | None = None

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send it to the server behind the proxy."""
        if self.inside is None:
            self.inside = await self._open(request.extensions)
        return await self.inside.handle_async_request(request)

    async def _open(self, extensions: MutableMapping[str, Any]) -> httpcore.AsyncHTTP11Connection:
        host = self._server.host.decode("ascii")
        target = f"{bracketed(host)}:{self._server.port}"
        authorization = self._proxy.authorization
        answer = await self._outside.handle_async_request(
            httpcore.Request(
                "CONNECT",
                _address(self._proxy.scheme, self._proxy.host, self._proxy.port, target),
                headers=[("Host", target)]
                + ([("Proxy-Authorization", authorization)] if authorization else []),
                extensions=extensions,
            )
        )
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - a success
            raise httpcore.ProxyError(str(answer.status))
        stream = await answer.extensions["network_stream"].start_tls(
            ssl_context=self._context,
            server_hostname=host,
            timeout=extensions["timeout"]["connect"],
        )
        return httpcore.AsyncHTTP11Connection(self._server, stream)

    def is_available(self) -> bool:
        """Tell whether it may carry another request."""
        return self.inside is not None and self.inside.is_available()

    async def aclose(self) -> None:
        """Close it."""
        try:
            if self.inside is not None:
                await self.inside.aclose()
        finally:
            await self._outside.aclose()


@frozen(eq=False)
class Route:
    """How to connect to a server; ``prefix`` and ``headers`` are for a proxy that forwards plain http."""

    server: httpcore.URL
    proxy: Proxy | None = None
    prefix: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)

    @property
    def tls(self) -> bool:
        """Tell whether certificates are needed."""
        return b"https" in {self.server.scheme, self.proxy and self.proxy.scheme.encode("ascii")}

    def url(self, target: bytes) -> httpcore.URL:
        """Return the address of a request on a lane, with exactly this target."""
        server = self.server
        return httpcore.URL(
            scheme=server.scheme, host=server.host, port=server.port, target=self.prefix + target
        )

    def connection(
        self, context: ssl.SSLContext, sockets: httpcore.AsyncNetworkBackend
    ) -> Connection:
        """Make a connection that is opened by its first request, with these sockets."""
        origin, proxy = self.server.origin, self.proxy
        if proxy is None:
            return httpcore.AsyncHTTPConnection(origin, context, network_backend=sockets)
        address = _address(proxy.scheme, proxy.host, proxy.port)
        if not proxy.socks:
            outside = httpcore.AsyncHTTPConnection(address.origin, context, network_backend=sockets)
            return Tunnel(outside, proxy, origin, context)
        pool = httpcore.AsyncSOCKSProxy(
            proxy_url=address,
            proxy_auth=None if proxy.user is None else (proxy.user, proxy.password),
            ssl_context=context,
            network_backend=sockets,
        )
        # Of the pool only its connection is wanted: it queues, and hides what was read beyond an answer.
        return pool.create_connection(origin)


def route_to(url: str, proxy: Proxy | None, address: str | None = None) -> Route:
    """Choose the way to a URL: a tunnel for https, forwarding for plain http.

    Args:
        url: The URL.
        proxy: Through which it is reached, if any.
        address: IP address of the host, if it is known and there is no proxy.
    """
    parts = urlsplit(url)
    if proxy is not None and parts.scheme == "http" and not proxy.socks:
        authorization = proxy.authorization
        return Route(
            _address(proxy.scheme, proxy.host, proxy.port),
            prefix=f"http://{parts.netloc}".encode("ascii"),
            headers=((b"Proxy-Authorization", authorization.encode("ascii")),)
            if authorization
            else (),
        )
    return Route(_address(parts.scheme, address or parts.hostname or "", parts.port), proxy)


def _address(scheme: str, host: str, port: int | None, target: str = "/") -> httpcore.URL:
    return httpcore.URL(
        scheme=scheme.encode("ascii"),
        host=host.encode("ascii"),
        port=port,
        target=target.encode("ascii"),
    )
