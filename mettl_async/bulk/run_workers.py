"""The work of one bulk run: a reader, workers, and an outcome for every candidate.

A failing sibling cancels nothing that is in flight: nobody would know whether a cancelled registration
took place. When the caller leaves, what is in flight has a grace to be answered and recorded; see `GRACE`.
"""

import time
from collections.abc import AsyncIterable, Iterable
from contextlib import AsyncExitStack, suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from mettl_async.bulk.batch import Batch
from mettl_async.bulk.dispatcher import MAX_LOST, Dispatcher, Send
from mettl_async.bulk.journal_session import JournalSession
from mettl_async.bulk.outcomes import JournalError, Outcome
from mettl_async.bulk.progress import Progress, ProgressTracker
from mettl_async.bulk.reading import read_batches
from mettl_async.bulk.run_options import RunOptions
from mettl_async.core.frames import forget
from mettl_async.core.request import RunContext
from mettl_async.core.tasks import catching
from mettl_async.errors import ClientClosedError, ConfigurationError
from mettl_async.models import Candidate

SPARE_WORKERS = 2
"""More than may send at once: these encode a batch, or report one, while the others' calls are out."""

_Work = Batch | list[Outcome]


class RunWorkers:
    """Read candidates, have them sent and report; `work` does it, `outcomes` receives lists of outcomes."""

    def __init__(
        self,
        candidates: Iterable[Candidate] | AsyncIterable[Candidate],
        send: Send,
        options: RunOptions,
        *,
        max_rd_bytes: int | None,
        schedule: str,
        context: RunContext | None = None,
    ) -> None:
        self._candidates, self._options, self._max_rd_bytes = candidates, options, max_rd_bytes
        journal = options.journal
        self._journal = None if journal is None else JournalSession(journal, schedule)
        self._tracker = ProgressTracker(time.monotonic, options.on_progress, context)
        self._reading = anyio.CancelScope()
        self._dispatcher = Dispatcher(
            send, options, max_rd_bytes, self._tracker, stop_reading=self._reading.cancel
        )
        # As many lists as calls at once: a slow caller slows the workers, and memory stays flat.
        self._report, self.outcomes = anyio.create_memory_object_stream[list[Outcome]](
            options.concurrency
        )
        self._in_first_pass = options.concurrency + SPARE_WORKERS
        self._first_pass_over = anyio.Event()
        self._finished = False
        self._abandoned = ""

    @property
    def progress(self) -> Progress:
        """Progress until now."""
        return self._tracker.current()

    async def work(self) -> None:
        """Do the whole run."""
        async with self._report:
            try:
                async with AsyncExitStack() as stack:
                    if self._journal is not None:
                        await stack.enter_async_context(self._journal)
                    async with anyio.create_task_group() as group:
                        give, take = anyio.create_memory_object_stream[_Work](0)
                        group.start_soon(self._read, give)
                        async with take:
                            for _ in range(self._in_first_pass):
                                group.start_soon(self._worker, take.clone())
                self._finished = not group.cancel_scope.cancel_called
            except JournalError as error:
                self._dispatcher.fail(error)
            finally:
                self._tracker.report(final=True)
                self._tracker.log_end()

    def abandon(self, closed: str = "the client") -> None:
        """Read and send nothing further, because something was closed; what is in flight finishes."""
        self._abandoned = self._abandoned or closed
        self._dispatcher.abandon()
        self._reading.cancel()
        self.outcomes.close()

    def leave(self) -> None:
        """Read and send nothing further, because the caller left; what is in flight has a grace."""
        self.abandon("the run")
        self._dispatcher.end_in_flight()

    def raise_failure(self) -> None:
        """Do nothing if the run came to its end.

        Raises:
            Exception: What the input, the journal, a hook or a middleware raised.
            ClientClosedError: The client, or the run, was closed before.
        """
        if (failure := self._dispatcher.failure or self._tracker.failure) is not None:
            forget(failure)
            raise failure
        if self._abandoned:
            raise ClientClosedError(f"{self._abandoned} was closed before this run was finished")
        if not self._finished:
            raise ConfigurationError("the event loop cancelled this run before it was finished")

    async def _read(self, workers: MemoryObjectSendStream[_Work]) -> None:
        source = read_batches(
            self._candidates,
            size=self._options.batch_size,
            max_rd_bytes=self._max_rd_bytes,
            find=None if self._journal is None else self._journal.find,
        )
        async with workers:
            try:
                with (
                    catching(self._dispatcher.fail),
                    suppress(anyio.BrokenResourceError),  # the workers left, because nobody listens
                    self._reading,
                ):
                    async for work in source:
                        await workers.send(work)
            finally:
                with anyio.CancelScope(shield=True):
                    await source.aclose()

    async def _worker(self, take: MemoryObjectReceiveStream[_Work]) -> None:
        dispatcher = self._dispatcher
        async with take:
            async for work in take:
                if isinstance(work, Batch):
                    await self._tell(await self._record(await dispatcher.register(work)))
                else:
                    await self._tell(work)
                while dispatcher.lost > MAX_LOST:
                    await self._tell(await self._record(await dispatcher.register_lost()))
        self._in_first_pass -= 1
        if not self._in_first_pass:
            self._first_pass_over.set()
        await self._first_pass_over.wait()
        while dispatcher.lost:
            await self._tell(await self._record(await dispatcher.register_lost()))

    async def _record(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Record outcomes before they are reported; if that fails, send nothing more."""
        if self._journal is None:
            return outcomes
        recorded = await self._journal.record(outcomes)
        if self._journal.failure is not None:
            self._dispatcher.fail(self._journal.failure)
        return recorded

    async def _tell(self, outcomes: list[Outcome]) -> None:
        self._tracker.count(outcomes, waiting=self._dispatcher.lost)
        if outcomes:
            # Where nobody listens any more, nothing further is read.
            with suppress(anyio.BrokenResourceError):
                await self._report.send(outcomes)
