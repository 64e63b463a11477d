"""Streams that can be read only once, in temporary files without names."""

from __future__ import annotations

import io
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK: Final = 1 << 16


def spool(stream: io.BufferedIOBase) -> IO[bytes]:
    """Copy a stream that can be read only once into a temporary file without a name.

    The file has mode 0600 and its name is removed as soon as it is made (on Windows when it is closed),
    so that nothing is left behind however the process ends.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        # Not read(), which collects several pieces and hears no Ctrl-C between them.
        while chunk := stream.read1(CHUNK):
            file.write(chunk)
        file.flush()
    except BaseException:  # Ctrl-C too
        file.close()
        raise
    return file


class Reading(io.RawIOBase):
    """A place of its own in a file that others read too."""

    def __init__(self, file: IO[bytes], lock: threading.Lock) -> None:
        self._file, self._lock, self._place = file, lock, 0

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        if whence == io.SEEK_CUR:
            offset, whence = offset + self._place, io.SEEK_SET
        with self._lock:
            self._place = self._file.seek(offset, whence)
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See `io.RawIOBase`."""
        with self._lock:  # others read in other threads
            self._file.seek(self._place)
            content = self._file.read(len(memoryview(buffer)))
        memoryview(buffer)[: len(content)] = content
        self._place += len(content)
        return len(content)
