"""Rows of text: CSV with any delimiter, and JSON Lines."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import (
    COMPENSATORY_TIME,
    EMAIL,
    FIRST_NAME,
    UNDECODED,
    Layout,
    check_options,
    columns_of,
    mapped_twice,
)
from mettl_async.cli.reading.detecting import DELIMITERS, without_separator_line
from mettl_async.cli.reading.rows import BadRow, CellError, Cells, number_text, table_row


def csv_rows(layout: Layout, lines: Iterable[str]) -> Iterator[Cells | BadRow]:
    """Read row by row; blank lines, and rows whose cells are all empty, are skipped.

    Raises:
        CommandError: There is no header, or it cannot be used.
    """
    reader = csv.reader(without_separator_line(lines), delimiter=layout.delimiter, strict=True)
    header: Sequence[str] = ()
    names: Sequence[str | None] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield BadRow(line, _csv_problem(error))
            return
        if not any(map(str.strip, cells)):
            continue
        if names is None:
            header, names = cells, columns_of(layout, line, cells)
        elif len(cells) != len(names):
            yield BadRow(line, _uneven(layout, cells, names))
        elif row := table_row(line, header, names, cells):
            yield row
    if names is None:
        raise CommandError(f"{layout.name}: is empty; the first line must name the columns")


def _csv_problem(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        text = 'a cell is opened with a quote (") that is never closed'
    return f"is not CSV from here on: {text}"


def _uneven(layout: Layout, cells: Sequence[str], names: Sequence[str | None]) -> str:
    much = "much" if len(cells) > len(names) else "few"
    return (
        f"cells: {len(cells)}, columns in the header: {len(names)}; "
        f"a {DELIMITERS.get(layout.delimiter, 'delimiter')} too {much}, or a missing quote"
    )


def json_rows(layout: Layout, lines: Iterable[str]) -> Iterator[Cells | BadRow]:
    """Read line by line; blank lines, and objects whose texts are all empty, are skipped.

    Numbers and booleans in optional columns are taken as text, whole numbers without ``.0``.

    Raises:
        CommandError: At the end, if no object had a column that is mapped or left out.
    """
    seen: set[str] = set()
    first: tuple[str, ...] | None = None
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if UNDECODED.search(text):
            yield BadRow(line, layout.not_decoded)
            continue
        try:
            found = _parsed(text)
            first = tuple(found) if first is None else first
            seen |= (layout.mapping.keys() | layout.drop) & found.keys()
            cells = _cells(layout, found)
        except (ValueError, RecursionError):
            yield BadRow(line, "is not a JSON value; write one object on each line")
        except CellError as error:
            yield BadRow(line, str(error))
        else:
            if any(map(str.strip, cells.values())):
                yield Cells(line, cells, found)
    if first is not None:
        check_options(layout, layout.name, [*seen, *first])


def _parsed(text: str) -> dict[str, Any]:
    found = json.loads(text, object_pairs_hook=_without_repeats)
    if not isinstance(found, dict):
        raise CellError('is not a JSON object; write {"Email Address": ..., "First Name": ...}')
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CellError("names a column twice; remove one")
    return found


def _cells(layout: Layout, found: dict[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, content in found.items():
        if name in layout.drop or content is None:
            continue
        target = layout.mapping.get(name, name)
        if target in cells:
            raise CellError(mapped_twice(target))
        cells[target] = content if isinstance(content, str) else _text(target, content)
    return cells


def _text(name: str, content: object) -> str:
    if name == COMPENSATORY_TIME and type(content) is int:
        return str(content)
    if name in (EMAIL, FIRST_NAME, COMPENSATORY_TIME) or not isinstance(content, (int, float)):
        raise CellError(f"{name}: is not text; put it in quotes")
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, float) and not isfinite(content):
        raise CellError(f"{name}: is not a finite number; put text in quotes")
    return number_text(content)
