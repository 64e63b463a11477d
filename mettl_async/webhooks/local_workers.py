"""The workers of one inbox in this process: begun, stopped, and how the last one ended."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from attrs import define, field

from mettl_async.errors import ConfigurationError
from mettl_async.webhooks.inbox_worker import InboxWorker
from mettl_async.webhooks.processing import is_cancelled, logger, shown_error


@define(eq=False)
class LocalWorkers:
    """Those of one inbox.

    Attributes:
        name: Of the inbox, for the log.
        problem: What ended a worker, until another one begins; None if nothing did.
    """

    name: str
    problem: str | None = field(default=None, init=False)
    # Weakly: of those that were made and never begun nobody tells when they go.
    _workers: weakref.WeakSet[InboxWorker] = field(factory=weakref.WeakSet, init=False)

    def checked(self, worker: InboxWorker) -> InboxWorker:
        """Check a worker, and count it from now on, also before it begins: `stop` must not miss it.

        Raises:
            ConfigurationError: Something makes no sense; it is logged, too.
        """
        try:
            worker.check()
        except ConfigurationError as error:
            self.failed(error)
            raise
        self._workers.add(worker)
        return worker

    def wake(self) -> None:
        """Let all look at the inbox at once."""
        for worker in self._workers:
            worker.wake()

    def stop(self) -> None:
        """Let all take no more events."""
        for worker in self._workers:
            worker.stop()

    async def run(self, worker: InboxWorker) -> None:
        """Run a worker to its end.

        Raises:
            ConfigurationError: What `InboxWorker.run` raised; it is logged, as nobody may await this.
        """
        self.problem = None
        try:
            await worker.run()
        except Exception as error:
            self.failed(error)
            raise
        finally:
            self._workers.discard(worker)

    def failed(self, error: Exception) -> None:
        """Say that a worker ended, or could not begin."""
        self.problem = shown_error(error)
        logger.error(
            "the worker of inbox %s ended with %s; receivers of this inbox answer 503 until it runs again",
            self.name,
            self.problem,
        )

    @asynccontextmanager
    async def working(self, worker: InboxWorker) -> AsyncIterator[None]:
        """Run a worker beside the block; see `SqlEventInbox.working`."""
        task = asyncio.create_task(self.run(worker))
        try:
            looked = asyncio.create_task(worker.looked.wait())
            try:
                await asyncio.wait([task, looked], return_when=asyncio.FIRST_COMPLETED)
            finally:
                looked.cancel()
            if task.done():
                task.result()
            yield
        except BaseException:
            worker.stop()
            quiet: tuple[type[BaseException], ...] = (
                Exception,
            )  # logged; the block's own is raised
            if is_cancelled():
                task.cancel()
                quiet = (Exception, asyncio.CancelledError)
            with anyio.CancelScope(shield=True), suppress(*quiet):
                await task
            raise
        worker.stop()
        await task
