"""Files that commands write: for the owner's eyes only, safe to open in a spreadsheet, whole or absent."""

import csv
import glob
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from attrs import define, field

from mettl_async.bulk.files import belongs_to_another, sync_directory
from mettl_async.cli.printing import Cell
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.safe_cells import guard
from mettl_async.cli.streams import forget, is_closed
from mettl_async.errors import MettlError


class StdoutClosedError(CommandError):
    """Nobody reads stdout any more."""


_OTHERS: Final = 0o077
_BOM: Final = "\ufeff".encode()
_PIECE: Final = 1 << 20
_STDOUT: Final = Path("-")

Stamp = tuple[int, ...]
_UNFINISHED: Final = ".part"
_RANDOM: Final = "[a-z0-9_]" * 8  # of mkstemp; "*" would match those of a "links.csv" for "links"


def check_whole(path: Path, *, overwrite: bool) -> None:
    """Refuse what can be refused before anything is asked for; touches nothing.

    Raises:
        CommandError: It is there already, another user's, in no directory, or a device or a directory,
            which no file can take the place of.
    """
    if path.exists() and not overwrite:
        raise CommandError(f"{path}: exists already; pass --overwrite, or another --out")
    if not path.parent.is_dir():
        raise CommandError(f"{path}: there is no directory {str(path.parent)!r}")
    if path.exists() and not path.is_file():
        raise CommandError(f"{path}: is not a file; give the name of one")
    if os.path.lexists(path) and belongs_to_another(path):
        raise CommandError(f"{path}: belongs to another user")


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name only when the block ends well; its owner alone can read it.

    Raises:
        CommandError: It cannot be written.
    """
    check_whole(path, overwrite=overwrite)
    home = path.resolve()  # a link stays, and what it points to is replaced
    part = None
    try:
        # Made with 0600 [doc of tempfile], next to its place so that it can be moved there in one step.
        handle, part = tempfile.mkstemp(
            dir=home.parent, prefix=f"{_part_of(home)}.", suffix=_UNFINISHED
        )
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check_whole(path, overwrite=overwrite)
        Path(part).replace(home)
        sync_directory(home)
    except MettlError:
        raise  # some of these are OSErrors too
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {os_reason(error)}") from None
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)


def remove_unfinished(path: Path) -> None:
    """Remove what `whole_file` has left of a file where it was killed; nobody else may be writing it."""
    home = path.resolve()
    for part in home.parent.glob(f"{glob.escape(_part_of(home))}.{_RANDOM}{_UNFINISHED}"):
        with suppress(OSError):
            part.unlink()


def _part_of(home: Path) -> str:
    return f".{home.name}"


@contextmanager
def private_files() -> Iterator[None]:
    """Whatever is created inside the block can be read by its owner only."""
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def output_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a `whole_file` in the place of any, or stdout, whose name is ``-``.

    Raises:
        StdoutClosedError: Whoever has read stdout has gone.
        CommandError: It cannot be written.
    """
    if not is_stdout(path):
        with whole_file(path, overwrite=True) as file:
            yield file
        return
    if is_closed(sys.stdout):
        raise CommandError("stdout is closed")
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except MettlError:
        raise  # some of these are OSErrors too
    except BrokenPipeError:
        forget(sys.stdout)
        raise StdoutClosedError("stdout was closed") from None
    except OSError as error:
        forget(sys.stdout)
        raise CommandError(f"stdout cannot be written: {os_reason(error)}") from None


def is_stdout(path: Path) -> bool:
    """Tell whether a name means stdout."""
    return path == _STDOUT


def stamp_of(found: os.stat_result) -> Stamp:
    """Make what differs when a file is another one, or was written."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def stamp_at(path: Path) -> Stamp | None:
    """Make the stamp of the file that is there now; None for none."""
    try:
        return stamp_of(path.stat())
    except OSError:
        return None


@define
class CsvText:
    """The text of a CSV file, with a byte order mark where Excel needs one.

    Without one, Excel takes text for that of the system's own encoding, and a file that begins with
    ``ID`` for one of another format (SYLK).

    Args:
        file: Where it goes.
        bom: Whether to begin with the mark; None where the content needs it, in a file that can be
            read again.
    """

    file: IO[bytes]
    bom: bool | None
    _needed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        if self.bom:
            self.file.write(_BOM)

    def write(self, text: str) -> None:
        """Write some lines, the header first."""
        # Columns that are not sent may hold bytes that were not text.
        piece = text.encode("utf-8", "replace")
        if self.bom is None and not self._needed:
            self._needed = not piece.isascii() or (not self.file.tell() and text.startswith("ID"))
        self.file.write(piece)

    def end(self) -> None:
        """Put the mark in front of what was written, if it is needed."""
        if not self._needed:
            return
        end = self.file.tell()
        while end:
            start = max(0, end - _PIECE)
            self.file.seek(start)
            piece = self.file.read(end - start)
            self.file.seek(start + len(_BOM))
            self.file.write(piece)
            end = start
        self.file.seek(0)
        self.file.write(_BOM)


def csv_lines(rows: Iterable[Sequence[Cell]], delimiter: str = ",") -> str:
    """Write rows of CSV, with cells that a spreadsheet cannot take for formulas."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(
        [guard(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return text.getvalue()
