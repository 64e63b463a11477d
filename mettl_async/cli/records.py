"""Reading back what `LinkFile` writes: rows with their bytes, damaged ones too."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Final

from attrs import define, field, frozen

from mettl_async.cli.columns import EMAIL
from mettl_async.cli.outfile import csv_line, unguarded

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = (EMAIL, "status", "url", "code", "reason", "attempts", "line", "schedule")
NEEDED: Final = (EMAIL, "status", "url", "code", "schedule")

_CSV_BEGINS: Final = csv_line(COLUMNS).encode()
_JSON_BEGINS: Final = f'{{"{EMAIL}": "'.encode()


@frozen
class Record:
    """A row as it is in the file, and its cells; none if it was cut short or is damaged."""

    raw: bytes = field(repr=False)
    cells: Mapping[str, str] | None = field(repr=False)


class ForeignFileError(Exception):
    """It was not written by ``mettl register``; ``resaved`` if it was at first, by the looks of it."""

    def __init__(self, *, resaved: bool = False) -> None:
        super().__init__()
        self.resaved = resaved


@define(eq=False)
class Records:
    """The rows of an open file; ``names`` and ``begin`` are known after `header`.

    Attributes:
        file: Open for reading.
        json_lines: Whether it is JSON Lines, or else CSV.
        names: Columns of the CSV, ours and whatever a user has added.
        begin: Where the first row is.
    """

    file: IO[bytes] = field(repr=False)
    json_lines: bool
    names: tuple[str, ...] = COLUMNS
    begin: int = 0

    def header(self) -> None:
        """Read where rows begin, and what they are called; an empty file has no header yet.

        Raises:
            ForeignFileError: There is something else in it, which must not be touched.
        """
        self.file.seek(0)
        # Zeros are what a power cut may leave of a line.
        if self.json_lines:
            whole = self.file.readline(len(_JSON_BEGINS)).rstrip(b"\0")
            if not _JSON_BEGINS.startswith(whole) and self.at(0).cells is None:
                raise ForeignFileError
            return
        whole, cells = self._csv()
        if whole.endswith(b"\n") and cells is not None:
            self.names = tuple(cells)
            if not set(NEEDED) <= set(cells):
                raise ForeignFileError(resaved=_resaved(whole))
            self.begin = len(whole)
        elif not _CSV_BEGINS.startswith(whole.rstrip(b"\0")):
            raise ForeignFileError

    def __iter__(self) -> Iterator[Record]:
        place = self.begin
        while (record := self.at(place)).raw:
            yield record
            place += len(record.raw)

    def at(self, place: int) -> Record:
        """The row that begins there; an empty one at the end."""
        self.file.seek(place)
        if self.json_lines:
            line = self.file.readline()
            return Record(line, _object(line))
        raw, cells = self._csv()
        if cells is None or len(cells) != len(self.names) or not raw.endswith(b"\n"):
            return Record(raw, None)
        return Record(raw, dict(zip(self.names, map(unguarded, cells), strict=True)))

    def _csv(self) -> tuple[bytes, list[str] | None]:
        lines: list[bytes] = []

        def texts() -> Iterator[str]:
            while line := self.file.readline():
                lines.append(line)
                yield line.decode().removeprefix("\ufeff")

        try:
            cells = next(csv.reader(texts(), strict=True), None)
        except (csv.Error, ValueError):
            # A quote that is never closed must not take the rows after it along.
            return lines[0], None
        raw = b"".join(lines)
        return raw, None if b"\0" in raw else cells


def _resaved(header: bytes) -> bool:
    """Whether the columns are there, but with another delimiter, as Excel saves CSV in much of Europe."""
    line = header.decode("utf-8-sig", errors="replace").rstrip()
    return any(set(NEEDED) <= set(line.split(delimiter)) for delimiter in ";\t")


def _object(line: bytes) -> Mapping[str, str] | None:
    try:
        found = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in NEEDED):
        return None
    return found
