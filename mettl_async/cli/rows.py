"""From a file of people to candidates, row by row, with the line number of each.

Nothing here keeps more than one row. Messages name lines and columns, never a cell's content.
"""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

EMAIL: Final = "Email Address"
FIRST_NAME: Final = "First Name"
CONTEXT_DATA: Final = "context_data"
COMPENSATORY_TIME: Final = "compensatory_time"
_RECOGNISED: Final = (EMAIL, FIRST_NAME, CONTEXT_DATA, COMPENSATORY_TIME)

CSV_SUFFIXES: Final = (".csv",)
JSON_SUFFIXES: Final = (".jsonl", ".ndjson", ".json-lines")

_COLUMNS: Final = {
    "candidate.email": EMAIL,
    "candidate.first_name": FIRST_NAME,
    "candidate.context_data": CONTEXT_DATA,
    "candidate.compensatory_time": COMPENSATORY_TIME,
}
# What errors="surrogateescape" makes of bytes that are not UTF-8.
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
_HALF: Final = re.compile("[\ud800-\udfff]")
_MINUTES: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS_UTF8: Final = "save the file as UTF-8 (in Excel: CSV UTF-8)"


@frozen
class Row:
    """A person; ``line`` is where the row begins, counted from 1."""

    line: int
    candidate: Candidate = field(repr=False)


@frozen
class BadRow:
    """A row that cannot be sent, and why."""

    line: int
    problem: str


class _CellError(Exception):
    """Column and problem of one cell."""


def is_json_lines(path: Path) -> bool:
    """Tell the format from the extension.

    Raises:
        CommandError: Neither CSV nor JSON Lines.
    """
    suffix = path.suffix.lower()
    if suffix not in CSV_SUFFIXES + JSON_SUFFIXES:
        raise CommandError(
            f"{path}: is neither CSV (.csv) nor JSON Lines ({', '.join(JSON_SUFFIXES)}) by its name"
        )
    return suffix in JSON_SUFFIXES


def read_rows(path: Path) -> Iterator[Row | BadRow]:
    """Read a CSV file with a header, or JSON Lines with one object a line.

    Blank lines, and rows whose cells are all empty, are skipped: spreadsheets leave them at the end.
    Blank cells of optional columns are left out, spaces around emails are dropped.

    Raises:
        CommandError: The file cannot be read, or its header cannot be used.
    """
    json_lines = is_json_lines(path)
    if not path.exists():
        raise CommandError(f"{path}: no such file")
    if not path.is_file():
        raise CommandError(f"{path}: is not a file; it is read twice, so a pipe will not do")
    try:
        with path.open("rb") as raw:
            if raw.read(2) in _UTF16:
                raise CommandError(f"{path}: is UTF-16; {_SAVE_AS_UTF8}")
        # JSON strings may hold U+2028 and the like; only "\n" ends a line there.
        newline = "\n" if json_lines else ""
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline) as lines:
            yield from _json_rows(lines) if json_lines else _csv_rows(path, lines)
    except OSError as error:
        raise CommandError(f"{path}: {os_reason(error)}") from None


def _csv_rows(path: Path, lines: Iterable[str]) -> Iterator[Row | BadRow]:
    reader = csv.reader(lines, strict=True)
    header: Sequence[str] | None = None
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
        if header is None:
            header = cells
            _check_header(path, line, header)
        elif len(cells) != len(header):
            problem = f"has {_count(cells, 'cell')}, the header has {_count(header, 'column')}"
            yield BadRow(line, f"{problem}; a comma too {_much(cells, header)}, or a missing quote")
        else:
            yield _row(line, dict(zip(header, cells, strict=True)))
    if header is None:
        raise CommandError(f"{path}: is empty; the first line must name the columns")


def _csv_problem(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        text = 'a cell is opened with a quote (") that is never closed'
    return f"is not CSV from here on: {text}"


def _count(items: Sequence[str], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _much(cells: Sequence[str], header: Sequence[str]) -> str:
    return "much" if len(cells) > len(header) else "few"


def _check_header(path: Path, line: int, header: Sequence[str]) -> None:
    _check_near_misses(path, line, header)

    def refuse(problem: str) -> None:
        raise CommandError(f"{path}:{line}: {problem}")

    if any(map(_UNDECODED.search, header)):
        refuse(f"the header is not UTF-8; {_SAVE_AS_UTF8}")
    for place, name in enumerate(header, 1):
        if not name.strip():
            refuse(f"column {place} has no name; name it, or remove it")
        if "\0" in name:
            refuse(f"the name of column {place} holds a NUL; this is not a CSV file")
        if name in header[: place - 1]:
            refuse(f"two columns are named {name!r}; remove one")
        if name != name.strip() and name.strip() in _RECOGNISED:
            refuse(f"column {name!r}: remove the spaces around its name")
    for name in (EMAIL, FIRST_NAME):
        if name not in header:
            refuse(f"there is no column {name!r}{_hint(name, header)}")


def _check_near_misses(path: Path, line: int, header: Sequence[str]) -> None:
    """Refuse what was meant for a column of ours: it would silently become a registration field."""
    for name in header:
        for known in (CONTEXT_DATA, COMPENSATORY_TIME):
            if name.strip() != known and _bare(name) == _bare(known):
                raise CommandError(f"{path}:{line}: column {name!r}: rename it to {known!r}")


def _hint(name: str, header: Sequence[str]) -> str:
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            return f"; the cells are separated by {called}: save the file with commas"
    alike = [
        other for other in header if _bare(other) in {_bare(name), _bare(name.split(maxsplit=1)[0])}
    ]
    return f"; rename column {alike[0]!r}" if alike else "; the first line must name the columns"


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def _json_rows(lines: Iterable[str]) -> Iterator[Row | BadRow]:
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if _UNDECODED.search(text):
            yield BadRow(line, "is not UTF-8; save the file as UTF-8")
            continue
        try:
            cells = _json_cells(json.loads(text, object_pairs_hook=_object))
        except (ValueError, RecursionError):
            yield BadRow(line, "is not a JSON value; write one object on each line")
        except _CellError as error:
            yield BadRow(line, str(error))
        else:
            if any(map(str.strip, cells.values())):
                yield _row(line, cells)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _CellError("names a column twice; remove one")
    return found


def _json_cells(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _CellError('is not a JSON object; write {"Email Address": ..., "First Name": ...}')
    cells: dict[str, str] = {}
    for name, content in value.items():
        if name == COMPENSATORY_TIME and type(content) is int:
            cells[name] = str(content)
        elif isinstance(content, str):
            cells[name] = content
        elif content is not None:
            raise _CellError(f"{name}: is not text; put it in quotes")
    return cells


def _row(line: int, cells: Mapping[str, str]) -> Row | BadRow:
    try:
        return Row(line, _candidate(cells))
    except _CellError as error:
        return BadRow(line, str(error))
    except InvalidInputError as error:
        return BadRow(line, _explain(error, cells))


def _candidate(cells: Mapping[str, str]) -> Candidate:
    for name in (EMAIL, FIRST_NAME):
        if not cells.get(name, "").strip():
            raise _CellError(f"{name}: is empty")
    present = {name: cell for name, cell in cells.items() if cell.strip()}
    minutes = present.pop(COMPENSATORY_TIME, None)
    if minutes is not None and not _MINUTES.fullmatch(minutes.strip()):
        raise _CellError(f"{COMPENSATORY_TIME}: is not a whole number of minutes")
    return Candidate(
        email=present.pop(EMAIL).strip(),
        first_name=present.pop(FIRST_NAME),
        context_data=present.pop(CONTEXT_DATA, None),
        compensatory_time=None if minutes is None else int(minutes),
        fields=present,
    )


def _explain(error: InvalidInputError, cells: Mapping[str, str]) -> str:
    for name, cell in cells.items():
        if _UNDECODED.search(cell):
            return f"{name}: is not UTF-8; {_SAVE_AS_UTF8}"
        if "\0" in cell:
            return f"{name}: holds a NUL character; remove it"
        if _HALF.search(cell):
            return (
                f"{name}: holds half of a character (a lone surrogate such as \\ud800); remove it"
            )
    shown = error.field.removeprefix("candidate.fields[").removesuffix("]")
    column = next((name for name in cells if ascii(name) == shown), shown)
    return f"{_COLUMNS.get(error.field, column)}: {error.problem}; {error.fix}"
