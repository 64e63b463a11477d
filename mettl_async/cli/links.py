"""The file of links: the rows of the input, each with what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from anyio import CancelScope, to_thread

from mettl_async.bulk.journal_record import JournalRecord
from mettl_async.cli.outfile import (
    CsvText,
    Stamp,
    check_whole,
    csv_lines,
    is_stdout,
    output_file,
    stamp_of,
)
from mettl_async.cli.printing import json_document
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import EMAIL
from mettl_async.cli.reading.rows import BadRow, Cells, is_json_lines
from mettl_async.display import one_line
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from mettl_async.cli.earlier import Before

    Read = Callable[[Sequence[str]], Awaitable[Mapping[str, JournalRecord]]]
    Pair = tuple[Mapping[str, Any], tuple[str, ...]]

COLUMNS: Final = ("status", "link", "code", "reason")
"""Come after the input's own columns, and in the place of those that are called the same."""
NOT_SENT: Final = "not sent"
_ROWS_AT_ONCE: Final = 500

_T = TypeVar("_T")


def journal_of(out: Path) -> Path:
    """Name the journal that belongs to a file of links."""
    # Of the file that a symbolic link names, so that two links to one file have one journal.
    home = out.resolve() if out.is_symlink() else out
    return home.with_name(f"{home.name}.journal")


def check_out(path: Path, journal: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse what can be refused before the rows are read; touches nothing.

    Raises:
        CommandError: Another format, there already, or another user's.
    """
    if not is_stdout(path):
        is_json_lines(path)
    if overwrite and resume:
        raise CommandError(
            "--resume keeps the outcomes of earlier runs, --overwrite does not; pass one of them"
        )
    if is_stdout(path):
        check_whole(journal, overwrite=True)
        return
    if path.exists() and not (overwrite or resume):
        raise CommandError(
            f"{path}: exists already; pass --resume to go on with it, --overwrite, or another --out"
        )
    check_whole(path, overwrite=True)
    check_whole(journal, overwrite=True)
    if path.exists() and resume and not journal.exists():
        raise CommandError(
            f"{path}: cannot be resumed, for its journal {journal} is missing; pass another --out"
        )


async def write_links(
    path: Path,
    rows: Iterable[Cells | BadRow],
    columns: Sequence[str],
    read: Read,
    *,
    before: Before | None = None,
    bom: bool | None = None,
    note: Callable[[Stamp], None] = lambda _: None,
) -> None:
    """Write a whole file of links, in the order of the input.

    Args:
        path: Of the file, which is replaced in one step; ``-`` is stdout.
        rows: Of the input; those that cannot be read any more are left out.
        columns: The input's own.
        read: Gives what is recorded of folded emails.
        before: What is known of an earlier run: people who come after those of the input, and remarks.
        bom: See `CsvText`; programs that read stdout get none that was not asked for.
        note: Called with the stamp of the file, before it takes its place.

    Raises:
        CommandError: The input cannot be read, or the file not be written.
    """
    earlier, differing = (before.earlier, before.differing) if before else ((), {})
    named = dict.fromkeys((*columns, *(name for row in earlier for name in row.own)))
    people = (row for row in chain(rows, earlier) if isinstance(row, Cells))

    async def groups() -> AsyncGenerator[list[Pair], None]:
        while some := await to_thread.run_sync(lambda: list(islice(people, _ROWS_AT_ONCE))):
            emails = [fold_email(row.known.get(EMAIL, "")) for row in some]
            found = await read(emails)
            yield [
                (row.own, texts_of(found.get(email), differing.get(email, "")))
                for email, row in zip(emails, some, strict=True)
            ]

    await write_pairs(path, groups(), [*named], bom=bom, note=note)


async def write_pairs(
    path: Path,
    groups: AsyncGenerator[list[Pair], None],
    columns: Sequence[str],
    *,
    bom: bool | None = None,
    note: Callable[[Stamp], None] = lambda _: None,
) -> None:
    """Write a whole file of links of rows whose outcomes are known; see `write_links`.

    Args:
        path: Of the file.
        groups: Cells by column, each with the texts of `texts_of`; some at a time. They are closed.
        columns: Of the cells.
        bom: See `CsvText`.
        note: Called with the stamp of the file.

    Raises:
        CommandError: The file cannot be written.
    """
    as_json = not is_stdout(path) and is_json_lines(path)
    own = [name for name in columns if name not in COLUMNS]
    async with aclosing(groups), _in_thread(output_file(path)) as file:
        marked = bom if bom is not None or not is_stdout(path) else False
        text = CsvText(file, False if as_json else marked)
        if not as_json:
            text.write(csv_lines([[*own, *COLUMNS]]))
        async for pairs in groups:
            if as_json:
                text.write("".join(_json_line(cells, outcome) for cells, outcome in pairs))
            else:
                text.write(
                    csv_lines([*cell_texts(cells, own), *outcome] for cells, outcome in pairs)
                )
        if not is_stdout(path):
            await to_thread.run_sync(text.end)
            file.flush()
            note(stamp_of(os.fstat(file.fileno())))


@asynccontextmanager
async def _in_thread(context: AbstractContextManager[_T]) -> AsyncGenerator[_T, None]:
    """Enter and leave a context in a thread, so that the event loop does not wait for the disk."""
    entered = await to_thread.run_sync(context.__enter__)
    raised: tuple[Any, Any, Any] = (None, None, None)
    try:
        yield entered
    except BaseException as error:
        raised = (type(error), error, error.__traceback__)
        raise
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(context.__exit__, *raised)


def texts_of(record: JournalRecord | None, remark: str = "") -> tuple[str, ...]:
    """Write what became of somebody in the columns of `COLUMNS`; a remark takes the place of the reason."""
    if record is None:
        return NOT_SENT, "", "", ""
    code = "" if record.url else record.code
    return record.status, record.url, one_line(code), remark or one_line(record.reason)


def _json_line(cells: Mapping[str, Any], outcome: tuple[str, ...]) -> str:
    values = {name: cell for name, cell in cells.items() if name not in COLUMNS}
    values |= zip(COLUMNS, outcome, strict=True)
    return json_document(values) + "\n"


def cell_texts(cells: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    """Write the cells of these columns as text; what JSON Lines has besides text is JSON."""
    for name in names:
        cell = cells.get(name)
        if isinstance(cell, str):
            yield cell
        else:
            yield "" if cell is None else json.dumps(cell, ensure_ascii=False)
