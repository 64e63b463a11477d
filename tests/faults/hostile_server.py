"""A server on a socket that plays a script of bytes for one request, and answers all others well.

A request's path is named in its answer, so that whose answer a caller got can be seen.
"""

import asyncio
import json
import socket
import struct
from contextlib import asynccontextmanager, suppress

from attrs import frozen

HOSTILE = "/hostile"
_LINGER_NOT = struct.pack("ii", 1, 0)


@frozen
class Drip:
    """Write byte by byte, each in a packet of its own."""

    data: bytes
    pause: float = 0.0


@frozen
class Flood:
    """Write the same so many times, or until nobody takes it any more."""

    data: bytes
    times: int = 10**9


@frozen
class Pause:
    """Wait for so many seconds."""

    seconds: float


@frozen
class _Word:
    name: str


HANG, CLOSE, RESET, END = map(_Word, ("hang", "close", "reset", "end"))
"""Say nothing more until the client goes; close; close with RST; close the sending half."""


def body_for(path):
    """Make the right answer to a request: it has the request's path, and the person named there."""
    person = {"email": path.rpartition("/")[2]}
    return json.dumps({"status": "SUCCESS", "for": path, "candidate": person}).encode()


def answer(content, *headers, status=b"200 OK"):
    """Make a whole answer with a right length."""
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(content), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + content


class HostileServer:
    """Plays a script for each request to `HOSTILE`, and answers any other.

    Args:
        script: Makes the steps from the right body; each is bytes or one of the above.
        early: Whether it plays as soon as it has the request's headers.

    Attributes:
        played: Set when a script was played to its end, or as far as the client took it.
        open: Connections that are open now.
    """

    def __init__(self, script, *, early=False):
        self._script, self._early = script, early
        self.played = asyncio.Event()
        self.open = set()
        self.base_url = ""

    @asynccontextmanager
    async def serve(self):
        """Serve until the block ends; then no connection may be left."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self.open):
                task.cancel()
            await asyncio.gather(*self.open, return_exceptions=True)
            await server.wait_closed()

    async def left(self):
        """Wait until the client has closed all of its connections."""
        if self.open:
            await asyncio.wait(tuple(self.open))

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self.open.add(task)
        try:
            # The last where the rest of a request that it did not read looks like the next.
            with suppress(
                ConnectionError,
                asyncio.IncompleteReadError,
                asyncio.LimitOverrunError,
                asyncio.CancelledError,  # at the end; else asyncio logs a traceback
            ):
                await self._converse(reader, writer)
        finally:
            writer.transport.abort()
            self.open.discard(task)

    async def _converse(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0].decode()
            hostile = path.endswith(HOSTILE)
            if not (hostile and self._early):
                await reader.readexactly(_length(head))
            if not hostile:
                writer.write(answer(body_for(path)))
                await writer.drain()
                continue
            try:
                for step in self._script(body_for(path)):
                    await self._play(step, reader, writer)
            finally:
                self.played.set()
            if writer.is_closing():
                return

    async def _play(self, step, reader, writer):
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, Drip):
            for byte in step.data:
                await self._play(bytes((byte,)), reader, writer)
                await asyncio.sleep(step.pause)
        elif isinstance(step, Flood):
            for _ in range(step.times):
                await self._play(step.data, reader, writer)
                # A loop that nothing ever slows down would starve the client, which is in this process.
                await asyncio.sleep(0)
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif step is HANG:
            self.played.set()
            while await reader.read(65_536):
                pass
            raise ConnectionError
        elif step is END:
            writer.write_eof()
        else:
            _close(writer, lingering=step is CLOSE)


def _close(writer, *, lingering):
    if not lingering:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        writer.transport.abort()
    writer.close()


def _length(head):
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
