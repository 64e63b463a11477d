"""The sandbox: a simulated Mettl with its HTTP side, in process or on a socket."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Final, Self

import httpx
from anyio.from_thread import start_blocking_portal
from attrs import field, frozen

from mettl_async.sandbox.faults import Faults
from mettl_async.sandbox.in_process import InProcessTransport
from mettl_async.sandbox.injection import FaultLayer
from mettl_async.sandbox.pages.app import PagesApp
from mettl_async.sandbox.pages.guard import GuardedApp
from mettl_async.sandbox.pages.rendering import render
from mettl_async.sandbox.routes import Router
from mettl_async.sandbox.server import listening
from mettl_async.sandbox.simulation import Simulation
from mettl_async.sandbox.snapshot import SnapshotError, SnapshotFile
from mettl_async.sandbox.state import SandboxCredentials

SNAPSHOT_SECONDS: Final = 5.0
# A snapshot of very many candidates takes long: so much of the time at most.
_SNAPSHOT_SHARE: Final = 0.05

_log = logging.getLogger("mettl_async.sandbox")


@frozen(kw_only=True)
class Server:
    """A sandbox that listens: ``base_url`` is such as ``http://127.0.0.1:8765``."""

    base_url: str
    credentials: SandboxCredentials
    access_key: str
    sandbox: Sandbox = field(repr=False)


class Sandbox(Simulation):
    """A Mettl that runs on a laptop: real state, real signature checks, made-up people.

    It starts with one account, two assessments and one schedule ``OpenForAll``, and keeps all that it
    receives until it is dropped. Use it in process with `transport`, on a socket with `serve`, or give
    `app` to any ASGI server. One event loop at a time; no threads but that of `serve_in_thread`.

    Over HTTP it answers only to this machine's own names, such as ``localhost``, to the address that it
    listens on, and to ``hosts``: so a web page cannot reach it by a name that resolves to here.

    Example::

        with Sandbox(db="mettl.json") as sandbox:
            async with sandbox.serve() as server:
                async with MettlClient(server.credentials, base_url=server.base_url) as client:
                    await client.candidates.register(server.access_key, people[:20])
            person = next(iter(sandbox.candidates))
            person.start()
            person.finish()
            sandbox.clock.advance(3600)  # seconds
            sandbox.save()

    Args:
        credentials: Keys of the first account; random by default. A file of ``db`` keeps those it has.
        hosts: Further names that it is asked under, such as ``"mettl"`` in a network of containers.
        clock: Returns the time in Unix seconds.
        faults: Faults to inject; none by default. Also reachable, and changeable, as ``.faults``.
        seed: Seed of access keys, links and faults: the same seed gives the same ones.
        error_http_status: Answer errors with 4xx and 5xx instead of HTTP 200 ([assumed] against
            [seen]: a client must stand both).
        lenient_signatures: Take also an ``asgn`` that was percent-encoded twice. Clients send it [seen];
            whether the server takes it is not known, so that a right client does not.
        webhook_transport: What webhooks are sent through, such as ``httpx.ASGITransport(app)`` in
            tests; never closed here. By default sockets.
        db: File to keep everything in, and to go on from: a snapshot in JSON, made when it is not
            there. It is written every few seconds while the sandbox is served, by `save` and by
            `close`. Only one sandbox at a time can have it, until `close`. Keys, links, schedules,
            candidates, results, deliveries and the clock's advances are kept; faults, rules and
            counters are not. By default all is in memory.

    Raises:
        SnapshotError: The file is in use, damaged, of another kind or of another version.

    Attributes:
        clock: The `SandboxClock`: ``now()`` and ``advance(seconds)``.
        candidates: Those registered, by email or access key and email, each with ``start()``,
            ``finish()`` and more: see `Candidates` and `SandboxPerson`.
        deliveries: The webhooks that were sent, or are to be: see `Deliveries`.
        faults: The `Faults` in force; may be replaced while the sandbox runs.
        stats: The `Stats` so far.
        state: Everything kept; `schedules` and ``candidates`` are the usual ways to look.
        pace: The `Pace` of grading, such as its ``grade_delay``.
        timestamp_ahead: Seconds that ``ts`` may be ahead of the sandbox's clock.
        app: The ASGI app, pages and faults included.
    """

    def __init__(
        self,
        *,
        credentials: SandboxCredentials | None = None,
        hosts: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        faults: Faults | None = None,
        seed: int = 0,
        error_http_status: bool = False,
        lenient_signatures: bool = False,
        webhook_transport: httpx.AsyncBaseTransport | None = None,
        db: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(
            clock=clock,
            faults=faults,
            seed=seed,
            error_http_status=error_http_status,
            lenient_signatures=lenient_signatures,
            webhook_transport=webhook_transport,
        )
        api = FaultLayer(Router(self, render), self)
        self._in_process = PagesApp(self, api)
        self.app = PagesApp(self, GuardedApp(api, hosts), hosts)
        self._file = None if db is None else SnapshotFile(db)
        try:
            if self._file is None or not self._file.restore(self):
                self.furnish(credentials)
                self.save()
        except BaseException:
            if self._file is not None:
                self._file.close()
            raise

    def save(self) -> None:
        """Write the file of ``db``; nothing without one.

        Raises:
            SnapshotError: It cannot be written.
        """
        if self._file is not None:
            self._file.save(self)

    def close(self) -> None:
        """Write the file of ``db`` and let others use it; nothing without one, nor a second time.

        Raises:
            SnapshotError: It cannot be written; others may use it all the same.

        Example::

            sandbox = Sandbox(db="mettl.json")
            sandbox.close()  # or: with Sandbox(db="mettl.json") as sandbox
        """
        file, self._file = self._file, None
        if file is not None:
            try:
                file.save(self)
            finally:
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transport(self) -> httpx.AsyncBaseTransport:
        """Make a transport for ``httpx.AsyncClient(transport=...)``: no socket, any base URL.

        Faults work here too.

        Example::

            sandbox = Sandbox()
            async with (
                httpx.AsyncClient(transport=sandbox.transport()) as http,
                MettlClient(sandbox.credentials, http_client=http) as client,
            ):
                await client.account.get()
        """
        return InProcessTransport(self._in_process)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
        """Serve on a socket while the block runs; port 0 takes a free one.

        Webhooks are sent meanwhile, and time passes: what is due happens by itself. No signal
        handlers, no access log. At the end every connection is cut at once, also those
        that are in the middle of a request.

        Raises:
            OSError: The address can't be bound.
        """
        async with self._serve(host, port, in_thread=False) as server:
            yield server

    @asynccontextmanager
    async def _serve(self, host: str, port: int, *, in_thread: bool) -> AsyncIterator[Server]:
        sends = self.deliveries.uses_sockets or not in_thread
        async with (
            listening(self.app, host, port) as base_url,
            self.deliveries.sending() if sends else nullcontext(),
        ):
            saving = None if self._file is None else asyncio.create_task(self._save_repeatedly())
            try:
                yield Server(
                    base_url=base_url,
                    credentials=self.credentials,
                    access_key=self.access_key,
                    sandbox=self,
                )
            finally:
                if saving is not None:
                    saving.cancel()
                    await asyncio.wait([saving])

    @contextmanager
    def serve_in_thread(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
        """Serve as `serve` does, in a thread with an event loop of its own: for tests, whatever runs them.

        Look at the sandbox, and change it, between calls to it, for two threads use it then. Webhooks that
        go through a ``webhook_transport`` are not sent meanwhile, for it may belong to another event loop:
        ``await sandbox.deliveries.settled()`` sends them in the caller's.

        Raises:
            OSError: The address can't be bound.

        Example::

            with Sandbox().serve_in_thread() as server:
                print(httpx.get(server.base_url).status_code)
        """
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(self._serve(host, port, in_thread=True)) as server,
        ):
            yield server

    async def _save_repeatedly(self) -> None:
        pause = SNAPSHOT_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            try:
                self.save()
            except SnapshotError as error:
                _log.error("the sandbox's snapshot is not written: %s", error)
            pause = max(SNAPSHOT_SECONDS, (time.monotonic() - began) / _SNAPSHOT_SHARE)


def run(
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    sandbox: Sandbox | None = None,
    on_ready: Callable[[Server], None] | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; must not be called inside a running event loop.

    Example::

        if __name__ == "__main__":
            run(port=8765, on_ready=lambda server: print(server.base_url))

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        sandbox: What to serve, and to close at the end; a new one by default.
        on_ready: Called once, when requests are answered.

    Raises:
        OSError: The address can't be bound.
        SnapshotError: The file of the sandbox cannot be written at the end.
    """
    served = sandbox or Sandbox()

    async def serve() -> None:
        stop = asyncio.Event()
        # Not on Windows, and only in the main thread.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with served.serve(host, port) as server:
            if on_ready is not None:
                on_ready(server)
            await stop.wait()

    with served, suppress(KeyboardInterrupt):
        asyncio.run(serve())
