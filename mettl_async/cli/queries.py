"""The commands that only read: account, assessments, schedules, results and report."""

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from mettl_async.api.pager import AsyncPager
from mettl_async.api.placeholders import check_access_key, check_email
from mettl_async.api.waiting import NotReady, poll
from mettl_async.cli.flat import EMAIL, RESULT, Key, Row, cell_at, flatten, headings
from mettl_async.cli.option_fields import Target
from mettl_async.cli.outfile import CsvText, check_whole, csv_lines, private_files, whole_file
from mettl_async.cli.printing import (
    Cell,
    at_terminal,
    json_document,
    plain,
    print_json,
    print_table,
    print_text,
)
from mettl_async.cli.problems import MISSING, CommandError, os_reason, print_stderr
from mettl_async.cli.progress import spinner
from mettl_async.cli.reading.rows import is_json_lines
from mettl_async.cli.talk import say
from mettl_async.client import MettlClient
from mettl_async.core.effects import Effects
from mettl_async.display import multiline, one_line
from mettl_async.errors import MettlError
from mettl_async.models import CandidateResult, ResultDetail

# Columns of each list: where their cells are in a value; the first part is the name.
_COLUMNS: Final = {
    "account": ("email", "first_name", "last_name", "account_type"),
    "assessments": ("id", "name", "duration", "tests_taken", "created_at"),
    "schedules": (
        "access_key",
        "name",
        "status",
        "access.type",
        "created_at",
        "assessment_details.name",
    ),
}

T = TypeVar("T")


def account(target: Target, *, as_json: bool) -> int:
    """Show the account that the keys belong to; gives the exit code."""
    with spinner("reading the account"):
        info = plain(target.ask(lambda client: client.account.get()))
    if as_json:
        print_json(info)
    else:
        _print_rows([info], "account")
    return 0


def show_list(
    target: Target,
    pager_of: Callable[[MettlClient], AsyncPager[T]],
    what: str,
    *,
    limit: int | None,
    as_json: bool,
) -> int:
    """Show a list of what the account has; gives the exit code.

    Args:
        target: Account.
        pager_of: Makes the pager of the list.
        what: ``assessments`` or ``schedules``.
        limit: Number of rows at most; None for all.
        as_json: Print whole values instead of a table.
    """
    items: list[Any] = []
    missing = _read(target, pager_of, what, limit, lambda item: items.append(plain(item)))
    if as_json:
        print_json(items)
    else:
        _print_rows(items, what)
    return _report_missing(missing)


def _print_rows(items: Iterable[Any], what: str) -> None:
    columns = _COLUMNS[what]
    names = [path.partition(".")[0] for path in columns]
    print_table(names, [[cell_at(item, path) for path in columns] for item in items])


def _read(
    target: Target,
    pager_of: Callable[[MettlClient], AsyncPager[T]],
    what: str,
    limit: int | None,
    take: Callable[[T], object],
) -> int:
    """Read a list up to the limit.

    Returns:
        The number of the server's rows that are missing: not readable, or moved while it was read.
    """

    async def read(client: MettlClient) -> int:
        pager = pager_of(client)
        if limit is not None:
            pager.page_size = min(pager.page_size, limit)
            for item in await pager.collect(limit):  # which fetches no page too many
                take(item)
            return 0
        count = 0
        async for item in pager:
            take(item)
            count += 1
        return max(0, (pager.total or 0) - count)

    with spinner(f"reading {what}"):
        return target.ask(read)


def _report_missing(missing: int) -> int:
    if not missing:
        return 0
    rows = "1 row is" if missing == 1 else f"{missing:,} rows are"
    print_stderr(f"mettl: {rows} missing: not readable, or the list changed while it was read")
    return MISSING


def results(
    target: Target,
    access_key: str,
    *,
    out: Path | None,
    bom: bool | None,
    overwrite: bool,
    detail: ResultDetail,
    limit: int | None,
    as_json: bool,
) -> int:
    """Read the results of a schedule, and write them to a file or stdout; gives the exit code.

    Everything is first read into a temporary file, one line a candidate: the columns are known only at
    the end, and an incomplete output must not look complete. So memory does not grow with the results,
    except for a table on a terminal.

    Raises:
        CommandError: It cannot be done.
        MettlError: Likewise.
    """
    check_access_key(access_key)
    if out is not None:
        if as_json:
            raise CommandError("--json is for stdout; leave it out, or write --out results.jsonl")
        nested = is_json_lines(out)
        check_whole(out, overwrite=overwrite)
    with _spooled(out) as spool:
        missing = _read(
            target,
            lambda client: client.results.list(access_key, detail=detail),
            "results",
            limit,
            spool.write,
        )
        if out is not None:
            with whole_file(out, overwrite=overwrite) as file:
                written = CsvText(file, bom=False if nested else bom)
                for text in spool.lines() if nested else spool.csv():
                    written.write(text)
                written.end()
            say(f"results     {spool.count:,}\nfile        {out}")
        elif as_json:
            print_text("[")
            for place, line in enumerate(spool.lines()):
                print_text((",\n" if place else "\n") + line.rstrip("\n"))
            print_text("\n]\n")
        elif at_terminal():
            print_table(("email", "status", "marks", "percentile"), map(_brief, spool.rows()))
        else:
            for line in spool.csv():
                print_text(line)
    return _report_missing(missing)


def _brief(row: Row) -> tuple[Cell, ...]:
    def cell(name: str) -> Cell:
        found = row[RESULT, name]
        return round(found, 2) if isinstance(found, float) else found

    status = cell("detailed_status") or cell("overall_status") or cell("status")
    got, most = cell("total_marks"), cell("max_marks")
    marks = got if got is None or most is None else f"{got} / {most}"
    return row[EMAIL, "email"], status, marks, cell("percentile")


class _Spool:
    """Results in a temporary file, and the columns that they need."""

    def __init__(self, file: IO[str]) -> None:
        self.count = 0
        self._file = file
        self._keys: dict[Key, None] = {}  # in order of appearance

    def write(self, result: CandidateResult) -> None:
        value = plain(result)
        self.count += 1
        self._keys |= dict.fromkeys(flatten(value))
        with _spool_problems():
            self._file.write(json_document(value) + "\n")

    def lines(self) -> Iterator[str]:
        """Read the lines as they were written."""
        with _spool_problems():  # what was buffered is written only now
            self._file.seek(0)
        yield from self._file

    def rows(self) -> Iterator[Row]:
        return (flatten(json.loads(line)) for line in self.lines())

    def csv(self) -> Iterator[str]:
        """Make the lines of a CSV file, the header first."""
        columns = headings(self._keys)
        yield csv_lines([list(map(one_line, columns.values()))])
        for row in self.rows():
            cells = map(row.get, columns)
            yield csv_lines(
                [[multiline(cell) if isinstance(cell, str) else cell for cell in cells]]
            )


@contextmanager
def _spooled(out: Path | None) -> Iterator[_Spool]:
    # Next to the file that it becomes: there is room for it there, if anywhere.
    home = None if out is None else out.resolve().parent
    with _spool_problems():
        # Not "with": an OSError of stdout, such as a closed pipe, is none of this file's.
        file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=home)  # noqa: SIM115 - see above
    try:
        yield _Spool(file)
    finally:
        with suppress(OSError):  # what could not be flushed is not wanted any more
            file.close()


@contextmanager
def _spool_problems() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"a temporary file cannot be written: {os_reason(error)}") from None


def report(
    target: Target, access_key: str, email: str, out: Path, *, overwrite: bool, timeout: float
) -> int:
    """Save the PDF report of one candidate; gives the exit code.

    Raises:
        NotReadyError: It was not there in time, or the test is not over.
        CommandError: The file cannot be written.
        MettlError: A call failed.
    """
    check_access_key(access_key)
    check_email(email)
    check_whole(out, overwrite=overwrite)
    end = time.monotonic() + timeout

    async def save(client: MettlClient) -> None:
        async def attempt() -> CandidateResult | NotReady:
            result = await client.results.get(access_key, email)
            return judge_report(result) or result

        result = await poll(attempt, Effects(), timeout=timeout, first_pause=2.0, max_pause=30.0)
        # Its address came in time, so it is looked for at least once.
        left = max(1.0, end - time.monotonic())
        await client.results.download_report(result, out, timeout=left)

    try:
        with private_files(), spinner("waiting for the report"):
            target.ask(save)
    except MettlError:
        raise  # some of these are OSErrors too
    except OSError as error:
        raise CommandError(f"{out}: cannot be written: {os_reason(error)}") from None
    say(f"report      {out}")
    return 0


def judge_report(result: CandidateResult) -> NotReady | None:
    """Tell whether there is an address to fetch, and if not, whether waiting some minutes can help."""
    status = result.test_status
    if status is None:
        return NotReady("the answer has no test status yet")
    if status.pdf_report is not None:
        return None
    if status.is_finished:
        return NotReady("the test is finished, but there is no report yet")
    words = status.detailed_status or status.overall_status or status.status or "of unknown status"
    return NotReady(f"there is no report: the test is not finished, but {words}", final=True)
