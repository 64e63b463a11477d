"""A registration server that costs next to nothing, so that a benchmark measures its client.

HTTP/1.1 on one `asyncio.Protocol`: keep-alive, Content-Length bodies, request lines of any length. It
answers any POST as Mettl answers "Register Candidates": one item with a link for each
email in the request, found by one regular expression in the still encoded text. Nothing is verified.

Started by the benchmarks as a process of its own; alone: ``python benchmarks/peer_server.py``. It
prints its port, and stops when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import sys

# A name ends in quote, colon, quote; the value runs to the next quote (an email has none inside).
EMAIL = re.compile(rb"Email(?:%20|\+)Address%22%3A%22(.*?)%22")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ITEM = (
    b'{"email":"%b","status":"ToBeTaken","message":"Candidate (\'%b\') successfully registered '
    b'for the test","url":"https://mettl.example/take-test?ecc=0123456789abcdef0123456789abcdef%08x"}'
)
NUMBERS = itertools.count()
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: %d\r\n\r\n"
)


def answer(request: bytes) -> bytes:
    """Make the whole response to one whole request."""
    emails = [email.replace(b"%40", b"@") for email in EMAIL.findall(request)]
    items = b",".join([ITEM % (email, email, next(NUMBERS) % 2**32) for email in emails])
    body = b'{"status":"SUCCESS","registrationStatus":[%b]}' % items
    return HEAD % len(body) + body


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, latency: float, handshake: float) -> None:
        self._latency = latency
        self._handshake = handshake
        self._loop = asyncio.get_running_loop()
        self._waiting = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget where to write."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        text = self._waiting + data if self._waiting else data
        while (head := text.find(b"\r\n\r\n") + 4) > 3:
            found = LENGTH.search(text, 0, head)
            end = head + (int(found[1]) if found else 0)
            if len(text) < end:
                break
            response = answer(text[:end])
            if wait := self._latency + self._handshake:
                self._handshake = 0.0
                self._loop.call_later(wait, self._write, response)
            else:
                self._write(response)
            text = text[end:]
        self._waiting = text

    def _write(self, response: bytes) -> None:
        if self._transport is not None:
            self._transport.write(response)


async def serve(latency: float, handshake: float) -> None:
    """Serve on a free port of the loopback until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Peer(latency, handshake), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # A pipe that ends with the benchmark: no server outlives it, even if it is killed.
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A registration server for benchmarks.")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument(
        "--handshake",
        type=float,
        default=0.0,
        help="more seconds before a connection's first answer",
    )
    parser.add_argument("--core", type=int, help="the core to run on")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    asyncio.run(serve(arguments.latency, arguments.handshake))


if __name__ == "__main__":
    main()
