"""One connection of httpcore's, the layer below httpx: a request in, an answer out, and its sockets."""

import math
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from traceback import walk_tb
from typing import Any, Protocol, Self

import anyio
import httpcore
import sniffio

from mettl_async.core.transports.body import MAX_HEAD_BYTES, endless_head, whole
from mettl_async.core.transports.common import CLOSE_SECONDS
from mettl_async.core.transports.idle import unread


class Body:
    """A body in one piece. httpcore's own is a generator, which trio complains of when sending fails."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        content, self._content = self._content, b""
        if not content:
            raise StopAsyncIteration
        return content


class Connection(Protocol):
    """What is used of a connection of httpcore's, or of a `Tunnel`."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request."""
        ...

    def is_available(self) -> bool:
        """Tell whether it may carry another one."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


class Lane:
    """A connection, used by one request at a time.

    Args:
        make: Makes the connection of httpcore's, with what opens its sockets.
        now: The transport's clock.
    """

    def __init__(
        self,
        make: Callable[[httpcore.AsyncNetworkBackend], Connection],
        now: float,
    ) -> None:
        self.born = self.idle_since = now
        self._sockets = _Sockets()
        self._connection = make(self._sockets)
        self._looks: tuple[Callable[[], object], ...] | None = None

    async def exchange(
        self, request: httpcore.Request, limit: int
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Send a request and read its answer: status, headers, body as it came.

        Raises:
            MettlDecodeError: The headers, or a body over ``limit`` bytes, have no end.
        """
        answer = await self.open(request)
        content = await whole(aiter(answer.stream), limit)  # type: ignore[arg-type] # it may be sync too
        await answer.aclose()
        return answer.status, answer.headers, content

    async def open(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request and read the head of its answer.

        Raises:
            MettlDecodeError: It has no end.
        """
        self._sockets.left = MAX_HEAD_BYTES
        answer = await self._connection.handle_async_request(request)
        self._sockets.left = math.inf
        return answer

    def clean(self) -> bool:
        """See `IdleLane`."""
        if not self._connection.is_available():
            return False
        if self._looks is None:
            try:
                self._looks = tuple(_looks(self._connection))
            except AttributeError:
                # Unknown insides of another version: whether bytes are left over cannot be told.
                return False
        return not any(look() for look in self._looks)

    async def abandon(self) -> None:
        """Have it closed instead of used again: it is too old from now on."""
        self.born = -math.inf

    async def aclose(self) -> None:
        """Close it, also where it was not ready yet."""
        # What it says in its end concerns nobody.
        with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
            try:
                await self._connection.aclose()
            finally:
                await self._sockets.aclose()


class _Sockets(httpcore.AsyncNetworkBackend):
    """Opens the sockets of one connection, and knows them all.

    A call that is cancelled in a handshake would leave its socket to the garbage collector. Bytes are
    counted here, because httpcore passes over any number of interim answers.
    """

    def __init__(self) -> None:
        self.left = math.inf
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's name
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect, on asyncio or trio."""
        trio = sniffio.current_async_library() == "trio"
        backend = httpcore.TrioBackend() if trio else httpcore.AnyIOBackend()
        try:
            stream = await backend.connect_tcp(host, port, timeout, local_address, socket_options)
        except BaseException as exc:
            # anyio below 4.16 forgets what was connected in the very moment that the call was cancelled.
            for frame, _ in walk_tb(exc.__traceback__):
                forgotten = frame.f_locals.get("connected_stream")
                if forgotten is not None:
                    await anyio.aclose_forcefully(forgotten)
            raise
        self._opened.append(stream)
        return _Stream(stream, self)

    async def sleep(self, seconds: float) -> None:
        """Pause."""
        await anyio.sleep(seconds)

    async def aclose(self) -> None:
        """Close what is still open."""
        while self._opened:
            await self._opened.pop().aclose()


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, sockets: _Sockets) -> None:
        self.stream, self._sockets = stream, sockets
        self.aclose = stream.aclose  # type: ignore[method-assign] # a call less
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign] # same
        self._unsent = b""

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's name
    ) -> None:
        # httpcore writes the head, the body and at last nothing; one packet is enough for all.
        if buffer:
            self._unsent += buffer
            return
        whole_request, self._unsent = self._unsent, b""
        await self.stream.write(whole_request, timeout)

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's name
    ) -> bytes:
        if self._unsent:
            await self.write(b"", timeout)
        data = await self.stream.read(max_bytes, timeout)
        self._sockets.left -= len(data)
        if self._sockets.left < 0:
            raise endless_head()
        return data

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's name
    ) -> httpcore.AsyncNetworkStream:
        stream = await self.stream.start_tls(ssl_context, server_hostname, timeout)
        return _Stream(stream, self._sockets)


def _looks(connection: Any) -> Iterator[Callable[[], object]]:
    """Give what must be looked at to know that nothing was said unasked: each buffer on the way.

    Raises:
        AttributeError: It is not known where they are.
    """
    while not hasattr(connection, "_h11_state"):
        connection = getattr(connection, "inside", None) or connection._connection  # noqa: SLF001 - httpcore tells it nowhere else
    stream = connection._network_stream  # noqa: SLF001 - same
    yield from buffers(connection._h11_state, stream.stream)  # noqa: SLF001 - same
    yield unread(stream.get_extra_info("socket"))


def buffers(http: Any, stream: Any) -> Iterator[Callable[[], object]]:
    """Give what tells whether more was received than given out: each buffer above a connection's socket.

    Args:
        http: Its state, of h11's.
        stream: Its stream, of httpcore's.

    Raises:
        AttributeError: It is not known where they are.
    """
    yield lambda: http.trailing_data[0]
    layer = stream._stream  # noqa: SLF001 - told nowhere else
    while hasattr(layer, "transport_stream"):
        on_trio = hasattr(layer, "_incoming")
        records = layer._incoming if on_trio else layer._read_bio  # noqa: SLF001 - same
        yield partial(getattr, records, "pending")
        layer = layer.transport_stream
    if not hasattr(layer, "socket"):  # anyio's: it may have read more than was asked of it
        queue = layer._protocol.read_queue  # noqa: SLF001 - same
        yield lambda: queue
