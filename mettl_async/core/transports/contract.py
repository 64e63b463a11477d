"""What a transport is: it sends one request, and says of a failure whether bytes may have been sent."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Protocol

from attrs import frozen

from mettl_async.core.request import Response, SignedRequest


@frozen
class Download:
    """An answer whose body is read as it comes."""

    status_code: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Resolver(Enum):
    """Who finds a host's address: the transport, a proxy, or an injected client, in a way not known here."""

    OWN = "own"
    PROXY = "proxy"
    UNKNOWN = "unknown"


class Transport(Protocol):
    """Sends one signed request; never retries, never follows a redirect."""

    async def send(self, request: SignedRequest) -> Response:
        """Send exactly these bytes.

        Raises:
            ConnectError: No connection; ``.sent`` is false where that is certain.
            TransportTimeoutError: Too slow.
            ConnectionLostError: The connection broke on the way.
            MettlDecodeError: The body could not be decompressed.
        """
        ...

    def resolver(self, url: str) -> Resolver:
        """Tell who finds the address of a URL's host when it is streamed."""
        ...

    def stream(self, url: str, address: str | None = None) -> AbstractAsyncContextManager[Download]:
        """GET a URL as it is, unsigned and unlogged; redirects are answers.

        Args:
            url: The URL.
            address: IP address to connect to, where the transport finds addresses itself; TLS and headers
                still name the URL's host.

        Raises:
            CallError: Like `send`.
        """
        ...

    async def aclose(self) -> None:
        """Close what was opened by the transport itself."""
        ...
