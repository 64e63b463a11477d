"""Rows of text: CSV with any delimiter, and JSON Lines."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any, Final, cast

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.characters import LINE_BREAKS, clean_name
from mettl_async.cli.reading.columns import (
    COMPENSATORY_TIME,
    EMAIL,
    FIRST_NAME,
    HEADER_WITHIN,
    TOLD,
    UNDECODED,
    Layout,
    check_options,
    mapped_twice,
    missing,
    needed_names,
    results_in,
)
from mettl_async.cli.reading.csv_lines import CTRL_Z, Lines, as_meant, opening_line
from mettl_async.cli.reading.delimiter import DELIMITERS
from mettl_async.cli.reading.escapes import may_escape, without_last
from mettl_async.cli.reading.people import is_address
from mettl_async.cli.reading.rows import BadRow, CellError, Cells, Table, number_text, told_of

_NEEDED: Final = frozenset({EMAIL, FIRST_NAME})
_SURE_DIGITS: Final = 15  # of a float
_MOST_BROKEN: Final = 1000


def csv_rows(layout: Layout, text: Iterable[str]) -> Iterator[Cells | BadRow]:
    """Read row by row; blank lines, and rows whose cells are all empty, are skipped.

    A row whose quotes are wrong is bad, and reading goes on in the line after the one where it begins.

    Raises:
        CommandError: There is no header, or it cannot be used.
    """
    lines = Lines.of(text, header_row=layout.header_row, padded=layout.padded)
    reader = _reader(layout, lines)
    table: Table | None = None
    broken = 0
    while True:
        line = lines.begin_row()
        try:
            cells = _as_meant(layout, lines, next(reader), table)
        except StopIteration:
            break
        except (csv.Error, CellError) as error:
            broken += 1
            row: Cells | BadRow | None = _broken(layout, table, line, error, lines)
            if table is None or broken > _MOST_BROKEN:
                raise CommandError(f"{layout.name}:{line}: {cast('BadRow', row).problem}") from None
        else:
            if cells and table is None:
                table = _table(layout, line, cells, reader, lines)
                continue
            row = _row(layout, table, line, cells, lines) if cells and table else None
        if row:
            yield row
        if isinstance(row, BadRow) and row.rest_is_apart:
            lines.back_to_second()
            reader = _reader(layout, lines)
    if table is None:
        raise CommandError(f"{layout.name}: {_no_header(layout)}")


def _no_header(layout: Layout) -> str:
    if layout.header_row is None:
        return "is empty; the first line must name the columns"
    return f"has nothing in line {layout.header_row}, nor after it; see --header-row"


def _reader(layout: Layout, lines: Iterable[str]) -> Iterator[list[str]]:
    return csv.reader(iter(lines), delimiter=layout.delimiter, strict=True)


def _broken(
    layout: Layout, table: Table | None, line: int, error: csv.Error | CellError, lines: Lines
) -> BadRow:
    text, opened = str(error), opening_line(lines.of_row, line, layout.delimiter)
    problem = f'the quote (") that opens a cell in line {opened} '
    if isinstance(error, CellError):
        problem = text
    elif "unexpected end" in text:
        problem += "is never closed; close it, or remove it"
    elif "field limit" in text:
        most = f"{csv.field_size_limit():,} characters"
        if len(lines.of_row) > 1:
            problem += f"is not closed within {most}; close it, or shorten the cell"
        else:
            problem = f"a cell has more than {most}; shorten it"
    else:
        problem += 'closes in the middle of one; write quotes inside of cells twice ("")'
    own = {} if table is None else table.own(_first_line(layout, lines))
    return BadRow(line, problem, own, rest_is_apart=True)


def _first_line(layout: Layout, lines: Lines) -> list[str]:
    """Cut the first line of a row at all delimiters, with its quotes as they are, to be corrected."""
    return lines.of_row[0].rstrip("\r\n").split(layout.delimiter)


def _as_meant(
    layout: Layout, lines: Lines, cells: list[str], table: Table | None
) -> list[str] | None:
    """Read ``, "Asha"`` as it is meant: the blank before a quote is no part of the cell. None if all is blank.

    Raises:
        CellError: It is not clear what is meant.
    """
    whole = "".join(cells)
    if not whole or whole.isspace():
        return None
    if "\\" in whole and _may_escape(layout, lines, cells, table):
        raise CellError(
            "has a backslash that may belong to the letter after it or not; export the file with "
            'quotes written twice ("") and without backslashes, or remove it'
        )
    if ' "' not in whole:
        return cells
    spaced = [cell[:1] == " " and cell.lstrip(" ")[:1] == '"' for cell in cells]
    if not any(spaced):
        return cells
    if (meant := as_meant(lines.of_row, layout.delimiter)) is None:
        raise CellError('a blank stands before a quote (") that opens a cell; remove it')
    if len(meant) != len(cells):
        return meant
    return [one if was else cell for cell, one, was in zip(cells, meant, spaced, strict=True)]


def _may_escape(layout: Layout, lines: Lines, cells: list[str], table: Table | None) -> bool:
    names = set() if table is None else {table.names.index(one) for one in _NEEDED}
    width = None if table is None else table.width
    if not may_escape(lines.of_row, layout.delimiter, cells, width, names):
        return False
    if table is None or len(cells) - 1 in names or len(cells) != width:
        return True
    # One before the line's end would have the cell go on in the next line, where there is another person.
    shorter = without_last(lines.of_row, cells)
    if shorter is None or may_escape(shorter[0], layout.delimiter, shorter[1], width, names):
        return True
    following = lines.peek()
    return following is not None and not _is_person(layout, table, following)


def _is_person(layout: Layout, table: Table, line: str) -> bool:
    try:
        cells = next(csv.reader([line], delimiter=layout.delimiter), [])
    except csv.Error:
        return False
    return len(cells) == table.width and is_address(cells[table.names.index(EMAIL)].strip())


def _table(
    layout: Layout, line: int, cells: list[str], reader: Iterator[list[str]], lines: Lines
) -> Table:
    try:
        return Table.of(layout, line, cells)
    except CommandError as error:
        if len(cells) == 1 and any(one in cells[0] for one in DELIMITERS):
            raise CommandError(
                f"{layout.name}:{line}: the whole line is one cell; export the file again without "
                "quotes around its lines, or pass --delimiter"
            ) from None
        if layout.header_row is None:
            wanted = needed_names(layout)
            for _ in range(HEADER_WITHIN):
                begins = lines.begin_row()
                try:
                    names = {clean_name(name) for name in next(reader)}
                except (StopIteration, csv.Error):
                    break
                if wanted <= names:
                    raise CommandError(
                        f"{error}; line {begins} names them: pass --header-row {begins}"
                    ) from None
        raise


def _row(
    layout: Layout, table: Table, line: int, cells: list[str], lines: Lines
) -> Cells | BadRow | None:
    if line < lines.looked_at and any(one.count('"') % 2 for one in cells):
        return BadRow(line, 'has a quote (") without its pair', table.own(cells))
    if len(cells) == table.width and len(lines.of_row) == 1:
        return table.row(line, cells)
    if len(lines.of_row) > 1 and (problem := _swallowed(layout, table, line, cells, lines)):
        return problem
    if len(cells) < table.needed or any(map(str.strip, cells[table.width :])):
        return BadRow(line, _uneven(layout, cells, table), table.own(cells), rest_is_apart=True)
    return table.row(line, cells)


def _swallowed(
    layout: Layout, table: Table, line: int, cells: list[str], lines: Lines
) -> BadRow | None:
    """Find a cell of several lines that is no person's, or that has taken in the rows after it."""
    email = table.names.index(EMAIL)
    for place, cell in enumerate(cells):
        if not any(one in cell for one in "\r\n"):
            continue
        opened = opening_line(lines.of_row, line, layout.delimiter, place)
        others = [row.split(layout.delimiter) for row in cell.splitlines()[1:]]
        if any(is_address(row[email].strip()) for row in others if len(row) > email):
            return BadRow(
                line,
                f'the quote (") that opens a cell in line {opened} takes in the rows after it; '
                "close it, or remove it",
                table.own(_first_line(layout, lines)),
                rest_is_apart=True,
            )
        name = table.names[place] if place < len(table.names) else None
        if name in (EMAIL, FIRST_NAME) and any(one in cell.strip() for one in LINE_BREAKS):
            return BadRow(
                line,
                f'{name}: has a line break in it; its quote (") opens in line {opened}',
                table.own(cells),
            )
    return None


def _uneven(layout: Layout, cells: Sequence[str], table: Table) -> str:
    if any("\0" in cell for cell in cells):
        return "holds NULs; was the file cut off when it was written?"
    much = "much" if len(cells) > table.width else "few"
    return (
        f"cells: {len(cells)}, columns in the header: {table.width}; "
        f"a {DELIMITERS.get(layout.delimiter, 'delimiter')} too {much}, or a missing quote"
    )


def json_rows(layout: Layout, lines: Iterable[str]) -> Iterator[Cells | BadRow]:
    """Read line by line; blank lines, and objects whose texts are all empty, are skipped.

    Numbers and booleans in optional columns are taken as text, whole numbers without ``.0``.

    Raises:
        CommandError: At the end, if no object had a column that is needed, mapped or left out.
    """
    seen: set[str] = set()
    sent: set[str] = set()
    first: tuple[str, ...] | None = None
    lists: str | None = None
    skipped = (layout.header_row or 1) - 1
    for line, text in enumerate(islice(lines, skipped, None), skipped + 1):
        if not text.strip().strip(CTRL_Z):
            continue
        own: Mapping[str, Any] = {"text": text.strip()}
        try:
            own = found = _parsed(layout, text)
            if first is None:
                first, lists = tuple(found), _list_in(found)
            seen |= (layout.mapping.keys() | layout.drop) & found.keys()
            results = results_in(found, layout)
            layout.findings.results = layout.findings.results or tuple(sorted(results))
            own = {name: content for name, content in found.items() if name not in results}
            sent |= {layout.mapping.get(name, name) for name in own} & _NEEDED
            cells = _cells(layout, own)
        except CellError as error:
            yield BadRow(line, str(error), own)
        else:
            if any(map(str.strip, cells.values())):
                told = next((found[one] for one in TOLD if one in results), "")
                yield told_of(Cells(line, cells, own, told if isinstance(told, str) else ""))
    if first is not None:
        check_options(layout, layout.name, [*seen, *first])
        if lacking := sorted(_NEEDED - sent):
            said = _in_a_list(lists) if lists else missing(lacking, first, in_json=True)
            raise CommandError(f"{layout.name}: {said}")


def _in_a_list(name: str) -> str:
    path = f".{name}" if name.isidentifier() and name.isascii() else f".[{json.dumps(name)}]"
    return (
        f"has everybody in one column, {name!r}; write one object on each line (JSON Lines), "
        f"as with jq -c '{path}[]'"
    )


def _list_in(found: Mapping[str, Any]) -> str | None:
    """Name the column that holds objects, where a whole export is one object."""
    return next(
        (
            name
            for name, content in found.items()
            if isinstance(content, list) and any(isinstance(one, dict) for one in content)
        ),
        None,
    )


def _parsed(layout: Layout, text: str) -> dict[str, Any]:
    if UNDECODED.search(text):
        raise CellError(layout.not_decoded)
    try:
        found = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise CellError("is not a JSON value; write one object on each line") from None
    if not isinstance(found, dict):
        raise CellError('is not a JSON object; write {"Email Address": ..., "First Name": ...}')
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {clean_name(name): content for name, content in pairs}
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
    if isinstance(content, float) and _digits(content) > _SURE_DIGITS:
        raise CellError(f"{name}: has more digits than such a number keeps; put it in quotes")
    return number_text(content)


def _digits(number: float) -> int:
    """Count the digits of a number as it is written without an exponent, without zeros before them."""
    return len(format(Decimal(repr(number)), "f").replace(".", "").lstrip("-0"))
