"""The file of a journal: a header, then a line of JSON for each candidate; read and written here.

Whatever prefix of it is on the disk can be gone on with: a line that was cut short is taken away
before anything is added, and one that makes no sense (a hole after a power cut) is passed over.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from mettl_async.bulk.files import BINARY, PRIVATE, append, lock, settle_name
from mettl_async.bulk.journal_record import JournalRecord, is_settled_code
from mettl_async.bulk.offsets import Offsets
from mettl_async.bulk.outcomes import JournalError
from mettl_async.codec import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_VERSION: Final = 1


class JournalFile:
    """An open journal of one schedule, of this process alone.

    Raises:
        JournalError: It is another schedule's, no journal, or in use.
        OSError: It cannot be opened, read or written.
    """

    def __init__(self, path: Path, schedule: str, *, fsync: bool) -> None:
        self._path, self._fsync = path, fsync
        self._size = 0
        self._offsets = Offsets()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, PRIVATE)
        try:
            _take(path, self._handle)
            self._reader = path.open("rb")
        except BaseException:
            os.close(self._handle)
            raise
        try:
            self._begin(schedule)
        except BaseException:
            self.close()
            raise

    def _begin(self, schedule: str) -> None:
        header = f"{dumps({'mettl_journal': _VERSION, 'schedule': schedule})}\n".encode()
        first = self._reader.readline(64 * 1024)
        if not first.endswith(b"\n"):
            # New, or cut short while it was made: nobody had been sent then. Zeros are what a power
            # cut may leave of it.
            if not header.startswith(first.rstrip(b"\0")):
                raise JournalError(f"{self._path}: is not a journal of a bulk run")
            os.ftruncate(self._handle, 0)
            self._size = append(self._handle, header, 0)
        else:
            _check_header(self._path, first, schedule)
            self._size = len(first)
            self._scan()
            os.ftruncate(self._handle, self._size)
            os.lseek(self._handle, self._size, os.SEEK_SET)
        with suppress(OSError):  # of another owner, who let us write
            self._path.chmod(PRIVATE)
        if self._fsync:
            os.fsync(self._handle)
            settle_name(self._path)

    def _scan(self) -> None:
        for line in self._reader:
            if not line.endswith(b"\n"):
                break
            if _makes_sense(found := _object(line)):
                self._offsets.add(found["email"], self._size)
            self._size += len(line)

    def find(self, email: str) -> JournalRecord | None:
        """The record of a folded email; the last one, if it has several."""
        for offset in self._offsets.of(email):
            self._reader.seek(offset)
            settled = _read(self._reader.readline())
            if settled is not None and settled.email == email:
                return settled
        return None

    def append(self, lines: bytes) -> None:
        """Add whole lines, on the disk before this returns if that was asked for.

        Raises:
            OSError: They could not be written.
        """
        self._size = append(self._handle, lines, self._size)
        if self._fsync:
            os.fsync(self._handle)

    def close(self) -> None:
        """Close it, which lets another run have it."""
        self._reader.close()
        os.close(self._handle)


def lines_of(settled: Sequence[JournalRecord]) -> bytes:
    """Records as lines of the file."""
    return b"".join([f"{dumps(_plain(one))}\n".encode() for one in settled])


def _plain(one: JournalRecord) -> dict[str, str]:
    more = {"reason": one.reason} if one.url is None else {"url": one.url}
    return {"email": one.email, "status": one.status, **more}


def _read(line: bytes) -> JournalRecord | None:
    found = _object(line)
    if not _makes_sense(found):
        return None
    return JournalRecord(
        email=found["email"],
        status=found["status"],
        url=found.get("url"),
        reason=found.get("reason", ""),
    )


def _makes_sense(found: Mapping[str, Any]) -> bool:
    status, url = found.get("status"), found.get("url")
    if not isinstance(status, str) or not isinstance(found.get("email"), str):
        return False
    if isinstance(url, str):
        return bool(url)
    return url is None and is_settled_code(status) and isinstance(found.get("reason", ""), str)


def _object(line: bytes) -> dict[str, Any]:
    # json takes a third of the time of our own loads(), which mends what no journal holds.
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _take(path: Path, handle: int) -> None:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise JournalError(f"{path}: is not a file, so it cannot be a journal")
    if not lock(handle):
        raise JournalError(f"{path}: is in use by another run")


def _check_header(path: Path, line: bytes, schedule: str) -> None:
    header = _object(line)
    if "mettl_journal" not in header:
        raise JournalError(f"{path}: is not a journal of a bulk run")
    if header["mettl_journal"] != _VERSION:
        raise JournalError(f"{path}: is a journal of another version of mettl-async")
    if header.get("schedule") != schedule:
        raise JournalError(f"{path}: is the journal of another schedule; use one for each")
