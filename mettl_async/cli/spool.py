"""Input that comes once, kept so that it can be read again: for its owner only, and gone at the end."""

from __future__ import annotations

import io
import tempfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from _typeshed import WriteableBuffer

_CHUNK = 1 << 16


class Spool:
    """A copy of a stream in a temporary file without a name.

    The file has mode 0600 and its name is taken away as soon as it is made (on Windows when it is closed),
    so that nothing is left behind however the process ends.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        try:
            # Not read(), which collects several pieces and hears no Ctrl-C between them.
            while chunk := stream.read1(_CHUNK):
                self._file.write(chunk)
            self._file.flush()
        except BaseException:  # Ctrl-C too
            self._file.close()
            raise

    def open(self) -> io.BufferedReader:
        """Read from the beginning; readings do not disturb each other within one thread."""
        return io.BufferedReader(_Reading(self._file))

    def fileno(self) -> int:
        """The handle of the file."""
        return self._file.fileno()

    def close(self) -> None:
        """Remove it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Reading(io.RawIOBase):
    """A place in a file that others read too."""

    def __init__(self, file: IO[bytes]) -> None:
        self._all, self._place = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset, whence = offset + self._place, io.SEEK_SET
        self._place = self._all.seek(offset, whence)
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        self._all.seek(self._place)
        content = self._all.read(len(view))
        view[: len(content)] = content
        self._place += len(content)
        return len(content)
