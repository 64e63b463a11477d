"""``mettl jobs export``: the outcomes of a job as a file of links, like that of ``mettl register``."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from mettl_async.bulk.journal_record import to_record
from mettl_async.bulk.outcomes import Failed, Registered
from mettl_async.cli.jobs_database import with_jobs
from mettl_async.cli.links import NOT_SENT, texts_of, write_pairs
from mettl_async.cli.outfile import check_whole, is_stdout
from mettl_async.cli.preview import people_text
from mettl_async.cli.printing import number, print_json
from mettl_async.cli.problems import MISSING, CommandError
from mettl_async.cli.progress import spinner
from mettl_async.cli.reading.columns import COMPENSATORY_TIME, CONTEXT_DATA, EMAIL, FIRST_NAME
from mettl_async.cli.reading.rows import is_json_lines
from mettl_async.cli.talk import note, say
from mettl_async.display import one_line
from mettl_async.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mettl_async.bulk.outcomes import Outcome
    from mettl_async.cli.links import Pair
    from mettl_async.jobs import Jobs, JobStatus
    from mettl_async.models import Candidate

_AT_ONCE: Final = 500
_MINUTE: Final = timedelta(minutes=1)


@attrs.frozen
class Written:
    """What is in a file of links.

    Attributes:
        rows: People.
        links: Those of them who have one.
        status: The job, before it was written.
    """

    rows: int
    links: int
    status: JobStatus

    @property
    def code(self) -> int:
        """The exit code: 0 everybody of the job is there with a link, 1 some have none."""
        return 0 if self.links == self.status.job.total else MISSING


def export(
    db: str | None, job_id: str, out: Path, *, bom: bool | None, overwrite: bool, as_json: bool
) -> int:
    """Write the outcomes that are there, and say how many; gives the exit code.

    Raises:
        CommandError: The file cannot be written, or the database not be used.
        JobError: There is no such job.
    """
    if as_json and is_stdout(out):
        raise CommandError("--json and --out - both write to stdout; give another --out")
    check_links(out, overwrite=overwrite)
    written = with_jobs(db, lambda jobs: write(jobs, job_id, out, bom=bom))
    if as_json:
        print_json(
            {
                "exit_code": written.code,
                "rows": written.rows,
                "links": written.links,
                "total": written.status.job.total,
                "state": str(written.status.job.state),
                "file": str(out),
            }
        )
        return written.code
    tell(written, out)
    return written.code


def check_links(out: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written, before anything is done; touches nothing.

    Raises:
        CommandError: It is such a one.
    """
    if not is_stdout(out):
        is_json_lines(out)
        check_whole(out, overwrite=overwrite)


def tell(written: Written, out: Path) -> None:
    """Say what was written."""
    links = "1 link" if written.links == 1 else f"{written.links:,} links"
    said = f"{links} of {people_text(written.status.job.total)}: {out}"
    (note if is_stdout(out) else say)(said)
    missing = written.status.job.total - written.rows
    if missing:
        note(f"mettl: {people_text(missing)} without an outcome yet: not in the file")


async def write(jobs: Jobs, job_id: str, out: Path, *, bom: bool | None) -> Written:
    """Write the outcomes of a job.

    They are read twice: the columns have to be known before the first row.

    Raises:
        CommandError: The file cannot be written.
        JobError: There is no such job.
    """
    status = await jobs.status(job_id)
    columns: dict[str, None] = dict.fromkeys((EMAIL, FIRST_NAME))
    last: dict[str, None] = {}
    there = bytearray(
        status.job.total
    )  # somebody who gets an outcome meanwhile may have other columns
    with spinner(f"reading {job_id}"):
        async with aclosing(jobs.outcomes(job_id)) as outcomes:
            async for one in outcomes:
                if one.index < len(there):
                    there[one.index] = True
                    for name in cells_of(one.candidate):
                        into = last if name in {CONTEXT_DATA, COMPENSATORY_TIME} else columns
                        into[name] = None
    counts = [0, 0]

    async def groups() -> AsyncGenerator[list[Pair]]:
        group: list[Pair] = []
        async with aclosing(jobs.outcomes(job_id)) as outcomes:
            async for one in outcomes:
                if one.index < len(there) and there[one.index]:
                    counts[0] += 1
                    counts[1] += isinstance(one, Registered)
                    group.append((cells_of(one.candidate), texts(one)))
                    if len(group) == _AT_ONCE:
                        yield group
                        group = []
        if group:
            yield group

    with spinner(f"writing {out}"):
        await write_pairs(out, groups(), [*columns, *last], bom=bom)
    return Written(rows=counts[0], links=counts[1], status=status)


def cells_of(candidate: Candidate) -> dict[str, Any]:
    """Write a candidate as cells, under the names of columns that ``mettl register`` reads."""
    cells: dict[str, Any] = {EMAIL: candidate.email, FIRST_NAME: candidate.first_name}
    cells |= candidate.fields.items()
    if candidate.context_data is not None:
        cells[CONTEXT_DATA] = candidate.context_data
    if candidate.compensatory_time is not None:
        cells[COMPENSATORY_TIME] = str(number(candidate.compensatory_time / _MINUTE))
    return cells


def texts(outcome: Outcome) -> tuple[str, ...]:
    """Write what became of somebody, in the columns of a file of links."""
    if isinstance(outcome, Failed) and isinstance(outcome.error, JobError):
        return NOT_SENT, "", "", one_line(str(outcome.error))
    # A worker has asked for it: without an attempt there would be no record.
    return texts_of(to_record(attrs.evolve(outcome, attempts=1)))
