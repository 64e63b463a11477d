"""Physical lines of CSV: fed to the reader, and kept for as long as their row is being read."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from attrs import define, field

from mettl_async.cli.reading.delimiter import SEPARATOR_LINE

CTRL_Z: Final = "\x1a"
"""The end of a file, for programs of DOS."""


@define(eq=False)
class Lines:
    """Lines for `csv.reader`, which can be read again from the one after a row's first.

    Attributes:
        of_row: Lines that were given since `begin_row`.
        looked_at: Number of the first line that was never given before.
    """

    source: Iterator[str] = field(repr=False)
    of_row: list[str] = field(factory=list, repr=False)
    looked_at: int = field(default=1, init=False)
    _before: int = field(default=0, init=False)
    _again: list[str] = field(factory=list, init=False, repr=False)

    @classmethod
    def of(cls, lines: Iterable[str], *, header_row: int | None, padded: bool) -> "Lines":
        """Take the lines of a text.

        Args:
            lines: As they are in the file, with their ends.
            header_row: Line of the header; None for the first one with content.
            padded: Whether the text ends with Ctrl-Z, which is no part of it.
        """
        source = iter(lines)
        found = cls(_without_padding(source) if padded else source)
        # Blank ones instead of those that are no rows, so that all lines keep their numbers.
        first = list(islice(found.source, max(1, (header_row or 1) - 1)))
        skipped = (header_row or 1) - 1
        found._again = [
            "\n" if number < skipped or (not number and SEPARATOR_LINE.fullmatch(line)) else line
            for number, line in enumerate(first)
        ]
        return found

    def __iter__(self) -> Iterator[str]:
        keep = self.of_row.append
        while self._again:
            line = self._again.pop(0)
            keep(line)
            yield line
        for line in self.source:
            keep(line)
            yield line
            while self._again:  # of `peek`
                keep(self._again[0])
                yield self._again.pop(0)

    def peek(self) -> str | None:
        """Look at the line after those that were given; None at the end."""
        if not self._again:
            self._again.extend(islice(self.source, 1))
        return self._again[0] if self._again else None

    def begin_row(self) -> int:
        """Forget the lines of the row before; give the number of the line where the next one begins."""
        self._before += len(self.of_row)
        self.of_row.clear()
        return self._before + 1

    def back_to_second(self) -> None:
        """Go back to the line after the first one of this row."""
        self.looked_at = max(self.looked_at, self._before + 1 + len(self.of_row))
        self._again = self.of_row[1:] + self._again
        del self.of_row[1:]


def _without_padding(lines: Iterator[str]) -> Iterator[str]:
    before = ""
    for line in lines:
        if before:
            yield before
        before = line
    if text := before.rstrip(CTRL_Z):
        yield text


def opening_line(
    lines: Sequence[str], first: int, delimiter: str, column: int | None = None
) -> int:
    """Tell in which line of a row a quote opens.

    Args:
        lines: Of the row.
        first: Number of the first of them.
        delimiter: Of the file.
        column: Place of a cell, counted from 0; None for the last cell that is quoted.
    """
    text, line, opened = "".join(lines), first, first
    cell = begins = passed = 0
    quoted = False
    for found in re.finditer(f'"|{re.escape(delimiter)}|\r\n?|\n', text):
        mark, here, after = found[0], found.start(), found.end()
        if here < passed:
            continue
        if mark[0] in "\r\n":
            line += 1
        if quoted and mark == '"':
            quoted = text.startswith('"', after)  # twice means one of the cell's own
            passed = after + quoted
        elif mark == '"' and here == begins:
            quoted = True
            opened = line if column in (None, cell) else opened
        elif mark == delimiter and not quoted:
            cell, begins = cell + 1, after
    return opened


def as_meant(lines: Sequence[str], delimiter: str) -> list[str] | None:
    """Read a row whose quotes stand after blanks; None where it is not one whole row then either."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
