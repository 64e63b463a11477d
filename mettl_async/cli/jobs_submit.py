"""``mettl jobs submit``: the people of a file are handed in, and workers register them."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from mettl_async.api.placeholders import check_access_key
from mettl_async.cli import asking
from mettl_async.cli.agreeing import agree, dry_run, read_and_check
from mettl_async.cli.bad_rows import rows_text
from mettl_async.cli.earlier import Before
from mettl_async.cli.jobs_database import with_jobs
from mettl_async.cli.jobs_words import document
from mettl_async.cli.links import NOT_SENT
from mettl_async.cli.outfile import check_whole
from mettl_async.cli.preview import people_text
from mettl_async.cli.printing import print_json
from mettl_async.cli.problems import MISSING, WRONG, CommandError
from mettl_async.cli.progress import spinner
from mettl_async.cli.reading.rows import is_json_lines
from mettl_async.cli.same_file import check_apart
from mettl_async.cli.talk import note, say
from mettl_async.jobs import JobError, JobState

if TYPE_CHECKING:
    from mettl_async.cli.job import Job
    from mettl_async.cli.reading.checking import Checked
    from mettl_async.jobs import Jobs, JobStatus
    from mettl_async.models import Candidate

_TELL_EVERY: Final = 1000  # people


@frozen(kw_only=True)
class Submission:
    """Where people are handed in, and as what.

    Attributes:
        db: URL of the database.
        account: Name of the account whose workers register them.
        id: Name of the job; None for a random one.
        chunk_size: People of one part.
    """

    db: str | None
    account: str | None
    id: str | None
    chunk_size: int


def submit(job: Job, asked: Submission) -> int:
    """Read, check and show the file, and hand its people in; gives the exit code.

    Args:
        job: What is read, for which schedule.
        asked: Where it is handed in.

    Raises:
        CommandError: It cannot be done.
        MettlError: Likewise.
    """
    _check(job, asked)
    check_bad_rows_file(job)
    if not job.dry_run:
        there = with_jobs(asked.db, lambda jobs: _find(jobs, asked.id))
        if there is not None and there.job.state is not JobState.SUBMITTING:
            return _is_there(job, asked)
        if there is not None:
            note(f"{there.job.id}: goes on after {people_text(there.job.total)} who are in")
    asks = not job.yes and asking.can_ask()
    checked = read_and_check(job, None, ask=asks)
    where = None if asked.account is None else f"{asked.account}, by its workers"
    if job.dry_run:
        return shown(job, checked, where)
    total = agree(job, checked, Before(), where, ask=asks)
    if total is None:
        return WRONG
    bad = 0 if checked is None else checked.bad_total
    status = _hand_in(job, asked, total)
    _tell(job, status, bad)
    return MISSING if bad else 0


def check_bad_rows_file(job: Job) -> None:
    """Refuse a file for bad rows that cannot be written, or is the input; touches nothing.

    Raises:
        CommandError: It is such a one.
    """
    if job.skip_bad is not None:
        is_json_lines(job.skip_bad, "--skip-bad")
        check_whole(job.skip_bad, overwrite=True)
        check_apart(job.file, [(job.skip_bad, "the bad rows")])


def shown(job: Job, checked: Checked | None, account: str | None) -> int:
    """Do a dry run, also for programs; gives its exit code."""
    code = dry_run(job, checked, Before(), account)
    if job.as_json:
        good, bad = job.generate, 0
        if checked is not None:
            good, bad = checked.good_total, checked.bad_total
        print_json({"exit_code": code, "dry_run": True, "total": good, "bad_rows": bad})
    return code


def handed_in(job: Job, total: int) -> Generator[Candidate, None, None]:
    """Give the people of a job, and show on a terminal how many were read."""
    with spinner(f"handing in {people_text(total)}") as tell:
        for count, candidate in enumerate(job.candidates()):
            if count and not count % _TELL_EVERY:
                tell(f"handing in {people_text(total)}: {count:,}")
            yield candidate


def _check(job: Job, asked: Submission) -> None:
    if job.file is None:
        raise CommandError("FILE is missing: the people; --sandbox --generate N makes some up")
    if job.schedule is not None:
        check_access_key(job.schedule)
    if job.dry_run:
        return
    if job.schedule is None:
        raise CommandError(
            "--schedule is missing: the access key at the end of the schedule's link"
        )
    if asked.account is None:
        raise CommandError(
            "--account is missing: the name under which a worker has the account, as in: "
            "mettl jobs worker --account acme"
        )


async def _find(jobs: Jobs, job_id: str | None) -> JobStatus | None:
    """Find a job that is there already; it also shows whether the database can be used."""
    await jobs.list(most=1)
    if job_id is None:
        return None
    try:
        return await jobs.status(job_id)
    except JobError:
        return None


async def _register(
    jobs: Jobs, job: Job, asked: Submission, job_id: str, people: Iterable[Candidate]
) -> JobStatus:
    made = await jobs.register(
        job.schedule or "",
        people,
        account=asked.account or "",
        id=job_id,
        options=job.options,
        chunk_size=asked.chunk_size,
    )
    return await jobs.status(made.id)


def _is_there(job: Job, asked: Submission) -> int:
    """Say how a job is that was handed in before, if it is the same one."""
    name = asked.id or ""
    status = with_jobs(asked.db, lambda jobs: _register(jobs, job, asked, name, ()))
    if job.as_json:
        print_json({**document(status), "bad_rows": 0, "was_there": True})
        return 0
    say(f"{name} was handed in before, and is {status.job.state}; nobody was added")
    return 0


def _hand_in(job: Job, asked: Submission, total: int) -> JobStatus:
    name = asked.id or secrets.token_hex(4)
    people = handed_in(job, total)
    try:
        return with_jobs(asked.db, lambda jobs: _register(jobs, job, asked, name, people))
    except (KeyboardInterrupt, CommandError, JobError):
        note(f"mettl: not all people are in, so workers wait; --id {name} goes on where it ended")
        raise
    finally:
        people.close()


def _tell(job: Job, status: JobStatus, bad: int) -> None:
    if job.as_json:
        print_json({**document(status), "bad_rows": bad, "was_there": False})
        return
    name = status.job.id
    said = f"{name}: {people_text(status.job.total)} are handed in"
    if status.job.total == 1:
        said = f"{name}: 1 person is handed in"
    say(said)
    if bad:
        say(f"{NOT_SENT}: {rows_text(bad)}, in {job.skip_bad}")
    say(f"\nmettl jobs watch {name}\nmettl jobs export {name} --out links.csv")
    if not status.workers:
        note(
            f"no worker is alive; this starts one: mettl jobs worker --account {status.job.account}"
        )
