"""The file of outcomes: a row for each candidate, written as soon as it is known."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from mettl_async.bulk.files import BINARY, PRIVATE, append, own
from mettl_async.bulk.outcomes import Failed, Outcome, Registered, Rejected, Unknown
from mettl_async.cli.columns import EMAIL
from mettl_async.cli.outfile import check_place, csv_line
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.records import COLUMNS
from mettl_async.cli.rows import is_json_lines
from mettl_async.errors import CallError, MettlError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from mettl_async.cli.earlier import Earlier

Cells = dict[str, str | int]


def check_out(path: Path, source: Path | None, *, overwrite: bool, resume: bool = False) -> None:
    """Refuse what can be refused before the rows are read; touches nothing.

    Raises:
        CommandError: Of another format, the input itself, or there already.
    """
    is_json_lines(path)
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise CommandError(f"{path}: is the input itself; write the links to another file")
    if overwrite and resume:
        raise CommandError(
            "--resume keeps the file of --out, --overwrite does not; pass one of them"
        )
    if path.exists() and not (overwrite or resume):
        raise CommandError(
            f"{path}: exists already; pass --resume to go on with it, --overwrite, or another --out"
        )
    check_place(path, overwrite=True)


class LinkFile:
    """An open file of outcomes, readable by its owner only.

    Rows go to the operating system one by one: after a crash of this process the file holds every
    outcome that was known.

    Raises:
        CommandError: It cannot be created or written; nothing was sent yet.
    """

    def __init__(self, path: Path, *, overwrite: bool, earlier: Earlier | None = None) -> None:
        self._path, self._json = path, is_json_lines(path)
        self._names: tuple[str, ...] = COLUMNS
        self._size = self.rows = 0
        try:
            if earlier is None:
                self._new = not path.exists()
                self._file = _made(path, overwrite=overwrite)
            else:
                self._new, self._names, self._size = earlier.new, earlier.names, earlier.size
                self._file = os.dup(earlier.handle)
            if not self._json and not self._size:
                self._append(csv_line(COLUMNS))
        except FileExistsError:
            raise CommandError(f"{path}: exists already; pass --overwrite or --resume") from None
        except OSError as error:
            raise CommandError(f"{path}: cannot be written: {os_reason(error)}") from None

    def write(self, cells: Cells) -> None:
        """Add a row.

        Raises:
            OSError: It could not be written; the file ends with the row before.
        """
        if self._json:
            self._append(json.dumps(cells, ensure_ascii=False) + "\n")
        else:
            self._append(csv_line([cells.get(name, "") for name in self._names]))
        self.rows += 1

    def _append(self, text: str) -> None:
        self._size = append(self._file, text.encode(), self._size)

    def close(self) -> None:
        """Close it; a new one without a single row is removed, so that it is not in the way."""
        with suppress(OSError):  # a device has nothing to keep
            os.fsync(self._file)
        os.close(self._file)
        if self._new and not self.rows:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _made(path: Path, *, overwrite: bool) -> int:
    how = 0 if overwrite else os.O_EXCL
    file = os.open(path, os.O_WRONLY | os.O_CREAT | BINARY | how, PRIVATE)
    try:
        if not own(path, file):
            raise CommandError(f"{path}: another command is writing to it")  # noqa: TRY301 - closed below
        if stat.S_ISREG(os.fstat(file).st_mode):
            os.ftruncate(file, 0)
            path.chmod(PRIVATE)  # one that was there may have been readable by all
    except BaseException:
        os.close(file)
        raise
    return file


def cells_of(outcome: Outcome, line: int, schedule: str) -> Cells:
    """One outcome as a row of the file; the schedule's access key is how `Earlier` knows its own."""
    url = code = reason = ""
    match outcome:
        case Registered():
            status, url = "registered", outcome.url
        case Rejected():
            status, code, reason = "rejected", outcome.code, outcome.reason
        case Failed():
            status, code, reason = "failed", code_of(outcome.error), _reason(outcome.error)
            if not outcome.attempts:
                reason = f"not sent: {reason}"
        case Unknown():
            status, code, reason = "unknown", code_of(outcome.error), _reason(outcome.error)
    return {
        EMAIL: outcome.candidate.email,
        "status": status,
        "url": _one_line(url),
        "code": _one_line(code),
        "reason": _one_line(reason),
        "attempts": outcome.attempts,
        "line": line,
        "schedule": schedule,
    }


def code_of(error: MettlError) -> str:
    """Mettl's code, or the kind of error where the server said none."""
    return (error.code if isinstance(error, CallError) else None) or type(error).__name__


def _reason(error: MettlError) -> str:
    return error.problem if isinstance(error, CallError) else str(error)


def _one_line(text: str) -> str:
    return " ".join(text.split())
