"""A file or stdin as rows, in any format, as often as they are needed."""

from __future__ import annotations

import codecs
import io
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from attrs import define, field, frozen
from attrs.converters import optional

from mettl_async.cli.printing import printable
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.reading.columns import (
    EMAIL,
    FIRST_NAME,
    RECOGNISED,
    UTF_8,
    Format,
    HiddenRows,
    Layout,
    MergedCells,
    Numbers,
    check_drop,
    parse_mapping,
)
from mettl_async.cli.reading.detecting import (
    DELIMITERS,
    WESTERN,
    delimiter_of,
    encoding_of,
    format_of,
    marked_encoding,
)
from mettl_async.cli.reading.rows import BadRow, Cells, Row, row_of
from mettl_async.cli.reading.text_rows import csv_rows, json_rows
from mettl_async.cli.reading.workbook import SheetOptions, SheetTable, read_table

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN: Final = Path("-")
_CHUNK: Final = 1 << 16
_MOST_NAMED: Final = 100  # JSON Lines may have others in every line


def _known_encoding(name: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), name).close()  # lookup() knows encodings of bytes too
        proper = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise CommandError(f"--encoding {name!r}: there is no such encoding of text") from None
    return UTF_8 if proper == "utf-8" else proper


def _one_character(text: str) -> str:
    named = {called: character for character, called in DELIMITERS.items()}
    character = {**named, "\\t": "\t"}.get(text, text)
    if len(character) != 1 or character in '"\r\n\0':
        names = ", ".join(named)
        raise CommandError(f"--delimiter {text!r}: is not one character, nor one of {names}")
    return character


def _stripped(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.strip() for name in names)


@frozen(kw_only=True)
class ReadOptions:
    """A user's options for the input; what is None is detected.

    Raises:
        CommandError: A value cannot work.
    """

    format: Format | None = None
    encoding: str | None = field(default=None, converter=optional(_known_encoding))
    delimiter: str | None = field(default=None, converter=optional(_one_character))
    sheet: str | None = None
    header_row: int | None = None
    hidden_rows: HiddenRows | None = None
    merged_cells: MergedCells | None = None
    numbers: Numbers | None = None
    mapping: Mapping[str, str] = field(default=(), converter=parse_mapping)
    drop: frozenset[str] = field(default=(), converter=_stripped)

    def __attrs_post_init__(self) -> None:
        check_drop(self.drop, self.mapping)


def spool(stream: io.BufferedIOBase) -> IO[bytes]:
    """Copy a stream that can be read only once into a temporary file without a name.

    The file has mode 0600 and its name is removed as soon as it is made (on Windows when it is closed),
    so that nothing is left behind however the process ends.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        # Not read(), which collects several pieces and hears no Ctrl-C between them.
        while chunk := stream.read1(_CHUNK):
            file.write(chunk)
        file.flush()
    except BaseException:  # Ctrl-C too
        file.close()
        raise
    return file


class _Reading(io.RawIOBase):
    """A place of its own in a file that others read too."""

    def __init__(self, file: IO[bytes], lock: threading.Lock) -> None:
        self._file, self._lock, self._place = file, lock, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset, whence = offset + self._place, io.SEEK_SET
        with self._lock:
            self._place = self._file.seek(offset, whence)
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        with self._lock:  # others read in other threads
            self._file.seek(self._place)
            content = self._file.read(len(memoryview(buffer)))
        memoryview(buffer)[: len(content)] = content
        self._place += len(content)
        return len(content)


@define(eq=False)
class Source:
    """A source of rows: a file, or stdin (``-``) or a pipe, which is kept in a temporary file.

    Nothing is opened before the first row is read. `close` removes the temporary file.
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

    @property
    def name(self) -> str:
        """Name for messages."""
        return "stdin" if self.path == STDIN else str(self.path)

    @property
    def unit(self) -> str:
        """Unit of positions: lines, or rows of a sheet."""
        return "row" if self._layout and self._layout.format == Format.XLSX else "line"

    @property
    def note(self) -> str | None:
        """A remark on the encoding for the user, once rows were read; None for none."""
        if self.options.encoding or not self._layout or self._layout.encoding != WESTERN:
            return None
        return (
            f"{self.name}: is not UTF-8, and is read as Windows-1252; "
            "if names come out wrong, save it as UTF-8, or pass --encoding"
        )

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

    def rows(self) -> Iterator[Row | BadRow]:
        """Make candidates of the `cells`.

        Raises:
            CommandError: See there.
        """
        for cells in self.cells():
            if self._layout is None or isinstance(cells, BadRow):
                yield cast("BadRow", cells)
                continue
            self._columns |= cells.own
            self._known |= cells.known
            yield row_of(self._layout, cells)

    def cells(self) -> Iterator[Cells | BadRow]:
        """Read from the beginning, keeping one row.

        Of XLSX its table of different texts is kept too, and about 300 bytes a row.

        Raises:
            CommandError: It cannot be read, or its header or the options for it cannot be used.
        """
        line = 0
        try:
            layout = self._layout = self._layout or self._find_layout()
            with self._open() as raw:
                for row in self._read(layout, raw):
                    line = row.line
                    yield row
        except UnicodeDecodeError as error:
            raise CommandError(
                f"{self.name}: is not {error.encoding} somewhere after line {line}"
            ) from None
        except OSError as error:
            raise CommandError(f"{self.name}: {os_reason(error)}") from None

    def _read(self, layout: Layout, raw: IO[bytes]) -> Iterator[Cells | BadRow]:
        if layout.format == Format.XLSX:
            if self._table is None:
                self._table = read_table(layout, raw, self._sheet_options())
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
        if self._spool is not None:
            self._spool.close()
        if self._table is not None:
            self._table.close()

    def _sheet_options(self) -> SheetOptions:
        options = self.options
        return SheetOptions(
            sheet=options.sheet,
            header_row=options.header_row,
            hidden_rows=options.hidden_rows,
            merged_cells=options.merged_cells,
            numbers=options.numbers,
        )

    def _open(self) -> IO[bytes]:
        if self._spool is None and self.path == STDIN:
            if sys.stdin is None:  # "mettl register - <&-"
                raise CommandError("stdin is closed")
            self._spool = spool(cast("io.BufferedReader", sys.stdin.buffer))
        elif self._spool is None and self.path.is_fifo():
            with self.path.open("rb") as pipe:
                self._spool = spool(pipe)
        if self._spool is not None:
            return io.BufferedReader(_Reading(self._spool, self._spool_lock))
        if not self.path.exists():
            raise CommandError(f"{self.path}: no such file")
        if not self.path.is_file():
            raise CommandError(f"{self.path}: is not a file")
        return self.path.open("rb")

    def _find_layout(self) -> Layout:
        options = self.options
        encoding, delimiter = options.encoding, options.delimiter
        with self._open() as raw:
            head = raw.read(_CHUNK)
            kind = format_of(self.name, self.path.suffix.lower(), head, options.format)
            self._check_options(kind)
            encoding = encoding or marked_encoding(head)
            if encoding is None and kind == Format.CSV:  # JSON is UTF-8 [doc: RFC 8259]
                raw.seek(0)
                encoding = encoding_of(iter(lambda: raw.read(_CHUNK), b""))
            encoding = encoding or UTF_8
            if delimiter is None and kind == Format.CSV:
                raw.seek(0)
                with _text(raw, encoding, "") as lines:
                    mapping = options.mapping
                    wanted = {EMAIL, FIRST_NAME} - set(mapping.values()) | mapping.keys()
                    delimiter = delimiter_of(lines.read(_CHUNK), wanted)
        return Layout(
            name=self.name,
            mapping=options.mapping,
            drop=options.drop,
            format=kind,
            encoding=encoding,
            delimiter=delimiter or ",",
        )

    def _check_options(self, kind: Format) -> None:
        for option, given, fits in (
            ("--sheet", self.options.sheet, kind == Format.XLSX),
            ("--delimiter", self.options.delimiter, kind == Format.CSV),
            ("--encoding", self.options.encoding, kind != Format.XLSX),
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
