"""Bodies: bounded while they are read and while they are decompressed."""

import zlib
from collections.abc import AsyncGenerator
from typing import Final

import anyio.lowlevel

from mettl_async.core.request import Response
from mettl_async.errors import CallFacts, MettlDecodeError

MAX_HEAD_BYTES: Final = 262_144
"""Headers of one answer at most, with all interim answers before it."""

_MOST_ENCODINGS = 4

_KNOWN = {"gzip", "x-gzip", "deflate"}
_EITHER_HEADER, _RAW = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
_SLICE, _PIECE = 16_384, 262_144


def too_long(limit: int) -> MettlDecodeError:
    """Make the error of a body beyond its bound."""
    return MettlDecodeError(
        f"the answer is longer than {limit} bytes (ClientOptions.max_response_bytes)",
        CallFacts(sent=True),
    )


def endless_head() -> MettlDecodeError:
    """Make the error of headers beyond their bound."""
    return MettlDecodeError(
        f"the answer's headers, or interim answers, are longer than {MAX_HEAD_BYTES} bytes",
        CallFacts(sent=True),
    )


async def whole(chunks: AsyncGenerator[bytes], limit: int) -> bytes:
    """Join the pieces of a body.

    Raises:
        MettlDecodeError: It is longer than ``limit``.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            await chunks.aclose()
            raise too_long(limit)
    return bytes(body)


async def unpacked(response: Response, limit: int) -> Response:
    """Decompress a response; the event loop gets its turn in between.

    What is compressed in a way that nobody asked for is left as it is: some servers write a character
    set there.

    Raises:
        MettlDecodeError: It cannot be, or would be longer than ``limit``, in any of its layers.
    """
    named = (name.strip().lower() for name in response.headers["content-encoding"].split(","))
    encodings = [name for name in named if name in _KNOWN]
    if len(encodings) > _MOST_ENCODINGS:
        raise _broken()
    content = response.content
    for encoding in reversed(encodings):
        content = await _inflated(
            content, limit, raw=encoding == "deflate" and _has_no_header(content)
        )
    return response.evolve(content=content)


async def _inflated(content: bytes, limit: int, *, raw: bool) -> bytes:
    stream = zlib.decompressobj(_RAW if raw else _EITHER_HEADER)
    body = bytearray()
    # In slices, for what zlib leaves over is copied each time.
    for start in range(0, len(content), _SLICE):
        rest = content[start : start + _SLICE]
        while rest and not stream.eof:
            try:
                body += stream.decompress(rest, _PIECE)
            except zlib.error:
                raise _broken() from None
            rest = stream.unconsumed_tail
            if len(body) > limit:
                raise too_long(limit)
            if len(body) > _PIECE:
                await anyio.lowlevel.checkpoint()
    body += stream.flush()
    if len(body) > limit:
        raise too_long(limit)
    return bytes(body)


def _has_no_header(content: bytes) -> bool:
    """Tell "deflate" without zlib's header, as some servers send it, from the real one."""
    method = content[0] & 15 if content else 0
    return method != zlib.DEFLATED or int.from_bytes(content[:2]) % 31 != 0


def _broken() -> MettlDecodeError:
    return MettlDecodeError("the body could not be decompressed", CallFacts(sent=True))
