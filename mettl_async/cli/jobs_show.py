"""``mettl jobs``: list them, say how far one is, and change what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mettl_async.cli import asking
from mettl_async.cli.jobs_database import with_jobs
from mettl_async.cli.jobs_words import (
    Look,
    document,
    done,
    job_document,
    remarks,
    workers_text,
)
from mettl_async.cli.printing import print_json, print_table, utc_text
from mettl_async.cli.problems import CommandError
from mettl_async.cli.talk import note, say
from mettl_async.jobs import JobState

if TYPE_CHECKING:
    from datetime import datetime

    from mettl_async.jobs import Job, Jobs

_COLUMNS: Final = ("job", "kind", "account", "state", "total", "submitted", "problem")
_OPEN: Final = (JobState.SUBMITTING, JobState.READY, JobState.PAUSED)


def init(db: str | None) -> int:
    """Make the tables unless they are there."""

    async def nothing(_: Jobs) -> None:
        pass

    with_jobs(db, nothing, create=True)
    say("the tables are there; mettl jobs submit and mettl jobs worker can use them")
    return 0


def list_jobs(db: str | None, *, open_only: bool, limit: int, as_json: bool) -> int:
    """List the newest jobs."""
    states = _OPEN if open_only else tuple(JobState)
    found = with_jobs(db, lambda jobs: jobs.list(states=states, most=limit))
    if as_json:
        print_json([job_document(one) for one in found])
        return 0
    rows = [
        (
            one.id,
            one.kind,
            one.account,
            str(one.state),
            one.total,
            _moment(one.submitted_at),
            one.problem,
        )
        for one in found
    ]
    print_table(_COLUMNS, rows)
    return 0


def show_status(db: str | None, job_id: str, *, as_json: bool) -> int:
    """Say how far a job is."""
    status = with_jobs(db, lambda jobs: jobs.status(job_id))
    if as_json:
        print_json(document(status))
        return 0
    job = status.job
    rows: list[tuple[str, str]] = [
        ("job", job.id),
        ("kind", job.kind),
        ("account", job.account),
        ("state", str(job.state)),
        *([("problem", job.problem)] if job.problem else []),
        ("total", f"{job.total:,}"),
        ("registered", f"{status.registered:,}"),
        ("rejected", f"{status.rejected:,}"),
        ("failed", f"{status.failed:,}"),
        ("unknown", f"{status.unknown:,}"),
        ("waiting", f"{status.waiting:,}"),
        (
            "chunks",
            f"{status.chunks:,}, {status.chunks_done:,} done, {status.chunks_in_work:,} in work",
        ),
        ("submitted", _moment(job.submitted_at)),
        *([("ended", _moment(job.ended_at))] if job.ended_at else []),
        ("workers", workers_text(status.workers)),
    ]
    print_table(("what", "how it is"), rows)
    for one in remarks([Look(status)]):
        note(f"mettl: {one}")
    return 0


def change(db: str | None, job_id: str, state: JobState, *, as_json: bool) -> int:
    """Pause a job, go on with it, or cancel it."""

    async def work(jobs: Jobs) -> Job:
        match state:
            case JobState.PAUSED:
                return await jobs.pause(job_id)
            case JobState.READY:
                return await jobs.resume(job_id)
            case _:
                return await jobs.cancel(job_id)

    job = with_jobs(db, work)
    if as_json:
        print_json(job_document(job))
        return 0
    words = {
        JobState.PAUSED: f"is paused; mettl jobs resume {job.id} goes on with it",
        JobState.READY: "goes on",
        JobState.CANCELLED: f"is cancelled; mettl jobs export {job.id} has the links until then",
    }
    say(f"{job.id} {words[state]}")
    return 0


def cancel(db: str | None, job_id: str, *, yes: bool, as_json: bool) -> int:
    """Cancel a job, for good."""
    if not yes and asking.can_ask():
        status = with_jobs(db, lambda jobs: jobs.status(job_id))
        left = status.job.total - done(status)
        if not asking.confirm(f"Cancel {job_id} for good, with {left:,} people left?"):
            raise CommandError("not confirmed; nothing was changed")
    return change(db, job_id, JobState.CANCELLED, as_json=as_json)


def forget(db: str | None, job_id: str, *, yes: bool) -> int:
    """Delete all of a job."""
    status = with_jobs(db, lambda jobs: jobs.status(job_id))
    if not yes:
        if not asking.can_ask():
            raise CommandError("--yes is missing: it deletes the people and their links for good")
        links = f"{status.registered:,} links" if status.registered else "no links yet"
        if not asking.confirm(f"Delete {job_id}: {status.job.total:,} people, {links}?"):
            raise CommandError("not confirmed; nothing was changed")
    count = with_jobs(db, lambda jobs: jobs.forget(job_id))
    say(f"{job_id} is deleted, with {count:,} people")
    return 0


def _moment(when: datetime) -> str:
    return utc_text(when.replace(microsecond=0))
