"""Rows that are read once and needed several times."""

import marshal
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any, Final

from attrs import define, field

KeptRow = tuple[Any, ...]
"""Of plain values only: numbers, texts, None, and lists and dicts of such."""

_AT_ONCE: Final = 500


@define(eq=False)
class KeptRows:
    """Rows in memory, or, of a long table, in a temporary file without a name.

    The file has mode 0600; nothing is left of it however the process ends. Several threads may read.
    """

    _latest: list[KeptRow] = field(factory=list, init=False, repr=False)
    _blocks: list[tuple[int, int]] = field(factory=list, init=False, repr=False)
    _file: IO[bytes] | None = field(default=None, init=False, repr=False)
    _end: int = field(default=0, init=False)
    _count: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __len__(self) -> int:
        return self._count

    def append(self, row: KeptRow) -> None:
        """Keep one more row.

        Raises:
            OSError: The disk is full, or the like.
        """
        self._latest.append(row)
        self._count += 1
        if len(self._latest) < _AT_ONCE:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - see close
        content = marshal.dumps(self._latest)  # faster than all others; read by this process only
        self._file.write(content)
        self._blocks.append((self._end, len(content)))
        self._end += len(content)
        self._latest = []

    def __iter__(self) -> Iterator[KeptRow]:
        for start, length in self._blocks:
            yield from self._block(start, length)
        yield from self._latest

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()

    def _block(self, start: int, length: int) -> list[KeptRow]:
        if self._file is None:
            return []
        with self._lock:
            self._file.seek(start)
            content = self._file.read(length)
        rows: list[KeptRow] = marshal.loads(content)  # noqa: S302 - written by this process
        return rows
