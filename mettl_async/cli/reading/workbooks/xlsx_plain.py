"""The plain rows of XLSX, as most programs write them: found by one expression.

A parser that calls Python for each element takes most of the time of reading. What the expression does not
match to the letter is the parser's.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from attrs import define, field, frozen

from mettl_async.cli.reading.workbooks.cell import Cell
from mettl_async.cli.reading.workbooks.sheet import DamagedError, column_place
from mettl_async.cli.reading.workbooks.xlsx_styles import Style
from mettl_async.cli.reading.workbooks.xml_shortcut import Shortcut

# Numbers and places of shared texts only; no formulas, no texts, no escapes.
_CELL: Final = (
    r'<c r="([A-Z]{1,3})[0-9]{1,7}"(?: s="([0-9]{1,5})")?'
    r'(?: t="(n|s(?="/>|"><v>[0-9]+<))")?(?:/>|><v>([0-9.E+-]{1,30})</v></c>)'
)
_CELLS: Final = re.compile(_CELL, re.ASCII)
# The parser has the tags of the row, for what they say and because it must see that all tags are closed.
_ROW: Final = re.compile(
    r'[ \t\r\n]*(<row(?: (?!xmlns)[A-Za-z0-9:]+="[^"<>&]*")*>)((?:{cell})*+)</row>'.replace(
        "{cell}", re.sub(r"\((?!\?)", "(?:", _CELL)
    ).encode()
)
_REMEMBERED: Final = 100

Convert = Callable[[str], Cell]


@frozen
class _Plan:
    """How the cells of rows are read that have them in the same columns and styles.

    Attributes:
        converts: One for each cell that is there; None if each is a shared text as it is.
        gaps: Places of the cells that are left out.
    """

    converts: Sequence[Convert] | None
    gaps: Sequence[int]


@define(eq=False)
class PlainRows:
    """Takes the cells out of plain rows, so that the parser has only the tags of these.

    Attributes:
        strings: Shared texts.
        styles: Cell styles.
        taken: Cells of the rows whose tags the parser has not reached yet.
    """

    strings: Sequence[str] = field(repr=False)
    styles: Sequence[Style] = field(repr=False)
    taken: deque[bytes] = field(factory=deque, init=False, repr=False)
    _plans: dict[tuple[tuple[str, ...], ...], _Plan] = field(factory=dict, init=False, repr=False)

    def take(self, shortcut: Shortcut, held: bytes, place: int) -> int:
        """See `Shortcut.take`."""
        tags = []
        while found := _ROW.match(held, place):
            tag, cells = found.groups()
            tags.append(tag)
            self.taken.append(cells)
            place = found.end()
        if tags:
            shortcut.parse(b"</row>".join([*tags, b""]))
            if self.taken:
                raise DamagedError
        return place

    def next_cells(self) -> list[Cell]:
        """Read the cells of the row that the parser is in.

        Raises:
            DamagedError: Their places are out of order.
            LookupError: There is no such style or text.
            ValueError: A number is none.
        """
        found = _CELLS.findall(self.taken.popleft().decode())
        if not found:
            return []
        *key, texts = zip(*found, strict=True)
        plan = self._plans.get(tuple(key))
        if plan is None:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            plan = self._plans[tuple(key)] = self._plan(*key)
        if plan.converts is None:
            strings = self.strings
            cells: list[Cell] = [strings[int(text)] if text else "" for text in texts]
        else:
            cells = [
                convert(text) if text else ""
                for convert, text in zip(plan.converts, texts, strict=True)
            ]
        for place in plan.gaps:
            cells.insert(place, "")
        return cells

    def _plan(self, columns: Sequence[str], styles: Sequence[str], kinds: Sequence[str]) -> _Plan:
        places = list(map(column_place, columns))
        if any(place >= after for place, after in pairwise(places)):
            raise DamagedError
        there = frozenset(places)
        gaps = [place for place in range(places[-1]) if place not in there]
        chosen = [self.styles[int(style or "0")] for style in styles]
        if all(kind == "s" for kind in kinds) and all(style.text is None for style in chosen):
            return _Plan(None, gaps)
        converts = [
            self._shared(style) if kind == "s" else style.numbers.__getitem__
            for kind, style in zip(kinds, chosen, strict=True)
        ]
        return _Plan(converts, gaps)

    def _shared(self, style: Style) -> Convert:
        strings, show = self.strings, style.text
        if show is None:
            return lambda text: strings[int(text)]

        def shown(text: str) -> Cell:
            shared = strings[int(text)]
            return show(shared) if shared else shared

        return shown
