"""``mettl register``: rows in, links out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from mettl_async.api.placeholders import check_access_key
from mettl_async.cli.fitting import fits_in_url
from mettl_async.cli.links import check_out
from mettl_async.cli.option_fields import MOST_PORT
from mettl_async.cli.problems import (
    INTERRUPTED,
    MISSING,
    WRONG,
    CommandError,
    on_interrupt,
    print_stderr,
)
from mettl_async.cli.progress import Tally, spinner
from mettl_async.cli.reading.checking import check_file, report
from mettl_async.cli.run import Run
from mettl_async.cli.sandbox import load_sandbox
from mettl_async.cli.summary import summary
from mettl_async.client import MettlClient

if TYPE_CHECKING:
    from mettl_async.cli.job import Job
    from mettl_async.cli.reading.checking import Fits
    from mettl_async.sandbox import Sandbox


def register(job: Job) -> int:
    """Do the whole job; gives the exit code.

    Raises:
        CommandError: It cannot be done, or not to the end.
        MettlError: Likewise.
    """
    target = _check_target(job)
    key = job.schedule or "" if isinstance(target, MettlClient) else target.access_key
    check_out(job.out, job.file, overwrite=job.overwrite, resume=job.resume)
    total = job.generate or 0
    if job.source is not None:
        with spinner(f"checking {job.source.name}"):
            checked = check_file(job.source, _fits(job, target, key))
        if job.source.note is not None:
            print_stderr(f"mettl: {job.source.note}")
        if checked.bad_total:
            print_stderr(report(job.source, checked))
            return WRONG
        if job.source.also_sends:
            print_stderr(f"also sends: {job.source.also_sends}")
        total = checked.good_total
    run = Run(job, key, Tally(total))
    with on_interrupt(run.interrupt):
        asyncio.run(run.go(target))
    typer.echo(summary(run.tally, job.out))
    if run.problem is not None:
        raise run.problem
    if run.tally.interrupted:
        return INTERRUPTED
    if run.tally.cut_short:
        return WRONG
    return 0 if run.tally.registered == run.tally.total else MISSING


def _check_target(job: Job) -> MettlClient | Sandbox:
    """Refuse contradicting options, and make the client, or the sandbox that one will talk to."""
    if (job.file is None) == (job.generate is None):
        raise CommandError("give either a FILE or --sandbox --generate N")
    if job.generate is not None and not job.sandbox:
        raise CommandError("--generate makes people up, so it needs --sandbox")
    if job.sandbox:
        if job.schedule or job.target.region or job.target.base_url:
            raise CommandError(
                "--sandbox has its own schedule and address; leave out --schedule, --region, --base-url"
            )
        return load_sandbox()()
    if job.schedule is None:
        raise CommandError(
            "--schedule is missing: the access key at the end of the schedule's link"
        )
    check_access_key(job.schedule)
    return job.target.client(job.client_options)


def _fits(job: Job, target: MettlClient | Sandbox, key: str) -> Fits | None:
    if not isinstance(target, MettlClient):
        # The longest address that the sandbox can have; it has none yet.
        target = MettlClient(
            target.credentials,
            base_url=f"http://127.0.0.1:{MOST_PORT}",
            version=job.target.version,
            options=job.client_options,
        )
    return fits_in_url(target, key, job.options)
