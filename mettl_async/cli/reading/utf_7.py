"""UTF-7, which is written in ASCII: whether a text of ASCII may be that (RFC 2152). Pure functions."""

import re
from collections.abc import Iterable
from typing import Final

ENCODING: Final = "utf-7"

# "+", then Base64; "-" ends it, or what is not of Base64. Tags of addresses (a+tag@x.org) are not meant.
_SHIFTED: Final = re.compile(
    rb"\+(?P<letters>[A-Za-z0-9/]{3,})(?P<end>-?)(?![A-Za-z0-9/+])(?![A-Za-z0-9._+-]*@)"
)
_MOST: Final = 300


def may_have(piece: bytes) -> bool:
    """Tell at once of most pieces of ASCII that nothing in them is of UTF-7."""
    return b"+" in piece


def lines_in_utf_7(lines: Iterable[bytes]) -> dict[int, bytes]:
    """Give some lines that have letters beyond ASCII in UTF-7, by number; none unless all lines can be UTF-7.

    Lines of other texts can hardly: of 16 bits for each letter nothing may be left over, and a ``+`` by
    itself is written ``+-``.
    """
    found: dict[int, bytes] = {}
    for number, line in enumerate(lines, 1):
        if b"+" not in line:
            continue
        try:
            line.decode(ENCODING)
        except UnicodeDecodeError:
            return {}
        if len(found) < _MOST and tells(line):
            found[number] = line
    return found


def tells(text: bytes) -> bool:
    """Tell whether a text has letters beyond ASCII in UTF-7, such as ``Jos+AOk-``."""
    return any(map(_is_of_letters, _SHIFTED.finditer(text)))


def _is_of_letters(found: re.Match[bytes]) -> bool:
    coded = found["letters"]
    if coded.isdigit():  # a telephone number
        return False
    # Without its "-" it may be a word: REST+API.
    if not found["end"] and coded in (coded.upper(), coded.lower(), coded.title()):
        return False
    try:
        text = b"".join((b"+", coded, b"-")).decode(ENCODING)
    except UnicodeDecodeError:
        return False
    return text.isprintable() and any(one.isalpha() and not one.isascii() for one in text)
