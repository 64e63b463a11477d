"""Cells that no spreadsheet program computes, whatever it splits a line at. Pure functions.

People choose their own names and addresses, and a program that opens a file of them runs what begins with
``=``, ``+``, ``-`` or ``@`` [OWASP: CSV injection]. Quotes around a cell are no help: they go before the
program looks for a formula, and one that splits at ``;`` does not see those around what holds a comma.
So an apostrophe stands in front of what would begin a formula, where the cell begins and after whatever
a program may split at, and no cell holds a tab, a line break or another control character.
"""

import re
from typing import Final

# Excel in East Asian languages takes the wide and small forms for the others.
_SIGNS: Final = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
# What programs split at by default or propose; tabs are not left in any cell.
_SEPARATORS: Final = ",;|"
# Before a sign they do not keep it from being one: trimmed, dropped, or taken for quotes of a text.
# Spaces of all kinds, formats (Cf), and what has no glyph.
_UNSEEN: Final = (
    r"\s\"'\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u2028-\u202e\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff0-\ufffc\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_FORMULA: Final = f"(?=[{_UNSEEN}]*[{_SIGNS}])"
_BARE: Final = re.compile(f"(^|[{_SEPARATORS}]){_FORMULA}")
_GUARDED: Final = re.compile(f"(^|[{_SEPARATORS}])'{_FORMULA}")

# C0 and DEL have pictures; the others, and the pictures themselves, are written as in OOXML.
_PICTURES: Final = {
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},
    "\x7f": "\N{SYMBOL FOR DELETE}",
}
_CONTROLS: Final = {picture: control for control, picture in _PICTURES.items()}
_CODED: Final = r"\x80-\x9f\u2028\u2029\u2400-\u241f\u2421"
_ESCAPED: Final = re.compile(rf"[\x00-\x1f\x7f{_CODED}]|_(?=x[0-9A-F]{{4}}(?:_|[{_CODED}]))")
_ESCAPE: Final = re.compile(r"[\u2400-\u241f\u2421]|_x([0-9A-F]{4})_")

# Most cells: nothing in them is written otherwise, unless it looks like an escape.
_APART: Final = rf"{_SEPARATORS}\x00-\x1f\x7f{_CODED}"
_PLAIN: Final = re.compile(rf"(?:(?:[0-9A-Za-z]|[^{_APART}{_UNSEEN}{_SIGNS}])[^{_APART}]*)?")


def guard(text: str) -> str:
    """Write a text so that it is a text in Excel, LibreOffice, Numbers and Sheets; `unguard` gives it back.

    A few honest ones ("+tag@...", "-5") get the apostrophe too. Line breaks become ``␊``.
    """
    if not text or (_PLAIN.fullmatch(text) and "_x" not in text):
        return text
    # What is guarded already gets one more: else nobody could tell a person's apostrophe from ours.
    return _BARE.sub(r"\1'", _ESCAPED.sub(_escape, text))


def unguard(text: str) -> str:
    """Give back the text of which `guard` made this one; one that it left alone stays as it is."""
    if _PLAIN.fullmatch(text) and "_x" not in text:
        return text
    return _ESCAPE.sub(_unescape, _GUARDED.sub(r"\1", text))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return _PICTURES.get(character) or f"_x{ord(character):04X}_"


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _CONTROLS[found[0]]
