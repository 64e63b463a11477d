"""Output of commands: a table on a terminal, tab-separated lines or JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import attrs
import typer

from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.streams import forget
from mettl_async.display import json_text, one_line

Cell = str | int | float | None

_MINUTE = timedelta(minutes=1)


def at_terminal() -> bool:
    """Tell whether stdout is a terminal."""
    return sys.stdout.isatty()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print aligned columns on a terminal, and elsewhere tab-separated lines with a header.

    Control characters are replaced: candidates choose their names and addresses.
    """
    if not at_terminal():
        for row in (columns, *rows):
            print_text("\t".join(printable(cell) for cell in row) + "\n")
        return
    # Not at the top: completing a word and --help need none of it.
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - see above

    texts = list(rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(columns):
        numbers = all(not isinstance(row[place], str) for row in texts)
        # Folded rather than cut: keys and addresses are there to be copied.
        table.add_column(Text(name), overflow="fold", justify="right" if numbers else "left")
    for row in texts:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(highlight=False).print(table)


def print_json(value: object) -> None:
    """Print one JSON document."""
    indent = 2 if at_terminal() else None
    print_text(json_document(value, indent=indent) + "\n")


def json_document(value: object, *, indent: int | None = None) -> str:
    """Write plain data as JSON that is safe to show."""
    return json_text(json.dumps(value, ensure_ascii=False, indent=indent))


def print_text(text: str) -> None:
    """Write to stdout as UTF-8 in any locale, so that a file has what the account has.

    Raises:
        CommandError: The disk behind stdout is full, or the like.
        BrokenPipeError: Nobody reads any more; typer ends the process quietly.
    """
    try:
        typer.echo(text.encode(), nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(sys.stdout)
        raise CommandError(f"stdout cannot be written: {os_reason(error)}") from None


def printable(cell: Cell) -> str:
    """Write a cell in one line of printable characters."""
    if cell is None:
        return ""
    return one_line(str(cell))


def plain(value: object) -> Any:
    """Convert a model to plain JSON data.

    Times become ``2026-01-31T09:30:00Z``, durations minutes, tuples lists; words stay as the server
    wrote them, and what is absent is null, but for an empty ``extra``, which is left out.
    """
    match value:
        case Enum():
            return value.value
        case datetime():
            return utc_text(value)
        case timedelta():
            return number(value / _MINUTE)
        case tuple() | list():
            return [plain(item) for item in value]
        case Mapping():
            names = (getattr(name, "__name__", str(name)) for name in value)
            return {name: plain(item) for name, item in zip(names, value.values(), strict=True)}
    kind: type[Any] = type(value)
    if attrs.has(kind):
        pairs = ((one.name, getattr(value, one.name)) for one in attrs.fields(kind))
        return {name: plain(item) for name, item in pairs if item or name != "extra"}
    return value


def utc_text(moment: datetime) -> str:
    """Write an aware datetime in UTC: ``2026-01-31T09:30:00Z``.

    One at the very ends of the calendar, which is in another year in UTC, keeps its own offset.
    """
    try:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        return moment.isoformat()


def number(value: float) -> int | float:
    """Drop the ``.0`` of whole numbers: marks are floats on the wire, and mostly whole."""
    return int(value) if value == int(value) else value
