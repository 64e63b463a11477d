"""Durable jobs as users write them; never run, only type-checked by mypy and pyright in strict mode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import assert_type

from sqlalchemy.ext.asyncio import AsyncEngine

from mettl_async import (
    Candidate,
    Failed,
    MettlClient,
    Outcome,
    Registered,
    RegistrationOptions,
    Rejected,
    Unknown,
)
from mettl_async.jobs import (
    Backlog,
    FolderStore,
    Job,
    JobError,
    Jobs,
    JobSchedule,
    JobState,
    JobStatus,
    LeaseLostError,
    PullSpec,
    Store,
    WorkerHealth,
    WorkerObserver,
    pull_results,
)
from mettl_async.jobs.metrics import JobMetrics
from mettl_async.models import ResultDetail
from mettl_async.webhooks import EventHandlers
from mettl_async.webhooks.sql_inbox import SqlEventInbox


def people() -> Iterator[Candidate]:
    for number in range(2_000_000):
        yield Candidate(email=f"c{number}@example.org", first_name="Ann")


async def hand_in(key: str, streamed: AsyncIterator[Candidate]) -> None:
    async with Jobs("sqlite:///jobs.db") as jobs:
        job = await jobs.register(key, people(), account="acme", id="autumn-2027")
        assert_type(job, Job)
        await jobs.register(
            key,
            streamed,
            account="acme",
            options=RegistrationOptions(time_limit_in_sec=60),
            chunk_size=500,
        )
        status = await jobs.status(job.id)
        assert_type(status, JobStatus)
        assert_type(status.waiting, int)
        assert_type(status.job.state, JobState)
        assert_type(await jobs.list(states=[JobState.PAUSED]), tuple[Job, ...])
        await jobs.pause(job.id)
        await jobs.resume(job.id)
        await jobs.cancel(job.id)
        assert_type(await jobs.forget(job.id), int)


async def read(jobs: Jobs) -> None:
    try:
        async for outcome in jobs.outcomes("autumn-2027"):
            assert_type(outcome, Outcome)
            match outcome:
                case Registered(url=url):
                    print(outcome.index, outcome.email, url)
                case Rejected(code=code):
                    print(code)
                case Failed(error=error) | Unknown(error=error):
                    print(error)
    except (JobError, LeaseLostError) as error:
        print(error)


async def work(engine: AsyncEngine, client: MettlClient) -> None:
    async with Jobs(engine, create_tables=False) as jobs:
        await jobs.run_worker(accounts={"acme": client})
        await jobs.run_worker(accounts={"acme": client}, rates={"acme": 20})


class Seen(WorkerObserver):
    def answered(self, account: str, outcome: str) -> None:
        print(account, outcome)

    def counted(self, backlogs: Mapping[str, Backlog], workers: int) -> None:
        print(workers, {account: (one.chunks, one.oldest) for account, one in backlogs.items()})


async def watch(jobs: Jobs, client: MettlClient) -> None:
    health = WorkerHealth()
    with health.listening("0.0.0.0", port=8080) as address:
        assert_type(address, tuple[str, int])
        await jobs.run_worker(accounts={"acme": client}, observers=[health, Seen(), JobMetrics()])
    assert_type(health.is_well, bool)
    assert_type(health.silent, float | None)
    await jobs.run_worker(accounts={"acme": client}, observers=[print])  # type: ignore[list-item]


async def keep(name: str, chunks: AsyncIterator[bytes]) -> int:
    return sum([len(chunk) async for chunk in chunks])


def keep_at_once(name: str, chunks: AsyncIterator[bytes]) -> None: ...


async def pull(jobs: Jobs, client: MettlClient, inbox: SqlEventInbox) -> None:
    what = pull_results(assessment=7, files="results", reports="bucket", detail=ResultDetail())
    assert_type(what, PullSpec)
    nightly = await jobs.every("0 2 * * *", what, name="n", account="acme", timezone="UTC")
    assert_type(nightly, JobSchedule)
    assert_type(await jobs.schedules(), tuple[JobSchedule, ...])
    assert_type(await jobs.remove_schedule("n"), bool)
    assert_type(
        await jobs.pull(pull_results(["abc"], reports=FolderStore("reports")), account="acme"), Job
    )
    folder: Store = FolderStore("reports")
    await jobs.run_worker(
        accounts={"acme": client},
        stores={"bucket": keep, "folder": folder},
        inbox=inbox,
        handlers=EventHandlers(),
    )
    await jobs.run_worker(accounts={"acme": client}, stores={"bucket": keep_at_once})  # type: ignore[dict-item]
    await jobs.every("0 2 * * *", pull_results, name="n", account="acme")  # type: ignore[arg-type]
