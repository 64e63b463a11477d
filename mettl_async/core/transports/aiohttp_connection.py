"""One connection of aiohttp's: bytes in, an answer out, and what its exceptions mean."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import aiohttp
import anyio
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from attrs import define, field

from mettl_async.config import ClientOptions
from mettl_async.core.redaction import scrub
from mettl_async.core.transports.body import (
    MAX_HEAD_BYTES,
    endless_head,
    too_long,
)
from mettl_async.core.transports.idle import unread
from mettl_async.core.transports.translation import tls_reason, unforeseen
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
_LAST_CHUNK = b"0\r\n\r\n"
_MOST_OF_CHUNKS = 8  # chunks of one byte take six
_FIRST_FINAL = 200


class Connector(aiohttp.TCPConnector):
    """Connects as aiohttp does, with a protocol that counts."""

    def __init__(self) -> None:
        # Names are resolved as the system does it, whichever extras of aiohttp are installed.
        super().__init__(limit=0, resolver=aiohttp.ThreadedResolver())
        self._factory = partial(CountingHandler, loop=asyncio.get_running_loop())  # type: ignore[assignment] # one more kind of it


class CountingHandler(ResponseHandler):
    """Knows how much the server has said, for aiohttp's parser does not tell what it holds.

    Attributes:
        received: Bytes since the request was sent.
        end: The last bytes of them.
        head_length: Bytes of the headers, interim answers included; -1 if that is not known.
        most: Bytes at which it hangs up: aiohttp passes over the line of a chunk's size at any length.
    """

    received = 0
    end = b""
    head_length = -1
    most = math.inf

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._head = bytearray()
        self._interim, self._answered = 0, False

    def expect_answer(self) -> None:
        """Begin to count."""
        self.received, self.end, self.head_length = 0, b"", -1
        self._head.clear()
        self._interim, self._answered = 0, False

    def data_received(self, data: bytes) -> None:
        """Parse and count."""
        self.received += len(data)
        self.end = (data if len(data) >= len(_LAST_CHUNK) else self.end + data)[-len(_LAST_CHUNK) :]
        if self._answered:
            super().data_received(data)
            if self.received > self.most and self.transport is not None:
                self.transport.abort()
            return
        head: bytes | bytearray = data
        if self._head:
            self._head += data
            head = self._head
        super().data_received(data)
        if self._answered:
            self.head_length = _length_of_heads(head, self._interim + 1)
            self._head.clear()
        elif head is data:
            self._head = bytearray(data)
        elif len(head) > MAX_HEAD_BYTES:
            self.set_exception(endless_head())
            if self.transport is not None:
                self.transport.abort()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take an answer of which the headers are complete."""
        if not _is_interim(data[0]):
            self._answered = True
        elif not self._answered:
            self._interim += 1
        super().feed_data(data, size)


def _is_interim(message: RawResponseMessage) -> bool:
    return message.code < _FIRST_FINAL and not message.upgrade


def _length_of_heads(data: bytes | bytearray, number: int) -> int:
    """Return where so many heads end; -1 where one ends in another way than it should."""
    end = 0
    for _ in range(number):
        place = data.find(b"\r\n\r\n", end)
        if place < 0:
            return -1
        end = place + 4
    return end


@define(eq=False)
class Lane:
    """A connection, used by one request at a time."""

    connection: aiohttp.connector.Connection
    protocol: CountingHandler
    born: float
    idle_since: float
    _settled: int = field(default=-1, init=False, repr=False)
    _unread: Callable[[], bool] = field(init=False, repr=False)
    _undecrypted: Any = field(init=False, repr=False)

    @_unread.default
    def _look(self) -> Callable[[], bool]:
        transport = self.protocol.transport
        return unread(transport.get_extra_info("socket") if transport is not None else None)

    @_undecrypted.default
    def _hidden(self) -> Any:
        # asyncio's; uvloop hides its own.
        tls = getattr(self.protocol.transport, "_ssl_protocol", None)
        return getattr(tls, "_incoming", None)

    def clean(self) -> bool:
        """See `IdleLane`.

        The event loop notices too what a server says or that it closes, but not before the calling code
        lets it run.
        """
        return (
            self.protocol.received == self._settled
            and self.protocol.is_connected()
            and not self.protocol.should_close
            and not (self._undecrypted is not None and self._undecrypted.pending)
            and not self._unread()
        )

    async def exchange(
        self, head: bytes, body: bytes, options: ClientOptions, *, head_only: bool
    ) -> tuple[RawResponseMessage, bytes]:
        """Send a request and read its answer, the body as it came.

        Raises:
            TransportTimeoutError: No progress for the write timeout.
            MettlDecodeError: The headers, or a body over ``max_response_bytes``, have no end.
        """
        self.protocol.most = MAX_HEAD_BYTES + _MOST_OF_CHUNKS * options.max_response_bytes
        await self.write(head, body, options, head_only=head_only)
        message, payload = await self.answer()
        content = await payload.readany()
        if not payload.at_eof() or len(content) > options.max_response_bytes:
            content = await _whole(content, payload, options.max_response_bytes)
        protocol, ended = self.protocol, len(content) + self.protocol.head_length
        if message.chunked and payload is not EMPTY_PAYLOAD:
            # How long it was on its way is not known; what is cut off behind it would not end like this.
            ended = protocol.received if protocol.end == _LAST_CHUNK else -1
        self._settled = ended if protocol.head_length >= 0 else -1
        return message, content

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
        protocol.expect_answer()
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
            if not _is_interim(message):
                return message, payload
            # aiohttp forgets it after an interim answer.
            self.protocol.start_timeout()

    async def abandon(self) -> None:
        """Have it closed instead of used again: it is too old from now on."""
        self.born = -math.inf

    async def aclose(self) -> None:
        """Close at once, and drop what is still to be sent."""
        transport = self.connection.transport
        if transport is not None:
            transport.abort()
        self.connection.close()


async def _whole(content: bytes, payload: StreamReader, limit: int) -> bytes:
    body = bytearray(content)
    while len(body) <= limit and (chunk := await payload.readany()):
        body += chunk
    if len(body) > limit:
        raise too_long(limit)
    return bytes(body)


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
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is no error of ours
            failure = meaning(exc, options, connected=True)
        if chunk:
            yield chunk
        elif failure is None:
            return
    raise failure


def meaning(exc: Exception, options: ClientOptions, *, connected: bool) -> CallError:
    """Translate an exception: nothing is sent before a connection is there, and anything may be after."""
    if not isinstance(exc, FAILURES):
        return unforeseen(exc, connecting=not connected)
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
    detail = tls_reason(cause or exc)
    if not detail and cause is not None and str(cause):
        detail = f": {scrub(str(cause))}"
    return ConnectError(f"the connection could not be made{detail}")
