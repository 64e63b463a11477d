"""The sheet of an XLSX as a stream of rows."""

import re
from collections.abc import Iterator, Sequence
from typing import IO, Final
from xml.parsers.expat import XMLParserType

from attrs import define, evolve, field, frozen

from mettl_async.cli.reading.workbooks.cell import ERROR, NOT_COMPUTED, PLACEHOLDER, Cell
from mettl_async.cli.reading.workbooks.sheet import (
    MOST_COLUMNS,
    MOST_ROWS,
    Area,
    DamagedError,
    SheetContent,
    SheetRow,
    column_place,
)
from mettl_async.cli.reading.workbooks.xlsx_plain import PlainRows
from mettl_async.cli.reading.workbooks.xlsx_styles import Style
from mettl_async.cli.reading.workbooks.xml_shortcut import Shortcut
from mettl_async.cli.reading.workbooks.xml_stream import feed, parser

TRUE: Final = frozenset({"1", "true", "on"})
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DIGITS: Final = "0123456789"
_X14: Final = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
_SQREF: Final = "http://schemas.microsoft.com/office/excel/2006/main sqref"
_PICTURES: Final = ("iconSet", "dataBar")
_AREA: Final = re.compile(r"\$?([A-Z]+)\$?([0-9]+)(?::\$?([A-Z]+)\$?([0-9]+))?")


def unescaped(text: str) -> str:
    """Read ``_x000D_``, the way in which the format writes characters that XML cannot have."""
    if "_x" not in text:
        return text
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    # Halves of characters beyond U+FFFF, each escaped by itself.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@frozen
class SheetContext:
    """What the cells of a sheet refer to.

    Attributes:
        strings: Shared texts.
        styles: Cell styles.
        versioned: Whether the program that wrote the workbook has given its version, as Excel does.
        recomputed: Whether the workbook asks to be computed anew, so that a 0 may stand for nothing.
        restyling: Places of the formats of rules that change what numbers show.
    """

    strings: Sequence[str] = field(repr=False)
    styles: Sequence[Style] = field(repr=False)
    versioned: bool = True
    recomputed: bool = False
    restyling: frozenset[int] = frozenset()


def sheet_content(stream: IO[bytes], context: SheetContext) -> SheetContent:
    """Read a sheet, which is closed at the end."""
    content = SheetContent(iter(()))
    reader = _Reader(context, content)
    return evolve(content, rows=_rows(stream, reader))


def _rows(stream: IO[bytes], reader: "_Reader") -> Iterator[SheetRow]:
    with stream:
        try:
            for _ in feed(reader.parser, stream, reader.shortcut):
                yield from reader.rows
                reader.rows.clear()
        # Broken numbers and references, whose words would quote cells.
        except (ValueError, IndexError, KeyError, OverflowError):
            raise DamagedError from None


@define(eq=False)
class _Reader:
    """The parser's handlers, and what they know."""

    context: SheetContext
    content: SheetContent
    rows: list[SheetRow] = field(factory=list, init=False)
    parser: XMLParserType = field(init=False)
    shortcut: Shortcut = field(init=False)
    _plain: PlainRows = field(init=False)
    _line: int = field(default=0, init=False)
    _ruled: str = field(default="", init=False)
    _later: bool = field(default=False, init=False)
    _restyles: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.parser = parser(self._root)
        self._plain = PlainRows(self.context.strings, self.context.styles)
        self.shortcut = Shortcut(self.parser, b"</row>", self._plain.take)

    def _root(self, name: str, _: dict[str, str]) -> None:
        """Take the namespace from the first element: that of the standard or of Strict Open XML."""
        space, _blank, kind = name.rpartition(" ")
        if kind != "worksheet":
            raise DamagedError
        self._use(space)

    def _use(self, space: str) -> None:  # noqa: C901, PLR0915 - one loop's worth of closures, for speed
        made, strings, styles = self.parser, self.context.strings, self.context.styles
        plain, taken = self._plain, self._plain.taken
        pieces: list[str] = []
        row_, cell_, value_, formula_, text_, reading_ = (
            f"{space} {kind}" for kind in ("row", "c", "v", "f", "t", "rPh")
        )

        def begin_text(_: dict[str, str]) -> None:
            pieces.clear()
            made.CharacterDataHandler = pieces.append

        others = {
            f"{space} mergeCell": self._merge,
            f"{space} col": self._column,
            f"{space} conditionalFormatting": self._ruled_cells,
            f"{space} cfRule": self._rule,
            **{f"{one} {kind}": self._picture for one in (space, _X14) for kind in _PICTURES},
            f"{_X14} conditionalFormatting": self._later_rules,
            f"{space} numFmt": self._format_of_rule,
            _SQREF: begin_text,
        }
        by_key = {str(place): style for place, style in enumerate(styles)}
        cells: list[Cell] = []
        attributes: dict[str, str] = {}
        row: dict[str, str] = {}
        formula = valued = False
        ignored = 0
        places: dict[str, int] = {}

        def start(name: str, given: dict[str, str]) -> None:
            nonlocal attributes, formula, valued, row, cells, ignored
            if name == cell_:
                attributes, formula, valued = given, False, False
                pieces.clear()
            elif name == value_ or (name == text_ and not ignored):
                valued = True
                made.CharacterDataHandler = pieces.append
            elif name == formula_:
                formula = True
            elif name == row_:
                row, cells = given, plain.next_cells() if taken else []
            elif name == reading_:
                ignored += 1
            elif name in others:
                others[name](given)

        def value() -> Cell:
            text, kind = "".join(pieces), attributes.get("t", "n")
            key = attributes.get("s", "0")
            style = by_key.get(key) or styles[_index(key)]
            if kind == "n" and text and not formula:
                return style.numbers[text]
            if kind != "s":
                return self._other(kind, text, style, formula=formula, valued=valued)
            if not text:
                return ""
            shared = strings[int(text) if text[0] != "-" else _index(text)]
            return shared if style.text is None or not shared else style.text(shared)

        def end(name: str) -> None:
            nonlocal ignored
            if name == cell_:
                cell = value()
                where = attributes.get("r")
                if where is not None:
                    letters = where.rstrip(_DIGITS)
                    place = places.get(letters)
                    if place is None:
                        place = places[letters] = column_place(letters)
                    if place != len(cells):
                        _fill(cells, place)
                cells.append(cell)
            elif name in {value_, text_}:
                made.CharacterDataHandler = None
            elif name == row_:
                self._end_row(row, cells)
                self.shortcut.ended()
            elif name == reading_:
                ignored -= 1
            elif name == _SQREF:
                made.CharacterDataHandler = None
                self._later_cells("".join(pieces))

        made.StartElementHandler = start
        made.EndElementHandler = end

    def _other(self, kind: str, text: str, style: Style, *, formula: bool, valued: bool) -> Cell:
        if formula and not text and not self._is_computed(kind, valued=valued):
            return NOT_COMPUTED
        if kind in {"str", "inlineStr"}:
            text = unescaped(text)
            return text if style.text is None or not text else style.text(text)
        if kind == "n" and text:
            # Some programs write formulas without computing them, with 0 in the place of values.
            return PLACEHOLDER if self.context.recomputed and text == "0" else style.numbers[text]
        if kind == "n":
            return ""
        if kind == "b":
            return "TRUE" if text.strip() in TRUE else "FALSE"
        if kind == "e":
            return evolve(ERROR, text=text)
        if kind == "d":
            return style.date(text) if text else ""
        raise DamagedError

    def _is_computed(self, kind: str, *, valued: bool) -> bool:
        """Tell whether an empty value was found, or is the place of one: openpyxl leaves it so."""
        return valued and (kind == "str" or self.context.versioned)

    def _end_row(self, row: dict[str, str], cells: list[Cell]) -> None:
        line = int(row["r"]) if "r" in row else self._line + 1
        if not self._line < line <= MOST_ROWS or len(cells) > MOST_COLUMNS:
            raise DamagedError
        self._line = line
        hidden = row.get("hidden") in TRUE
        flat = row.get("ht") is not None and float(row["ht"]) == 0
        self.rows.append(SheetRow(line, hidden or flat, cells))

    def _column(self, given: dict[str, str]) -> None:
        flat = given.get("width") is not None and float(given["width"]) == 0
        if given.get("hidden") in TRUE or flat:
            self.content.hidden.append(range(int(given["min"]) - 1, int(given["max"])))

    def _merge(self, given: dict[str, str]) -> None:
        self.content.merged.append(_area(given["ref"]))

    def _ruled_cells(self, given: dict[str, str]) -> None:
        self._ruled = given.get("sqref", "")

    def _rule(self, given: dict[str, str]) -> None:
        if int(given.get("dxfId", "-1")) in self.context.restyling:
            self.content.restyled.extend(map(_area, self._ruled.split()))

    def _picture(self, given: dict[str, str]) -> None:
        """Take an icon or a bar, which may stand in the place of the number."""
        if given.get("showValue", "1") in TRUE:
            return
        if self._later:
            self._restyles = True
        else:
            self.content.restyled.extend(map(_area, self._ruled.split()))

    def _later_rules(self, _: dict[str, str]) -> None:
        """Begin rules of Excel since 2010, which name their cells behind them, and hold their formats."""
        self._later, self._restyles = True, False

    def _format_of_rule(self, given: dict[str, str]) -> None:
        self._restyles = self._restyles or given.get("formatCode") != "General"

    def _later_cells(self, text: str) -> None:
        if self._restyles:
            self.content.restyled.extend(map(_area, text.split()))


def _area(text: str) -> Area:
    found = _AREA.fullmatch(text)
    if found is None:
        raise DamagedError
    left, top, right, bottom = found.groups()
    return Area(int(top), column_place(left), int(bottom or top), column_place(right or left))


def _index(text: str) -> int:
    if text.startswith("-"):
        raise DamagedError
    return int(text)


def _fill(cells: list[Cell], place: int) -> None:
    """Add the cells that a row leaves out before a place."""
    if place < len(cells):
        raise DamagedError
    cells.extend([""] * (place - len(cells)))
