"""Bodies of requests, read within bounds: of what frameworks give, with ``await`` and without."""

import inspect
import time
from collections.abc import AsyncIterable, Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol, TypeAlias

from mettl_async.errors import InvalidInputError
from mettl_async.webhooks.http import NOT_WHOLE, TOO_LARGE, TOO_SLOW, HttpResponse
from mettl_async.webhooks.processing import place_of, within

_PIECE: Final = 64 * 1024  # bytes
BYTES: Final = (bytes, bytearray, memoryview)


Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]


class Readable(Protocol):
    """A file, or what has a ``read`` like one, such as a request of Django or ``request.stream`` of Flask."""

    def read(self, size: int, /) -> bytes:
        """Give at most so many bytes; none at the end."""
        ...


SyncBody: TypeAlias = bytes | Readable
Body: TypeAlias = SyncBody | AsyncIterable[bytes]


class ClientLeft(Exception):  # noqa: N818 - never leaves the package
    """The connection was lost before the whole body came."""


class _TooLarge(Exception):  # noqa: N818 - never leaves this module
    """More bytes came than are allowed."""


class AsgiBody:
    """The body of a request in ASGI, part by part.

    Not a generator: one that is left before its end would have to be closed.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    def __aiter__(self) -> "AsgiBody":
        return self

    async def __anext__(self) -> bytes:
        if not self._more:
            raise StopAsyncIteration
        return await self._part()

    async def whole(self, limit: int) -> bytes:
        """Read all of it, quicker than part by part: most have one."""
        part = await self._part()
        if not self._more and len(part) <= limit:
            return part
        return await _collected(self, limit, part)

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientLeft
        self._more = message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part


async def read_body(body: Body, limit: int, seconds: float) -> bytes | HttpResponse:
    """Read a whole body, or give the response to one that is too large, too slow or cut off.

    Never more than ``limit`` bytes and one part are held.
    """
    if isinstance(body, AsgiBody):
        reading = body.whole(limit)
    elif isinstance(body, AsyncIterable):
        reading = _collected(body, limit)
    else:
        return read_body_sync(body, limit, seconds)
    try:
        return await within(seconds, reading)
    except InvalidInputError:  # not of the client's making
        raise
    except Exception as error:  # noqa: BLE001 - each framework has its own for a client that left
        return _refusal(error)


async def _collected(body: AsyncIterable[bytes], limit: int, first: bytes = b"") -> bytes:
    parts = [first]
    left = limit - len(first)
    if left < 0:
        raise _TooLarge
    async for given in body:
        part = _bytes_of(given, "gives")
        left -= len(part)
        if left < 0:
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)


def read_body_sync(body: SyncBody, limit: int, seconds: float) -> bytes | HttpResponse:
    """Do the same without ``await``; the time is looked at between two pieces."""
    if isinstance(body, BYTES):
        return bytes(body) if len(body) <= limit else TOO_LARGE
    read = getattr(body, "read", None)
    if read is None:
        raise InvalidInputError(
            "body",
            f"is {type(body).__name__}",
            "give bytes, a file, or (to respond) an async iterable of bytes",
        )
    parts: list[bytes] = []
    left = limit
    end = time.monotonic() + seconds
    try:
        while part := _bytes_of(read(min(_PIECE, left + 1)), "its read() gives"):
            left -= len(part)
            if left < 0:
                return TOO_LARGE
            if time.monotonic() > end:
                return TOO_SLOW
            parts.append(part)
        return b"".join(parts)
    except InvalidInputError:
        raise
    except Exception as error:  # noqa: BLE001 - same
        return _refusal(error)


def _bytes_of(part: object, gives: str) -> bytes:
    if isinstance(part, BYTES):
        return bytes(part)
    fix = "give one of bytes"
    if inspect.iscoroutine(part):
        part.close()
        fix = "give bytes (await it), or an async iterable of bytes"
    raise InvalidInputError("body", f"{gives} {type(part).__name__}", fix)


def _refusal(error: Exception) -> HttpResponse:
    if isinstance(error, _TooLarge):
        return TOO_LARGE
    if isinstance(error, TimeoutError):
        return TOO_SLOW
    if isinstance(error, ClientLeft):
        return NOT_WHOLE.because("the client left before the whole body came")
    return NOT_WHOLE.because(f"the body could not be read: {type(error).__name__}{place_of(error)}")
