"""A worker of jobs: it says that it is alive, runs chunks, and hands them out if it leads."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
from attrs import define, field

from mettl_async.jobs import leases
from mettl_async.jobs.engine import VERSION, ChunkEngine, Ticket
from mettl_async.jobs.leading import Leader, Step
from mettl_async.jobs.reconciling import orphans
from mettl_async.jobs.register_chunk import register_chunk
from mettl_async.jobs.running import RunningChunks
from mettl_async.jobs.spec import REGISTER
from mettl_async.jobs.work import Pace, Presence, Runner, is_away, logger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.client import MettlClient
    from mettl_async.jobs.observing import WorkerObserver
    from mettl_async.sql_backend import Backend, sa

_CLOSE_WITHIN: Final = 30.0  # seconds
_WAITING: Final = (
    1  # chunks of an account that a worker has ready, so that none is asked for in between
)


class Stop(Protocol):
    """What ends a worker in order when it is set, such as an `asyncio.Event`."""

    async def wait(self) -> Any: ...  # noqa: D102 - see the class


def new_worker_id() -> str:
    """Make the id of a worker; it tells operators where it runs."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@define(eq=False, kw_only=True)
class Worker:
    """See `Jobs.run_worker` for the promises.

    Attributes:
        backend: Of the tables.
        url: Of the same database, with its password.
        clients: By name of the account.
        concurrency: Calls at once, of each account.
        at_once: Chunks at once, of each account.
        max_tries: How often a chunk may end with people left.
        pace: See `Pace`.
        runners: By kind of job, beside those that register people.
        further: What else the leader does at each tick.
        observers: Who is told what it does.
        version: See `mettl_async.jobs.engine.VERSION`.
        id: Unique.
        make_engine: Makes what hands chunks to this process.
    """

    backend: Backend
    url: sa.URL = field(repr=False)
    clients: Mapping[str, MettlClient]
    concurrency: int = 8
    at_once: int = 2
    max_tries: int = 5
    pace: Pace = field(factory=Pace)
    runners: Mapping[str, Runner] = field(factory=dict)
    further: Sequence[Step] = ()
    observers: Sequence[WorkerObserver] = ()
    version: str = VERSION
    id: str = field(factory=new_worker_id)
    make_engine: Callable[..., ChunkEngine] = ChunkEngine
    presence: Presence = field(factory=Presence, init=False)
    _seen: frozenset[Ticket] = field(factory=frozenset, init=False)

    async def run(self, stop: Stop | None = None) -> None:
        """Run chunks until it is told to stop, or cancelled.

        Raises:
            ConfigurationError: DBOS is missing, or runs in this process already.
            ClientClosedError: A client was closed.
        """
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running = RunningChunks(
            backend=self.backend,
            worker=self.id,
            clients=self.clients,
            runners={REGISTER: register_chunk, **self.runners},
            concurrency=self.concurrency,
            at_once=self.at_once,
            max_tries=self.max_tries,
            pace=self.pace,
            presence=self.presence,
            failed=failed,
            observers=self.observers,
        )
        engine = self.make_engine(
            url=self.url,
            executor=self.id,
            accounts=sorted(self.clients),
            at_once=self.at_once + _WAITING,
            idle=self.pace.idle,
            busy=self.pace.busy,
            accept=running.accept,
            version=self.version,
        )
        leader = Leader(
            backend=self.backend,
            engine=engine,
            worker=self.id,
            accounts=self.clients,
            at_once=self.at_once,
            pace=self.pace,
            clock=time.monotonic,
            further=self.further,
        )
        for one in self.observers:
            one.began(self.id, self.pace.lease)
        # Before the first chunk: a worker that dies now is known to be dead when its lease ends.
        while not await self.presence.succeeds(self._say_alive):
            if await _stops_within(self.pace.watch, stop):
                return
        try:
            if not await self._launch(engine, stop):
                return
            try:
                await self._work(running, engine, leader, failed, stop)
            finally:
                with anyio.CancelScope(shield=True):
                    await running.close()
                    await engine.close()
        finally:
            with anyio.move_on_after(_CLOSE_WITHIN, shield=True), suppress(Exception):
                await leader.resign()
                await self.backend.run(
                    lambda connection: leases.drop(connection, leases.WORKER + self.id, self.id)
                )

    async def _work(
        self,
        running: RunningChunks,
        engine: ChunkEngine,
        leader: Leader,
        failed: asyncio.Future[None],
        stop: Stop | None,
    ) -> None:
        pace, steadily = self.pace, self.presence.steadily
        logger.info("worker %s begins", self.id)
        alive = asyncio.create_task(steadily(self._say_alive, lambda: pace.lease / 3))
        loops = [
            asyncio.create_task(steadily(leader.tick, lambda: _about(pace.tick))),
            asyncio.create_task(steadily(running.watch, lambda: pace.watch)),
            asyncio.create_task(
                steadily(
                    lambda: self._forget_orphans(running, engine), lambda: _about(pace.lease / 3)
                )
            ),
        ]
        until = asyncio.create_task(_wait(stop))
        try:
            await asyncio.wait([alive, *loops, until, failed], return_when=asyncio.FIRST_COMPLETED)
            for one in (alive, *loops, failed):
                if one.done():
                    one.result()
            logger.info("worker %s stops", self.id)
            loops[0].cancel()
            await asyncio.wait(loops[:1])
            await self.presence.succeeds(leader.resign)
            await running.finish()
            if failed.done():
                failed.result()
        finally:
            if failed.done():
                failed.exception()  # seen: what comes first is raised
            for task in (alive, *loops, until):
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([alive, *loops, until])

    async def _launch(self, engine: ChunkEngine, stop: Stop | None) -> bool:
        """Launch the engine; return whether that was done before the worker was told to stop."""
        while True:
            try:
                await engine.launch()
            except Exception as error:
                if not is_away(error):
                    raise
                self.presence.went(error)
                if await _stops_within(self.pace.watch, stop):
                    return False
            else:
                await self.presence.succeeds(self._say_alive)  # it may have taken long
                return True

    async def _say_alive(self) -> None:
        async def take(connection: AsyncConnection) -> None:
            await leases.take(connection, leases.WORKER + self.id, self.id, self.pace.lease)

        await self.backend.run(take)
        self.presence.came()
        for one in self.observers:
            one.beat()

    async def _forget_orphans(self, running: RunningChunks, engine: ChunkEngine) -> None:
        taken = await engine.taken(self.id)
        stray, self._seen = orphans(taken, running.tickets, self._seen)
        await engine.forget(stray)


async def _wait(stop: Stop | None) -> None:
    if stop is None:
        await anyio.sleep_forever()
    else:
        await stop.wait()


async def _stops_within(seconds: float, stop: Stop | None) -> bool:
    with anyio.move_on_after(seconds):
        await _wait(stop)
        return True
    return False


def _about(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - keeps workers from doing it together
