"""Between bytes and plain data: the same with orjson and without."""

import json
import math
from json import JSONDecodeError
from typing import Any

try:
    import orjson
except ImportError:  # an optional extra
    orjson = None  # type: ignore[assignment]

_DIGITS = bytes.maketrans(b"E123456789", b"e000000000")
_EXPONENT = b"0e000"
_LONG = b"0" * 200
_BEFORE_NUMBER = b":,[ \n\r\t"
# A value of two bytes can take two hundred of memory, and a microsecond of a loop that does nothing else
# meanwhile. A page of a hundred people with four hundred questions each has a million [assumed].
_MOST_VALUES = 1_000_000
_MOST_DIGITS = 500  # of an integer
_DEEP = "not JSON: nested too deep"
_TOO_LONG = "not JSON: a number is too long"
_INFINITE = "not JSON: NaN or an infinity is in it"
_MAX_DEPTH = 1024  # orjson's own; from Python 3.13 on json would go down to 10,000


def loads(content: bytes) -> Any:
    """Read JSON text as UTF-8, without regard to the content type.

    The same result with and without orjson (but integers beyond 64 bits, which it makes floats);
    half a surrogate pair becomes ``?``, so that what comes out can always be encoded.

    Raises:
        ValueError: Not JSON, not UTF-8, NaN or an infinity in it, nested deeper than 1,024 levels, an
            integer of more than 500 digits, or more than some million values. It says which of these and where, and never holds the content.
    """
    if len(content) > _MOST_VALUES and sum(map(content.count, b",[{")) > _MOST_VALUES:
        raise ValueError(f"too many values in JSON ({len(content)} bytes)")
    if orjson is not None:
        try:
            return orjson.loads(content)
        except ValueError:
            pass  # json has the last word: orjson refuses a byte order mark and half surrogate pairs
    try:
        # A BOM is tolerated; the encoding is never guessed.
        text = content.decode("utf-8-sig")
        large = _may_be_infinite(content)
        value = json.loads(
            text,
            parse_constant=_refuse,
            parse_float=_finite if large else float,
            parse_int=_short_int if large else int,
        )
        if content.count(b"[") + content.count(b"{") > _MAX_DEPTH:
            _refuse_depth(value)
        # The halves of pairs are D800 to DFFF; to look for a backslash first is quicker.
        if b"\\" in content and (b"\\ud" in content or b"\\uD" in content):
            whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
            value = json.loads(whole)
    except (ValueError, RecursionError) as error:
        problem = _problem(error)
    else:
        return value
    # Not within the except block: those errors hold the content.
    raise ValueError(f"{problem} ({len(content)} bytes)")


def dumps(value: Any) -> str:
    """Write plain data as compact JSON, UTF-8 unescaped.

    What users build has finite numbers only, and so has what `loads` reads.

    Raises:
        ValueError: Not plain data, or half a surrogate pair. It never holds the value.
    """
    if orjson is not None:
        try:
            return orjson.dumps(value).decode()
        except TypeError:
            pass  # json knows more (integers beyond 64 bits) or refuses too
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError):
        pass
    else:
        return text
    raise ValueError(f"cannot be written as JSON ({type(value).__name__})")


def _may_be_infinite(content: bytes) -> bool:
    """Tell whether a number has three digits of exponent or two hundred in all: no other can be too large.

    A function called for each float costs a tenth of reading them all, and this much less.
    """
    shapes = b"," + content.translate(_DIGITS, b"+")
    # Keys and addresses often have such digits, so the character before them decides. Where one exponent
    # follows another there is none, and it is not a number.
    ends = (piece.rstrip(b"0.-")[-1:] for piece in shapes.split(_EXPONENT)[:-1])
    return _LONG in shapes or any(end and end in _BEFORE_NUMBER for end in ends)


class _UnfitError(ValueError):
    """JSON that Python reads and others do not."""


def _problem(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte {error.start + 1}"
    if isinstance(error, JSONDecodeError):
        return f"not JSON: line {error.lineno}, column {error.colno}"
    if isinstance(error, _UnfitError):
        return str(error)
    return _DEEP if isinstance(error, RecursionError) else _TOO_LONG


def _refuse_depth(value: Any) -> None:
    level = [[value]]
    for _ in range(_MAX_DEPTH + 1):
        below = (one.values() if isinstance(one, dict) else one for one in level)
        level = [child for children in below for child in children if type(child) in {dict, list}]
        if not level:
            return
    raise _UnfitError(_DEEP)


def _refuse(_constant: str) -> Any:
    raise _UnfitError(_INFINITE)


def _short_int(text: str) -> int:
    # The time that an integer takes grows with the square of its digits.
    if len(text) > _MOST_DIGITS:
        raise _UnfitError(_TOO_LONG)
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _UnfitError(_INFINITE)
    return number
