"""One connection of aiohttp's: bytes in, an answer out, and what its exceptions mean."""

import asyncio
import select
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus

import aiohttp
import anyio
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from attrs import define, field

from mettl_async.config import ClientOptions
from mettl_async.core.redaction import scrub
from mettl_async.core.transports.common import KEEPALIVE_SECONDS
from mettl_async.errors import (
    CallError,
    CallFacts,
    ConnectError,
    ConnectionLostError,
    TransportTimeoutError,
)

FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What aiohttp raises when the world is to blame."""

_CHUNK = 65_536
_LONGEST_HEADER_LINE = 65_536


@define(eq=False)
class Lane:
    """A connection, used by one request at a time."""

    connection: aiohttp.connector.Connection
    protocol: ResponseHandler
    idle_since: float = 0.0
    readable: Callable[[], bool] = field(init=False, repr=False)

    @readable.default
    def _look(self) -> Callable[[], bool]:
        return _look_at(self.protocol.transport)

    def usable(self, now: float) -> bool:
        """Tell whether it may carry another request.

        A server may close an idle connection at any time: better noticed now than after sending. The
        event loop notices it too, but not before the calling code lets it run.
        """
        return (
            now - self.idle_since <= KEEPALIVE_SECONDS
            and self.protocol.is_connected()
            and not self.protocol.should_close
            and not self.readable()
        )

    async def write(
        self, head: bytes, body: bytes, options: ClientOptions, *, head_only: bool = False
    ) -> None:
        """Send it, and begin to wait for the answer.

        Raises:
            TransportTimeoutError: No progress for the write timeout.
        """
        protocol, transport = self.protocol, self.connection.transport
        if transport is None:
            raise aiohttp.ClientConnectionError
        protocol.set_response_params(
            skip_payload=head_only,
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=options.read_timeout,
            max_line_size=_LONGEST_HEADER_LINE,
            max_field_size=_LONGEST_HEADER_LINE,
        )
        transport.write(head + body[:_CHUNK] if body else head)
        taken = _CHUNK
        while protocol.writing_paused or taken < len(body):
            with anyio.move_on_after(options.write_timeout) as scope:
                try:
                    await StreamWriter(protocol, asyncio.get_running_loop()).drain()
                except FAILURES:
                    # It may have answered before it hung up.
                    break
            if scope.cancelled_caught:
                raise TransportTimeoutError(
                    f"sending timed out after {options.write_timeout:g} s", CallFacts(sent=True)
                )
            transport.write(body[taken : taken + _CHUNK])
            taken += _CHUNK
        protocol.start_timeout()

    async def answer(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        """Wait for status and headers; the body may still be on its way."""
        while True:
            message, payload = await self.protocol.read()
            if message.code >= HTTPStatus.OK or message.upgrade:  # not an interim one
                return message, payload

    def close(self) -> None:
        """Close at once, and drop what is still to be sent."""
        transport = self.connection.transport
        if transport is not None:
            transport.abort()
        self.connection.close()


def _look_at(transport: asyncio.Transport | None) -> Callable[[], bool]:
    """Make a function that tells whether unread bytes of the server have arrived."""
    socket = transport.get_extra_info("socket") if transport is not None else None
    if socket is None or not hasattr(select, "poll"):
        return lambda: False
    if socket.fileno() < 0:
        return lambda: True  # closed meanwhile
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return lambda: bool(poll.poll(0))


async def chunks(payload: aiohttp.StreamReader, options: ClientOptions) -> AsyncGenerator[bytes]:
    """Yield the pieces of a body as they come.

    Raises:
        CallError: It broke off.
    """
    failure: CallError | None = None
    while failure is None:
        chunk = b""
        try:
            chunk = await payload.readany()
        except FAILURES as exc:
            failure = meaning(exc, options, connected=True)
        if chunk:
            yield chunk
        elif failure is None:
            return
    raise failure


def meaning(exc: Exception, options: ClientOptions, *, connected: bool) -> CallError:
    """Translate an exception: nothing is sent before a connection is there, and anything may be after."""
    if connected:
        if isinstance(exc, TimeoutError):
            return TransportTimeoutError(
                f"read timed out after {options.read_timeout:g} s", CallFacts(sent=True)
            )
        return ConnectionLostError("the connection broke", CallFacts(sent=True))
    if isinstance(exc, TimeoutError):
        return TransportTimeoutError(f"connecting timed out after {options.connect_timeout:g} s")
    if isinstance(exc, (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError)):
        return ConnectError("the proxy refused the connection")
    # These say which (refused, DNS, TLS) in words that hold no request data.
    cause = getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None)
    detail = f": {scrub(str(cause))}" if cause is not None and str(cause) else ""
    return ConnectError(f"the connection could not be made{detail}")
