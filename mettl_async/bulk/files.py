"""What files that must outlive a crash, and be nobody else's, need of the operating system."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600  # whoever has a link can take the test


def belongs_to_another(path: Path) -> bool:
    """Tell whether another user owns a file, or the symbolic link to it, even to no file.

    False on Windows, where files have no such owner.

    Raises:
        OSError: There is neither a file nor a link.
    """
    if not hasattr(os, "geteuid"):
        return False
    found = [path.lstat(), path.stat()] if path.exists() else [path.lstat()]
    return any(one.st_uid != os.geteuid() for one in found)


def sync_directory(path: Path) -> None:
    """Have a new or moved file still under its name after a power cut, where the system can do that."""
    with suppress(OSError):  # Windows opens no directories
        handle = os.open(path.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
