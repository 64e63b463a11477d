"""Characters that nobody sees, in headers and names. Pure functions."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
LINE_BREAKS: Final = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"

# Without a glyph, although their categories are those of letters, marks and symbols
# (Default_Ignorable_Code_Point of Unicode; the Braille blank is not of them).
_BLANK: Final = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc"
_VARIANTS: Final = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Scripts whose letters have variants; of other characters, those of pictures are chosen so.
_VARIED: Final = ("CJK", "MONGOLIAN", "PHAGS-PA", "MANICHAEAN", "MYANMAR", "INFORMATION SOURCE")
_JOINERS: Final = "\u200c\u200d"
_VIRAMA: Final = 9  # its combining class
_CURSIVE: Final = ("ARABIC", "SYRIAC", "MANDAIC", "MONGOLIAN", "NKO", "PHAGS-PA", "MANICHAEAN",
                   "PSALTER", "HANIFI", "SOGDIAN", "ADLAM", "CHORASMIAN")  # fmt: skip
# Only of these can a text be without anything that `hidden` knows.
_NOT_PLAIN: Final = re.compile(f"[{_BLANK}{REPLACEMENT}{_VARIANTS}]")
_LOST: Final = re.compile(f"[{REPLACEMENT}\0\ud800-\udfff]")
_SPACES: Final = re.compile(r"\s+")


def is_plain(text: str) -> bool:
    """Tell at once of most texts that nothing in them is invisible but spaces."""
    return text.isprintable() and (text.isascii() or _NOT_PLAIN.search(text) is None)


def hidden(text: str) -> str | None:
    """Find the first character that cannot be seen, or stands for one that was lost; None for none.

    Spaces of any kind and line breaks are not meant. Joiners count as letters where scripts need them, and
    selectors of a variant after what they vary.
    """
    if is_plain(text):
        return None
    return next((text[place] for place in _hidden_places(text)), None)


def with_escapes(text: str) -> str:
    r"""Write a text in one line so that everything in it can be seen: ``1\u200b``, ``a\nb``."""
    if is_plain(text):
        return text
    places = set(_hidden_places(text))
    return "".join(
        ascii(one)[1:-1] if place in places or one in LINE_BREAKS or one == "\t" else one
        for place, one in enumerate(text)
    )


def _hidden_places(text: str) -> Iterator[int]:
    for place, character in enumerate(text):
        if character in LINE_BREAKS or character == "\t" or not _is_hidden(character):
            continue
        before, after = text[max(0, place - 1) : place], text[place + 1 : place + 2]
        if character in _JOINERS and _joins(before, after):
            continue
        if re.match(f"[{_VARIANTS}]", character) and _is_varied(before):
            continue
        yield place


def called(character: str) -> str:
    """Name a character for people: ``U+200B ZERO WIDTH SPACE``."""
    name = unicodedata.name(character, "control character")
    return f"U+{ord(character):04X} {name}"


def clean_name(name: str) -> str:
    """Take from a column's name what cannot be seen: invisible characters, and spaces but one between words.

    The result is in NFC, in which names that look alike are alike. What was lost before stays, to be told.
    """
    if name.isascii() and name.isprintable() and "  " not in name:
        return name.strip()
    seen = "".join(
        character if place is None else " "
        for place, character in _visible(unicodedata.normalize("NFC", name))
    )
    return _SPACES.sub(" ", seen).strip()


def _visible(name: str) -> list[tuple[int | None, str]]:
    kept: list[tuple[int | None, str]] = []
    for place, character in enumerate(name):
        if character.isspace() or character in LINE_BREAKS:
            kept.append((place, character))
        elif (
            not _is_hidden(character)
            or _LOST.match(character)
            or hidden(name[max(0, place - 1) : place + 2]) is None
        ):
            kept.append((None, character))
    return kept


def _is_hidden(character: str) -> bool:
    if character in _BLANK or character == REPLACEMENT or re.match(f"[{_VARIANTS}]", character):
        return True
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _is_varied(character: str) -> bool:
    if not character or character.isspace() or _is_hidden(character):
        return False
    letter = unicodedata.category(character)[0] in "LM"
    return not letter or unicodedata.name(character, "").startswith(_VARIED)


def _joins(before: str, after: str) -> bool:
    """Tell whether a joiner between two characters changes how they look (RFC 5892, UAX 31)."""
    if any(unicodedata.combining(one) == _VIRAMA for one in (before, after) if one):
        return True
    names = [unicodedata.name(one, "") for one in (before, after) if one]
    if names and names[0].startswith(_CURSIVE):
        return True
    # Pictures made of pictures, whose variant may be selected in between.
    pictures = (after,) if before == "\ufe0f" else (before, after)
    return all(one and unicodedata.category(one) in {"So", "Sk"} for one in pictures)
