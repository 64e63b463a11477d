"""What a transport is: it sends one request, and says of a failure whether bytes may have been sent."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import frozen

from mettl_async.core.request import Response, SignedRequest


@frozen
class Download:
    """An answer whose body is read as it comes."""

    status_code: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


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

    def stream(self, url: str) -> AbstractAsyncContextManager[Download]:
        """GET an address as it is, unsigned and unlogged; redirects are answers.

        Raises:
            CallError: Like `send`.
        """
        ...

    async def aclose(self) -> None:
        """Close what was opened by the transport itself."""
        ...
