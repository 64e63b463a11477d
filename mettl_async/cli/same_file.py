"""Whether what is written is also read, or written twice, by the operating system's own names of files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mettl_async.cli.problems import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable

_STREAM: Final = Path("-")
_STDIN, _STDOUT = 0, 1


def check_apart(file: Path | None, outputs: Iterable[tuple[Path, str]]) -> None:
    """Refuse an output that is the input, by whatever name or link, or one of two that are the same file.

    Args:
        file: The input; ``-`` is what the shell has connected to stdin.
        outputs: What is written, each with what it is for messages, such as ``the links``.

    Raises:
        CommandError: Names both.
    """
    known = None if file is None else _identity(file, _STDIN)
    there: dict[object, str] = {}
    for path, what in outputs:
        found = _identity(path, _STDOUT)
        if found is None:
            continue
        if found == known:
            raise CommandError(f"{path}: is the input itself; write {what} to another file")
        if found in there:
            raise CommandError(
                f"{path}: is the file of {there[found]}, too; write {what} to another"
            )
        there[found] = what


def _identity(path: Path, stream: int) -> object:
    """Give device and inode, or the place where a new file would be; None for a stream that is no file."""
    try:
        found = os.fstat(stream) if path == _STREAM else path.stat()
    except OSError:
        return None if path == _STREAM else path.resolve()
    is_file = stat.S_ISREG(found.st_mode)
    return (found.st_dev, found.st_ino) if is_file or path != _STREAM else None
