"""Deliveries a second to `WebhookReceiver`, against a bare Starlette route that only reads the JSON.

Run ``python benchmarks/receiver.py`` where mettl-async is installed with its dev extra; a minute.
``--quick`` for seconds, ``--json FILE`` for all figures.

Both are routes of one Starlette app, served by one uvicorn on one socket, and get the same graded
events. The bare route is ``await request.json()`` and an empty response. The receiver checks the
credentials, parses the event into its class, finds that it was not seen, calls a handler that does
nothing, and marks it; all events are distinct.

Load and server are two processes on two cores. A few connections are kept busy with requests that
were built before the clock starts; both ways run in turns, and compared are neighbouring rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

import uvicorn
from harness import Bound, arguments, cores, finish, print_table
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver, sample_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request

AT_LEAST = 0.6  # the receiver's deliveries a second over the bare route's
CONNECTIONS = 8
DELIVERIES = 2_000  # of one round
ROUNDS = 11
QUICK_DELIVERIES, QUICK_ROUNDS = 100, 1
AUTH = BasicAuth(username="acme", password="correct horse")  # noqa: S106 - made up
BARE, RECEIVER = "bare Starlette route", "WebhookReceiver"
PATHS = {BARE: b"/bare", RECEIVER: b"/receiver"}
PLACE = "c@example.org"
HEAD = (
    b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic %b\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
_SERVE_ARGUMENT = "--serve"
_STOP_SECONDS = 5.0


def app() -> Starlette:
    """Both ways."""
    receiver = WebhookReceiver(auth=AUTH)

    @receiver.on(TestGraded)
    async def graded(event: TestGraded) -> None:
        pass

    async def bare(request: Request) -> Response:
        await request.json()
        return Response()

    return Starlette(
        routes=[
            Route(PATHS[BARE].decode(), bare, methods=["POST"]),
            Route(PATHS[RECEIVER].decode(), receiver),
        ]
    )


def serve() -> None:
    """Serve in this process until it is terminated; prints the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument(_SERVE_ARGUMENT, type=int, metavar="CORE", help="-1 for any")
    core = parser.parse_args().serve
    if core >= 0:
        os.sched_setaffinity(0, {core})
    config = uvicorn.Config(app(), log_config=None, access_log=False)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(config).run([listener])


@contextmanager
def served() -> Iterator[int]:
    """Run the server on a core of its own, and pin this process to another; gives the port."""
    server_core, load_core = cores()
    command = [
        sys.executable,
        __file__,
        _SERVE_ARGUMENT,
        str(-1 if server_core is None else server_core),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this very script
        before = os.sched_getaffinity(0) if load_core is not None else None
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            if load_core is not None:
                os.sched_setaffinity(0, {load_core})
            yield port
        finally:
            if before is not None:
                os.sched_setaffinity(0, before)
            process.terminate()
            process.wait(_STOP_SECONDS)


class Events:
    """Requests with a graded event each, of which no two are the same."""

    def __init__(self) -> None:
        self._body = sample_event(
            TestGraded,
            email=PLACE,
            notification_url="https://acme.example.org/hooks",
            at=datetime(2024, 8, 16, 13, 14, 13, tzinfo=UTC),
        )
        self._made = 0
        self._credentials = b64encode(f"{AUTH.username}:{AUTH.password}".encode())

    def take(self, path: bytes, count: int) -> list[bytes]:
        """Make requests of one way."""
        requests = []
        for number in range(self._made, self._made + count):
            body = self._body.replace(PLACE.encode(), b"c%09d@example.org" % number)
            requests.append(HEAD % (path, self._credentials, len(body)) + body)
        self._made += count
        return requests


class Connection(asyncio.Protocol):
    """Sends one request after the other, each after the answer to the one before."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._came = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport
            self._next()

    def data_received(self, data: bytes) -> None:
        """Check an answer, which has no body, and send the next."""
        self._came += data
        if not self._came.endswith(b"\r\n\r\n"):
            return
        if not self._came.startswith(b"HTTP/1.1 200 "):
            self._fail("a delivery was not accepted")
            return
        self._came = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """All must have been said by then."""
        self._fail("the server hung up")

    def _next(self) -> None:
        request = next(self._requests, None)
        if self._transport is None or self._done.done():
            return
        if request is None:
            self._done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(request)

    def _fail(self, problem: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(problem))


async def deliver(port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> float:
    """Seconds of one round."""
    loop = asyncio.get_running_loop()
    left = iter(requests)  # one iterator for all connections
    ends = [loop.create_future() for _ in range(connections)]
    gc.collect()  # no round pays for another one's rubbish
    began = time.perf_counter()
    for end in ends:
        await loop.create_connection(lambda end=end: Connection(left, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return time.perf_counter() - began


async def compare(port: int, *, deliveries: int, rounds: int) -> dict[str, list[float]]:
    """Deliveries a second of both ways, in turns; the order is reversed with each round."""
    events = Events()
    for path in PATHS.values():
        await deliver(port, events.take(path, QUICK_DELIVERIES))  # warms up
    rates: dict[str, list[float]] = {name: [] for name in PATHS}
    for number in range(rounds):
        for name in reversed(PATHS) if number % 2 else PATHS:
            requests = events.take(PATHS[name], deliveries)
            rates[name].append(deliveries / await deliver(port, requests))
    return rates


def main() -> None:
    given = arguments(__doc__)
    deliveries = QUICK_DELIVERIES if given.quick else DELIVERIES
    rounds = QUICK_ROUNDS if given.quick else ROUNDS
    with served() as port:
        rates = asyncio.run(compare(port, deliveries=deliveries, rounds=rounds))
    ratios = [own / bare for own, bare in zip(rates[RECEIVER], rates[BARE], strict=True)]
    print_table(
        f"{deliveries:,} graded events by {CONNECTIONS} connections, medians of {rounds} rounds",
        ("way", "deliveries/s", "ratio"),
        [(BARE, median(rates[BARE]), 1.0), (RECEIVER, median(rates[RECEIVER]), median(ratios))],
    )
    name = "receiver's deliveries a second / bare route's"
    bound = Bound(name=name, value=median(ratios), limit=AT_LEAST)
    finish(given, [bound], {"deliveries": deliveries, "rates": rates, "ratios": ratios})


if __name__ == "__main__":
    serve() if _SERVE_ARGUMENT in sys.argv else main()
