"""A probe for a worker: whether it has written a short time ago that it is alive."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from mettl_async.jobs.observing import WorkerObserver

if TYPE_CHECKING:
    import socket

_ANSWER_WITHIN: Final = 5.0  # seconds for a request to come


class WorkerHealth(WorkerObserver):
    """Tell whether a worker and its database are well, also over HTTP.

    Example::

        health = WorkerHealth()
        async with Jobs("sqlite:///jobs.db") as jobs:
            with health.listening(port=8080):
                await jobs.run_worker(accounts={"acme": mettl}, observers=[health], stop=stop)
        print(health.document())

    A worker writes every third of its lease that it is alive. If it has not for a whole lease, its event
    loop is stuck or the database is away, and the other workers take its chunks.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._worker = ""
        self._lease = 0.0
        self._beat_at: float | None = None

    def began(self, worker: str, lease: float) -> None:
        """See `WorkerObserver`."""
        self._worker, self._lease = worker, lease

    def beat(self) -> None:
        """See `WorkerObserver`."""
        self._beat_at = self._clock()

    @property
    def silent(self) -> float | None:
        """Seconds since the worker has written that it is alive; None if it never has."""
        return None if self._beat_at is None else self._clock() - self._beat_at

    @property
    def is_well(self) -> bool:
        """Whether that was less than a lease ago."""
        silent = self.silent
        return silent is not None and silent < self._lease

    def document(self) -> dict[str, Any]:
        """Give what the probe answers, as plain data."""
        silent = self.silent
        return {
            "status": "ok" if self.is_well else "unavailable",
            "worker": self._worker,
            "seconds_since_heartbeat": None if silent is None else round(silent, 3),
        }

    @contextmanager
    def listening(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[str, int]]:
        """Answer HTTP requests in a thread of its own while the block runs: 200 if all is well, else 503.

        The answer is the same on each path, as JSON, without keys and personal data. Whoever can reach the
        address can ask.

        Args:
            host: Address to listen on; others than this machine need ``0.0.0.0``.
            port: 0 takes a free one.

        Returns:
            The address and the port.

        Raises:
            OSError: The address cannot be used.
        """
        server = _Server((host, port), _handler_of(self))
        # It looks at the end of the block that often.
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield str(server.server_address[0]), int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], address: Any
    ) -> None:
        """Say nothing of a caller who went away."""


def _handler_of(health: WorkerHealth) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _ANSWER_WITHIN

        def do_GET(self) -> None:
            body = self._begin()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self._begin()

        def _begin(self) -> bytes:
            document = health.document()
            body = json.dumps(document).encode()
            well = document["status"] == "ok"
            self.send_response(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            return body

        def version_string(self) -> str:
            return "mettl"

        def log_message(self, *_: object) -> None:
            pass

    return Handler
