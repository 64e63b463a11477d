"""The table of a workbook: read once and kept; what the file alone does not tell is asked."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import IO, Final

from attrs import define, field, frozen

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.characters import clean_name
from mettl_async.cli.reading.columns import (
    EMAIL,
    FIRST_NAME,
    HEADER_WITHIN,
    HiddenRows,
    Layout,
    MergedCells,
    Numbers,
    needed_names,
)
from mettl_async.cli.reading.doubts import Choice, DoubtError
from mettl_async.cli.reading.kept_rows import KeptRows
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.rows import BadRow, Cells, Table, unnamed
from mettl_async.cli.reading.workbooks.books import DAMAGED, damaged, open_book
from mettl_async.cli.reading.workbooks.cell import LOST, Broken, Cell, Unsure
from mettl_async.cli.reading.workbooks.merged import Fill, areas_of_table, filled_rows, fills_of
from mettl_async.cli.reading.workbooks.sheet import SheetContent, SheetRow, cell_name, column_name
from mettl_async.cli.reading.workbooks.sheet_choice import choose_sheet, left_out, text_of, texts_of

_SHOWN: Final = 3
_REFUSED: Final = "(what it shows is not known; its row is refused)"
_NOT_KNOWN: Final = "has a number format of which is not known what it shows; pass --numbers stored"


@frozen
class SheetTable:
    """The table of a sheet.

    Attributes:
        columns: The columns of it.
    """

    columns: Table
    _rows: KeptRows = field(repr=False)
    _fills: Sequence[Fill] = field(repr=False)

    def cells(self) -> Iterator[Cells | BadRow]:
        """Give the rows, as often as they are needed."""
        for line, texts, problem in filled_rows(self._rows, self._fills):
            if problem:
                # The rows of a sheet end anywhere.
                blank = [""] * (len(self.columns.header) - len(texts))
                yield BadRow(line, problem, self.columns.own([*texts, *blank]))
            elif row := self.columns.row(line, texts):
                yield row

    def close(self) -> None:
        """Remove the temporary file."""
        self._rows.close()


def read_table(layout: Layout, file: IO[bytes], options: ReadOptions) -> SheetTable:
    """Read the named sheet, or the only one that has a table and is not hidden; empty rows are skipped.

    Cells are what the sheet shows: numbers by their formats, dates and times by ISO 8601, formulas by the
    value that the last program to save them found.

    Raises:
        CommandError: The workbook is damaged, or has no such sheet or header.
        DoubtError: The file alone does not tell what is meant.
    """
    with closing(open_book(layout.name, file)) as book:
        try:
            place = choose_sheet(layout.name, book, options.sheet)
            others = left_out(book, place)
            reading = _Reading(layout, options, _which(book.sheets[place].title, others))
            try:
                reading.read(book.read(place))
                return reading.table(book.sheets[place].title, others)
            except BaseException:
                reading.rows.close()
                raise
        except DAMAGED:
            raise damaged(layout.name) from None


def _which(read: str, others: Sequence[str]) -> str:
    if not others:
        return f"{read!r} is the only sheet"
    return f"sheet {read!r} was read; for {' or '.join(map(repr, others))} pass --sheet"


@define(eq=False)
class _Reading:
    """One pass over a sheet: its rows, and what the user must be asked."""

    layout: Layout
    options: ReadOptions
    which: str
    rows: KeptRows = field(factory=KeptRows, init=False)
    columns: Table | None = field(default=None, init=False)
    first: int = field(default=0, init=False)
    last: int = field(default=0, init=False)
    hidden: int = field(default=0, init=False)
    _hidden_rows: list[str] = field(factory=list, init=False)
    _unsure: int = field(default=0, init=False)
    _unsure_cells: list[tuple[str, Unsure]] = field(factory=list, init=False)
    _content: SheetContent | None = field(default=None, init=False)

    def read(self, content: SheetContent) -> None:
        """Read all rows.

        Raises:
            CommandError: The header cannot be used.
        """
        self._content = content
        wanted = self.options.header_row
        for row in content.rows:
            if wanted is not None and row.line < wanted:
                continue
            if self.columns is None and wanted is not None and row.line > wanted:
                break
            self._row(row)
        if self.columns is None:
            where = "is empty" if wanted is None else f"has nothing in row {wanted}"
            hint = "the first row must name the columns" if wanted is None else "see --header-row"
            raise CommandError(f"{self.layout.name}: {where}; {hint}; {self.which}")

    def _row(self, row: SheetRow) -> None:
        cells = row.cells
        if row.hidden and self.options.hidden_rows == HiddenRows.SKIP:
            self.hidden += bool(texts_of(cells))
            return
        if set(map(type, cells)) <= {str}:
            texts, problem = list(map(str, cells)), ""
        elif self.columns is None:
            texts, problem = texts_of(cells), ""
        else:
            texts, problem = self._decided(row.line, cells, self.columns.names)
        while texts and not texts[-1].strip():
            texts.pop()
        if not texts and not problem:
            return
        if row.hidden:
            self.hidden += 1
            if len(self._hidden_rows) < _SHOWN:
                some = [" ".join(text.split()) for text in texts if text.strip()]
                self._hidden_rows.append(f"row {row.line}: {' | '.join(some[:_SHOWN])}")
        if self.columns is None:
            self._header(row.line, texts)
            return
        if not problem and len(texts) > self.columns.width:
            problem = unnamed(len(texts))
        self.last = row.line
        self.rows.append((row.line, texts, problem))

    def _header(self, line: int, texts: list[str]) -> None:
        try:
            self.columns, self.first = Table.of(self.layout, line, texts), line
        except CommandError as error:
            meant = self._meant_header() if self.options.header_row is None else None
            hint = "" if meant is None else f"; row {meant} names them: pass --header-row {meant}"
            raise CommandError(f"{error}{hint}; {self.which}") from None

    def _meant_header(self) -> int | None:
        """Find a row below that names the columns; below titles, for instance."""
        wanted = needed_names(self.layout)
        for row in islice(self._content.rows if self._content else (), HEADER_WITHIN):
            if wanted <= set(map(clean_name, texts_of(row.cells))):
                return row.line
        return None

    def _decided(
        self, line: int, cells: Sequence[Cell], names: Sequence[str | None]
    ) -> tuple[list[str], str]:
        """Take the text of each cell, and the first problem of those that are sent."""
        texts, problem = [], ""
        for place, cell in enumerate(cells):
            name = names[place] if place < len(names) else None
            if isinstance(cell, str):
                texts.append(cell)
                continue
            texts.append(text_of(cell))
            if name is None:
                continue
            where = cell_name(line, place)
            if isinstance(cell, Broken):
                texts[-1] += LOST
                problem = problem or f"{name} ({where}): {cell.problem}"
            elif self.options.numbers is None:
                self._unsure += 1
                if len(self._unsure_cells) < _SHOWN:
                    self._unsure_cells.append((where, cell))
            elif self.options.numbers == Numbers.STORED:
                texts[-1] = cell.stored
            elif cell.shown is None:
                texts[-1] += LOST
                problem = problem or f"{name} ({where}): {_NOT_KNOWN}"
        return texts, problem

    def table(self, sheet: str, others: tuple[str, ...]) -> SheetTable:
        """Give the table.

        Raises:
            CommandError: Columns that the sheet hides would be sent, or merged cells have no meaning here.
            DoubtError: The user must decide.
        """
        if self.columns is None:
            raise CommandError(f"{self.layout.name}: is empty; {self.which}")
        names, name = self.columns.names, self.layout.name
        self._check_hidden_columns(self.columns)
        if self.hidden and self.options.hidden_rows is None:
            raise self._hidden_doubt()
        areas = areas_of_table(
            self._content.merged if self._content else (), names, self.first, self.last
        )
        fill = self.options.merged_cells == MergedCells.FILL
        fills = fills_of(name, self.first, areas, self.rows, fill=fill)
        if self._unsure:
            raise self._number_doubt()
        self._check_rules(names)
        found = self.layout.findings
        found.sheet = sheet
        if others:
            listed = ", ".join(map(repr, others))
            found.notes.append(f"{'sheet' if len(others) == 1 else 'sheets'} {listed} not read")
        if self.hidden:
            skipped = self.options.hidden_rows == HiddenRows.SKIP
            rows = "1 hidden row" if self.hidden == 1 else f"{self.hidden:,} hidden rows"
            found.notes.append(f"{rows} {'left out' if skipped else 'sent as well'}")
        return SheetTable(self.columns, self.rows, fills)

    def _check_rules(self, names: Sequence[str | None]) -> None:
        """Ask where a rule changes what numbers show, for rules are not computed here."""
        for area in self._content.restyled if self._content else ():
            sent = any(names[area.left : area.right + 1])
            if (
                sent
                and area.top <= self.last
                and area.bottom > self.first
                and not self.options.numbers
            ):
                raise DoubtError(
                    f"{self.layout.name}: a conditional format changes what the numbers in {area} show",
                    [Choice("numbers", "stored", ("numbers are sent as they are without it",))],
                )

    def _check_hidden_columns(self, columns: Table) -> None:
        """Refuse to send what the user does not see, unless an option names it."""
        names = columns.names
        hidden = [
            place
            for one in (self._content.hidden if self._content else ())
            for place in range(one.start, min(one.stop, len(names)))
            if names[place] is not None and columns.header[place] not in self.layout.mapping
        ]
        for place in sorted(hidden):
            if any(place < len(texts) and texts[place].strip() for _, texts, _ in self.rows):
                column, name = columns.header[place], names[place]
                drop = f'pass --drop "{column}" to leave it out, or --map'
                way = "show it there, or pass --map" if name in (EMAIL, FIRST_NAME) else drop
                raise CommandError(
                    f"{self.layout.name}: column {column!r} ({column_name(place)}) is hidden in the sheet; "
                    f'{way} "{column}={name}" to send it'
                )

    def _hidden_doubt(self) -> DoubtError:
        rows = "1 row is hidden" if self.hidden == 1 else f"{self.hidden:,} rows are hidden"
        return DoubtError(
            f"{self.layout.name}: {rows}, by a filter or by hand",
            [
                Choice("hidden_rows", "skip", ("only the rows that the sheet shows are sent",)),
                Choice("hidden_rows", "send", (*self._hidden_rows,)),
            ],
        )

    def _number_doubt(self) -> DoubtError:
        cells = "1 cell does" if self._unsure == 1 else f"{self._unsure:,} cells do"
        choices = []
        if any(cell.shown is not None for _, cell in self._unsure_cells):
            lines = (
                f"{at}: {_REFUSED if one.shown is None else one.shown}"
                for at, one in self._unsure_cells
            )
            choices.append(Choice("numbers", "shown", tuple(lines)))
        lines = (f"{at}: {one.stored}" for at, one in self._unsure_cells)
        choices.append(Choice("numbers", "stored", tuple(lines)))
        return DoubtError(
            f"{self.layout.name}: {cells} not show what is stored ({self._unsure_cells[0][0]})",
            choices,
        )
