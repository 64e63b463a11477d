"""What a user looks at before anything is sent: how the file was read, and what would be sent of it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from mettl_async.cli.bad_rows import rows_text
from mettl_async.cli.printing import plain
from mettl_async.cli.reading.characters import with_escapes
from mettl_async.cli.reading.columns import (
    COMPENSATORY_TIME,
    CONTEXT_DATA,
    EMAIL,
    FIRST_NAME,
    UTF_8,
    Format,
)
from mettl_async.cli.reading.delimiter import DELIMITERS
from mettl_async.cli.reading.rows import Row
from mettl_async.cli.rendering import print_lean
from mettl_async.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from mettl_async.cli.earlier import Before
    from mettl_async.cli.job import Job
    from mettl_async.cli.reading.checking import Checked
    from mettl_async.cli.reading.source import Source
    from mettl_async.models import Candidate

_PEOPLE: Final = 3
_MOST_COLUMNS: Final = 50
_LONGEST_CELL: Final = 200
_FORMATS: Final = {Format.JSONL: "JSON Lines"}


def show(
    job: Job, checked: Checked | None, before: Before, account: str | None, *, to_stderr: bool
) -> None:
    """Print the preview: on stderr where a question follows, else on stdout, as it was asked for.

    Args:
        job: What was asked for.
        checked: What was found in the file.
        before: What is known of an earlier run.
        account: Where people would be registered; None if none was named.
        to_stderr: Whether a question follows.
    """
    parts = [*_parts(job, checked, before)]
    if account is not None:
        parts += [Text(), Text(f"Account: {one_line(account)}")]
    print_lean(*parts, Text(), err=to_stderr)


def _parts(job: Job, checked: Checked | None, before: Before) -> Iterator[RenderableType]:
    source = job.source
    if source is None or checked is None:
        yield Text(f"{people_text(job.generate or 0)} made up for the sandbox", style="bold")
    else:
        rows = rows_text(checked.good_total + checked.bad_total)
        yield Text(f"{source.name}: {_how(source)}, {rows}", style="bold")
        yield Text()
        yield from _columns(source)
    first = list(islice((row for row in job.rows() if isinstance(row, Row)), _PEOPLE))
    if first:
        yield Text()
        yield Text(
            f"The first {len(first)}, as they are sent:" if len(first) > 1 else "As it is sent:"
        )
        unit = source.unit if source else "number"
        for row in first:
            yield Text()
            yield _person(f"{unit} {row.line}", row.candidate)
    if source is not None and checked is not None:
        yield from _left_out(job, source, checked, before)


def question(job: Job, count: int) -> str:
    """Ask whether so many people are to be registered."""
    return f"Register {people_text(count)} in schedule {job.schedule}?"


def would(job: Job, count: int) -> str:
    """Say what a dry run would have done."""
    if not count:
        return "Nobody would be registered."
    where = f" in schedule {job.schedule}" if job.schedule else ""
    return f"{people_text(count)} would be registered{where}."


def people_text(count: int) -> str:
    """Count people in words."""
    return "1 person" if count == 1 else f"{count:,} people"


def _how(source: Source) -> str:
    layout, found = source.layout, source.findings
    said = [_FORMATS.get(layout.format, layout.format.upper())]
    if found.sheet is not None:
        said.append(f"sheet {one_line(found.sheet)!r}")
    if not layout.format.is_workbook:
        said.append("UTF-8" if layout.encoding == UTF_8 else layout.encoding)
    if layout.format == Format.CSV:
        said.append(f"delimiter {DELIMITERS.get(layout.delimiter, repr(layout.delimiter))}")
    if found.header_line is not None:
        said.append(f"header in {source.unit} {found.header_line}")
    return ", ".join(said)


def _columns(source: Source) -> Iterator[RenderableType]:
    found = source.findings
    table = _table("Column of the file", "Sent as")
    for own, name in islice(found.sent.items(), _MOST_COLUMNS):
        table.add_row(_cell(own), _cell(name))
    left_out = [one for one in found.left_out if one not in found.results]
    for own in left_out[:_MOST_COLUMNS]:
        table.add_row(_cell(own), Text("left out", style="dim"))
    for own in found.results:
        table.add_row(_cell(own), Text("left out: of an earlier run", style="dim"))
    yield table
    more = max(0, len(found.sent) - _MOST_COLUMNS) + max(0, len(left_out) - _MOST_COLUMNS)
    if more:
        yield Text(f"... and {more:,} more")


def _person(where: str, candidate: Candidate) -> RenderableType:
    table = _table(where, "")
    minutes = plain(candidate.compensatory_time)
    known = {
        EMAIL: candidate.email,
        FIRST_NAME: candidate.first_name,
        **candidate.fields,
        CONTEXT_DATA: candidate.context_data,
        COMPENSATORY_TIME: None if minutes is None else f"{minutes} minutes",
    }
    for name, value in islice(known.items(), _MOST_COLUMNS):
        if value is not None:
            table.add_row(_cell(name), _cut(with_escapes(value)))
    return table


def _left_out(
    job: Job, source: Source, checked: Checked, before: Before
) -> Iterator[RenderableType]:
    said = [*source.findings.notes]
    wrong = checked.bad_total - checked.repeated_total
    if wrong:
        said.append(f"{rows_text(wrong)} cannot be sent")
    if checked.repeated_total:
        verb = "repeats" if checked.repeated_total == 1 else "repeat"
        said.append(f"{rows_text(checked.repeated_total)} {verb} the email of a row before")
    if checked.bad_total and job.skip_bad is not None:
        verb = "would be written" if job.dry_run else "are written"
        said.append(f"these {verb} to {job.skip_bad}")
    if job.resume:
        said.append(f"who has an answer in {job.journal_path} is not sent again")
        said += (one for _, one in before.notes(job.out))
    if said:
        yield Text()
        yield from (Text(f"Note: {one_line(one)}.") for one in said)


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    return table


def _cell(text: str) -> Text:
    return _cut(one_line(text))


def _cut(shown: str) -> Text:
    return Text(shown if len(shown) <= _LONGEST_CELL else f"{shown[: _LONGEST_CELL - 1]}…")
