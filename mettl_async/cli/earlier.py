"""The file of an earlier run, taken up again: rows of final answers stay, all others are tried again.

No row that stays is ever absent from the disk: rows that go from the end are cut off, and where one
goes from the middle, a new file takes the place of the old one in one step.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

from attrs import frozen

from mettl_async.bulk.files import BINARY, PRIVATE, own, settle_name
from mettl_async.bulk.journal_record import FINAL_CODES
from mettl_async.bulk.offsets import Offsets
from mettl_async.cli.columns import EMAIL
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.records import ForeignFileError, Records
from mettl_async.cli.rows import is_json_lines
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Self

    from mettl_async.cli.records import Record

_MOVES_OPEN_FILES: Final = os.name != "nt"


_STATUSES: Final = frozenset({"registered", "rejected", "failed", "unknown"})


@frozen
class _Open:
    """The file, for this process alone."""

    handle: int
    records: Records

    @classmethod
    def take(cls, path: Path) -> _Open:
        """Open and lock it.

        Raises:
            CommandError: It is no file, or in use.
            OSError: It cannot be opened.
        """
        handle = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, PRIVATE)
        try:
            _check_handle(path, handle)
            with suppress(OSError):  # of another owner, who let us write
                path.chmod(PRIVATE)
            return cls(handle, Records(path.open("rb"), is_json_lines(path)))
        except BaseException:
            os.close(handle)
            raise

    def close(self) -> None:
        """Close it; nothing if it is closed."""
        if not self.records.file.closed:
            self.records.file.close()
            os.close(self.handle)


class Earlier:
    """An output file that is open to be gone on with, and who has a final answer in it.

    It is made if there is none. What a kill or a full disk left of a last row, and what a power cut
    left anywhere, is passed over: those candidates are tried again. Memory is some 20 bytes a row.

    Attributes:
        handle: At the end of the file, for adding rows.
        size: Bytes of it, all of them rows that stay, and the header.
        names: Its columns, ours and others.
        new: Whether there was nothing in it.

    Raises:
        CommandError: It is another schedule's, not a file of this command, in use, or unusable.
    """

    def __init__(self, path: Path, schedule: str) -> None:
        self._path, self._schedule = path, schedule
        try:
            self._open = _Open.take(path)
            try:
                self.new = not os.fstat(self._open.handle).st_size
                self._index()
            except BaseException:
                self._open.close()
                raise
        except ForeignFileError as error:
            what = "pass another --out"
            if error.resaved:
                what = (
                    f"perhaps a spreadsheet program has saved it; {what}, or --overwrite: "
                    "registering twice is harmless"  # [seen]
                )
            raise CommandError(
                f"{path}: is not a file that this version of mettl register has written; {what}"
            ) from None
        except OSError as error:
            raise CommandError(f"{path}: cannot be resumed: {os_reason(error)}") from None
        self.handle, self.names = self._open.handle, self._open.records.names

    def find(self, email: str) -> tuple[str, str] | None:
        """Status and code of this email's final answer; None if there is none."""
        key = fold_email(email)
        for place in self._kept.of(key):
            cells = self._open.records.at(place).cells
            if cells is not None and fold_email(cells[EMAIL]) == key:
                return cells["status"], cells["code"]
        return None

    def close(self) -> None:
        """Close it, which lets another command have it."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _index(self) -> None:
        if self._scan():
            part = self._write_part()
            old = self._open
            try:
                if not _MOVES_OPEN_FILES:
                    old.close()
                part.replace(
                    self._path.resolve()
                )  # a link stays, and what it points to is replaced
                settle_name(self._path)
                self._open = _Open.take(self._path)
            finally:
                old.close()
            self._scan()
        os.ftruncate(self._open.handle, self.size)
        os.lseek(self._open.handle, self.size, os.SEEK_SET)

    def _scan(self) -> bool:
        """Find what stays; true if something before the last such row has to go."""
        self._kept = Offsets()
        self._open.records.header()
        place = self.size = self._open.records.begin
        holes = False
        for record, stays in self._judged():
            if stays is not None:
                holes = holes or self.size != place
                self._kept.add(stays, place)
                self.size = place + len(record.raw)
            place += len(record.raw)
        return holes

    def _judged(self) -> Iterator[tuple[Record, str | None]]:
        """Each row, with its folded email if it stays."""
        for record in self._open.records:
            cells = record.cells
            if cells is None or not cells[EMAIL] or cells["status"] not in _STATUSES:
                yield record, None
                continue
            if cells["schedule"] != self._schedule:
                raise CommandError(
                    f"{self._path}: holds links of another schedule; pass another --out"
                )
            key = fold_email(cells[EMAIL])
            yield record, key if _is_final(cells) and self.find(key) is None else None

    def _write_part(self) -> Path:
        home = self._path.resolve()
        # Always the same name: what a kill leaves of it is overwritten by the next one.
        part = home.with_name(f".{home.name}.resume")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, PRIVATE)
        try:
            with os.fdopen(handle, "wb") as file:
                self._copy(file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return part

    def _copy(self, file: IO[bytes]) -> None:
        records, self._kept = self._open.records, Offsets()
        records.file.seek(0)
        file.write(records.file.read(records.begin))
        place = records.begin
        for record, stays in self._judged():
            if stays is not None:
                file.write(record.raw)
                self._kept.add(stays, place)
            place += len(record.raw)


def _check_handle(path: Path, handle: int) -> None:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise CommandError(f"{path}: is not a file, so it cannot be resumed")
    if not own(path, handle):
        raise CommandError(f"{path}: another command is writing to it")


def _is_final(cells: Mapping[str, str]) -> bool:
    if cells["status"] == "registered":
        return bool(cells["url"])
    return cells["status"] == "rejected" and cells["code"] in FINAL_CODES
