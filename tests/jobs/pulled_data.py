"""Jobs that pull, results to pull, and what was stored."""

import asyncio
import contextlib
from functools import partial

from attrs import define, field
from worked import QUICK, Worked, person

from mettl_async.jobs import Jobs, tables
from mettl_async.jobs.pull_chunk import pull_chunk
from mettl_async.jobs.pull_spec import PULL
from mettl_async.jobs.reconciling import hand_out, open_chunks
from mettl_async.jobs.recurring import Recurring
from mettl_async.jobs.run_worker import run_worker
from mettl_async.jobs.running import RunningChunks
from mettl_async.jobs.statements import close_jobs
from mettl_async.jobs.work import Presence
from mettl_async.sandbox import Pace as Grading
from mettl_async.sql_backend import sa


@define
class Stored:
    """A store that counts, and fails when it is told to."""

    reports: dict = field(factory=dict)
    calls: list = field(factory=list)
    fails: list = field(factory=list)
    stuck_from: int = 10**9  # calls; from then on it does not return before it is let go
    let_go: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self, name, chunks):
        self.calls.append(name)
        if len(self.calls) >= self.stuck_from:
            await self.let_go.wait()
        if self.fails:
            raise self.fails.pop()
        self.reports[name] = b"".join([chunk async for chunk in chunks])


class Pulled(Worked):
    """A sandbox with results, jobs that pull them, and workers."""

    def __init__(self, url, sandbox=None):
        super().__init__(url, sandbox)
        self.sandbox.pace = Grading(grade_delay=0, report_delay=0)
        self.jobs = Jobs(self.engine, create_tables=False)
        self.store = Stored()
        self.ticks = 0

    async def take_test(self, *indexes, access_key=None):
        """Let people register and take the test to its end."""
        key = access_key or self.access_key
        async with self.client() as client:
            for start in range(0, len(indexes), 20):
                some = [person(one) for one in indexes[start : start + 20]]
                await client.candidates.register(key, some)
        for one in indexes:
            self.sandbox.candidates[key, person(one).email].start()
        self.sandbox.clock.advance(60)
        for one in indexes:
            self.sandbox.candidates[key, person(one).email].finish()
        self.sandbox.clock.advance(60)

    @contextlib.asynccontextmanager
    async def working(self, **more):
        """A worker that pulls, with the account ``acme``."""
        stop = asyncio.Event()
        async with self.client() as client:
            given = {
                "stop": stop, "concurrency": 8, "chunks_at_once": 2, "max_tries": 3, "lease": 30.0, "rates": {},
                "stores": {"own": self.store}, "beside": contextlib.nullcontext(), "pace": QUICK,
                "accounts": {"acme": client}, **more,
            }  # fmt: skip
            task = asyncio.create_task(run_worker(self.backend, self.url, **given))
            try:
                yield task
            finally:
                stop.set()
                await task

    async def work(self, *, stores=None, name="w"):
        """Do what a leader and a worker do, without an engine, until nothing is left to do."""
        async with self.client() as client:
            running = self.running(client, stores=stores, name=name)
            recurring = Recurring(self.backend)
            async with asyncio.timeout(20):
                while True:
                    await recurring.begin_due()
                    tickets = await self.tickets()
                    await asyncio.gather(*map(running._run, tickets))
                    await self.backend.change(close_jobs(self.backend.dialect), {})
                    if not tickets and not await self.rows(
                        tables.jobs, tables.jobs.c.state == "ready"
                    ):
                        return
                    await asyncio.sleep(0.002)

    @contextlib.asynccontextmanager
    async def stuck(self, name, *, at):
        """A worker whose chunks come no further than to some call of the store."""
        self.store.stuck_from = at
        async with self.client() as client:
            running = self.running(client, name=name)
            runs = [asyncio.ensure_future(running._run(one)) for one in await self.tickets()]
            await until(lambda: len(self.store.calls) >= at)
            self.store.stuck_from = 10**9
            yield runs
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)

    def running(self, client, *, stores=None, name="w"):
        """The chunks of a worker."""
        pull = partial(pull_chunk, stores=stores or {"own": self.store})
        return RunningChunks(
            backend=self.backend, worker=name, clients={"acme": client}, runners={PULL: pull}, concurrency=8,
            at_once=2, max_tries=3, pace=QUICK, presence=Presence(),
            failed=asyncio.get_running_loop().create_future(),
        )  # fmt: skip

    async def tickets(self):
        """Hand out what is open."""
        undone = await self.backend.run(lambda connection: open_chunks(connection, 100))
        found = await self.backend.run(lambda connection: hand_out(connection, undone))
        return [one for tickets in found.values() for one in tickets]

    async def pull(self, what, job_id="a"):
        """Pull once."""
        await self.jobs.pull(what, account="acme", id=job_id)
        await self.work()
        return await self.jobs.status(job_id)

    async def nightly(self, what):
        """Pull by a schedule that is due now."""
        await self.jobs.every("0 0 1 1 *", what, name="nightly", account="acme")
        await self.be_due()
        await self.work()
        (schedule,) = await self.jobs.schedules()
        return await self.jobs.status(schedule.last_job)

    async def be_due(self, name="nightly"):
        """Let a schedule be due, at a second that no one before had."""
        self.ticks += 1
        row = tables.schedules
        await self.change(
            sa.update(row).where(row.c.name == name).values(next_at=float(self.ticks))
        )

    async def results(self):
        return await self.rows(tables.results)


async def until(is_so):
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)


def emails(*indexes):
    return sorted(person(one).email for one in indexes)
