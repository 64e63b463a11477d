"""Checks for values that users construct; never used on what the server sends.

Each raises `InvalidInputError` naming the field, the value's shape and the fix.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sized
from datetime import tzinfo
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import AttrsInstance
from attrs import fields as fields_of

from mettl_async.errors import InvalidInputError
from mettl_async.models._fold_email import fold_email
from mettl_async.models._frozen_map import FrozenMap

T = TypeVar("T")

# Two addresses in one cell, or "Name <address>": the usual slips of a spreadsheet.
_NOT_IN_EMAIL = re.compile(r"[\s<>,;]")
_NAME_SHOWN = 60
_INT64 = 2**63
_NESTING = 32  # deeper than any settings object, far from the interpreter's limit


def shape(value: object) -> str:
    """Describe a value by type and size, so that a message can be read without its content."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"str of {len(value)} characters"
    if isinstance(value, (bytes, list, tuple, dict, set, frozenset)):
        return f"{type(value).__name__} of length {len(value)}"
    return type(value).__name__


def size(value: Sized) -> str:
    """Show a list in a repr by its length."""
    return f"<{len(value)}>"


def path_of(parent: str, key: object) -> str:
    """Write the path of a mapping's entry: names of registration fields are settings, not personal data."""
    shown = (
        ascii(key if len(key) <= _NAME_SHOWN else key[:_NAME_SHOWN] + "...")
        if isinstance(key, str)
        else shape(key)
    )
    return f"{parent}[{shown}]"


def text(path: str, value: object, *, blank: bool = False) -> None:
    """Check a string that can be sent as UTF-8; not blank unless allowed."""
    if not isinstance(value, str):
        raise InvalidInputError(path, f"expected str, got {shape(value)}", "give it as text")
    if not blank and (not value or value.isspace()):
        raise InvalidInputError(path, f"is blank ({shape(value)})", "give a text that can be seen")
    if value.isascii() or value.isprintable():
        sendable = "\0" not in value
    else:
        sendable = not any(
            "\ud800" <= character <= "\udfff" or character == "\0" for character in value
        )
    if not sendable:
        raise InvalidInputError(
            path,
            f"has a NUL or half of a surrogate pair ({shape(value)})",
            "decode the source with its real encoding, without errors='surrogateescape'",
        )


def email(path: str, value: object) -> None:
    """Check an address with text on both sides of one ``@`` and nothing invisible in it."""
    if not isinstance(value, str):
        raise InvalidInputError(
            path, f"expected str, got {shape(value)}", "give the email address as text"
        )
    local, _, domain = value.rpartition("@")
    if (
        local
        and domain
        and "@" not in local
        and value.isprintable()
        and not _NOT_IN_EMAIL.search(value)
    ):
        return
    if not value or value.isspace():
        problem, fix = "is blank", "give the email address"
    elif not value.isprintable() or any(map(str.isspace, value)):
        problem, fix = "has a space, a control or an invisible character", "remove it"
    elif _NOT_IN_EMAIL.search(value) or "@" in local:
        problem, fix = "looks like more than one address", "give exactly one bare address"
    else:
        problem, fix = "is not an email address", "give it as name@domain"
    raise InvalidInputError(path, f"{problem} ({shape(value)})", fix)


def flag(path: str, value: object) -> None:
    """Check for True or False."""
    if not isinstance(value, bool):
        raise InvalidInputError(path, f"expected bool, got {shape(value)}", "give True or False")


def _example(kind: type) -> str:
    return 'ZoneInfo("Asia/Kolkata")' if kind is tzinfo else f"{kind.__name__}(...)"


def instance(path: str, value: object, kind: type) -> None:
    """Check for an instance of a class."""
    if not isinstance(value, kind):
        raise InvalidInputError(
            path, f"expected {kind.__name__}, got {shape(value)}", f"pass {_example(kind)}"
        )


def member(path: str, value: object, kind: type[Enum]) -> None:
    """Check for a known member of an enum."""
    if not isinstance(value, kind) or value.name not in kind.__members__:
        known = ", ".join(f"{kind.__name__}.{name}" for name in kind.__members__)
        raise InvalidInputError(
            path, f"expected {kind.__name__}, got {shape(value)}", f"use {known}"
        )


def choice(path: str, value: object, choices: tuple[str, ...]) -> None:
    """Check for one of a few words."""
    if value not in choices:
        words = " or ".join(map(repr, choices))
        raise InvalidInputError(path, "is none of the words that are known", f"use {words}")


def count(path: str, value: object, *, least: int = 0, most: int = _INT64 - 1) -> None:
    """Check a whole number within bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInputError(path, f"expected int, got {shape(value)}", "give a whole number")
    if not least <= value <= most:
        problem = f"is below {least}" if value < least else f"is above {most}"
        raise InvalidInputError(path, problem, f"give a whole number from {least} to {most}")


def number(path: str, value: object, *, least: float = -math.inf, most: float = math.inf) -> None:
    """Check for a finite number within bounds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidInputError(path, f"expected float, got {shape(value)}", "give a number")
    if not isinstance(value, int) and not math.isfinite(value):
        raise InvalidInputError(path, "is not a finite number", "give a number")
    if not least <= value <= most:
        raise InvalidInputError(
            path, "is out of bounds", f"give a number from {least:g} to {most:g}"
        )


def seconds(path: str, value: float) -> None:
    """Check a number of seconds above 0."""
    number(path, value)
    if value <= 0:
        raise InvalidInputError(path, "is not above 0", "give seconds")


def something(path: str, value: AttrsInstance) -> None:
    """Check that not all attributes have their defaults."""
    if all(getattr(value, one.name) == one.default for one in fields_of(type(value))):
        raise InvalidInputError(path, "has nothing set", "set at least one attribute")


def url(path: str, value: object) -> None:
    """Check for an absolute http or https address."""
    if not isinstance(value, str):
        raise InvalidInputError(path, f"expected str, got {shape(value)}", "give the URL as text")
    if not value.isprintable() or any(map(str.isspace, value)):
        raise InvalidInputError(
            path,
            f"has a space or a control character ({shape(value)})",
            "percent-encode or remove it",
        )
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInputError(
            path,
            f"is not an absolute http or https URL ({shape(value)})",
            "give scheme and host, such as https://example.org/hooks",
        )


def as_tuple(value: Iterable[T]) -> tuple[T, ...]:
    """Make a tuple of a list of things; leave anything else, which a string is, to the check."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return value  # type: ignore[return-value]
    return tuple(value)


def texts(value: Iterable[str]) -> tuple[str, ...]:
    """Make a tuple of a list of texts, as `as_tuple` does: mypy takes no generic converter."""
    return as_tuple(value)


def items(path: str, value: object, check: Callable[[str, Any], None]) -> None:
    """Check a tuple and each of its items."""
    if not isinstance(value, tuple):
        raise InvalidInputError(
            path, f"expected a list, got {shape(value)}", "put the items in a list"
        )
    for index, item in enumerate(value):
        check(f"{path}[{index}]", item)


def not_empty(path: str, value: Sized, fix: str) -> None:
    """Check that there is at least one item."""
    if not value:
        raise InvalidInputError(path, "is empty", fix)


def mapping(path: str, value: object) -> None:
    """Check for a mapping."""
    if not isinstance(value, (FrozenMap, Mapping)):  # the first is told at once
        raise InvalidInputError(
            path, f"expected a mapping, got {shape(value)}", "give {name: value}"
        )


def distinct(path: str, emails: Collection[str], suffix: str = "") -> None:
    """Check for addresses that differ by more than case."""
    if len(set(map(fold_email, emails))) == len(emails):
        return
    folded = [fold_email(address) for address in emails]
    index, first = next(
        (index, folded.index(one)) for index, one in enumerate(folded) if one in folded[:index]
    )
    raise InvalidInputError(
        f"{path}[{index}]{suffix}", f"repeats the email of item {first}", "keep one of them"
    )


def json_like(path: str, value: object, depth: int = 0) -> Any:
    """Freeze JSON-able data: mappings become `FrozenMap`, lists become tuples."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text(path, value, blank=True)
        return str(value)
    if isinstance(value, (int, float)):
        if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN only
            raise InvalidInputError(path, "is not a finite number", "JSON has finite numbers only")
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            raise InvalidInputError(path, "is beyond 64 bits", "give it as text")
        return value
    if depth == _NESTING:
        raise InvalidInputError(path, f"is nested more than {_NESTING} deep", "flatten it")
    if isinstance(value, Mapping):
        frozen = {}
        for name, content in value.items():
            here = path_of(path, name)
            text(here, name, blank=True)
            frozen[str(name)] = json_like(here, content, depth + 1)
        return FrozenMap(frozen)
    if isinstance(value, (list, tuple)):
        return tuple(json_like(f"{path}[{i}]", item, depth + 1) for i, item in enumerate(value))
    raise InvalidInputError(
        path,
        f"cannot be written as JSON ({shape(value)})",
        "use dict, list, str, int, float, bool or None",
    )
