"""Plain data to models: strict about what a model needs, lenient about the rest."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args, get_origin

import attrs

from mettl_async.codec.converter import converter
from mettl_async.codec.naming import wire_name
from mettl_async.errors import MettlDecodeError
from mettl_async.models import _wire_time
from mettl_async.models._open_enum import OpenStrEnum

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_Problem: TypeAlias = tuple[str, str]  # path below the value, what is wrong with it

_PROBLEMS_SHOWN = 10


class _MismatchError(Exception):
    """Something is not of the expected form: paths and shapes, never values."""

    def __init__(self, problems: list[_Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


def from_wire(cls: type[T], data: Any, *, where: str) -> T:
    """Make a model of plain data.

    Unknown properties are ignored. A property the model can do without becomes its default when
    it is absent, null or not of the expected form; a list keeps its good items.

    Args:
        cls: A response model.
        data: What `loads` gave.
        where: Path of ``data`` in the answer, such as ``$.createdSchedule``.

    Raises:
        MettlDecodeError: A property the model cannot do without is missing or of the wrong form.
            The message has paths and types, never values.
    """
    try:
        return converter.get_structure_hook(cls)(data, cls)  # type: ignore[no-any-return]
    except _MismatchError as error:
        problems = error.problems
    # Outside the except block: no __context__, whose locals hold values.
    raise MettlDecodeError("; ".join(_told(where, problems)))


def list_from_wire(cls: type[T], items: Any, *, where: str) -> tuple[list[T], list[str]]:
    """Make models of a list; an item that cannot be one is left out and told of.

    Returns:
        The good items in order, and for each bad one a text such as
        ``$.registrationStatus[3].email: expected str, got null``.

    Raises:
        MettlDecodeError: It is no list at all.
    """
    if not isinstance(items, list):
        raise MettlDecodeError(f"{where}: expected array, got {_kind(items)}")
    hook = converter.get_structure_hook(cls)
    good: list[T] = []
    problems: list[str] = []
    for index, item in enumerate(items):
        try:
            good.append(hook(item, cls))
        except _MismatchError as error:
            problems += _told(f"{where}[{index}]", error.problems)
    return good, problems


def _told(where: str, problems: list[_Problem]) -> list[str]:
    told = [f"{where}{path}: {problem}" for path, problem in problems[:_PROBLEMS_SHOWN]]
    more = len(problems) - len(told)
    return [*told, f"and {more} more"] if more else told


_KINDS = {type(None): "null", dict: "object", list: "array"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _expected(what: str, value: object) -> _MismatchError:
    return _MismatchError([("", f"expected {what}, got {_kind(value)}")])


def _to_str(value: Any, _: Any) -> str:
    if isinstance(value, str):
        return value
    raise _expected("str", value)


_WHOLE = re.compile(r"\s*[+-]?\d{1,18}(?:\.0+)?\s*", re.ASCII)


def _to_int(value: Any, _: Any) -> int:
    """Integers arrive as 7, 7.0 or "7" [seen]."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value.partition(".")[0])
    raise _expected("int", value)


def _to_float(value: Any, _: Any) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise _expected("float", value)


def _to_bool(value: Any, _: Any) -> bool:
    """Booleans arrive as such or as "true" and "false" [seen]."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise _expected("bool", value)


def _to_datetime(value: Any, _: Any) -> datetime:
    if isinstance(value, str) and (moment := _wire_time.parse_moment(value)) is not None:
        return moment
    raise _expected("date and time", value)


def _to_enum(value: Any, cls: type[OpenStrEnum]) -> OpenStrEnum:
    if isinstance(value, str):
        return cls(value)
    raise _expected("str", value)


def _tuple_hook(cls: Any) -> Callable[[Any, Any], Any]:
    item_type = get_args(cls)[0]
    hook = converter.get_structure_hook(item_type)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _expected("array", value)
        good = []
        for item in value:
            try:
                good.append(hook(item, item_type))
            except _MismatchError:
                continue
        return tuple(good)

    return structure


def _model_hook(cls: Any) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(cls)
    plan = tuple(
        (
            a.name,
            wire_name(a.name),
            a.default is attrs.NOTHING,
            converter.get_structure_hook(a.type),
            a.type,
        )
        for a in attrs.fields(cls)
    )

    def structure(data: Any, _: Any) -> Any:
        if not isinstance(data, dict):
            raise _expected("object", data)
        values: dict[str, Any] = {}
        problems: list[_Problem] = []
        for name, wire, required, hook, kind in plan:
            value = data.get(wire)
            if value is None and not required:
                continue
            try:
                values[name] = hook(value, kind)
            except _MismatchError as error:
                if required:
                    problems += [(f".{wire}{path}", problem) for path, problem in error.problems]
        if problems:
            raise _MismatchError(problems)
        return cls(**values)

    return structure


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


# cattrs' own would make "None" of null and 1 of true.
converter.register_structure_hook(str, _to_str)
converter.register_structure_hook(int, _to_int)
converter.register_structure_hook(float, _to_float)
converter.register_structure_hook(bool, _to_bool)
converter.register_structure_hook(datetime, _to_datetime)
converter.register_structure_hook(OpenStrEnum, _to_enum)
converter.register_structure_hook_factory(_is_tuple, _tuple_hook)
converter.register_structure_hook_factory(attrs.has, _model_hook)
