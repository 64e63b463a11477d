"""Jobs as their callers see them; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from mettl_async.models._open_enum import OpenStrEnum


class JobState(OpenStrEnum):
    """What becomes of a job at the moment."""

    SUBMITTING = "submitting"
    """Not all people are in yet; nobody works on it. Submitting it again goes on where it ended."""
    READY = "ready"
    """Workers run its chunks, or will."""
    PAUSED = "paused"
    """Nothing further is begun until `Jobs.resume`; `Job.problem` says why, unless somebody asked for it."""
    DONE = "done"
    """Everybody has an outcome."""
    CANCELLED = "cancelled"
    """Nothing further is begun; outcomes until then are kept."""


@frozen(kw_only=True)
class Job:
    """Work that was handed in.

    Attributes:
        id: Its name, unique in the database.
        kind: ``register`` or ``pull``.
        account: Name of the account whose client does it; every worker says which accounts it has.
        state: See `JobState`.
        problem: Why it was paused, for an operator; empty if nothing is wrong. Nothing of a person is in it.
        total: People that were handed in; until all are in, so many as are in. Of a job that pulls results,
            schedules.
        chunk_size: People of one part, which one worker runs at a time.
        submitted_at: When its submission began, by the clock of the database, in UTC.
        ended_at: When it was done or cancelled, likewise; None before.
    """

    id: str
    kind: str
    account: str
    state: JobState
    problem: str
    total: int
    chunk_size: int
    submitted_at: datetime
    ended_at: datetime | None


@frozen(kw_only=True)
class JobStatus:
    """How far a job is.

    In a job that pulls results schedules stand in the place of people: those of which all is stored are
    `registered`, those of which something could not be read or stored `failed`.

    Attributes:
        job: The job itself.
        registered: People with a link.
        rejected: People whom the server gives no link, and those who repeat an email.
        failed: People who were not registered; as long as their chunk is not done, they are tried again.
        unknown: People whose answer was lost, likewise.
        chunks: Parts of the job; 0 until all people are in.
        chunks_done: Parts whose people all have an outcome that stays.
        chunks_in_work: Parts that a worker runs now, or ran when it died.
        workers: Workers of this database that are alive, whatever they work on.
    """

    job: Job
    registered: int
    rejected: int
    failed: int
    unknown: int
    chunks: int
    chunks_done: int
    chunks_in_work: int
    workers: int

    @property
    def waiting(self) -> int:
        """People without any outcome yet."""
        known = self.registered + self.rejected + self.failed + self.unknown
        return max(0, self.job.total - known)

    @property
    def is_over(self) -> bool:
        """Whether nothing further happens: the job is done or cancelled."""
        return self.job.state in {JobState.DONE, JobState.CANCELLED}


@frozen(kw_only=True)
class JobRow:
    """A job, and what only this package knows of it.

    Attributes:
        number: Key of the job in the other tables.
        spec: JSON; what the job is.
        job: What its callers see.
    """

    number: int
    spec: str = field(repr=False)
    job: Job


def job_row(row: Any) -> JobRow:
    """Make a job of a row of the table of jobs."""
    job = Job(
        id=row.id,
        kind=row.kind,
        account=row.account,
        state=JobState(row.state),
        problem=row.problem,
        total=row.total,
        chunk_size=row.chunk_size,
        submitted_at=datetime.fromtimestamp(row.submitted_at, UTC),
        ended_at=None if row.ended_at is None else datetime.fromtimestamp(row.ended_at, UTC),
    )
    return JobRow(number=row.number, spec=row.spec, job=job)
