"""``mettl results``: the results of a schedule, for people, spreadsheets and programs.

Everything is first read into an unnamed temporary file, one line a candidate: the columns are known
only at the end, and an incomplete output must not look complete. So memory does not grow with the
results, except for a table on a terminal.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer
from attrs import frozen

from mettl_async.api.placeholders import check_access_key
from mettl_async.cli.flat import Columns, Part, Row, flatten
from mettl_async.cli.listing import page_size, report_unread, unread
from mettl_async.cli.outfile import check_whole, csv_line, whole_file
from mettl_async.cli.printing import at_terminal, plain, print_table, print_text
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.progress import spinner
from mettl_async.cli.rows import is_json_lines
from mettl_async.models import ResultDetail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mettl_async.api.pager import AsyncPager
    from mettl_async.cli.printing import Cell
    from mettl_async.cli.target import Target
    from mettl_async.client import MettlClient
    from mettl_async.models import CandidateResult

_PER_PAGE = 50  # with all answers in it a larger page gets heavy [seen]


@frozen(kw_only=True)
class Job:
    """What to read and where to write it; to stdout without ``out``."""

    access_key: str
    out: Path | None
    overwrite: bool
    detail: ResultDetail
    limit: int | None
    as_json: bool

    @property
    def nested(self) -> bool:
        """Whether the output is nested data instead of rows."""
        return self.as_json or (self.out is not None and is_json_lines(self.out))


def results(target: Target, job: Job) -> int:
    """Read and write the results; gives the exit code.

    Raises:
        CommandError: It cannot be done.
        MettlError: Likewise.
    """
    check_access_key(job.access_key)
    if job.out is not None:
        if job.as_json:
            raise CommandError("--json is for stdout; leave it out, or write --out results.jsonl")
        is_json_lines(job.out)
        check_whole(job.out, overwrite=job.overwrite)
    with _spool(job) as spool:
        with spinner("reading results"):
            count, lost = target.ask(spool.fill)
        if job.out is None:
            _print(job, spool)
        else:
            with whole_file(job.out, overwrite=job.overwrite) as file:
                for text in spool.lines() if job.nested else spool.csv():
                    file.write(text.encode())
            typer.echo(f"results     {count:,}\nfile        {job.out}")
    return report_unread(lost)


def _print(job: Job, spool: _Spool) -> None:
    if job.as_json:
        print_text("[")
        for place, line in enumerate(spool.lines()):
            print_text(("\n" if place == 0 else ",\n") + line.rstrip("\n"))
        print_text("\n]\n")
    elif at_terminal():
        print_table(("email", "status", "marks", "percentile"), map(_brief, spool.rows()))
    else:
        for line in spool.csv():
            print_text(line)


def _brief(row: Row) -> tuple[Cell, ...]:
    def cell(name: str) -> Cell:
        found = row[Part.RESULT, name]
        return round(found, 2) if isinstance(found, float) else found

    status = cell("detailed_status") or cell("overall_status") or cell("status")
    got, most = cell("total_marks"), cell("max_marks")
    marks = got if got is None or most is None else f"{got} / {most}"
    return row[Part.EMAIL, "email"], status, marks, cell("percentile")


class _Spool:
    """Results in a temporary file that has no name."""

    def __init__(self, job: Job, file: IO[str]) -> None:
        self._job, self._file = job, file
        self._columns = Columns()

    async def fill(self, client: MettlClient) -> tuple[int, int]:
        """Read all results; gives the number read and the number missing."""
        job, count = self._job, 0
        pager = client.results.list(
            job.access_key, detail=job.detail, page_size=page_size(job.limit, _PER_PAGE)
        )
        async for result in _first(pager, job.limit):
            self._write(result)
            count += 1
        return count, unread(pager, count, job.limit)

    def _write(self, result: CandidateResult) -> None:
        if self._job.nested:
            value: Any = plain(result)
        else:
            row = flatten(result)
            self._columns.note(row)
            value = [(*key, cell) for key, cell in row.items()]
        try:
            self._file.write(json.dumps(value, ensure_ascii=False) + "\n")
        except OSError as error:
            raise _spool_problem(error) from None

    def lines(self) -> Iterator[str]:
        """Read the lines as they were written."""
        try:
            self._file.seek(0)
        except OSError as error:  # what was buffered is written only now
            raise _spool_problem(error) from None
        yield from self._file

    def rows(self) -> Iterator[Row]:
        """Read the rows; not for nested data."""
        for line in self.lines():
            yield {(part, name): cell for part, name, cell in json.loads(line)}

    def csv(self) -> Iterator[str]:
        """Make the lines of a CSV file, the header first."""
        yield csv_line(self._columns.header())
        for row in self.rows():
            yield csv_line(self._columns.line(row))


@contextmanager
def _spool(job: Job) -> Iterator[_Spool]:
    # Next to the file that it becomes: there is room for it there, if anywhere.
    home = None if job.out is None else job.out.resolve().parent
    try:
        # Not "with": an OSError of stdout, such as a closed pipe, is none of this file's.
        file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=home)  # noqa: SIM115 - see above
    except OSError as error:
        raise _spool_problem(error) from None
    try:
        yield _Spool(job, file)
    finally:
        with suppress(OSError):  # what could not be flushed is not wanted any more
            file.close()


def _spool_problem(error: OSError) -> CommandError:
    return CommandError(f"a temporary file cannot be written: {os_reason(error)}")


async def _first(
    pager: AsyncPager[CandidateResult], limit: int | None
) -> AsyncIterator[CandidateResult]:
    if limit is None:
        async for result in pager:
            yield result
        return
    for result in await pager.collect(limit):  # which fetches no page too many
        yield result
