"""A file or stdin as rows, in any format, as often as they are needed."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from attrs import define, field

from mettl_async.cli.printing import printable
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.reading.columns import (
    EMAIL,
    FIRST_NAME,
    RECOGNISED,
    UTF_8,
    Findings,
    Format,
    Layout,
)
from mettl_async.cli.reading.csv_lines import CTRL_Z
from mettl_async.cli.reading.delimiter import find_delimiter
from mettl_async.cli.reading.detecting import format_of
from mettl_async.cli.reading.encoding import check_asked, find_encoding
from mettl_async.cli.reading.kept_rows import KeptRows
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.rows import BadRow, Cells, Row, candidate_of, row_of
from mettl_async.cli.reading.spool import CHUNK, Reading, spool
from mettl_async.cli.reading.text_rows import csv_rows, json_rows

if TYPE_CHECKING:
    from mettl_async.cli.reading.workbook import SheetTable

STDIN: Final = Path("-")
_MOST_NAMED: Final = 100  # JSON Lines may have others in every line


@define(eq=False)
class Source:
    """A source of rows: a file, or stdin (``-``) or a pipe, which is kept in a temporary file.

    Nothing is opened before the first row is read. Rows that were checked are kept, so that those are sent
    that were looked at. `close` removes the temporary files.
    """

    path: Path
    options: ReadOptions = field(factory=ReadOptions)
    _spool: IO[bytes] | None = field(default=None, init=False, repr=False)
    _spool_lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _layout: Layout | None = field(default=None, init=False)
    _table: SheetTable | None = field(default=None, init=False, repr=False)
    # In order of appearance; dicts only for that.
    _columns: dict[str, object] = field(factory=dict, init=False, repr=False)
    _known: dict[str, object] = field(factory=dict, init=False, repr=False)
    _good: KeptRows | None = field(default=None, init=False, repr=False)
    _bad: KeptRows | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """Name for messages."""
        return "stdin" if self.path == STDIN else str(self.path)

    @property
    def unit(self) -> str:
        """Unit of positions: lines, or rows of a sheet."""
        return "row" if self._layout and self._layout.format.is_workbook else "line"

    @property
    def layout(self) -> Layout:
        """How the file is read; known once rows were read.

        Raises:
            CommandError: It cannot be read, or there are doubts.
        """
        if self._layout is None:
            with self._explained():
                self._layout = self._find_layout()
        return self._layout

    @property
    def findings(self) -> Findings:
        """What the user is told of how the file was read, once its rows were."""
        found = self.layout.findings
        if found.header_line is None:
            mapping = self.layout.mapping
            found.sent = {
                own: mapping.get(own, own)
                for own in self._columns
                if mapping.get(own, own) in self._known
            }
            found.left_out = tuple(one for one in self._columns if one not in found.sent)
        return found

    @property
    def note(self) -> str | None:
        """A remark for the user on how the file was read, once rows were read; None for none."""
        results = self.layout.findings.results
        if not results:
            return None
        if len(results) == 1:
            [only] = results
            return (
                f"{self.name}: is a file of rows that could not be sent; its column {only!r} is left out "
                f'(--map "{only}={only}" sends it)'
            )
        return f"{self.name}: is a file of links; its columns {', '.join(results)} are left out"

    @property
    def also_sends(self) -> str:
        """The columns that become registration fields, in one line, once rows were read."""
        names = [printable(name) for name in self._known if name not in RECOGNISED]
        more = ["..."] if len(names) > _MOST_NAMED else []
        return ", ".join(names[:_MOST_NAMED] + more)

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's own columns, once rows were read; of JSON Lines those of all rows."""
        return tuple(self._columns)

    def reread(self, options: ReadOptions) -> None:
        """Read in another way from now on; a stream that can be read only once is kept."""
        if self._table is not None:
            self._table.close()
        self.options, self._layout, self._table = options, None, None
        self._columns, self._known = {}, {}

    def keep(self, good: KeptRows, bad: KeptRows) -> None:
        """Take over what was checked: from now on `cells` and `rows` give the good rows, without reading."""
        self._good, self._bad = good, bad

    def rows(self) -> Iterator[Row | BadRow]:
        """Make candidates of the `cells`.

        Raises:
            CommandError: See there.
        """
        if self._good is not None:
            for line, known, _ in self._good:
                yield Row(line, candidate_of(known))
            return
        for cells in self.cells():
            yield cells if isinstance(cells, BadRow) else row_of(self.layout, cells)

    def cells(self) -> Iterator[Cells | BadRow]:
        """Read from the beginning, keeping one row.

        Of workbooks the different texts are kept too, while they are read for the first time.

        Raises:
            CommandError: It cannot be read, or its header or the options for it cannot be used.
        """
        if self._good is not None:
            for line, known, own in self._good:
                yield Cells(line, known, own)
            return
        layout = self.layout
        several = layout.format == Format.JSONL
        with self._explained() as at, self._open() as raw:
            for row in self._read(layout, raw):
                at[0] = row.line
                if (
                    several or not self._known
                ):  # each object names its columns, a table does it once
                    self._note_columns(row)
                yield row

    def _note_columns(self, row: Cells | BadRow) -> None:
        if isinstance(row, Cells):
            self._columns |= row.own
            self._known |= row.known

    @contextmanager
    def _explained(self) -> Iterator[list[int]]:
        """Explain what can be wrong with a file; takes the line of the last row that could be read."""
        line = [0]
        try:
            yield line
        except UnicodeError as error:
            encoding = getattr(error, "encoding", self.options.encoding)
            where = f" somewhere after line {line[0]}" if line[0] else ""
            if not line[0] and self.options.encoding is not None:
                where = "; leave out --encoding, or pass another one"
            raise CommandError(f"{self.name}: is not {encoding}{where}") from None
        except OSError as error:
            raise CommandError(f"{self.name}: {os_reason(error)}") from None

    def _read(self, layout: Layout, raw: IO[bytes]) -> Iterator[Cells | BadRow]:
        if layout.format.is_workbook:
            if self._table is None:
                # Workbooks take 50 ms more to import.
                from mettl_async.cli.reading.workbook import read_table  # noqa: PLC0415

                self._table = read_table(layout, raw, self.options)
            yield from self._table.cells()
        elif layout.format == Format.JSONL:
            # JSON strings may hold U+2028 and the like; only "\n" ends a line there.
            with _text(raw, layout.encoding, "\n") as lines:
                yield from json_rows(layout, lines)
        else:
            with _text(raw, layout.encoding, "") as lines:
                yield from csv_rows(layout, lines)

    def close(self) -> None:
        """Remove the temporary files."""
        for file in (self._spool, self._table, self._good, self._bad):
            if file is not None:
                file.close()

    def _open(self) -> IO[bytes]:
        if self._spool is None and self.path == STDIN:
            if sys.stdin is None:  # "mettl register - <&-"
                raise CommandError("stdin is closed")
            self._spool = spool(cast("io.BufferedReader", sys.stdin.buffer))
        elif self._spool is None and self.path.is_fifo():
            with self.path.open("rb") as pipe:
                self._spool = spool(pipe)
        if self._spool is not None:
            return io.BufferedReader(Reading(self._spool, self._spool_lock))
        if not self.path.exists():
            raise CommandError(f"{self.path}: no such file")
        if self.path.is_dir():
            kind = "an Apple Numbers document" if self.path.suffix == ".numbers" else "a directory"
            raise CommandError(f"{self.path}: is {kind}; give the name of a CSV or XLSX file")
        if not self.path.is_file():
            raise CommandError(f"{self.path}: is not a file")
        return self.path.open("rb")

    def _find_layout(self) -> Layout:
        options = self.options
        encoding, delimiter, padded = options.encoding, options.delimiter, False
        with self._open() as raw:
            head = raw.read(CHUNK)
            kind = format_of(self.name, self.path.suffix.lower(), head, options.format)
            self._check_options(kind)
            if not kind.is_workbook:
                raw.seek(0, os.SEEK_END)
                raw.seek(max(0, raw.tell() - 1))
                padded = raw.read() == CTRL_Z.encode()

                def chunks() -> Iterator[bytes]:
                    raw.seek(0)
                    yield from iter(lambda: raw.read(CHUNK), b"")

                if encoding is None:
                    encoding = find_encoding(self.name, chunks)
                else:
                    check_asked(self.name, encoding, head)
            if delimiter is None and kind == Format.CSV:
                raw.seek(0)
                with _text(raw, encoding or UTF_8, "") as lines:
                    mapping = options.mapping
                    wanted = {EMAIL, FIRST_NAME} - set(mapping.values()) | mapping.keys()
                    sample = lines.read(CHUNK)
                    delimiter = find_delimiter(self.name, sample, wanted, options.header_row)
        return Layout(
            name=self.name,
            mapping=options.mapping,
            drop=options.drop,
            format=kind,
            encoding=encoding or UTF_8,
            delimiter=delimiter or ",",
            header_row=options.header_row,
            padded=padded,
        )

    def _check_options(self, kind: Format) -> None:
        for option, given, fits in (
            ("--sheet", self.options.sheet, kind.is_workbook),
            ("--hidden-rows", self.options.hidden_rows, kind.is_workbook),
            ("--merged-cells", self.options.merged_cells, kind.is_workbook),
            ("--numbers", self.options.numbers, kind.is_workbook),
            ("--delimiter", self.options.delimiter, kind == Format.CSV),
            ("--encoding", self.options.encoding, not kind.is_workbook),
        ):
            if given is not None and not fits:
                raise CommandError(f"{self.name}: is {kind.upper()}, which has no {option}")


@contextmanager
def opened(path: Path | None, options: ReadOptions) -> Iterator[Source | None]:
    """Open a source and close it at the end; give None for no path.

    Raises:
        CommandError: There are options for an input, but no input.
    """
    if path is None:
        if options != ReadOptions():
            raise CommandError("options for reading (--map, --encoding, --sheet ...) need a FILE")
        yield None
        return
    with closing(Source(path, options)) as source:
        yield source


@contextmanager
def _text(raw: IO[bytes], encoding: str, newline: str) -> Iterator[IO[str]]:
    # So that what is no text reaches the row that it is in; not all encodings can do that everywhere.
    with io.TextIOWrapper(raw, encoding, errors="surrogateescape", newline=newline) as text:
        yield text
