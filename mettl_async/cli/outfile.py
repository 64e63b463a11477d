"""Files that commands write: for the owner's eyes only, safe to open in a spreadsheet, whole or absent."""

import csv
import glob
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from mettl_async.bulk.files import belongs_to_another, sync_directory
from mettl_async.cli.printing import Cell
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.safe_cells import guard
from mettl_async.errors import MettlError

_OTHERS: Final = 0o077
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
        with os.fdopen(handle, "wb") as file:
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


def csv_lines(rows: Iterable[Sequence[Cell]], delimiter: str = ",") -> str:
    """Write rows of CSV, with cells that a spreadsheet cannot take for formulas."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(
        [guard(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return text.getvalue()
