"""Rows of CSV with any delimiter: a header, then one candidate in each record."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from mettl_async.cli.columns import Layout, columns_of
from mettl_async.cli.detect import DELIMITERS, without_separator_line
from mettl_async.cli.problems import CommandError
from mettl_async.cli.rows import BadRow, Cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def csv_rows(layout: Layout, lines: Iterable[str], delimiter: str) -> Iterator[Cells | BadRow]:
    """Read row by row; blank lines, and rows whose cells are all empty, are skipped.

    Raises:
        CommandError: There is no header, or it cannot be used.
    """
    reader = csv.reader(without_separator_line(lines), delimiter=delimiter, strict=True)
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
        except UnicodeDecodeError:
            raise CommandError(
                f"{layout.name}: is not {layout.encoding} somewhere after line {line}"
            ) from None
        if not any(map(str.strip, cells)):
            continue
        if names is None:
            header, names = cells, columns_of(layout, line, cells)
        elif len(cells) != len(names):
            yield BadRow(line, _uneven(cells, names, delimiter))
        else:
            kept = {one: cell for one, cell in zip(names, cells, strict=True) if one is not None}
            if any(map(str.strip, kept.values())):
                yield Cells(line, kept, dict(zip(header, cells, strict=True)))
    if names is None:
        raise CommandError(f"{layout.name}: is empty; the first line must name the columns")


def _csv_problem(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        text = 'a cell is opened with a quote (") that is never closed'
    return f"is not CSV from here on: {text}"


def _uneven(cells: Sequence[str], names: Sequence[str | None], delimiter: str) -> str:
    much = "much" if len(cells) > len(names) else "few"
    return (
        f"has {_count(cells, 'cell')}, the header has {_count(names, 'column')}; "
        f"a {DELIMITERS.get(delimiter, 'delimiter')} too {much}, or a missing quote"
    )


def _count(items: Sequence[str | None], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
