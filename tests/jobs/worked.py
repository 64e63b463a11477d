"""Jobs in a database, workers of them in this process or as others, and what came of it all."""

import asyncio
import contextlib
import inspect
import json
from collections import Counter

import httpx
from attrs import frozen
from sqlalchemy import make_url

from mettl_async import Candidate, ClientOptions, MettlClient, RetryPolicy
from mettl_async.jobs import leases, tables
from mettl_async.jobs.database import backend_of, engine_for
from mettl_async.jobs.person import digest_of, to_text
from mettl_async.jobs.spec import RegisterSpec
from mettl_async.jobs.work import Pace
from mettl_async.jobs.worker import Worker
from mettl_async.models import RegistrationOptions
from mettl_async.sandbox import Sandbox
from mettl_async.sql_backend import sa

QUICK = Pace(
    lease=2.0, tick=0.03, busy=0.02, idle=0.02, watch=0.02,
    first_pause=0.02, longest_pause=0.1, unanswered=0.05, finish=10.0, sweep=0.1,
)  # fmt: skip
HASTE = RetryPolicy(max_attempts=2, backoff_base=0.001, backoff_cap=0.01, deadline=5.0)
OPTIONS = ClientOptions(retry=HASTE, bulk_retry=HASTE)


def person(index):
    return Candidate(email=f"p{index}@example.org", first_name=f"P{index}")


async def until(is_there):
    """Wait for what tells nobody."""
    async with asyncio.timeout(30):
        while True:
            found = is_there()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.005)


@frozen
class Running:
    """A worker at work."""

    worker: Worker
    task: asyncio.Task
    stop: asyncio.Event


class Gate(httpx.AsyncBaseTransport):
    """Hold calls as long as it is not open."""

    def __init__(self, worked):
        self._worked, self._inner = worked, worked.sandbox.transport()

    async def handle_async_request(self, request):
        self._worked.waiting += 1
        await self._worked.open.wait()
        self._worked.waiting -= 1
        return await self._inner.handle_async_request(request)


class Worked:
    """A database of jobs, and the sandbox that they are about."""

    def __init__(self, url, sandbox=None, dispatch=None):
        self.dispatch = dispatch
        self.url = make_url(url)
        self.engine = engine_for(url)
        self.backend = backend_of(self.engine)
        self.sandbox = sandbox or Sandbox()
        self.open, self.waiting = asyncio.Event(), 0
        self.open.set()
        self._tasks = []
        self.access_key = next(iter(self.sandbox.schedules))

    async def submit(self, people, *, number=1, chunk_size=10, account="acme", state="ready"):
        """Hand in as many people, of whom nobody is in another job."""
        spec = RegisterSpec(access_key=self.access_key, options=RegistrationOptions())
        job = {
            "number": number, "id": f"job-{number}", "kind": "register", "account": account,
            "spec": spec.to_text(), "state": state, "problem": "", "total": people,
            "chunk_size": chunk_size, "submitted_at": 0.0,
        }  # fmt: skip
        everybody = [person(1_000_000 * (number - 1) + index) for index in range(people)]
        rows = [
            {"job": number, "position": index, "digest": digest_of(one.email), "person": to_text(index, one)}
            for index, one in enumerate(everybody)
        ]  # fmt: skip
        parts = [
            {"job": number, "chunk": chunk, "first": first, "changed_at": 0.0, "size": min(chunk_size, people - first)}
            for chunk, first in enumerate(range(0, people, chunk_size))
        ]  # fmt: skip
        async with self.engine.begin() as connection:
            await connection.execute(sa.insert(tables.jobs), [job])
            await connection.execute(sa.insert(tables.people), rows)
            await connection.execute(sa.insert(tables.chunks), parts)

    def client(self):
        return MettlClient(
            self.sandbox.credentials,
            base_url="http://127.0.0.1",
            options=OPTIONS,
            http_client=httpx.AsyncClient(transport=Gate(self), trust_env=False),
        )

    @contextlib.asynccontextmanager
    async def working(self, *accounts, pace=QUICK, **more):
        """A worker in this process, which ends in order at the end of the block."""
        async with self.client() as client:
            clients = dict.fromkeys(accounts or ("acme",), client)
            if self.dispatch is not None:
                more["make_engine"] = self.dispatch.make_engine
            worker = Worker(backend=self.backend, url=self.url, clients=clients, pace=pace, **more)
            stop = asyncio.Event()
            task = asyncio.create_task(worker.run(stop))
            self._tasks.append(task)
            try:
                yield Running(worker, task, stop)
            finally:
                stop.set()
                await task

    async def rows(self, table, *where):
        async with self.engine.connect() as connection:
            return (await connection.execute(sa.select(table).where(*where))).all()

    async def change(self, statement):
        async with self.engine.begin() as connection:
            await connection.execute(statement)

    async def job(self, number=1):
        (row,) = await self.rows(tables.jobs, tables.jobs.c.number == number)
        return row

    async def until(self, state, number=1):
        """Wait until a job has a state."""

        async def is_there():
            for task in self._tasks:
                if task.done():
                    task.result()
            return (await self.job(number)).state == state

        await until(is_there)

    async def until_chunks(self, fit, number=1):
        """Wait until the chunks of a job are as they are wanted."""

        async def is_there():
            return fit(await self.rows(tables.chunks, tables.chunks.c.job == number))

        await until(is_there)

    async def until_leases(self, fit):
        """Wait until the names of the leases are as they are wanted."""

        async def is_there():
            return fit({row.name for row in await self.rows(tables.leases)})

        await until(is_there)

    async def until_waiting(self, count):
        await until(lambda: self.waiting >= count)

    async def until_calls(self, count):
        await until(lambda: self.sandbox.stats.requests >= count)

    async def statuses(self, number=1):
        rows = await self.rows(tables.outcomes, tables.outcomes.c.job == number)
        return Counter(row.status for row in rows)

    def asked_again(self):
        """Candidates that the server registered beyond once each."""
        counts = self.sandbox.stats.registrations.values()
        return sum(counts) - len(counts)

    async def check_end(self, number=1):
        """Hold all outcomes of a job against the records of the sandbox: nobody is lost or doubled."""
        job = await self.job(number)
        people = await self.rows(tables.people, tables.people.c.job == number)
        found = await self.rows(tables.outcomes, tables.outcomes.c.job == number)
        assert len(found) == len(people) == job.total
        assert {row.position for row in found} == set(range(job.total))
        known = {one.email: one for one in self.sandbox.state.all_candidates()}
        outcomes = {row.position: row for row in found}
        for row in people:
            outcome = outcomes[row.position]
            email = json.loads(row.person)[0]
            if outcome.status == "registered":
                assert known[email].ecc in outcome.url
        chunks = await self.rows(tables.chunks, tables.chunks.c.job == number)
        assert all(row.done and row.owner is None for row in chunks)
        written = {
            kind: sum(getattr(row, kind) for row in chunks)
            for kind in ("registered", "rejected", "failed", "unknown")
        }
        assert {kind: count for kind, count in written.items() if count} == await self.statuses(
            number
        )

    async def lease(self, name, holder, seconds=60.0):
        async with self.engine.begin() as connection:
            assert await leases.take(connection, name, holder, seconds)

    async def aclose(self):
        await self.engine.dispose()
