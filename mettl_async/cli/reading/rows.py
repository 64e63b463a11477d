"""Rows: candidates made of cells, for every format.

Messages name lines and columns, never a cell's content.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import (
    COMPENSATORY_TIME,
    CONTEXT_DATA,
    EMAIL,
    FIRST_NAME,
    UNDECODED,
    Layout,
)
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate

CSV_SUFFIXES: Final = (".csv",)
JSON_SUFFIXES: Final = (".jsonl", ".ndjson", ".json-lines")

_COLUMNS: Final = {
    "candidate.email": EMAIL,
    "candidate.first_name": FIRST_NAME,
    "candidate.context_data": CONTEXT_DATA,
    "candidate.compensatory_time": COMPENSATORY_TIME,
}
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_MINUTES: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


@frozen
class Cells:
    """A row as it was read, before a candidate is made of it.

    Attributes:
        line: Where the row begins, counted from 1.
        known: Texts of what is sent, by the names that registration knows.
        own: Everything in it by the names of the input's own columns, as text or as JSON has it.
    """

    line: int
    known: Mapping[str, str] = field(repr=False)
    own: Mapping[str, Any] = field(repr=False)


@frozen
class Row:
    """A candidate; ``line`` is where the row begins, counted from 1."""

    line: int
    candidate: Candidate = field(repr=False)


@frozen
class BadRow:
    """A row that cannot be sent, and the reason."""

    line: int
    problem: str


class CellError(Exception):
    """A problem of one cell, with its column."""


def is_json_lines(path: Path) -> bool:
    """Tell the format of an output from the extension.

    Raises:
        CommandError: Neither CSV nor JSON Lines.
    """
    suffix = path.suffix.lower()
    if suffix not in CSV_SUFFIXES + JSON_SUFFIXES:
        raise CommandError(
            f"{path}: is neither CSV (.csv) nor JSON Lines ({', '.join(JSON_SUFFIXES)}) by its name"
        )
    return suffix in JSON_SUFFIXES


def number_text(number: float) -> str:
    """Format a finite number; whole ones without ``.0``."""
    if number != int(number):
        return format(number, ".15g")  # more digits than a spreadsheet has are noise
    return str(int(number))


def table_row(
    line: int, header: Sequence[str], names: Sequence[str | None], texts: Sequence[str]
) -> Cells | None:
    """Put the texts of a row under the columns of a table; None if all that is sent is blank.

    Args:
        line: Where the row begins.
        header: The input's own names of the columns.
        names: Those after mapping; None for what is not sent.
        texts: No more than columns.
    """
    pairs = zip_longest(names, texts, fillvalue="")
    known = {name: text for name, text in pairs if name is not None}
    if not any(map(str.strip, known.values())):
        return None
    return Cells(line, known, dict(zip_longest(header, texts, fillvalue="")))


def row_of(layout: Layout, cells: Cells) -> Row | BadRow:
    """Make a candidate of the cells.

    Blank cells of optional columns are left out, spaces around emails are dropped.
    """
    present = {name: cell for name, cell in cells.known.items() if cell.strip()}
    minutes = present.pop(COMPENSATORY_TIME, None)
    if minutes is not None and not _MINUTES.fullmatch(minutes.strip()):
        return BadRow(cells.line, f"{COMPENSATORY_TIME}: is not a whole number of minutes")
    try:
        candidate = Candidate(
            email=present.pop(EMAIL, "").strip(),
            first_name=present.pop(FIRST_NAME, ""),
            context_data=present.pop(CONTEXT_DATA, None),
            compensatory_time=None if minutes is None else int(minutes),
            fields=present,
        )
    except InvalidInputError as error:
        return BadRow(cells.line, _explain(error, cells.known, layout))
    return Row(cells.line, candidate)


def _explain(error: InvalidInputError, cells: Mapping[str, str], layout: Layout) -> str:
    for name, cell in cells.items():
        if UNDECODED.search(cell):
            return f"{name}: {layout.not_decoded}"
        if _NO_TEXT.search(cell):
            return f"{name}: holds a NUL or half of a character (a lone surrogate); remove it"
    shown = error.field.removeprefix("candidate.fields[").removesuffix("]")
    column = next((name for name in cells if ascii(name) == shown), shown)
    return f"{_COLUMNS.get(error.field, column)}: {error.problem}; {error.fix}"
