"""Which process uses a journal in a file: a note beside it for the message to the second one; no lock."""

import os
import re
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from mettl_async.bulk.files import PRIVATE, belongs_to_another

_ENDING: Final = "-owner"
_MOST: Final = 300
_NOTE: Final = re.compile(r"(\d{1,10}) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\S{1,255})\n")


def note_owner(path: Path) -> None:
    """Note that this process has the lock of a journal from now on; without a word where that fails."""
    note = _note_of(path)
    text = f"{os.getpid()} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {socket.gethostname()}\n"
    with suppress(OSError):
        # Never into a file that somebody else has put there, whatever it is a link to.
        note.unlink(missing_ok=True)
        handle = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)


def owner_words(path: Path, *, living: bool = False) -> str:
    """Say who has the lock of a journal, as `` (process 4711, since 2026-01-31 09:30:00)``; or nothing.

    Args:
        path: Of the journal.
        living: Whether to say it only of a process that is there, for who does not know of a lock. Another
            one may have its number, so nothing must depend on it.
    """
    note = _note_of(path)
    try:
        if belongs_to_another(note):
            return ""
        with note.open(encoding="utf-8", errors="replace") as file:
            found = _NOTE.fullmatch(file.read(_MOST))
    except OSError:
        return ""
    if found is None:
        return ""
    process, since, host = found.groups()
    if living and not (host == socket.gethostname() and _is_alive(int(process))):
        return ""
    where = "" if host == socket.gethostname() else f" on {host}"
    return f" (process {process}{where}, since {since})"


def forget_owner(path: Path) -> None:
    """Remove the note, as long as this process has the lock."""
    with suppress(OSError):
        _note_of(path).unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return False  # where this would end it
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _note_of(path: Path) -> Path:
    home = path.resolve()
    return home.with_name(f"{home.name}{_ENDING}")
