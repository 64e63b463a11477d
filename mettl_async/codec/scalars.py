"""Plain data to single values: text, numbers, times, words, and JSON of unknown form."""

import math
import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from mettl_async.codec.json_text import dumps
from mettl_async.codec.mismatch import MismatchError, expected
from mettl_async.models import _wire_time
from mettl_async.models._frozen_map import FrozenMap
from mettl_async.models._open_enum import OpenStrEnum

_WHOLE = re.compile(r"\s*[+-]?\d{1,18}(?:\.0+)?\s*", re.ASCII)
_NESTING = 32  # as deep as anything we send; far from the interpreter's limit
_WORDS_KEPT = 512
_WORD_KEPT_LENGTH = 64  # so that the memo stays below 100 kB


def to_str(value: Any, _: Any) -> str:
    """Take text as it is; make nothing else into it."""
    if isinstance(value, str):
        return value
    raise expected("str", value)


def to_int(value: Any, _: Any) -> int:
    """Read an integer, which arrives as 7, 7.0 or "7" [seen]."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value.partition(".")[0])
    raise expected("int", value)


def to_id(value: Any, _: Any) -> int | str:
    """Read a number, however it arrives; text that is none stays as it is [seen]."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and value[0] != "0"):
        return value
    return to_int(value, int)


def read_int(value: Any) -> int | None:
    """Read an integer; None when it is none."""
    try:
        return to_int(value, int)
    except MismatchError:
        return None


def to_float(value: Any, _: Any) -> float:
    """Finite numbers, also as text."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise expected("float", value)


def to_bool(value: Any, _: Any) -> bool:
    """Read a boolean, which arrives as such or as "true" and "false" [seen]."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise expected("bool", value)


def to_datetime(value: Any, _: Any) -> datetime:
    """Aware datetimes only."""
    if isinstance(value, str) and (moment := _wire_time.parse_moment(value)) is not None:
        return moment
    raise expected("date and time", value)


def to_minutes(value: Any, _: Any) -> timedelta | None:
    """Extra time. [seen] the text "false" for none; [assumed] else minutes, as when registering."""
    if value == "false":
        return None
    minutes = to_float(value, float)
    try:
        extra = timedelta(minutes=minutes)
    except OverflowError:
        extra = timedelta(-1)
    if extra >= timedelta(0):
        return extra
    raise expected("minutes", value)


def to_enum(value: Any, cls: type[OpenStrEnum]) -> OpenStrEnum:
    """Make a word of text, known or not."""
    if not isinstance(value, str):
        raise expected("str", value)
    return _word(cls, value) if len(value) <= _WORD_KEPT_LENGTH else cls(value)


@lru_cache(maxsize=_WORDS_KEPT)
def _word(cls: type[OpenStrEnum], text: str) -> OpenStrEnum:
    # A word in another case, or an unknown one, takes a search of the whole enum; they repeat.
    return cls(text)


def to_frozen(value: Any, _: Any = None, depth: int = 0) -> Any:
    """Freeze JSON of unknown form: objects become `FrozenMap`, arrays tuples; too deep, None."""
    # What needs no freezing is recognised in line: a call for each takes twice as long.
    if isinstance(value, dict):
        if depth == _NESTING:
            return None
        entries = None
        for name, item in value.items():
            if type(item) is dict or type(item) is list:
                entries = value.copy() if entries is None else entries
                entries[name] = to_frozen(item, None, depth + 1)
        return FrozenMap(value) if entries is None else FrozenMap.taking(entries)
    if isinstance(value, list):
        if depth == _NESTING:
            return None
        return tuple(
            [
                to_frozen(item, None, depth + 1)
                if type(item) is dict or type(item) is list
                else item
                for item in value
            ]
        )
    return value


def to_texts(value: Any, _: Any) -> FrozenMap[str]:
    """Registration fields: text stays, null is left out, the rest becomes its JSON text."""
    if not isinstance(value, dict):
        raise expected("object", value)
    for item in value.values():
        if type(item) is not str:
            break
    else:
        return FrozenMap(value)
    texts = {}
    for name, item in value.items():
        if item is not None:
            try:
                texts[name] = item if isinstance(item, str) else dumps(item)
            except ValueError:  # nested beyond reason
                continue
    return FrozenMap(texts)
