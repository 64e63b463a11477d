"""Files of results: one for each schedule, a line for each candidate."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from attrs import frozen

from mettl_async.jobs.report_store import settle
from mettl_async.models._fold_email import fold_email


class ChangedFileError(OSError):
    """Somebody else wrote the file meanwhile."""


@frozen
class Merged:
    """A file that is to take the place of another.

    Attributes:
        file: It, open and whole.
        part: Its path.
        target: The other one.
        before: What told that one apart when it was read.
    """

    file: IO[bytes]
    part: Path
    target: Path
    before: tuple[int, ...] | None

    def move(self) -> None:
        """Let it take the place; nothing happens when it has done so before.

        Raises:
            ChangedFileError: The other one is not the one that was read.
            OSError: It cannot be moved.
        """
        if self.file.closed:
            return
        if _state(self.target) != self.before:
            raise ChangedFileError("the file was changed by somebody else meanwhile")
        settle(self.file, self.part, self.target)


def merge(file: IO[bytes], part: Path, target: Path, lines: Mapping[str, str]) -> Merged:
    """Write the lines of a file with some of them replaced, and others added at the end.

    Args:
        file: To write to.
        part: Its path.
        target: The file that is there, if any.
        lines: By email, as `fold_email` folds it.

    Raises:
        OSError: A file cannot be read or written.
    """
    before = _state(target)
    for line in _kept(target, lines) if before is not None else ():
        file.write(line)
    file.writelines(line.encode() + b"\n" for line in lines.values())
    file.flush()
    os.fsync(file.fileno())  # now, for it is slow; there is hardly anything left to do in `move`
    if before is not None:
        with suppress(OSError):
            shutil.copymode(target, part)
    return Merged(file, part, target, before)


def _kept(target: Path, lines: Mapping[str, str]) -> Iterator[bytes]:
    with target.open("rb") as old:
        for line in old:
            if (email := _email(line)) is None or fold_email(email) not in lines:
                yield line if line.endswith(b"\n") else line + b"\n"


def _email(line: bytes) -> str | None:
    try:
        found = json.loads(line)
        email = found["email"]
    except (ValueError, TypeError, LookupError):
        return None  # not ours, and kept
    return email if isinstance(email, str) else None


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
