"""Candidates a second as a durable job, against one run with `SqlJournal` and one without a journal.

Run ``python benchmarks/jobs.py`` where mettl-async is installed with its dev extra and Debian's PostgreSQL;
ten minutes. ``--people 200000`` for more, ``--latency 0.2`` for one latency only, ``--rounds 1`` for one round,
``--quick`` for seconds (SQLite only), ``--json FILE`` for all figures.

Every side has processes of its own, which have imported and connected all that they need before the clock
starts, and the same transport and concurrency. All sides of a latency run in turns, in another order each
round. A job runs from its first chunk that is taken until its end by the clock of its database; what a worker
needs to notice that there is a job, two seconds at most while it is idle, is in a column of its own. Three
workers have three times the people to do, so that all run about as long; where they are compared with one,
both have twice as many.

CPU is that of the registering processes, user and system, without the server's and PostgreSQL's. Bytes are the
growth of the database with all its indexes. Compared are neighbouring runs; the three workers with one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen
from harness import Bound, finish, peer_server, print_table
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from workload import ACCESS_KEY, CREDENTIALS, candidates

from mettl_async import ClientOptions, MettlClient
from mettl_async.bulk.sql_journal import SqlJournal
from mettl_async.jobs import Jobs, JobState, tables
from mettl_async.sql_backend import sa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

OF_JOURNAL_AT_LEAST = (
    0.8  # candidates a second of a job over those of SqlJournal in the same database
)
THREE_AT_LEAST = 2.5  # of three workers over those of one, where the server's latency is the limit
LATENCIES = (0.0, 0.05, 0.2)
SCALES_FROM = 0.2  # seconds of latency; below it two cores are the limit, not the workers
LONGER = 2  # times the people for that: three workers begin and end unevenly, up to a chunk each
PEOPLE, QUICK_PEOPLE = 10_000, 400
ROUNDS = 3
CONCURRENCY = 8
CHUNK = 1000
ACCOUNT = "acme"
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
_SIDE_ARGUMENT = "--side"
_TESTS = Path(__file__).parent.parent / "tests"  # PostgreSQL is started as the tests start it
_STOP_SECONDS = 60.0
_LOOK = 0.02  # seconds between two looks whether a chunk has been taken


@frozen
class Side:
    """A way to register people.

    Attributes:
        name: Of the row.
        database: What it writes to, if to anything.
        workers: Processes of a job; 0 for one run without jobs.
    """

    name: str
    database: str | None = None
    workers: int = 0


@frozen
class Took:
    """What one run of a side took; all but the seconds for each candidate."""

    people: int
    seconds: float
    begins_after: float
    submit_seconds: float
    cpu: float
    bytes: float

    @property
    def rate(self) -> float:
        """Candidates a second."""
        return self.people / self.seconds


PLAIN = Side("no journal")
JOURNAL_SQLITE = Side("SqlJournal, SQLite", SQLITE)
JOBS_SQLITE = Side("job, SQLite", SQLITE, 1)
JOURNAL_POSTGRESQL = Side("SqlJournal, PostgreSQL", POSTGRESQL)
JOBS_POSTGRESQL = Side("job, PostgreSQL", POSTGRESQL, 1)
THREE = Side("job, PostgreSQL, 3 workers", POSTGRESQL, 3)
SIDES = (PLAIN, JOURNAL_SQLITE, JOBS_SQLITE, JOURNAL_POSTGRESQL, JOBS_POSTGRESQL, THREE)
COMPARED = ((JOBS_SQLITE, JOURNAL_SQLITE), (JOBS_POSTGRESQL, JOURNAL_POSTGRESQL))


# The processes of a side: each line on stdin asks for one on stdout; the end of stdin ends it.


def _client(base_url: str) -> MettlClient:
    options = ClientOptions(max_concurrency=CONCURRENCY, post_parameters="form", trust_env=False)
    return MettlClient(CREDENTIALS, base_url=base_url, options=options, transport="aiohttp")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(**said: object) -> None:
    print(json.dumps(said), flush=True)


async def _line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def run_once(base_url: str, url: str, people: int) -> None:
    """Be the process of one run, with a `SqlJournal` if there is a URL."""
    engine = create_async_engine(url, hide_parameters=True) if url else None
    async with _client(base_url) as client:
        journal = None if engine is None else SqlJournal(engine)
        if journal is not None:
            await journal.create_table()
        warm = await client.candidates.register_many(
            "warmup00", list(candidates(100)), journal=journal
        )
        assert len(warm.registered) == 100  # noqa: S101 - wrong answers are worth nothing
        _say(ready=True)
        while await _line():
            cpu, began = _cpu(), time.perf_counter()
            run = client.candidates.register_many(
                ACCESS_KEY, candidates(people), concurrency=CONCURRENCY, journal=journal
            )
            registered = 0
            async for _ in run:  # as a stream, as workers do
                registered += 1
            _say(seconds=time.perf_counter() - began, cpu=_cpu() - cpu, registered=registered)
    if engine is not None:
        await engine.dispose()


class _Begun(logging.Handler):
    """Say when the worker can be given chunks."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().endswith(" begins"):
            _say(ready=True)
        elif record.levelno >= logging.WARNING:
            print(record.getMessage(), file=sys.stderr)


async def run_worker(base_url: str, url: str) -> None:
    """Be a worker, and tell at each line the CPU that was used until now."""
    logger = logging.getLogger("mettl_async.jobs")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Begun())
    stop = asyncio.Event()

    async def tell() -> None:
        while await _line():
            _say(cpu=_cpu())
        stop.set()

    asked = asyncio.create_task(tell())
    async with _client(base_url) as client, Jobs(url) as jobs:
        await jobs.run_worker(accounts={ACCOUNT: client}, stop=stop, concurrency=CONCURRENCY)
    await asked


@frozen
class Process:
    """A process of a side, as the one that measures sees it."""

    process: subprocess.Popen[str]

    def ask(self) -> None:
        """Let it do what a line is for."""
        assert self.process.stdin is not None  # noqa: S101 - for the type checker
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def told(self) -> dict[str, Any]:
        """Wait for what it says."""
        assert self.process.stdout is not None  # noqa: S101 - as above
        line = self.process.stdout.readline()
        if not line:
            sys.exit("a process of a side has died")
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def process(*arguments: str) -> Iterator[Process]:
    """Start a process of a side; it ends with the block."""
    command = [sys.executable, __file__, _SIDE_ARGUMENT, *arguments]
    with subprocess.Popen(  # noqa: S603 - this very script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            yield Process(started)
        finally:
            if started.stdin is not None:
                started.stdin.close()
            try:
                started.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()


# Databases.


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL as the tests do, which waits for no disk; gives its URL."""
    sys.path.insert(0, str(_TESTS))
    from running_postgres import make_cluster, newest_postgresql, free_port, serving  # noqa: PLC0415, I001 - has pytest

    programs = newest_postgresql()
    if programs is None:
        sys.exit("PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb)")
    with tempfile.TemporaryDirectory(prefix="mettl-postgres-") as folder:
        home = Path(folder)
        account = make_cluster(programs, home)
        with serving(programs, home, free_port(), account) as url:
            yield url


@contextmanager
def database(kind: str, server: str | None) -> Iterator[str]:
    """Make an empty database; gives its URL with a driver that is usual on asyncio."""
    if kind == SQLITE or server is None:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite+aiosqlite:///{Path(folder) / 'benchmark.db'}"
        return
    name = f"benchmark_{time.time_ns()}"
    asyncio.run(_eagerly(server, f"create database {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_eagerly(server, f"drop database {name} with (force)"))


async def _eagerly(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(statement)
    await engine.dispose()


async def size_of(url: str) -> int:
    """Bytes of a database."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
            size = os.stat(str(engine.url.database)).st_size  # noqa: PTH116 - nothing else runs
        else:
            found = await connection.exec_driver_sql("select pg_database_size(current_database())")
            size = found.scalar_one()
    await engine.dispose()
    return int(size)


def for_jobs(url: str) -> str:
    """Give the URL that users of jobs write: without a driver."""
    found = make_url(url)
    return found.set(drivername=found.get_backend_name()).render_as_string(hide_password=False)


# Measuring.


def once(base_url: str, url: str, people: int) -> Took:
    """Measure one run without jobs."""
    with process("once", base_url, url, str(people)) as one:
        one.told()
        before = asyncio.run(size_of(url)) if url else 0
        one.ask()
        said = one.told()
    assert said["registered"] == people  # noqa: S101 - wrong answers are worth nothing
    after = asyncio.run(size_of(url)) if url else 0
    return Took(people, said["seconds"], 0.0, 0.0, said["cpu"] / people, (after - before) / people)


def as_job(base_url: str, url: str, people: int, workers: int) -> Took:
    """Measure a job."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(process("worker", base_url, for_jobs(url))) for _ in range(workers)
        ]
        for one in started:
            one.told()
        before = asyncio.run(size_of(url))
        used = -_cpu_of(started)
        submitted, waited, seconds = asyncio.run(watch(url, people))
        used += _cpu_of(started)
    after = asyncio.run(size_of(url))
    return Took(people, seconds, waited, submitted, used / people, (after - before) / people)


def _cpu_of(processes: Sequence[Process]) -> float:
    for one in processes:
        one.ask()
    return float(sum(one.told()["cpu"] for one in processes))


async def watch(url: str, people: int) -> tuple[float, float, float]:
    """Submit a job and wait for its end; seconds of submitting, until it begins, and of doing it."""
    async with Jobs(for_jobs(url)) as jobs:
        began = time.perf_counter()
        job = await jobs.register(
            ACCESS_KEY, candidates(people), account=ACCOUNT, id="benchmark", chunk_size=CHUNK
        )
        submitted = time.perf_counter() - began
        engine = create_async_engine(url)
        ready = time.time()
        chunk = tables.chunks.c
        taken = sa.select(sa.func.count()).where(chunk.owner.is_not(None) | chunk.done)
        async with engine.connect() as connection:
            while not (await connection.execute(taken)).scalar_one():
                await connection.rollback()
                await asyncio.sleep(_LOOK)
        await engine.dispose()
        first = time.time()
        while (await jobs.get(job.id)).state is not JobState.DONE:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(10 * _LOOK)
        status = await jobs.status(job.id)
        assert status.registered == people  # noqa: S101 - wrong answers are worth nothing
        assert status.job.ended_at is not None  # noqa: S101 - it is done
        return submitted, first - ready, status.job.ended_at.timestamp() - first


def measure(side: Side, base_url: str, server: str | None, people: int) -> Took:
    """Measure a side once."""
    if side.database is None:
        return once(base_url, "", people)
    with database(side.database, server) as url:
        if not side.workers:
            return once(base_url, url, people)
        return as_job(base_url, url, people * side.workers, side.workers)


def ratio(taken: dict[str, list[Took]], one: Side, other: Side) -> float:
    """Median of the rates of neighbouring runs."""
    pairs = zip(taken[one.name], taken[other.name], strict=True)
    return median(a.rate / b.rate for a, b in pairs)


def row(name: str, took: Sequence[Took], plain: Sequence[Took]) -> tuple[object, ...]:
    """Medians of one side."""

    def middle(of: Callable[[Took], float]) -> float:
        return median(of(one) for one in took)

    return (
        name,
        middle(lambda one: one.people),
        middle(lambda one: one.rate),
        median(a.rate / b.rate for a, b in zip(took, plain, strict=True)),
        1e6 * middle(lambda one: one.cpu),
        middle(lambda one: one.bytes),
        middle(lambda one: one.begins_after),
        middle(lambda one: one.people / one.submit_seconds if one.submit_seconds else 0.0),
    )


HEAD = ("side", "people", "people/s", "of no journal", "CPU us each", "bytes each", "begins after s", "submitted/s")  # fmt: skip


def compare(
    latency: float, sides: Sequence[Side], server: str | None, *, people: int, rounds: int
) -> dict[str, list[Took]]:
    """Measure all sides in turns."""
    taken: dict[str, list[Took]] = {side.name: [] for side in sides}
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with peer_server(latency=latency) as base_url:
        if cores is not None:
            os.sched_setaffinity(0, cores)  # workers and PostgreSQL need them all
        for number in range(rounds):
            for side in reversed(sides) if number % 2 else sides:
                longer = (
                    LONGER if latency >= SCALES_FROM and side in (JOBS_POSTGRESQL, THREE) else 1
                )
                taken[side.name].append(measure(side, base_url, server, longer * people))
    return taken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--quick", action="store_true", help="shows that it runs, proves nothing")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--latency", type=float, help="seconds; only this one")
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    sides = (JOURNAL_SQLITE, JOBS_SQLITE) if given.quick else SIDES
    people, rounds = (QUICK_PEOPLE, 1) if given.quick else (given.people, given.rounds)
    latencies = (0.0,) if given.quick else LATENCIES if given.latency is None else (given.latency,)
    bounds: list[Bound] = []
    figures: list[dict[str, Any]] = []
    with ExitStack() as stack:
        server = None if given.quick else stack.enter_context(postgresql())
        for latency in latencies:
            taken = compare(latency, sides, server, people=people, rounds=rounds)
            print_table(
                f"{latency * 1000:.0f} ms latency, {CONCURRENCY} calls at once in each process, "
                f"medians of {rounds} rounds, load {os.getloadavg()[0]:.0f}",
                HEAD,
                [row(side.name, taken[side.name], taken[sides[0].name]) for side in sides],
            )
            for one, other in COMPARED:
                if one in sides:
                    name = f"{one.name} / {other.name}, {latency * 1000:.0f} ms"
                    value = ratio(taken, one, other)
                    bounds.append(Bound(name=name, value=value, limit=OF_JOURNAL_AT_LEAST))
            if latency >= SCALES_FROM and THREE in sides:
                name = f"three workers / one, PostgreSQL, {latency * 1000:.0f} ms"
                value = ratio(taken, THREE, JOBS_POSTGRESQL)
                bounds.append(Bound(name=name, value=value, limit=THREE_AT_LEAST))
            runs = {name: [asdict(one) for one in took] for name, took in taken.items()}
            figures.append({"latency": latency, "runs": runs})
    finish(given, bounds, {"people": people, "latencies": figures})


def side(kind: str, base_url: str, url: str, people: str = "0") -> None:
    """Be a process of a side."""
    asyncio.run(
        run_worker(base_url, url) if kind == "worker" else run_once(base_url, url, int(people))
    )


if __name__ == "__main__":
    if sys.argv[1:2] == [_SIDE_ARGUMENT]:
        side(*sys.argv[2:])
    else:
        main()
