"""Workers as processes that are killed and frozen, on a database that is restarted, until a job is done."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import sys
from pathlib import Path

from attrs import define, field
from chaos_worker import CONCURRENCY, PACE, PLACES
from worked import Worked

from mettl_async.jobs import tables
from mettl_async.jobs.engine import VERSION
from mettl_async.sandbox import Faults, Sandbox
from mettl_async.sql_backend import sa

SCRIPT = Path(__file__).with_name("chaos_worker.py")
BATCH = 20
# Of these the server has handled the call, and the answer is lost: it is asked again for a good reason.
LOST_ANSWERS = ("reset_after", "truncate", "empty", "server_error")
SLOW, FAST = (
    1.5,
    0.01,
)  # seconds that the server takes, so that the job is not done before the last kill


@define(eq=False)
class Child:
    """A worker process."""

    pid: int
    words: Path
    begun: asyncio.Future = field(factory=lambda: asyncio.get_running_loop().create_future())
    ended: asyncio.Future = field(factory=lambda: asyncio.get_running_loop().create_future())

    def said(self):
        return self.words.read_text() if self.words.exists() else ""


class Nursery:
    """What starts workers within milliseconds."""

    def __init__(self, process, directory):
        self._process, self._directory = process, directory
        self._children, self._numbers = {}, itertools.count()
        self._started = asyncio.Queue()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, directory, environment):
        process = await asyncio.create_subprocess_exec(
            sys.executable, SCRIPT,
            env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        nursery = cls(process, directory)
        listening = asyncio.create_task(nursery._listen())
        try:
            yield nursery
        finally:
            process.stdin.close()
            await process.wait()
            await listening

    async def start(self, *arguments):
        words = self._directory / f"words-{next(self._numbers)}.txt"
        self._process.stdin.write(json.dumps([str(words), *arguments]).encode() + b"\n")
        pid = await self._started.get()
        child = self._children.setdefault(pid, Child(pid, words))
        child.words = words
        return child

    async def _listen(self):
        async for line in self._process.stdout:
            what, pid, *status = line.split()
            child = self._children.setdefault(int(pid), Child(int(pid), None))
            match what:
                case b"started":
                    self._started.put_nowait(int(pid))
                case b"begun":
                    child.begun.set_result(None)
                case b"ended":
                    child.ended.set_result(int(status[0]))


class Chaos:
    """One job, and those who disturb it.

    Attributes:
        kills: How many workers were killed, by us or by themselves.
    """

    def __init__(self, url, seed, *, kills, faults=0.01):
        self.rng = random.Random(seed)
        self.sandbox = Sandbox(seed=seed, faults=Faults.each(faults))
        self.worked = Worked(url, self.sandbox)
        self.wanted_kills, self.kills, self.shocks = kills, 0, 0
        self.places = dict.fromkeys(PLACES, 0)
        self.at_work, self._next = [], []
        self.over = asyncio.Event()
        self.problems = []

    @contextlib.asynccontextmanager
    async def serving(self, directory):
        async with self.sandbox.serve() as server:
            self.server = server
            keys = server.credentials
            environment = {
                **os.environ,
                "METTL_PUBLIC_KEY": keys.public_key,
                "METTL_PRIVATE_KEY": keys.private_key,
            }
            async with Nursery.opened(directory, environment) as self.nursery:
                yield self
            await self.worked.aclose()

    async def start(self, place, version):
        url = self.worked.url.render_as_string(hide_password=False)
        return await self.nursery.start(url, self.server.base_url, place, version)

    async def slot(self, version):
        """Keep one worker at work, however often it is killed."""
        over = asyncio.create_task(self.over.wait())
        while not self.over.is_set():
            killing = self.kills < self.wanted_kills
            place = self._next_place() if killing else "-"
            child = await self.start(place, version)
            self.at_work.append(child)
            first = asyncio.FIRST_COMPLETED
            if killing and self.rng.random() < 0.8:  # else at any instant of its start
                await asyncio.wait([child.ended, child.begun, over], return_when=first)
            patience = self.rng.uniform(0.0, 2.0) if place == "-" else 4.0
            await asyncio.wait(
                [child.ended, over], timeout=patience if killing else None, return_when=first
            )
            if child.ended.done():
                self.places[place] = self.places.get(place, 0) + 1
            else:
                os.kill(child.pid, signal.SIGTERM if self.over.is_set() else signal.SIGKILL)
            status = await child.ended
            self.at_work.remove(child)
            self.kills += status == -signal.SIGKILL
            said = child.said()
            if "Traceback" in said or status not in {0, -signal.SIGKILL}:
                self.problems.append((status, said))
        over.cancel()

    def _next_place(self):
        """Give each worker that starts a place to die at by turns, and every third one none."""
        if not self._next:
            self._next = [*PLACES, *["-"] * (len(PLACES) // 2)]
            self.rng.shuffle(self._next)
        return self._next.pop()

    async def steer(self, people):
        """Have the server take its time, so that kills come all along the job."""
        while not self.over.is_set():
            done = len(self.sandbox.stats.registrations) / people
            ahead = self.kills < self.wanted_kills and done > self.kills / self.wanted_kills
            self.sandbox.faults.latency = SLOW if ahead else FAST
            await asyncio.sleep(0.05)

    async def freeze(self):
        """Freeze a worker that has calls in flight for longer than its lease, and wake it."""
        while not (self.at_work and self.sandbox.stats.in_flight):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        pid = self.rng.choice(self.at_work).pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(1.7 * PACE.lease)
            os.kill(pid, signal.SIGCONT)
        self.shocks += 1

    async def run(
        self,
        people,
        *,
        workers,
        chunk_size,
        freezes=1,
        restart=None,
        restarts=0,
        versions=(VERSION,),
    ):
        """Do a job of so many people with so many workers, and check all that came of it."""
        await self.worked.submit(people, chunk_size=chunk_size)
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self.slot(versions[number % len(versions)]))
            group.create_task(self.steer(people))
            for number in range(freezes):
                group.create_task(
                    self._after(people * (2 * number + 1) / (2 * freezes), self.freeze)
                )
            for number in range(restarts):
                share = (number + 1) / (restarts + 1)
                group.create_task(
                    self._after(people * share, lambda: self._restarted(restart, workers))
                )
            await self._until_done()
            self.over.set()
        assert not self.problems, "\n".join(said for _, said in self.problems)
        assert self.kills >= self.wanted_kills
        await self.worked.check_end()
        assert (await self.worked.statuses())["registered"] == people
        assert self.excess() <= self.bound()
        async with self.worked.engine.begin() as connection:
            left = await connection.execute(sa.select(tables.leases.c.name))
            return sorted(left.scalars())

    def excess(self):
        """Candidates asked for beyond once each, and beyond those whose answer the sandbox lost."""
        lost = sum(self.sandbox.stats.faults[kind] for kind in LOST_ANSWERS)
        return self.worked.asked_again() - lost * BATCH

    def bound(self):
        return (self.kills + self.shocks) * CONCURRENCY * BATCH

    async def _after(self, registered, shock):
        while len(self.sandbox.stats.registrations) < registered:  # noqa: ASYNC110 - same
            await asyncio.sleep(0.02)
        await shock()

    async def _restarted(self, restart, workers):
        await restart()
        self.shocks += workers

    async def _until_done(self):
        while True:
            with contextlib.suppress(sa.exc.DBAPIError):  # it is being restarted
                if (await self.worked.job()).state == "done" and self.kills >= self.wanted_kills:
                    return
            await asyncio.sleep(0.1)
