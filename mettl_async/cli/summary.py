"""What the user is told at the end of a run."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from mettl_async.cli.outfile import is_stdout
from mettl_async.cli.progress import rate_text
from mettl_async.cli.wording import name_words, words
from mettl_async.display import one_line
from mettl_async.models import RegistrationStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mettl_async.cli.run import Run

_INDENT: Final = 12


def folded(text: str, columns: int) -> str:
    """Fold the lines of a summary at words, so that what they say stands in one column of a terminal."""
    return "\n".join(
        textwrap.fill(
            line,
            max(columns, 2 * _INDENT),
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def summary(run: Run) -> str:
    """Summarize a run for the user."""
    tally, job = run.tally, run.job
    seconds, width = tally.seconds, len(f"{tally.total:,}")
    lines = []
    for name in ("registered", "rejected", "failed", "unknown"):
        codes: Mapping[str, int] = tally.codes.get(name, {})
        why = ", ".join(f"{one_line(name_words(code))} {n:,}" for code, n in sorted(codes.items()))
        count = f"{getattr(tally, name):,}"
        lines.append(f"{name:<12}{count:>{width}}  {why}".rstrip())
    if tally.already:
        lines.append(f"{'already':<12}{tally.already:,} of them had their answer before")
    rate = "" if tally.rate is None else f" ({rate_text(tally.rate)})"
    lines.append(f"{'seconds':<12}{seconds:.1f}{rate}")
    if run.futile:
        lines.append(f"{'links':<12}none, and no file: nobody was registered")
    else:
        where = "on stdout" if is_stdout(job.out) else job.out
        if run.unread:
            where = f"stdout was closed; the links are in the journal: {job.journal_path}"
        lines.append(f"{'links':<12}{where}")
        what = (
            "is what --resume goes on from"
            if job.journal_path.exists()
            else "was deleted while the run went on; --resume has nothing to go on from"
        )
        lines.append(f"{'journal':<12}{job.journal_path} {what}")
        lines += (f"{word:<12}{said}" for word, said in run.before.notes(job.out))
        if run.changed:
            lines.append(
                f"{'changed':<12}{job.out} was changed by another program while the run went on; "
                "it was written again"
            )
    if tally.trouble is not None:
        lines.append(
            f"{'stopped by' if tally.stopped else 'first error':<12}{words(tally.trouble)}"
        )
    left = tally.not_sent
    if tally.interrupted and left:
        way = "run it again" if run.futile else "--resume goes on"
        lines.append(f"{'interrupted':<12}{left:,} of {tally.total:,} were not sent; {way}")
    if tally.uninvited:
        code = RegistrationStatus.INVALID.value
        lines.append(
            f"{code:<12}{tally.uninvited:,} of before; after inviting them, run with --overwrite"
        )
    return "\n".join(lines)
