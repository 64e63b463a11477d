"""One bulk run: a reader, workers, and an outcome for every candidate.

Nothing in flight is ever cancelled, by a failing sibling or by a caller who stopped listening: a
cancelled registration would be one whose fate nobody knows.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from mettl_async.bulk.batches import Batch, cut
from mettl_async.bulk.dispatcher import BatchResponse, Dispatcher, Send
from mettl_async.bulk.outcomes import DUPLICATE_EMAIL, JournalError, Outcome, Rejected
from mettl_async.bulk.part import Part
from mettl_async.bulk.progress import ProgressTracker
from mettl_async.bulk.recording import Recording
from mettl_async.bulk.seen import SeenEmails
from mettl_async.core.tasks import is_cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable

    from anyio.streams.memory import (
        MemoryObjectReceiveStream,
        MemoryObjectSendStream,
    )

    from mettl_async.bulk.details import Entry
    from mettl_async.bulk.run_options import RunOptions
    from mettl_async.models import Candidate

__all__ = ["BatchResponse", "Run", "Send"]

SPARE_WORKERS = 2
"""More than may send at once: these encode a batch, or tell of one, while the others' calls are out."""


class Run:
    """Reads, has sent and reports; `work` does it, `outcomes` receives lists of outcomes."""

    def __init__(
        self,
        candidates: Iterable[Candidate] | AsyncIterable[Candidate],
        send: Send,
        options: RunOptions,
        *,
        room: int | None,
        schedule: str,
    ) -> None:
        self._candidates, self._options, self._room = candidates, options, room
        self._recording = Recording(options.journal, schedule)
        self._tracker = ProgressTracker(time.monotonic, options.on_progress)
        self._reading = anyio.CancelScope()
        self._dispatcher = Dispatcher(
            send, options, room, self._tracker, when_broken=self._reading.cancel
        )
        self._report: MemoryObjectSendStream[list[Outcome]]
        self.outcomes: MemoryObjectReceiveStream[list[Outcome]]
        # As many lists as workers: a slow listener slows the workers, and memory stays flat.
        self._report, self.outcomes = anyio.create_memory_object_stream[list[Outcome]](
            options.concurrency
        )
        self._in_first_pass = options.concurrency + SPARE_WORKERS
        self._first_pass_over = anyio.Event()
        self.finished = False

    @property
    def broken(self) -> Exception | None:
        """What the input, the journal, a hook or a middleware raised, once the run is over."""
        return self._dispatcher.broken or self._tracker.failure

    async def work(self) -> None:
        """Do the whole run."""
        async with self._report:
            try:
                async with self._recording, anyio.create_task_group() as group:
                    send, receive = anyio.create_memory_object_stream[Batch](0)
                    group.start_soon(self._read, send)
                    async with receive:
                        for _ in range(self._in_first_pass):
                            group.start_soon(self._worker, receive.clone())
                self.finished = not group.cancel_scope.cancel_called
            except JournalError as error:
                self._dispatcher.stop(error)
                self._dispatcher.broken = self._dispatcher.broken or error
            finally:
                self._tracker.report(final=True)
                self._tracker.log_end()

    def abandon(self) -> None:
        """Nobody listens any more: read and send nothing further, let what is in flight finish."""
        self._dispatcher.leave()
        self._reading.cancel()
        self.outcomes.close()

    async def _read(self, batches: MemoryObjectSendStream[Batch]) -> None:
        source = cut(
            self._candidates,
            size=self._options.batch_size,
            room=self._room,
            seen=SeenEmails(),
            find=self._recording.find,
        )
        async with batches:
            try:
                with self._reading:
                    await self._pass_on(source, batches)
            finally:
                with anyio.CancelScope(shield=True):
                    await source.aclose()

    async def _pass_on(
        self, source: AsyncGenerator[Batch], batches: MemoryObjectSendStream[Batch]
    ) -> None:
        try:
            async for batch in source:
                await batches.send(batch)
        except anyio.BrokenResourceError:
            pass  # the workers went away, because nobody listens
        except (Exception, anyio.get_cancelled_exc_class()) as exc:
            if is_cancelled(exc):
                raise
            self._dispatcher.break_off(exc)  # raised to the listener after the drain

    async def _worker(self, batches: MemoryObjectReceiveStream[Batch]) -> None:
        later = self._dispatcher.later
        async with batches:
            async for batch in batches:
                outcomes = [_duplicate(one) for one in batch.duplicates]
                outcomes += batch.known
                if batch.entries:
                    parts = [Part(batch.entries)]
                    outcomes += await self._keep(
                        await self._dispatcher.register(parts, may_mend=True)
                    )
                await self._tell(outcomes)
                while later.too_long:
                    await self._repeat()
        self._in_first_pass -= 1
        if not self._in_first_pass:
            self._first_pass_over.set()
        await self._first_pass_over.wait()
        while later:
            await self._repeat()

    async def _repeat(self) -> None:
        """The second pass, by one call: those whose answer was lost the longest ago."""
        lost = self._dispatcher.later.take()
        if self._dispatcher.going_on:
            parts = [one.part for one in lost]
            outcomes = await self._keep(await self._dispatcher.register(parts, may_mend=False))
        else:
            outcomes = [outcome for one in lost for outcome in one.as_it_is()]
        await self._tell(outcomes)

    async def _keep(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Record outcomes before anyone hears of them; if that fails, send nothing more."""
        told = await self._recording.keep(outcomes)
        if (failure := self._recording.failure) is not None:
            self._dispatcher.stop(failure)
            # Above all else: it alone says what was registered and will not be told of.
            self._dispatcher.broken = failure
            self._reading.cancel()
        return told

    async def _tell(self, outcomes: list[Outcome]) -> None:
        self._tracker.count(outcomes, waiting=len(self._dispatcher.later))
        if outcomes:
            # Where nobody listens any more, nothing further is read.
            with suppress(anyio.BrokenResourceError):
                await self._report.send(outcomes)


def _duplicate(one: Entry) -> Outcome:
    return Rejected(
        index=one.index,
        candidate=one.candidate,
        attempts=0,
        reason="the same email came earlier in this run; not sent",
        code=DUPLICATE_EMAIL,
    )
