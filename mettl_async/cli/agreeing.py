"""What comes before anybody is sent: the file is read and checked, shown, and the user agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mettl_async.cli import asking, preview
from mettl_async.cli.bad_rows import check_bad_file, report, write_bad_rows
from mettl_async.cli.looking import look
from mettl_async.cli.printing import print_text
from mettl_async.cli.problems import MISSING, WRONG, CommandError, print_stderr
from mettl_async.cli.talk import note
from mettl_async.display import multiline

if TYPE_CHECKING:
    from mettl_async.cli.earlier import Before
    from mettl_async.cli.job import Job
    from mettl_async.cli.reading.checking import Checked, Fits
    from mettl_async.cli.reading.source import Source


def read_and_check(job: Job, fits: Fits | None, *, ask: bool) -> Checked | None:
    """Read and check the file of a job; None for people who are made up.

    Raises:
        CommandError: It cannot be read, or the file for its bad rows not be written.
    """
    if job.source is None:
        return None
    checked = look(job.source, fits, ask=ask)
    if job.skip_bad is not None:
        check_bad_file(
            job.skip_bad,
            job.source,
            checked,
            overwrite=job.overwrite,
            bom=job.bom is not False,
        )
    return checked


def dry_run(job: Job, checked: Checked | None, before: Before, account: str | None) -> int:
    """Show what would be done; gives the exit code that the file alone would lead to."""
    preview.show(job, checked, before, account, to_stderr=job.as_json)
    bad = 0 if checked is None else checked.bad_total
    if job.source is not None and checked is not None and bad:
        print_stderr(report(job.source, checked, job.skip_bad))
    good = (job.generate or 0) if checked is None else checked.good_total
    said = multiline(preview.would(job, good if job.skip_bad or not bad else 0))
    if job.as_json:
        note(f"Dry run: nothing was sent. {said}")
    else:
        print_text(f"Dry run: nothing was sent. {said}\n")
    if bad and not (job.skip_bad and good):
        return WRONG
    return MISSING if bad else 0


def agree(
    job: Job, checked: Checked | None, before: Before, account: str | None, *, ask: bool
) -> int | None:
    """Tell what is wrong with the file, ask whether the others are to be sent, and write the bad rows.

    Args:
        job: What was asked for.
        checked: What was found in the file.
        before: What is known of an earlier run.
        account: What to say of the account.
        ask: Whether somebody is there to be asked.

    Returns:
        How many people are to be sent; None if nobody is, because of bad rows.

    Raises:
        CommandError: The user does not agree, or nobody is left.
    """
    total = job.generate or 0
    if job.source is not None and checked is not None:
        _tell(job, job.source, checked, previewed=ask and not job.sandbox)
        if checked.bad_total and not job.skip_bad:
            return None
        total = checked.good_total
    if ask and total and not job.sandbox:
        preview.show(job, checked, before, account, to_stderr=True)
        if not asking.confirm(preview.question(job, total)):
            raise CommandError("not confirmed; nothing was sent")
    if job.source is not None and checked is not None and checked.bad_total and job.skip_bad:
        write_bad_rows(job.skip_bad, job.source, checked, bom=job.bom is not False)
        if not total:
            raise CommandError(f"nobody is left to be sent; the rows are in {job.skip_bad}")
    return total


def _tell(job: Job, source: Source, checked: Checked, *, previewed: bool) -> None:
    """Tell on stderr which rows are bad, and what else the preview says to who sees it."""
    if source.note is not None and not previewed:
        note(f"mettl: {source.note}")
    if checked.bad_total:
        print_stderr(report(source, checked, job.skip_bad))
    elif source.also_sends and not previewed:
        note(f"also sends: {source.also_sends}")
