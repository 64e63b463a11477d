"""ODS, the sheets of LibreOffice, read as a stream; what a cell shows stands in the file as text."""

import re
from collections.abc import Iterator
from typing import IO, Final
from zipfile import ZipFile

from attrs import define, evolve, field

from mettl_async.cli.reading.workbooks.cell import Cell
from mettl_async.cli.reading.workbooks.ods_cells import cell_of
from mettl_async.cli.reading.workbooks.ods_rules import Rules, Styles
from mettl_async.cli.reading.workbooks.sheet import (
    MOST_COLUMNS,
    MOST_ROWS,
    Area,
    DamagedError,
    SheetContent,
    SheetName,
    SheetRow,
)
from mettl_async.cli.reading.workbooks.xml_stream import feed, parser

_PREFIX: Final = "urn:oasis:names:tc:opendocument:xmlns:"
_TABLE: Final = f"{_PREFIX}table:1.0 "
_TEXT: Final = f"{_PREFIX}text:1.0 "
_STYLE: Final = f"{_PREFIX}style:1.0 "
_SHOWN_BY_FORMATS: Final = frozenset(
    f"{_PREFIX}office:1.0 {kind}" for kind in ("value", "date-value", "time-value")
)
_HIDDEN: Final = frozenset({"collapse", "filter"})
_BLANKS: Final = re.compile(r"[ \t\r\n]+")


@define(eq=False)
class OdsBook:
    """A workbook in an open zip archive.

    Raises:
        DamagedError: Its content is not there, or not XML.
    """

    _parts: ZipFile
    sheets: list[SheetName] = field(factory=list, init=False)
    _styles: Styles = field(factory=Styles, init=False)

    def __attrs_post_init__(self) -> None:
        if "styles.xml" in self._parts.NameToInfo:
            with self._parts.open("styles.xml") as stream:
                for _ in feed(parser(self._styles.start), stream):
                    pass
        style = ""
        hidden: set[str] = set()

        def start(name: str, given: dict[str, str]) -> None:
            nonlocal style
            if not self.sheets:  # which come after the styles
                self._styles.start(name, given)
            if name == f"{_STYLE}style":
                style = given.get(f"{_STYLE}name", "")
            elif name == f"{_STYLE}table-properties" and given.get(f"{_TABLE}display") == "false":
                hidden.add(style)
            elif name == f"{_TABLE}table":
                visible = given.get(f"{_TABLE}style-name") not in hidden
                self.sheets.append(SheetName(given.get(f"{_TABLE}name", ""), visible))

        with self._open() as stream:
            for _ in feed(parser(start), stream):
                pass
        self._styles.end()

    def read(self, place: int) -> SheetContent:
        """See `Book`."""
        content = SheetContent(iter(()))
        rules = Rules(self._styles, content)
        return evolve(content, rows=_rows(self._open(), place, content, rules))

    def close(self) -> None:
        """See `Book`."""
        self._parts.close()

    def _open(self) -> IO[bytes]:
        try:
            return self._parts.open("content.xml")
        except KeyError:
            raise DamagedError from None


def _rows(stream: IO[bytes], place: int, content: SheetContent, rules: Rules) -> Iterator[SheetRow]:
    reader = _Reader(place, content, rules)
    with stream:
        try:
            made = parser(reader.start, reader.end)
            made.CharacterDataHandler = reader.text
            for _ in feed(made, stream):
                yield from reader.rows
                reader.rows.clear()
                if reader.done:
                    return
        except (ValueError, OverflowError):  # broken numbers, whose words would quote cells
            raise DamagedError from None


@define(eq=False)
class _Reader:
    """The parser's handlers, and what they know."""

    place: int
    content: SheetContent
    rules: Rules
    rows: list[SheetRow] = field(factory=list, init=False)
    done: bool = field(default=False, init=False)
    _table: int = field(default=-1, init=False)
    _line: int = field(default=1, init=False)
    _column: int = field(default=0, init=False)
    _row: dict[str, str] = field(factory=dict, init=False)
    _cells: list[Cell] = field(factory=list, init=False)
    _blank: int = field(default=0, init=False)
    _cell: dict[str, str] | None = field(default=None, init=False)
    _depth: int = field(default=0, init=False)
    _paragraphs: list[str] = field(factory=list, init=False)
    _pieces: list[str] = field(factory=list, init=False)

    def start(self, name: str, given: dict[str, str]) -> None:
        """Begin an element."""
        if name == f"{_TABLE}table":
            if self._cell is not None:
                raise DamagedError  # a table in a cell
            self._table += 1
        if self._table != self.place or self.done:
            return
        if self._cell is not None:
            self._inside(name, given)
        elif name in {f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"}:
            self._cell, self._depth = given, 0
            self._paragraphs.clear()
        elif name == f"{_TABLE}table-row":
            self._row, self._cells, self._blank = given, [], 0
        elif name == f"{_TABLE}table-column":
            count = _repeated(given, "columns")
            if given.get(f"{_TABLE}visibility") in _HIDDEN:
                self.content.hidden.append(range(self._column, self._column + count))
            places = range(self._column, self._column + count)
            self.rules.column(places, given.get(f"{_TABLE}default-cell-style-name"))
            self._column += count
        else:
            self.rules.start(name, given)

    def end(self, name: str) -> None:
        """End an element."""
        if self._table != self.place or self.done:
            return
        if self._cell is not None and self._depth:
            if self._depth == 1 and name == f"{_TEXT}p":
                self._paragraphs.append("".join(self._pieces))
            self._depth -= 1
        elif self._cell is not None:
            self._end_cell(self._cell, covered=name == f"{_TABLE}covered-table-cell")
            self._cell = None
        elif name == f"{_TABLE}table-row":
            self._end_row()
        elif name == f"{_TABLE}table":
            self.rules.end()
            self.done = True

    def text(self, text: str) -> None:
        """Take a piece of text; line ends and rows of spaces in the file count as one space."""
        if self._cell is not None and self._depth:
            self._pieces.append(_BLANKS.sub(" ", text))

    def _inside(self, name: str, given: dict[str, str]) -> None:
        """Begin an element of a cell: of its own text, or of a comment or a drawing, which are none."""
        self._depth += 1
        if self._depth == 1:
            self._pieces = []
        elif name == f"{_TEXT}s":
            self._pieces.append(" " * min(int(given.get(f"{_TEXT}c", "1")), MOST_COLUMNS))
        elif name == f"{_TEXT}tab":
            self._pieces.append("\t")
        elif name == f"{_TEXT}line-break":
            self._pieces.append("\n")

    def _end_cell(self, given: dict[str, str], *, covered: bool) -> None:
        count = _repeated(given, "columns")
        shown = "\n".join(self._paragraphs) if self._paragraphs else None
        cell = "" if covered else cell_of(given, shown)
        if cell == "":
            self._blank += count
            return
        self._cells.extend([""] * self._blank)
        self._blank = 0
        left = len(self._cells)
        if left + count > MOST_COLUMNS:
            raise DamagedError
        self._cells.extend([cell] * count)
        if not _SHOWN_BY_FORMATS.isdisjoint(given):
            style = given.get(f"{_TABLE}style-name") or self._row.get(
                f"{_TABLE}default-cell-style-name"
            )
            self.rules.number(self._line, left, count, style)
        rows, columns = (
            int(given.get(f"{_TABLE}number-{kind}-spanned", "1")) for kind in ("rows", "columns")
        )
        if rows > 1 or columns > 1:
            area = Area(self._line, left, self._line + rows - 1, left + columns - 1)
            self.content.merged.append(area)

    def _end_row(self) -> None:
        count = _repeated(self._row, "rows")
        if self._cells and self._line + count - 1 > MOST_ROWS:
            raise DamagedError
        hidden = self._row.get(f"{_TABLE}visibility") in _HIDDEN
        if self._cells:
            for line in range(self._line, self._line + count):
                self.rows.append(SheetRow(line, hidden, self._cells))
        self._line += count


def _repeated(given: dict[str, str], kind: str) -> int:
    count = int(given.get(f"{_TABLE}number-{kind}-repeated", "1"))
    if count < 1:
        raise DamagedError
    return count
