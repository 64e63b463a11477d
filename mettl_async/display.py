"""Text of others, made safe for where it is shown: a terminal, a log, an error, a file.

A server, or whoever writes into it, can otherwise clear a screen, set its title, begin a line of a log,
or turn the order of letters.
"""

import re
from typing import Final

# Not "isprintable": the joiners U+200C and U+200D are letters' business in Hindi, and in emoji.
_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    r"\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def one_line(text: str) -> str:
    """Write a text in one line: blanks of all kinds become one space.

    Control characters (escape sequences begin with one), marks of direction, separators of lines,
    invisible characters and halves of pairs become ``U+FFFD``.
    """
    if text.isprintable() and "  " not in text:
        return text.strip()
    return _UNSAFE.sub(_REPLACEMENT, " ".join(text.split()))


def multiline(text: str) -> str:
    """Write a text that may have several lines: as `one_line`, but line feeds and tabs stay."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda one: one[0] if one[0] in "\n\t" else _REPLACEMENT, text)


def json_text(text: str) -> str:
    """Escape in a text of JSON what `one_line` replaces, so that its values stay as they are."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    if found[0] in "\n\t":
        return found[0]  # between values: within them JSON has escaped these
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
