"""The delimiter of CSV: what finds the needed columns, or asked for. Pure functions."""

import csv
import io
import re
from collections.abc import Collection
from typing import Final

from mettl_async.cli.printing import printable
from mettl_async.cli.reading.characters import clean_name
from mettl_async.cli.reading.columns import normalized
from mettl_async.cli.reading.doubts import Choice, DoubtError

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SEPARATOR_LINE: Final = re.compile(r'\ufeff?"?sep=([^"\r\n]|\\t)"?[\r\n]*', re.IGNORECASE)
"""Excel's own first line, ``sep=;``."""

_LESS_USUAL: Final = ("^", "~", ":", "#", "\x1f")
_LONGEST_SHOWN: Final = 100


def find_delimiter(name: str, sample: str, wanted: Collection[str], header_row: int | None) -> str:
    """Choose the delimiter that finds all wanted columns in the header.

    Quoted names may hold any of them. Excel's line ``sep=;`` decides alone. Where no delimiter finds them
    all, the one that finds most columns lets `columns_of` say what is missing.

    Raises:
        DoubtError: Several delimiters find them all.
    """
    lines = io.StringIO(sample, newline="")
    said = SEPARATOR_LINE.fullmatch(lines.readline())
    if said:
        return "\t" if said[1] == "\\t" else said[1]
    sought = {normalized(clean_name(one)) for one in wanted}
    headers = {
        delimiter: _header(sample, delimiter, header_row or 1)
        for delimiter in (*DELIMITERS, *_LESS_USUAL)
    }
    found = {
        delimiter: len(sought & {normalized(clean_name(one)) for one in header})
        for delimiter, header in headers.items()
    }
    whole = [delimiter for delimiter, count in found.items() if count == len(sought)]
    if len(whole) > 1:
        raise DoubtError(
            f"{name}: its columns can be told apart in more than one way",
            [
                Choice("delimiter", DELIMITERS.get(one, one), (_shown(headers[one]),))
                for one in whole
            ],
        )
    if whole:
        return whole[0]
    return max(DELIMITERS, key=lambda one: (found[one], len(headers[one])))


def _shown(header: list[str]) -> str:
    return printable(" | ".join(header))[:_LONGEST_SHOWN]


def _header(sample: str, delimiter: str, first_line: int) -> list[str]:
    lines = io.StringIO(sample, newline="").readlines()[first_line - 1 :]
    try:
        for cells in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
            if any(map(str.strip, cells)):
                return cells
    except csv.Error:
        pass
    return []
