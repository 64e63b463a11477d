"""The chunks that a worker runs at this moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define, field

from mettl_async.errors import ClientClosedError, ConfigurationError
from mettl_async.jobs.chunk_journal import ChunkLease
from mettl_async.jobs.chunk_work import ClaimedChunk, claim, finish, give_back
from mettl_async.jobs.engine import HandedOnError, Ticket
from mettl_async.jobs.errors import LeaseLostError
from mettl_async.jobs.statements import pause_for
from mettl_async.jobs.tables import jobs
from mettl_async.jobs.work import (
    Ending,
    Finished,
    Pace,
    Presence,
    Refused,
    Runner,
    Stopped,
    Work,
    is_away,
    logger,
)
from mettl_async.sql_backend import sa
from mettl_async.webhooks.processing import place_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.client import MettlClient
    from mettl_async.jobs.observing import WorkerObserver
    from mettl_async.sql_backend import Backend

_UNANSWERED: Final = 100
"""More tries for a chunk whose server answers nobody: with their pauses it may be away for half a day."""


@define(eq=False, kw_only=True)
class RunningChunks:
    """Claim the chunks that the engine gives, run them, and write what came of them.

    Attributes:
        backend: Of the tables.
        worker: Id of the worker.
        clients: By account.
        runners: By kind of job.
        concurrency: Calls at once, of each account.
        at_once: Chunks at once, of each account.
        max_tries: How often a chunk may end with people left.
        pace: See `Pace`.
        presence: Of the database.
        failed: Ends with what the worker cannot go on after.
        observers: Who is told of each outcome.
    """

    backend: Backend
    worker: str
    clients: Mapping[str, MettlClient]
    runners: Mapping[str, Runner]
    concurrency: int
    at_once: int
    max_tries: int
    pace: Pace
    presence: Presence
    failed: asyncio.Future[None]
    observers: Sequence[WorkerObserver] = ()
    _tasks: dict[Ticket, asyncio.Task[None]] = field(factory=dict, init=False)
    _stops: dict[Ticket, asyncio.Event] = field(factory=dict, init=False)
    _unended: set[Future[None]] = field(factory=set, init=False)
    _rooms: dict[str, asyncio.Semaphore] = field(factory=dict, init=False)
    _warned: set[str] = field(factory=set, init=False)
    _closing: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    def accept(self, ticket: Ticket, ended: Future[None]) -> None:
        """Begin to run a chunk; end the future when that is over."""
        if self._closed:  # a thread waits for it, and the process for the thread
            ended.set_exception(HandedOnError())
            return
        self._unended.add(ended)
        if self._closing:  # as long as it is not ended, the engine gives no further ones
            return
        task = asyncio.get_running_loop().create_task(self._run(ticket))
        self._tasks[ticket] = task
        task.add_done_callback(lambda task: self._ended(ticket, task, ended))

    @property
    def tickets(self) -> frozenset[Ticket]:
        """All that are being run."""
        return frozenset(self._tasks)

    async def watch(self) -> None:
        """End, in order, what belongs to jobs that are no longer to be worked on."""
        numbers = {ticket.job for ticket in self._stops}
        if not numbers:
            return

        async def read(connection: AsyncConnection) -> set[int]:
            row = jobs.c
            ready = sa.select(row.number).where(row.number.in_(numbers), row.state == "ready")
            return set((await connection.execute(ready)).scalars())

        for number in numbers - await self.backend.run(read):
            self._stop_all_of(number)

    async def finish(self) -> None:
        """Begin nothing more, and return when what is in flight is done, or has had its time."""
        self._closing = True
        for stop in self._stops.values():
            stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self.pace.finish)

    async def close(self) -> None:
        """Cancel what is left. Its chunks are handed on when the lease of the worker has ended."""
        self._closing = True
        for task in self._tasks.values():
            task.cancel()
        with anyio.move_on_after(self.pace.finish):
            while self._tasks:
                await asyncio.wait(self._tasks.values())
        self._closed = True
        while self._unended:
            self._unended.pop().set_exception(HandedOnError())

    def _stop_all_of(self, job: int) -> None:
        for ticket, stop in self._stops.items():
            if ticket.job == job:
                stop.set()

    def _ended(self, ticket: Ticket, task: asyncio.Task[None], ended: Future[None]) -> None:
        del self._tasks[ticket]
        self._stops.pop(ticket, None)
        if ended not in self._unended:
            return  # it took too long to be cancelled
        self._unended.remove(ended)
        if task.cancelled():
            ended.set_exception(HandedOnError())
            return
        if (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)
        ended.set_result(None)

    async def _run(self, ticket: Ticket) -> None:
        lease = ChunkLease(ticket.job, ticket.chunk, ticket.attempt, self.worker)
        try:
            chunk = await claim(self.backend, lease)
            if chunk is None:
                return
            stop = self._stops[ticket] = asyncio.Event()
            if self._closing:
                stop.set()
            room = self._rooms.setdefault(chunk.account, asyncio.Semaphore(self.at_once))
            async with room:
                await self._settle(lease, chunk, await self._ending(lease, chunk, stop))
        except LeaseLostError:
            logger.warning(
                "chunk %d of job %d was handed on, or the job forgotten: nothing more is written",
                ticket.chunk,
                ticket.job,
            )
        except ClientClosedError:
            raise
        except Exception as error:  # noqa: BLE001 - the database; the chunk is handed out again
            self.presence.went(error)
            await anyio.sleep(self.pace.watch)

    async def _ending(self, lease: ChunkLease, chunk: ClaimedChunk, stop: asyncio.Event) -> Ending:
        runner, client = self.runners.get(chunk.kind), self.clients.get(chunk.account)
        if runner is None or client is None:
            self._warn_once(f"chunks of the kind {chunk.kind} of {chunk.account}")
            return Stopped(self.pace.unanswered)
        work = Work(
            backend=self.backend,
            lease=lease,
            chunk=chunk,
            client=client,
            concurrency=min(
                max(1, self.concurrency // self.at_once), client.options.max_concurrency
            ),
            stopping=stop,
            observers=self.observers,
        )
        try:
            return await runner(work)
        except (LeaseLostError, ClientClosedError):
            raise
        except ConfigurationError as error:
            self._warn_once(str(error))
            return Stopped(self.pace.unanswered)
        except Exception as error:
            if is_away(error):
                raise
            name = f"{type(error).__name__}{place_of(error)}"
            logger.error("chunk %d of job %d failed with %s", lease.chunk, lease.job, name)
            return Finished(type(error).__name__)

    async def _settle(self, lease: ChunkLease, chunk: ClaimedChunk, ending: Ending) -> None:
        match ending:
            case Finished():
                chance = random.random()  # noqa: S311 - spreads
                pause, more = self.pace.pause(chunk.tries, chance), 0
                if ending.unanswered:
                    pause, more = max(pause, self.pace.unanswered * (1 + chance) / 2), _UNANSWERED
                await finish(
                    self.backend,
                    lease,
                    max_tries=self.max_tries + more,
                    pause=pause,
                    problem=ending.problem,
                )
            case Refused():
                bound = {"the_job": lease.job, "new_problem": ending.problem}
                if await self.backend.change(pause_for(), bound):
                    logger.error("job %d is paused: %s", lease.job, ending.problem)
                self._stop_all_of(lease.job)
                await give_back(self.backend, lease)
            case Stopped():
                await give_back(self.backend, lease, pause=ending.pause)

    def _warn_once(self, why: str) -> None:
        if why not in self._warned:
            self._warned.add(why)
            logger.warning("this worker cannot run %s; another may", why)
