"""Conditional formats of ODS: cells whose text in the file is not what the sheet shows.

LibreOffice writes the text of a cell without them, and each twice: as maps of the cell's style, which other
programs know too, and at the end of the sheet.
"""

import re
from typing import Final

from attrs import define, field

from mettl_async.cli.reading.workbooks.sheet import Area, DamagedError, SheetContent, column_place

_STYLE: Final = "urn:oasis:names:tc:opendocument:xmlns:style:1.0 "
_RULES: Final = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 "
_PICTURES: Final = frozenset({f"{_RULES}icon-set", f"{_RULES}data-bar"})
_SHEET: Final = re.compile(r"'(?:[^']|'')*'")
_CELL: Final = re.compile(r"\.\$?([A-Z]+)\$?([0-9]+)")


@define(eq=False)
class Styles:
    """The cell styles of a workbook, as far as they tell what numbers show.

    Attributes:
        ruled: Styles of cells with a rule that changes it.
    """

    ruled: set[str] = field(factory=set, init=False)
    _parents: dict[str, str] = field(factory=dict, init=False)
    _formats: dict[str, str] = field(factory=dict, init=False)
    _rules: list[tuple[str, str]] = field(factory=list, init=False)
    _style: str = field(default="", init=False)

    def start(self, name: str, given: dict[str, str]) -> None:
        """Begin an element of the styles."""
        if name == f"{_STYLE}style":
            is_cells = given.get(f"{_STYLE}family") == "table-cell"
            self._style = given.get(f"{_STYLE}name", "") if is_cells else ""
            if self._style:
                self._parents[self._style] = given.get(f"{_STYLE}parent-style-name", "")
                self._formats[self._style] = given.get(f"{_STYLE}data-style-name", "")
        elif name == f"{_STYLE}map" and self._style:
            self._rules.append((self._style, given.get(f"{_STYLE}apply-style-name", "")))
        elif not name.startswith(_STYLE):
            self._style = ""  # of a number's own style, whose maps are its sections

    def end(self) -> None:
        """End the styles: all are known."""
        self.ruled |= {cells for cells, applied in self._rules if self.restyles(applied, of=cells)}

    def restyles(self, applied: str, *, of: str = "") -> bool:
        """Tell whether a style that a rule applies changes what numbers show in cells of another."""
        found = self._format(applied)
        return bool(found) and found != self._format(of)

    def _format(self, style: str) -> str:
        seen: set[str] = set()
        while style and style not in seen:
            seen.add(style)
            if found := self._formats.get(style):
                return found
            style = self._parents.get(style, "")
        return ""


@define(eq=False)
class Rules:
    """The rules of a sheet, noted in its content as it is read."""

    styles: Styles
    content: SheetContent
    _columns: list[tuple[range, str]] = field(factory=list, init=False)
    _areas: dict[tuple[str, int], Area] = field(factory=dict, init=False)
    _where: str = field(default="", init=False)

    def column(self, places: range, style: str | None) -> None:
        """Note the style of the cells of some columns that have none of their own."""
        if style in self.styles.ruled:
            self._columns.append((places, str(style)))

    def number(self, line: int, left: int, count: int, style: str | None) -> None:
        """Note some cells in a row that hold the same number.

        Args:
            line: The row.
            left: The first of them.
            count: How many.
            style: Theirs or the row's; None for that of the column.
        """
        for place in range(left, left + count if self.styles.ruled else left):
            found = style or next((one for places, one in self._columns if place in places), "")
            if found in self.styles.ruled:
                before = self._areas.get((found, place))
                top = line if before is None else before.top
                self._areas[found, place] = Area(top, place, line, place)

    def start(self, name: str, given: dict[str, str]) -> None:
        """Begin an element of the rules at the end of a sheet."""
        if name == f"{_RULES}conditional-format":
            self._where = given.get(f"{_RULES}target-range-address", "")
        elif name in _PICTURES and given.get(f"{_RULES}show-value") == "false":
            self.content.restyled.extend(_areas(self._where))

    def end(self) -> None:
        """End the sheet."""
        self.content.restyled.extend(self._areas.values())


def _areas(text: str) -> list[Area]:
    areas = []
    for one in _SHEET.sub("", text).split():
        cells = [(column_place(letters), int(line)) for letters, line in _CELL.findall(one)]
        if not cells:
            raise DamagedError
        areas.append(Area(cells[0][1], cells[0][0], cells[-1][1], cells[-1][0]))
    return areas
