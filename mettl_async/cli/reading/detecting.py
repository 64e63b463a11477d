"""Detect the format, the encoding and the delimiter of a file from its first bytes. Pure functions.

What is not certain is not guessed: names in the wrong alphabet would go out to real people.
"""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Final

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import UNDECODED, UTF_8, Format, normalized
from mettl_async.cli.reading.rows import CSV_SUFFIXES, JSON_SUFFIXES

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
WESTERN: Final = "cp1252"

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKS: Final = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A header's first letter is ASCII nearly always, so that half of the unit is zero.
_UNMARKED: Final = (
    (re.compile(rb"[^\0]\0[^\0]"), "utf-16-le"),
    (re.compile(rb"\0[^\0]\0"), "utf-16-be"),
)
_BY_ENDING: Final = {
    **dict.fromkeys((*CSV_SUFFIXES, ".tsv"), "csv"),
    **dict.fromkeys(JSON_SUFFIXES, "jsonl"),
    **dict.fromkeys((".xlsx", ".xlsm"), "xlsx"),
}
_MULTIBYTE: Final = re.compile("[^\0-\x7f\udc80-\udcff]")
# No sign that Western Europe's Excel leaves in lists of people: undefined bytes; letters that are
# others' on Turkish and Polish machines; three accented letters in a row, as in Cyrillic or Greek.
_NOT_WESTERN: Final = re.compile(
    rb"[\x81-\x84\x86-\x89\x8b\x8d\x8f\x90\x95\x98\x99\x9b\x9d\xa1-\xa6\xa8\xac\xad\xaf\xb1-\xb3"
    rb"\xb5\xb6\xb8\xb9\xbc-\xbf\xd0\xd7\xdd\xde\xf0\xf7\xfd\xfe]|[\xc0-\xff]{3}"
)
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)


def format_of(name: str, ending: str, head: bytes, asked: Format | None) -> Format:
    """Detect the format: what was asked for, else by the ending of the name, else by the content.

    A workbook is known by its first bytes whatever it is called.

    Raises:
        CommandError: The bytes contradict what was asked for or the name.
    """
    if head.startswith(_OLE):
        raise CommandError(
            f"{name}: is an old Excel file (.xls) or has a password; save it as .xlsx without one"
        )
    found = asked or (Format(_BY_ENDING[ending]) if ending in _BY_ENDING else None)
    zipped = head.startswith(_ZIP)
    if zipped and (asked or Format.XLSX) != Format.XLSX:
        raise CommandError(f"{name}: looks like XLSX; leave out --format {asked}")
    if found == Format.XLSX and not zipped:
        raise CommandError(f"{name}: is not XLSX by its first bytes")
    if zipped:
        return Format.XLSX
    return found or _by_content(head)


def _by_content(head: bytes) -> Format:
    first = head.decode(marked_encoding(head) or UTF_8, errors="ignore").lstrip()[:1]
    return Format.JSONL if first in {"{", "["} else Format.CSV


def marked_encoding(head: bytes) -> str | None:
    """Detect an encoding by a BOM, or by zeros between the first letters."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    return next((encoding for signs, encoding in _UNMARKED if signs.match(head)), None)


def encoding_of(chunks: Iterable[bytes]) -> str:
    """Detect UTF-8, or else Windows-1252 where the whole file can be that and none of it is UTF-8.

    A file that is neither is called UTF-8, so that its undecodable rows can be named.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    broken = multibyte = False
    western = True
    for chunk in chain(chunks, [b""]):
        text = decoder.decode(chunk, final=not chunk)
        if not text.isascii():
            broken = broken or UNDECODED.search(text) is not None
            multibyte = multibyte or _MULTIBYTE.search(text) is not None
        western = western and _NOT_WESTERN.search(chunk) is None
        if broken and (multibyte or not western):
            return UTF_8
    return WESTERN if broken else UTF_8


def delimiter_of(sample: str, wanted: Collection[str]) -> str:
    """Choose the delimiter that finds most of the wanted columns in the header, then most columns.

    Quoted names may hold any of them. Excel's line ``sep=;`` decides alone.
    """
    lines = io.StringIO(sample, newline="")
    said = _SEPARATOR_LINE.fullmatch(lines.readline())
    if said:
        return said[1]
    sought = {normalized(one) for one in wanted}

    def score(delimiter: str) -> tuple[int, int]:
        header = _header(sample, delimiter)
        return len(sought & set(map(normalized, header))), len(header)

    return max(DELIMITERS, key=score)


def _header(sample: str, delimiter: str) -> list[str]:
    try:
        for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if any(map(str.strip, cells)):
                return cells
    except csv.Error:
        pass
    return []


def without_separator_line(lines: Iterable[str]) -> Iterator[str]:
    """Replace Excel's ``sep=;`` in the first line by a blank line."""
    for number, line in enumerate(lines):
        yield "\n" if not number and _SEPARATOR_LINE.fullmatch(line) else line
