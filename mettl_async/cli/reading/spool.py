"""What is read once and needed again: streams and rows, in temporary files without names."""

from __future__ import annotations

import io
import marshal
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Final

from attrs import define, field

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK: Final = 1 << 16
_IN_MEMORY: Final = 1 << 20
_AT_ONCE: Final = 500
_LENGTH: Final = 8  # bytes before each piece


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


@define(eq=False)
class Spool:
    """Records in the order in which they came, each a tuple of plain values; few are in memory.

    The first megabyte stays there, and the rest is in a file as `spool` makes it. Once all were added, any
    number of threads may read.
    """

    _file: IO[bytes] = field(factory=io.BytesIO, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _waiting: list[tuple[Any, ...]] = field(factory=list, init=False, repr=False)
    _count: int = field(default=0, init=False)

    def __len__(self) -> int:
        return self._count

    def add(self, record: tuple[Any, ...]) -> None:
        """Add a record.

        Raises:
            OSError: The disk is full, or the like.
        """
        self._waiting.append(record)
        self._count += 1
        if len(self._waiting) == _AT_ONCE:
            # Not pickle, which is slower, and which could run what it reads.
            content = marshal.dumps(self._waiting)
            self._file.write(len(content).to_bytes(_LENGTH) + content)
            if isinstance(self._file, io.BytesIO) and self._file.tell() > _IN_MEMORY:
                content, self._file = self._file.getvalue(), tempfile.TemporaryFile()  # noqa: SIM115 - see close
                self._file.write(content)
            self._waiting = []

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        waiting, place = self._waiting, 0
        while content := self._read(place):
            place += _LENGTH + len(content)
            yield from marshal.loads(content)  # noqa: S302 - its own
        yield from waiting

    def _read(self, place: int) -> bytes:
        with self._lock:
            self._file.seek(place)
            return self._file.read(int.from_bytes(self._file.read(_LENGTH)))

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()
