"""What all values that users build have in common: annotations say what is checked."""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import fields, frozen

from mettl_async.models import _check

Check: TypeAlias = Callable[[str, Any], None]
"""Takes the path of a field and its value; raises `InvalidInputError` if they do not fit."""

Email: TypeAlias = Annotated[str, _check.email]
Url: TypeAlias = Annotated[str, _check.url]
AnyText: TypeAlias = Annotated[str, partial(_check.text, blank=True)]
"""Text that may be blank; a plain `str` may not."""
Positive: TypeAlias = Annotated[int, partial(_check.count, least=1)]
"""1 or more; a plain `int` is 0 or more."""

_CHECKS: dict[Any, Check] = {
    bool: _check.flag,
    str: _check.text,
    int: _check.count,
    float: _check.number,
}


@frozen(kw_only=True)
class UserValue:
    """A value that users build: each attribute must fit its annotation.

    A class with further rules calls this ``__attrs_post_init__`` first. A converter leaves what it cannot
    convert as it is, so that the message has the path of the field.

    Attributes:
        field_prefix: Start of the path of each attribute in messages, such as ``"access."``.

    Raises:
        InvalidInputError: An attribute does not fit; `field` names it.
    """

    field_prefix: ClassVar[str] = ""

    def __attrs_post_init__(self) -> None:
        for name, path, check, optional in _checks_of(type(self)):  # type: ignore[arg-type]  # classes hash
            value = getattr(self, name)
            if value is not None or not optional:
                check(path, value)


@cache
def _checks_of(cls: Any) -> tuple[tuple[str, str, Check, bool], ...]:
    kinds = get_type_hints(cls, include_extras=True)
    rows = []
    for one in fields(cls):
        kind = kinds[one.name]
        # Which of the two it is depends on what stands in it.
        optional = get_origin(kind) in {Union, UnionType}
        if optional:
            (kind,) = (inner for inner in get_args(kind) if inner is not NoneType)
        rows.append((one.name, cls.field_prefix + one.name, _check_for(kind), optional))
    return tuple(rows)


def _check_for(kind: Any) -> Check:
    """Give the check that a type implies; of ``Annotated[type, check]`` it is that check alone."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        check: Check = arguments[1]
        return check
    if origin is tuple:
        return partial(_check.items, check=_check_for(arguments[0]))
    if origin is Literal:
        return partial(_check.choice, choices=arguments)
    kind = origin or kind
    if issubclass(kind, Mapping):
        return _check.mapping
    if issubclass(kind, Enum):
        return partial(_check.member, kind=kind)
    return _CHECKS.get(kind) or partial(_check.instance, kind=kind)
