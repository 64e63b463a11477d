"""``mettl register``: rows in, links out."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mettl_async.api.placeholders import check_access_key
from mettl_async.bulk.journal_owner import owner_words
from mettl_async.cli import asking
from mettl_async.cli.agreeing import agree, dry_run, read_and_check
from mettl_async.cli.bad_rows import rows_text
from mettl_async.cli.earlier import Before
from mettl_async.cli.ending import Ending
from mettl_async.cli.fitting import fits_in_url
from mettl_async.cli.links import check_out
from mettl_async.cli.looking_back import look_back
from mettl_async.cli.option_fields import MOST_PORT
from mettl_async.cli.outfile import check_whole, is_stdout
from mettl_async.cli.problems import MISSING, WRONG, CommandError
from mettl_async.cli.profiles import PROFILE_VARIABLE
from mettl_async.cli.progress import Tally
from mettl_async.cli.reading.rows import is_json_lines
from mettl_async.cli.run import Run
from mettl_async.cli.same_file import check_apart
from mettl_async.cli.sandbox import load_sandbox
from mettl_async.cli.signals import exit_code, on_interrupt
from mettl_async.cli.staying import can_stay, stay
from mettl_async.cli.streams import is_closed
from mettl_async.cli.summary import folded, summary
from mettl_async.cli.talk import note, say
from mettl_async.client import MettlClient
from mettl_async.config import ApiVersion

if TYPE_CHECKING:
    from mettl_async.cli.job import Job
    from mettl_async.cli.reading.checking import Fits
    from mettl_async.sandbox import Sandbox

LINKS: Final = Path("links.csv")
"""The file of links where none is named."""


def register(job: Job, ending: Ending) -> int:
    """Do the whole job; gives the exit code, and notes in ``ending`` what becomes of it.

    Raises:
        CommandError: It cannot be done, or not to the end.
        MettlError: Likewise.
    """
    ending.job = job
    ending.code = _register(job, ending)
    return ending.code


def _register(job: Job, ending: Ending) -> int:
    target = _check_target(job)
    _check_outputs(job)
    ours = None if target is None or isinstance(target, MettlClient) else target
    key = job.schedule or "" if ours is None else ours.access_key
    asks = not job.yes and asking.can_ask()
    checked = ending.checked = read_and_check(job, _fits(job, target, key), ask=asks)
    before = ending.before = Before() if target is None else look_back(job, key)
    if job.dry_run or target is None:
        return dry_run(job, checked, before, _account(job, target))
    total = agree(job, checked, before, _account(job, target), ask=asks)
    if total is None:
        return WRONG
    return _run(ending, job, key, target, total)


def _run(ending: Ending, job: Job, key: str, target: MettlClient | Sandbox, total: int) -> int:
    checked = ending.checked
    bad = 0 if checked is None else checked.bad_total
    run = ending.run = Run(job, key, Tally(total), ending.before or Before())
    code = 0

    async def end() -> None:
        nonlocal code
        said = summary(run)
        if bad:
            said += f"\n{'left out':<12}{rows_text(bad)}, in {job.skip_bad}"
        if not job.as_json:
            stream, tell = (sys.stderr, note) if is_stdout(job.out) else (sys.stdout, say)
            with suppress(OSError, ValueError):  # closed
                if stream.isatty():
                    said = folded(said, shutil.get_terminal_size().columns)
            tell(said)
        code = _code(run, bad)
        if code in {0, MISSING} and run.tally.registered and can_stay(job):
            await stay(lambda: run.tally.interrupted)

    with on_interrupt(run.interrupt, lambda: run.tally.told):
        asyncio.run(run.go(target, end))
    if run.problem is not None:
        raise run.problem
    return code


def _code(run: Run, bad: int) -> int:
    if run.tally.ended_by is not None:
        return exit_code(run.tally.ended_by)
    if run.tally.cut_short or run.problem is not None:
        return WRONG
    return 0 if run.tally.registered == run.tally.total and not bad else MISSING


def _account(job: Job, target: MettlClient | Sandbox | None) -> str | None:
    if not isinstance(target, MettlClient):
        return None
    profile = job.target.profile or os.environ.get(PROFILE_VARIABLE)
    return target.base_url + ("" if profile is None else f", profile {profile}")


def _check_outputs(job: Job) -> None:
    """Refuse outputs that cannot be written, before anything is read."""
    outputs = [(job.out, "the links"), (job.journal_path, "the journal")]
    if job.skip_bad is not None:
        is_json_lines(job.skip_bad, "--skip-bad")
        check_whole(job.skip_bad, overwrite=True)
        outputs.append((job.skip_bad, "the bad rows"))
    if is_closed(sys.stdout) and (job.dry_run or is_stdout(job.out)):
        option = "--dry-run" if job.dry_run else "--out -"
        raise CommandError(f"{option} writes to stdout, which is closed; nothing was sent")
    if job.as_json and is_stdout(job.out):
        raise CommandError("--json and --out - both write to stdout; give another --out")
    check_apart(job.file, outputs)
    owner = owner_words(job.journal_path, living=True)
    if owner and job.out.exists() and not (job.resume or job.overwrite):
        raise CommandError(
            f"{job.out}: is in use by another run{owner}; wait, or pass another --out"
        )
    if not (job.dry_run and job.out == LINKS):  # which a dry run need not name
        check_out(job.out, job.journal_path, overwrite=job.overwrite, resume=job.resume)


def _check_target(job: Job) -> MettlClient | Sandbox | None:
    """Refuse contradicting options, and make the client, or the sandbox that one will talk to.

    A dry run without a schedule has none, and needs no keys.
    """
    if (job.file is None) == (job.generate is None):
        raise CommandError("give either a FILE or --sandbox --generate N")
    if job.generate is not None and not job.sandbox:
        raise CommandError("--generate makes people up, so it needs --sandbox")
    if job.generate is not None and job.skip_bad is not None:
        raise CommandError("--skip-bad needs a FILE; people who are made up have no bad rows")
    if job.sandbox:
        if any((job.schedule, job.target.region, job.target.base_url, job.target.profile)):
            raise CommandError(
                "--sandbox has its own schedule, keys and address; "
                "leave out --schedule, --profile, --region, --base-url"
            )
        return load_sandbox()()
    if job.schedule is None:
        if job.dry_run:
            return None
        raise CommandError(
            "--schedule is missing: the access key at the end of the schedule's link"
        )
    check_access_key(job.schedule)
    return job.target.client(job.client_options)


def _fits(job: Job, target: MettlClient | Sandbox | None, key: str) -> Fits | None:
    if target is None:
        return None
    if not isinstance(target, MettlClient):
        # The longest address that the sandbox can have; it has none yet.
        target = MettlClient(
            target.credentials,
            base_url=f"http://127.0.0.1:{MOST_PORT}",
            version=job.target.version or ApiVersion.V2,
            options=job.client_options,
        )
    return fits_in_url(target, key, job.options)
