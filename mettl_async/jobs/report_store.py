"""Where reports go: a folder, or what a user brings."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO, Final, Protocol

import anyio
from attrs import field, frozen

from mettl_async.bulk.files import sync_directory
from mettl_async.errors import InvalidInputError

_NAME: Final = re.compile(
    r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127})?"
)


class Store(Protocol):
    """What keeps reports: any ``async def store(name, chunks)``.

    When it returns, the report is kept for good: it is not given again, unless the worker dies at that
    instant; then it is given again under the same name, so that storing it twice must be as good as once.
    """

    async def __call__(self, name: str, chunks: AsyncIterator[bytes], /) -> object:
        """Keep the bytes of a report under a name.

        Args:
            name: Such as ``ACCESS_KEY/0f3a...9c.pdf``, ASCII; nothing of the candidate is in it.
            chunks: The PDF, which is whole and was checked.
        """


def _absolute(path: str | PathLike[str]) -> str:
    if not isinstance(path, str | PathLike) or not os.fspath(path):
        raise InvalidInputError("path", f"is a {type(path).__name__}", "pass the path of a folder")
    return os.path.abspath(path)  # noqa: PTH100 - which keeps links


@frozen
class FolderStore:
    """A folder with a file for each report.

    A file is there when it is whole and on the disk; one of the same name is replaced. Folders are made
    when they are not there, and like the files readable for their owner only.

    Args:
        path: Of the folder; kept as an absolute one.

    Raises:
        InvalidInputError: It is no path.
    """

    path: str = field(converter=_absolute)

    async def __call__(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep a report; see `Store`.

        Raises:
            InvalidInputError: The name would lead out of the folder.
            OSError: It cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInputError("name", "is no name of a report", 'give such as "abc/0f.pdf"')
        target = Path(self.path, name)
        with unfinished(target) as (file, part):
            async for chunk in chunks:
                await anyio.to_thread.run_sync(file.write, chunk)
            await anyio.to_thread.run_sync(settle, file, part, target)


@contextmanager
def unfinished(target: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """Make a file beside its target, gone after the block unless it was moved there; with its folder."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    file, part = os.fdopen(handle, "wb"), Path(name)
    try:
        yield file, part
    finally:
        with suppress(OSError):  # a full disk was told before
            file.close()
        part.unlink(missing_ok=True)


def settle(file: IO[bytes], part: Path, target: Path) -> None:
    """Have a file on the disk under its name."""
    file.flush()
    os.fsync(file.fileno())
    file.close()  # before it is moved, for Windows
    part.replace(target)
    sync_directory(target)
