"""The file of outcomes: a row for each candidate, written as soon as it is known."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from mettl_async.bulk.outcomes import Failed, Outcome, Registered, Rejected, Unknown
from mettl_async.cli.outfile import check_place, csv_line
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.rows import EMAIL, is_json_lines
from mettl_async.errors import CallError, MettlError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

COLUMNS: Final = (EMAIL, "status", "url", "code", "reason", "attempts", "line")
_PRIVATE: Final = 0o600  # whoever has a link can take the test
# Windows would turn every "\n" into "\r\n" without it.
_BINARY: Final = getattr(os, "O_BINARY", 0)

Cells = dict[str, str | int]


def check_out(path: Path, source: Path | None, *, overwrite: bool) -> None:
    """Refuse what can be refused before the rows are read; touches nothing.

    Raises:
        CommandError: Of another format, the input itself, or there already.
    """
    is_json_lines(path)
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise CommandError(f"{path}: is the input itself; write the links to another file")
    check_place(path, overwrite=overwrite)


class LinkFile:
    """An open file of outcomes, readable by its owner only.

    Rows go to the operating system one by one: after a crash of this process the file holds every
    outcome that was known.

    Raises:
        CommandError: It cannot be created or written; nothing was sent yet.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._path, self._json = path, is_json_lines(path)
        self._size, self.rows = 0, 0
        self._new = not path.exists()
        how = os.O_TRUNC if overwrite else os.O_EXCL
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | _BINARY | how, _PRIVATE)
            if stat.S_ISREG(os.fstat(self._file).st_mode):
                path.chmod(_PRIVATE)  # one that was there may have been readable by all
            if not self._json:
                self._append(csv_line(COLUMNS))
        except FileExistsError:
            raise CommandError(f"{path}: exists already; pass --overwrite") from None
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
            self._append(csv_line([cells[name] for name in COLUMNS]))
        self.rows += 1

    def _append(self, text: str) -> None:
        rest = text.encode()
        size = self._size + len(rest)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size = size

    def close(self) -> None:
        """Close it; a new one without a single row is removed, so that it is not in the way."""
        os.close(self._file)
        if self._new and not self.rows:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cells_of(outcome: Outcome, line: int) -> Cells:
    """One outcome as a row of the file."""
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
    }


def code_of(error: MettlError) -> str:
    """Mettl's code, or the kind of error where the server said none."""
    return (error.code if isinstance(error, CallError) else None) or type(error).__name__


def _reason(error: MettlError) -> str:
    return error.problem if isinstance(error, CallError) else str(error)


def _one_line(text: str) -> str:
    return " ".join(text.split())
