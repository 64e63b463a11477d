"""Made-up candidates for the sandbox."""

from collections.abc import Iterator
from typing import Final

from mettl_async.cli.reading.columns import EMAIL, FIRST_NAME, Layout
from mettl_async.cli.reading.rows import BadRow, Cells, Row, row_of

_FIRST: Final = ("Asha", "José", "Zoë", "李", "Олена", "Nguyễn", "आशा", "Siân", "Mehmet", "Ada")
_LAST: Final = ("Rao", "García", "Müller", "王", "Шевченко", "Okafor", "O'Neill")


def made_up_rows(count: int) -> Iterator[Row | BadRow]:
    """Make so many candidates, each with an address of its own that nobody can have."""
    layout = Layout(name="made up")
    return (row_of(layout, cells) for cells in made_up_cells(count))


def made_up_cells(count: int) -> Iterator[Cells]:
    """Make the same candidates, as the cells of a file."""
    for number in range(1, count + 1):
        cells = {
            EMAIL: f"candidate{number}@example.com",
            FIRST_NAME: _FIRST[number % len(_FIRST)],
            "Last Name": _LAST[number % len(_LAST)],
        }
        yield Cells(number, cells, cells)
