"""What a worker tells about itself while it runs, for probes and metrics; nothing of a person is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from mettl_async.jobs.leases import WORKER, alive
from mettl_async.jobs.statements import now_of, tune
from mettl_async.jobs.tables import chunks, jobs
from mettl_async.sql_backend import sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.sql_backend import Backend

COUNT_EVERY: Final = 10.0
"""Seconds between two counts of what there is to do; the leader alone counts."""


@frozen(kw_only=True)
class Backlog:
    """Work of an account that is not done.

    Attributes:
        chunks: Parts of its jobs that are not done; of jobs that are paused or cancelled none count.
        oldest: Seconds since the first of these jobs was handed in, by the clock of the database.
    """

    chunks: int
    oldest: float


class WorkerObserver:
    """See what a worker does; a class of yours overrides what it wants to see.

    The methods are called in the worker's event loop: they must return at once, and raise nothing. Pass
    observers to `Jobs.run_worker`.

    Example::

        class Printing(WorkerObserver):
            def began(self, worker: str, lease: float) -> None:
                print(worker, "begins; others would wait", lease, "seconds for it")

            def beat(self) -> None:
                print("it is alive")

            def answered(self, account: str, outcome: str) -> None:
                print(account, outcome)

            def counted(self, backlogs: Mapping[str, Backlog], workers: int) -> None:
                print(workers, "workers for", list(backlogs))


        async with Jobs("sqlite:///jobs.db") as jobs:
            await jobs.run_worker(accounts={"acme": mettl}, observers=[Printing()], stop=stop)
    """

    def began(self, worker: str, lease: float) -> None:
        """Note that a worker begins.

        Args:
            worker: Its id.
            lease: Seconds after which the others take it for dead if it says nothing.
        """

    def beat(self) -> None:
        """Note that the worker has written into the database that it is alive."""

    def answered(self, account: str, outcome: str) -> None:
        """Note what became of one candidate, in this try.

        Args:
            account: Name of the account.
            outcome: ``registered``, ``rejected``, ``failed`` or ``unknown``.
        """

    def counted(self, backlogs: Mapping[str, Backlog], workers: int) -> None:
        """Note what there is to do in the whole database; only the worker that leads is told, every 10 s.

        Args:
            backlogs: By account; accounts without any are left out.
            workers: Workers that are alive.
        """


@define(eq=False)
class Counting:
    """A step of the leader that counts what there is to do, and tells the observers.

    Attributes:
        backend: Of the tables.
        observers: Who is told.
        clock: Seconds, monotonic.
    """

    backend: Backend
    observers: Sequence[WorkerObserver]
    clock: Callable[[], float]
    _next: float | None = field(default=None, init=False)

    async def step(self) -> None:
        """Count, if it is time for it."""
        now = self.clock()
        if self._next is not None and now < self._next:
            return
        self._next = now + COUNT_EVERY
        backlogs, workers = await count(self.backend)
        for one in self.observers:
            one.counted(backlogs, workers)


async def count(backend: Backend) -> tuple[dict[str, Backlog], int]:
    """Count what there is to do, by account, and the workers that are alive."""
    job, chunk, now = jobs.c, chunks.c, now_of(backend.dialect)
    open_of: sa.ScalarSelect[int] = (
        sa.select(sa.func.count())
        .where(chunk.job == job.number, sa.not_(chunk.done))
        .correlate(jobs)
        .scalar_subquery()
    )
    ready = sa.select(
        job.account, open_of.label("open"), (now - job.submitted_at).label("age")
    ).where(job.state == "ready")

    async def work(connection: AsyncConnection) -> tuple[list[Any], int]:
        await connection.execute(tune(backend.dialect))
        rows = [*(await connection.execute(ready))]
        return rows, len(await alive(connection, WORKER))

    rows, workers = await backend.run(work)
    found: dict[str, Backlog] = {}
    for row in rows:
        if row.open:
            before = found.get(row.account, Backlog(chunks=0, oldest=0.0))
            found[row.account] = Backlog(
                chunks=before.chunks + row.open, oldest=max(before.oldest, row.age)
            )
    return found, workers
