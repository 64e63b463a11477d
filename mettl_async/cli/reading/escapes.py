"""Backslashes in CSV: letters of the cell, or signs of a dialect that escapes with them. Pure functions."""

import csv
import json
import re
from collections.abc import Sequence
from typing import Final

# Dialects with an escape character write it before delimiters, quotes, line breaks and itself.
_ESCAPE: Final = re.compile(r'\\(?:\Z|[\\\r\n]|"(?=\Z|[,;\t|\r\n]))')
_AT_THE_END: Final = re.compile(r'\\(?="?[\r\n]*\Z)')
_ESCAPED_QUOTE: Final = re.compile(r'\\"(?!")')


def may_escape(
    lines: Sequence[str], delimiter: str, cells: Sequence[str], width: int | None, names: set[int]
) -> bool:
    """Tell whether a row with backslashes may be meant in another way than it was read.

    Args:
        lines: Of the row.
        delimiter: Of the file.
        cells: As they were read.
        width: Number of the columns; None where it is not known yet.
        names: Places of the cells that can hold no backslash anyway.
    """
    unsure = [place for place, cell in enumerate(cells) if "\\" in cell and not _is_json(cell)]
    escaped_quote = _ESCAPED_QUOTE.search("".join(lines)) is not None
    found = [place for place in unsure if escaped_quote or _ESCAPE.search(cells[place])]
    if not found:
        return False
    # Such a dialect would not write a row that has other columns than the header then.
    if width is None or len(cells) != width or names & set(found):
        return True
    others = _width_if_escaped(lines, delimiter)
    return others is None or others == width or (escaped_quote and others > 0)


def without_last(lines: Sequence[str], cells: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Take the backslash from the end of a row's last cell; None where there is none."""
    if not cells[-1].endswith("\\"):
        return None
    shorter = _AT_THE_END.sub("", lines[-1])
    return [*lines[:-1], shorter], [*cells[:-1], cells[-1].removesuffix("\\")]


def _is_json(cell: str) -> bool:
    if cell.strip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(cell)
    except (ValueError, RecursionError):
        return False
    return True


def _width_if_escaped(lines: Sequence[str], delimiter: str) -> int | None:
    """Count the cells of a row in that dialect: 0 where it cannot be of it, None where it is not at its end."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True, escapechar="\\"))
    except csv.Error as error:
        return 0 if "expected after" in str(error) else None
    return len(rows[0]) if len(rows) == 1 else None
