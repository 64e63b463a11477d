"""Small checks of JSON values that are put together to tables of rules.

Each takes a value and its place, and raises E400 that names the place, never the value. That a broken
rule is answered so is [assumed].
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mettl_async.sandbox.envelope import bad_request

Check = Callable[[Any, str], None]

_HTTP_URL: Final = re.compile(r"https?://[^/?#\s]+\S*", re.IGNORECASE)


def must(be: str, holds: Callable[[Any], bool]) -> Check:
    """Make the check that a value holds; ``be`` ends the message."""

    def check(value: Any, where: str) -> None:
        if not holds(value):
            raise bad_request(f"{where} must be {be}")

    return check


def matching(be: str, pattern: str) -> Check:
    """Make the check of a string that matches a pattern as a whole."""
    compiled = re.compile(pattern, re.ASCII)
    return must(be, lambda value: isinstance(value, str) and bool(compiled.fullmatch(value)))


def one_of(*values: str) -> Check:
    """Make the check that a value is one of these words."""
    return must(" or ".join(values), lambda value: isinstance(value, str) and value in values)


def each(check: Check) -> Check:
    """Make the check of a list, item by item."""

    def check_list(value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise bad_request(f"{where} must be a list")
        for place, item in enumerate(value):
            check(item, f"{where}[{place}]")

    return check_list


def shape(
    properties: Mapping[str, Check],
    required: tuple[str, ...] = (),
    further: Callable[[Mapping[str, Any], str], None] | None = None,
    *,
    others: Check | None = None,
) -> Check:
    """Make the check of an object; ``others`` is for unknown properties, let through by default."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise bad_request(f"{where} must be an object")
        for name in required:
            if name not in value:
                raise bad_request(f"{where}.{name} is required")
        for name, item in value.items():
            check_item = properties.get(name, others)
            if check_item is not None:
                check_item(item, f"{where}.{name}")
        if further is not None:
            further(value, where)

    return check


def present(value: Any) -> Any:
    """Leave out every property that is null, at any depth: clients that work send null for absent [seen]."""
    if isinstance(value, dict):
        return {name: present(item) for name, item in value.items() if item is not None}
    return [present(item) for item in value] if isinstance(value, list) else value


def is_http_url(value: object) -> bool:
    """Tell whether a value has the shape of an http or https URL."""
    return isinstance(value, str) and _HTTP_URL.fullmatch(value) is not None


TEXT: Final = must("a string", lambda value: isinstance(value, str))
WORDS: Final = must(
    "a string that is not empty", lambda value: isinstance(value, str) and value.strip() != ""
)
BOOL: Final = must("a boolean", lambda value: isinstance(value, bool))
COUNT: Final = must("an integer of at least 0", lambda value: type(value) is int and value >= 0)
NUMBER: Final = must("a number", lambda value: type(value) in (int, float))
POSITIVE: Final = must("an integer greater than 0", lambda value: type(value) is int and value > 0)
EMAIL: Final = must(
    "an email address",
    lambda value: isinstance(value, str) and bool(re.fullmatch(r"[^@\s]+@[^@\s]+", value)),
)
URL: Final = must("a URL", is_http_url)
