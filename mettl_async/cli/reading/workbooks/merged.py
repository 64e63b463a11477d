"""Merged cells of a table: one value that several rows show, but only the first one has."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import frozen

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.doubts import Choice, DoubtError
from mettl_async.cli.reading.kept_rows import KeptRow
from mettl_async.cli.reading.workbooks.cell import LOST
from mettl_async.cli.reading.workbooks.sheet import Area

_SHOWN: Final = 3


@frozen
class Fill:
    """A value for each row of an area; None if its first row cannot be read."""

    area: Area
    value: str | None


def areas_of_table(
    areas: Iterable[Area], names: Sequence[str | None], first: int, last: int
) -> list[Area]:
    """Choose the areas that say something about people: over several rows or columns that are sent."""
    chosen = []
    for area in areas:
        sent = [one for one in range(area.left, area.right + 1) if _is_sent(names, one)]
        if not sent or area.bottom < first or area.top > last:
            continue
        if area.top != area.bottom or len(sent) > 1:
            chosen.append(area)
    return sorted(chosen, key=lambda area: (area.top, area.left))


def _is_sent(names: Sequence[str | None], place: int) -> bool:
    return place < len(names) and names[place] is not None


def fills_of(
    name: str, header: int, areas: Sequence[Area], rows: Iterable[KeptRow], *, fill: bool
) -> list[Fill]:
    """Find the values of merged areas that have one.

    Args:
        name: Of the file, for messages.
        header: The row that names the columns.
        areas: Those of the table.
        rows: Of the table.
        fill: Whether the user has said that a value counts for each row.

    Raises:
        CommandError: The header is merged, or cells of several columns are.
        DoubtError: The user has not said what such a value counts for.
    """
    for area in areas:
        if area.top <= header:
            raise CommandError(
                f"{name}: the cells {area} of the header are merged; unmerge them, and name each column "
                "in one row"
            )
    if not areas:
        return []
    filled = list(_with_values(areas, rows))
    for one in filled:
        if one.area.left != one.area.right:
            raise CommandError(
                f"{name}: the cells {one.area} of several columns are merged; unmerge them"
            )
    if filled and not fill:
        raise _doubt(name, filled)
    return filled


def _with_values(areas: Sequence[Area], rows: Iterable[KeptRow]) -> Iterator[Fill]:
    """Give the areas in which there is anything, be it in cells that nobody sees."""
    waiting = list(reversed(areas))
    values: dict[Area, str | None] = {}
    found: set[Area] = set()
    open_: list[Area] = []
    for line, texts, problem in rows:
        while waiting and waiting[-1].top <= line:
            open_.append(waiting.pop())
        open_ = [one for one in open_ if one.bottom >= line]
        for area in open_:
            if line == area.top:
                text = texts[area.left] if area.left < len(texts) else ""
                values[area] = None if problem else text
            if problem or any(map(str.strip, texts[area.left : area.right + 1])):
                found.add(area)
    return (Fill(area, values.get(area, "")) for area in areas if area in found)


def _doubt(name: str, fills: Sequence[Fill]) -> DoubtError:
    shown = [f"{one.area}: {one.value!r} in each row" for one in fills if one.value is not None]
    areas = ", ".join(str(one.area) for one in fills[:_SHOWN])
    more = f" and {len(fills) - _SHOWN:,} more" if len(fills) > _SHOWN else ""
    return DoubtError(
        f"{name}: cells are merged ({areas}{more}), so that only their first rows have the value; "
        "unmerge them, or let it count for each row",
        [Choice("merged_cells", "fill", tuple(shown[:_SHOWN]))],
    )


def filled_rows(rows: Iterable[KeptRow], fills: Sequence[Fill]) -> Iterator[KeptRow]:
    """Put the values of merged areas into each of their rows."""
    waiting = list(reversed(fills))  # by their first rows
    open_: list[Fill] = []
    for line, texts, problem in rows:
        while waiting and waiting[-1].area.top <= line:
            open_.append(waiting.pop())
        open_ = [one for one in open_ if one.area.bottom >= line]
        yield (line, *_filled(line, texts, problem, open_)) if open_ else (line, texts, problem)


def _filled(
    line: int, texts: list[str], problem: str, fills: Sequence[Fill]
) -> tuple[list[str], str]:
    texts = list(texts)
    for one in fills:
        place = one.area.left
        texts.extend([""] * (place + 1 - len(texts)))
        if one.value is not None:
            texts[place] = one.value
        elif line != one.area.top:
            texts[place] = LOST
            problem = problem or f"the merged cells {one.area} cannot be read; mend the first one"
    return texts, problem
