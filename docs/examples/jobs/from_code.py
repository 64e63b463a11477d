"""Register the people of a CSV file by a job, and print their links.

::

    python from_code.py people.csv ACCESS_KEY

Run it again after a crash: it goes on where it ended. Run it on several machines, with the URL of one
PostgreSQL in METTL_JOBS_DB: they share the work.
"""

import asyncio
import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from mettl_async import Candidate, MettlClient, Registered
from mettl_async.jobs import Jobs, JobState


def people(path: Path) -> Iterator[Candidate]:
    """Read the file as a stream."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield Candidate(email=row["Email Address"], first_name=row["First Name"])


async def until_settled(jobs: Jobs, job_id: str) -> None:
    """Wait until a job is over, or needs somebody."""
    while True:
        job = (await jobs.status(job_id)).job
        if job.state in {JobState.DONE, JobState.CANCELLED}:
            return
        if job.problem:
            sys.exit(f"{job.id} is paused: {job.problem}")
        await asyncio.sleep(0.5)


async def main(path: Path, access_key: str, database: str) -> None:
    """Hand the people in, work on them, and print what came of them."""
    stop = asyncio.Event()
    async with Jobs(database) as jobs, MettlClient() as client, asyncio.TaskGroup() as tasks:
        job = await jobs.register(access_key, people(path), account="acme", id=path.stem)
        tasks.create_task(jobs.run_worker(accounts={"acme": client}, stop=stop))
        try:
            await until_settled(jobs, job.id)
        finally:
            stop.set()
        async for outcome in jobs.outcomes(job.id):
            what = outcome.url if isinstance(outcome, Registered) else type(outcome).__name__
            print(outcome.candidate.email, what)


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), sys.argv[2], os.environ.get("METTL_JOBS_DB", "sqlite:///jobs.db"))
    )
