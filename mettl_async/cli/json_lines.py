"""Rows of JSON Lines: one candidate in each line."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from mettl_async.cli.columns import (
    COMPENSATORY_TIME,
    EMAIL,
    FIRST_NAME,
    UNDECODED,
    Layout,
    check_options,
    mapped_twice,
)
from mettl_async.cli.problems import CommandError
from mettl_async.cli.rows import BadRow, CellError, Cells, number_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def json_rows(layout: Layout, lines: Iterable[str]) -> Iterator[Cells | BadRow]:
    """Read line by line; blank lines, and objects whose texts are all empty, are skipped.

    Numbers and booleans in optional columns are taken as text, whole numbers without ``.0``.

    Raises:
        CommandError: At the end, if no object had a column that is mapped or left out.
    """
    seen: set[str] = set()
    first: tuple[str, ...] | None = None
    for line, text in _numbered(layout, lines):
        if not text.strip():
            continue
        if UNDECODED.search(text):
            yield BadRow(line, layout.not_decoded)
            continue
        try:
            found = _as_object(json.loads(text, object_pairs_hook=_object))
            first = tuple(found) if first is None else first
            seen |= (layout.mapping.keys() | layout.drop) & found.keys()
            cells = _cells(_renamed(found, layout))
            layout.note_columns(cells)
        except (ValueError, RecursionError):
            yield BadRow(line, "is not a JSON value; write one object on each line")
        except CellError as error:
            yield BadRow(line, str(error))
        else:
            if any(map(str.strip, cells.values())):
                yield Cells(line, cells, found)
    if first is not None:
        check_options(layout, layout.name, [*seen, *first])


def _numbered(layout: Layout, lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    line = 0
    try:
        for line, text in enumerate(lines, 1):
            yield line, text
    except UnicodeDecodeError:
        raise CommandError(
            f"{layout.name}: is not {layout.encoding} somewhere after line {line}"
        ) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CellError("names a column twice; remove one")
    return found


def _as_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CellError('is not a JSON object; write {"Email Address": ..., "First Name": ...}')
    return value


def _renamed(found: dict[str, Any], layout: Layout) -> dict[str, Any]:
    if not layout.mapping and not layout.drop:
        return found
    result: dict[str, Any] = {}
    for name, content in found.items():
        if name in layout.drop:
            continue
        target = layout.mapping.get(name, name)
        if target in result:
            raise CellError(mapped_twice(target))
        result[target] = content
    return result


def _cells(found: dict[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, content in found.items():
        if name == COMPENSATORY_TIME and type(content) is int:
            cells[name] = str(content)
        elif isinstance(content, str):
            cells[name] = content
        elif content is not None:
            cells[name] = _text(name, content)
    return cells


def _text(name: str, content: object) -> str:
    if name in (EMAIL, FIRST_NAME, COMPENSATORY_TIME) or not isinstance(content, (int, float)):
        raise CellError(f"{name}: is not text; put it in quotes")
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, float) and not isfinite(content):
        raise CellError(f"{name}: is not a finite number; put text in quotes")
    return number_text(content)
