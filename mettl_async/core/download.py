"""Fetching something unsigned, such as a report: its address is the key to it.

The address goes out exactly as it came (its double escapes matter [seen]), without our parameters, and
never into a log or an error. `link_rules` says which addresses are fetched.
"""

import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from urllib.parse import urljoin

import anyio
from attrs import frozen

from mettl_async.core.link_rules import Link, check_addresses, check_link
from mettl_async.core.transports.contract import Download, Resolver, Transport
from mettl_async.errors import CallError, ConnectError, TransportTimeoutError

MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = {301, 302, 303, 307, 308}
_MOST_ADDRESSES: Final = 4


@frozen
class Fetcher:
    """GET addresses of the server's.

    Attributes:
        transport: What carries the requests.
        base_url: Of the client.
        connect_timeout: Seconds that finding a host's addresses may take.
    """

    transport: Transport
    base_url: str
    connect_timeout: float

    @asynccontextmanager
    async def fetch(self, link: Link) -> AsyncGenerator[Download]:
        """GET an address; redirects are followed, for there is no signature that they could carry away.

        A host's addresses are looked up once, and the connection goes to one of those that were checked,
        so that a second, different answer of the resolver changes nothing. Where a proxy is used, also
        by an injected client, the proxy looks names up. An injected client does so itself, after the
        check, if it speaks HTTP/2 or has mounts or a transport of its own.

        Raises:
            InvalidInputError: The host, or one that it redirects to, is not public.
            ConnectError: No connection, or too many redirects.
            TransportTimeoutError: Too slow.
            ConnectionLostError: It broke on the way.
        """
        field = "its address"
        for _ in range(MOST_REDIRECTS + 1):
            async with self._open(link, field) as download:
                if download.status_code not in _REDIRECTS:
                    yield download
                    return
                location = download.headers.get("location", "")
            field = "the address that it redirects to"
            try:
                target = urljoin(link.url, location) if location else ""
            except ValueError:
                target = ""
            link = check_link(field, target, self.base_url)
        raise ConnectError(f"redirected more than {MOST_REDIRECTS} times")

    @asynccontextmanager
    async def _open(self, link: Link, field: str) -> AsyncGenerator[Download]:
        addresses = await self._addresses(link, field)
        async with AsyncExitStack() as stack:
            for left in reversed(range(len(addresses))):
                stream = self.transport.stream(link.url, addresses[-1 - left])
                try:
                    download = await stack.enter_async_context(stream)
                except CallError as error:
                    if left and not error.sent:
                        continue
                    raise
                yield download
                return

    async def _addresses(self, link: Link, field: str) -> list[str] | list[None]:
        resolver = self.transport.resolver(link.url)
        if link.is_own or resolver is Resolver.PROXY:
            return [None]
        problem = ""
        try:
            with anyio.fail_after(self.connect_timeout):
                found = await anyio.getaddrinfo(link.host, link.port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise TransportTimeoutError(
                f"finding the host's address timed out after {self.connect_timeout:g} s"
            ) from None
        except (OSError, UnicodeError) as exc:
            problem = getattr(exc, "strerror", None) or type(exc).__name__
        if problem:
            raise ConnectError(f"the host's address was not found: {problem}")
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        check_addresses(field, addresses)
        return addresses[:_MOST_ADDRESSES] if resolver is Resolver.OWN else [None]
