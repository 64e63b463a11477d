"""Which sheet of a workbook is read: the named one, or the only one that shows and has a table."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import did_you_mean
from mettl_async.cli.reading.doubts import Choice, DoubtError
from mettl_async.cli.reading.workbooks.cell import Broken, Cell, Unsure
from mettl_async.cli.reading.workbooks.sheet import Book

_COLUMNS: Final = 2  # nobody can be registered with fewer
_ROWS: Final = 2  # the names of the columns, and a person
_SHOWN: Final = 5
_LOOKED_AT: Final = 100  # rows with content
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def choose_sheet(name: str, book: Book, asked: str | None) -> int:
    """Find the place of the sheet to read.

    Raises:
        CommandError: There is no such sheet, or none that shows.
        DoubtError: Several sheets that show have a table.
        DamagedError: A sheet cannot be read.
    """
    titles = [one.title for one in book.sheets]
    if asked is not None:
        if asked in titles:
            return titles.index(asked)
        hint = did_you_mean(asked, titles) or f"; it has {', '.join(map(repr, titles))}"
        raise CommandError(f"{name}: has no sheet {asked!r}{hint}")
    visible = [place for place, one in enumerate(book.sheets) if one.visible]
    if not visible:
        raise CommandError(f"{name}: has no sheet that is not hidden; pass --sheet")
    if len(visible) == 1:
        return visible[0]
    tables = {place: first for place in visible if (first := _first_rows(book, place)) is not None}
    if len(tables) > 1:
        raise DoubtError(
            f"{name}: {len(tables)} sheets have a table: {_listed(titles[one] for one in tables)}",
            [Choice("sheet", titles[place], shown) for place, shown in tables.items()],
        )
    return next(iter(tables), visible[0])


def left_out(book: Book, read: int) -> tuple[str, ...]:
    """Name the other sheets that show."""
    return tuple(
        one.title for place, one in enumerate(book.sheets) if one.visible and place != read
    )


def _listed(titles: Iterable[str]) -> str:
    return ", ".join(map(repr, titles))


def _first_rows(book: Book, place: int) -> tuple[str, ...] | None:
    """Show the first rows of a sheet that has a table; None if it has none."""
    shown: list[str] = []
    table = False
    for row in book.read(place).rows:
        texts = [text for cell in row.cells if (text := text_of(cell).strip())]
        if texts:
            shown.append(" | ".join(" ".join(text.split()) for text in texts[:_SHOWN]))
            if any(map(_ADDRESS.fullmatch, texts)):  # a person, even without a header
                return tuple(shown[-_ROWS:])
            table = table or len(texts) >= _COLUMNS
        if len(shown) >= _ROWS and table:
            return tuple(shown[:_ROWS])
        if len(shown) >= _LOOKED_AT:
            break
    return None


def text_of(cell: Cell) -> str:
    """Write a cell for people, or for what is not sent."""
    if isinstance(cell, Unsure):
        return cell.stored if cell.shown is None else cell.shown
    return cell.text if isinstance(cell, Broken) else cell


def texts_of(cells: Sequence[Cell]) -> list[str]:
    """Write the cells of a row for people, without the empty ones at its end."""
    texts = [text_of(cell) for cell in cells]
    while texts and not texts[-1].strip():
        texts.pop()
    return texts
