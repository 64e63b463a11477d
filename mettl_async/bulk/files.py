"""What files that must outlive a crash need of the operating system."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

# Windows would turn every "\n" into "\r\n" without it.
BINARY: Final[int] = getattr(os, "O_BINARY", 0)
PRIVATE: Final = 0o600  # whoever has a link can take the test


def lock(handle: int) -> bool:
    """Take an open file for this process, until it is closed; false if another one has it.

    Always true on Windows, and on network file systems that know no locks.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def own(path: Path, handle: int) -> bool:
    """Take an open file as `lock` does; false too if another process has put a new one in its place.

    Raises:
        OSError: There is nothing under that name any more.
    """
    return lock(handle) and os.fstat(handle).st_ino == path.stat().st_ino


def append(handle: int, content: bytes, size: int) -> int:
    """Write at the end of a file that has ``size`` bytes; gives its new size.

    Raises:
        OSError: Not all of it could be written; then none of it is left, if the system lets us.
    """
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, size)
            os.lseek(handle, size, os.SEEK_SET)
        raise
    return size + len(content)


def settle_name(path: Path) -> None:
    """Have a new or moved file still under its name after a power cut, where the system can do that."""
    with suppress(OSError):  # Windows opens no directories
        handle = os.open(path.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
