"""A sheet of a workbook, whatever the format of its file: rows of cells, merged areas, hidden columns."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import field, frozen

from mettl_async.cli.reading.workbooks.cell import Cell

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384


class DamagedError(Exception):
    """A file that is no workbook of its format; its words never quote cells."""


@frozen
class SheetRow:
    """A row that is in the file, with its number from 1."""

    line: int
    hidden: bool
    cells: Sequence[Cell] = field(repr=False)


@frozen
class Area:
    """A range of merged cells: rows from 1, columns from 0, each with its last."""

    top: int
    left: int
    bottom: int
    right: int

    def __str__(self) -> str:
        return f"{cell_name(self.top, self.left)}:{cell_name(self.bottom, self.right)}"


@frozen
class SheetContent:
    """The content of a sheet.

    Attributes:
        rows: In their order, read once.
        merged: Merged areas, once all rows were read.
        hidden: Hidden columns, as ranges, once all rows were read.
        restyled: Areas with a rule that changes what numbers show, once all rows were read.
    """

    rows: Iterator[SheetRow]
    merged: list[Area] = field(factory=list)
    hidden: list[range] = field(factory=list)
    restyled: list[Area] = field(factory=list)


@frozen
class SheetName:
    """A worksheet's name, and whether the user can see it."""

    title: str
    visible: bool


class Book(Protocol):
    """An open workbook."""

    @property
    def sheets(self) -> Sequence[SheetName]:
        """Name the worksheets in their order; without charts and macros."""

    def read(self, place: int) -> SheetContent:
        """Read a sheet from the beginning.

        Raises:
            DamagedError: While the rows are read.
        """

    def close(self) -> None:
        """Give up what it holds; the file stays open."""


def column_name(place: int) -> str:
    """Name a column as sheets do: 0 is A."""
    name = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def cell_name(line: int, place: int) -> str:
    """Name a cell as sheets do: C2."""
    return f"{column_name(place)}{line}"


def column_place(letters: str) -> int:
    """Find the place of a column by its name; 0 is A.

    Raises:
        DamagedError: There is no such column.
    """
    place = 0
    for letter in letters:
        if not "A" <= letter <= "Z":
            raise DamagedError
        place = place * 26 + ord(letter) - ord("A") + 1
        if place > MOST_COLUMNS:
            raise DamagedError
    return place - 1
