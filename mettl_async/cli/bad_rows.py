"""Rows that cannot be sent: told, and written to a file where they can be corrected."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mettl_async.cli.links import cell_texts
from mettl_async.cli.outfile import csv_lines, whole_file
from mettl_async.cli.printing import json_document
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.reading.columns import PROBLEMS, Format
from mettl_async.cli.reading.repeats import with_address
from mettl_async.cli.reading.rows import is_json_lines
from mettl_async.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mettl_async.cli.reading.checking import Checked
    from mettl_async.cli.reading.rows import BadRow
    from mettl_async.cli.reading.source import Source

SHOWN: Final = 20
_AT_ONCE: Final = 500
_BOM: Final = "\ufeff"  # for people correct the file in Excel
_LONE: Final = re.compile("[\ud800-\udfff]")
# Not "?", which nobody would notice: a name with this one is refused until somebody mends it.
_LOST: Final = "\N{REPLACEMENT CHARACTER}"


def report(source: Source, checked: Checked, file: Path | None) -> str:
    """Describe the first bad rows as ``candidates.csv:17: Email Address: ...``, and count them.

    Args:
        source: What was read.
        checked: What was found.
        file: Where all of them are written to; None if nothing is sent because of them.
    """
    lines = [
        f"{source.name}:{one.line}: {one.problem}" for one in islice(checked.bad_rows(), SHOWN)
    ]
    if checked.bad_total > len(lines):
        lines.append(f"... and {checked.bad_total - len(lines):,} more")
    total = checked.good_total + checked.bad_total
    said = f"mettl: {rows_text(checked.bad_total)} of {total:,} cannot be sent"
    if file is not None:
        lines.append(f"{said}; all of them, with the reasons: {file}")
    else:
        advice = "correct them, or pass --skip-bad bad.csv: it gets these, and the others are sent"
        lines.append(
            f"{said}; nothing was sent; {advice if checked.good_total else 'correct them'}"
        )
    return "\n".join(lines)


def rows_text(count: int) -> str:
    """Count rows in words."""
    return "1 row" if count == 1 else f"{count:,} rows"


def check_bad_file(
    path: Path, source: Source, checked: Checked, *, overwrite: bool, bom: bool = True
) -> None:
    """Refuse, before anything is asked or sent, a file that the bad rows cannot go to; touches nothing.

    Raises:
        CommandError: It is JSON Lines for rows of a table, of which one with too few cells would be a good
            one there; or it is there with other content, which somebody may have corrected.
    """
    if is_json_lines(path) and source.findings.header_line is not None:
        raise CommandError(
            f"{path}: rows of a table cannot be JSON Lines; give --skip-bad the name of a .csv file"
        )
    there = checked.bad_total and path.exists() and not overwrite
    if there and not _is_same(path, _pieces(path, source, checked, bom=bom)):
        raise CommandError(
            f"{path}: exists already, and has something else in it; give --skip-bad another name"
        )


def write_bad_rows(path: Path, source: Source, checked: Checked, *, bom: bool = True) -> None:
    """Write all bad rows, as they are in the file, with the reason in a first column.

    The file can be corrected and registered like any other. One that has the very same content is left
    alone: a run that goes on says the same again. With ``bom`` it begins with a byte order mark.

    Raises:
        CommandError: It cannot be written.
    """
    if path.exists() and _is_same(path, _pieces(path, source, checked, bom=bom)):
        return
    with whole_file(path, overwrite=True) as file:
        for piece in _pieces(path, source, checked, bom=bom):
            file.write(piece)


def _is_same(path: Path, pieces: Iterator[bytes]) -> bool:
    try:
        with path.open("rb") as file:
            return all(file.read(len(one)) == one for one in pieces) and not file.read(1)
    except OSError as error:
        raise CommandError(f"{path}: {os_reason(error)}") from None


def _pieces(path: Path, source: Source, checked: Checked, *, bom: bool) -> Iterator[bytes]:
    found = source.findings
    is_table = found.header_line is not None
    names = [one for one in found.columns if one not in found.results]
    if not is_table:
        names = list(dict.fromkeys(name for row in checked.bad_rows() for name in row.own))
    other, usual = PROBLEMS
    problem = other if usual in names else usual
    rows = ((_why(source, one), one.own) for one in checked.bad_rows())
    if is_json_lines(path):
        for why, own in rows:
            yield _encoded(json_document({problem: why, **own}) + "\n")
        return
    delimiter = source.layout.delimiter if source.layout.format == Format.CSV else ","
    yield _encoded((_BOM if bom else "") + csv_lines([[problem, *names]], delimiter))
    while some := list(islice(rows, _AT_ONCE)):
        texts = [[why, *cell_texts(own, _places(names, own))] for why, own in some]
        yield _encoded(csv_lines(texts, delimiter))


def _why(source: Source, row: BadRow) -> str:
    why = f"{source.unit} {row.line}: {one_line(row.problem)}"
    return why if row.repeated is None else with_address(why, row.repeated)


def _places(names: list[str], own: Mapping[str, Any]) -> Iterator[str]:
    """Give the columns of a row, so that one with too few or too many cells is not taken for a good one."""
    left = set(own)
    for name in names:
        if not left:
            return
        yield name
        left.discard(name)
    yield from (name for name in own if name in left)


def _encoded(text: str) -> bytes:
    return _LONE.sub(_LOST, text).encode()
