"""Plain data to models: strict about what a model needs, lenient about the rest."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar, get_args, get_origin

import attrs

from mettl_async.codec.compiling import compile_reader, good_items
from mettl_async.codec.converter import converter
from mettl_async.codec.mismatch import MismatchError, expected, kind
from mettl_async.codec.scalars import (
    to_bool,
    to_datetime,
    to_enum,
    to_float,
    to_frozen,
    to_id,
    to_int,
    to_minutes,
    to_str,
    to_texts,
)
from mettl_async.errors import MettlDecodeError
from mettl_async.models import EVENTS, CandidateResult
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models._open_enum import OpenStrEnum

T = TypeVar("T")

_PROBLEMS_SHOWN = 10
_MOST_ITEMS = (
    20_000  # [doc] a page has a hundred at most; lists without pages can have more [assumed]
)
_URL_PROPERTIES = [(cls, kind.url_property) for cls, kind in EVENTS.items()]


def from_wire(cls: type[T], data: Any, *, where: str) -> T:
    """Make a model of plain data.

    Unknown properties are kept in ``extra``. An optional property becomes its default when it is
    absent, null or not of the expected form; a list keeps its good items.

    Args:
        cls: A response model.
        data: What `loads` gave.
        where: Path of ``data`` in the answer, such as ``$.createdSchedule``.

    Raises:
        MettlDecodeError: A required property is missing or of the wrong form.
            The message has paths and types, never values.
    """
    try:
        return converter.get_structure_hook(cls)(data, cls)  # type: ignore[no-any-return]
    except MismatchError as error:
        problems = error.problems
    # Outside the except block: no __context__, whose locals hold values.
    lines = [f"{where}{path}: {problem}" for path, problem in problems[:_PROBLEMS_SHOWN]]
    more = len(problems) - len(lines)
    raise MettlDecodeError("; ".join([*lines, f"and {more} more"] if more else lines))


def list_from_wire(cls: type[T], items: Any, *, where: str) -> list[T]:
    """Make models of a list, in order; an item that cannot be one is left out.

    Raises:
        MettlDecodeError: It is no list at all, or has more than 20,000 items.
    """
    if not isinstance(items, list):
        raise MettlDecodeError(f"{where}: expected array, got {kind(items)}")
    if len(items) > _MOST_ITEMS:
        raise MettlDecodeError(f"{where}: too many items ({len(items)})")
    hook = converter.get_structure_hook(cls)
    try:
        return [hook(item, cls) for item in items]
    except MismatchError:
        return [*good_items(items, hook, cls)]


def _tuple_hook(cls: Any) -> Callable[[Any, Any], Any]:
    item_type = get_args(cls)[0]
    hook = converter.get_structure_hook(item_type)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise expected("array", value)
        return good_items(value, hook, item_type)

    return structure


def model_hook(cls: Any) -> Callable[[Any, Any], Any]:
    """Give the function that makes a model of an object."""
    return compile_reader(cls, converter.get_structure_hook)


def to_frozen_map(value: Any, _: Any) -> FrozenMap[Any]:
    """Freeze an object of unknown form."""
    if not isinstance(value, dict):
        raise expected("object", value)
    frozen: FrozenMap[Any] = to_frozen(value)
    return frozen


def _to_webhook_urls(data: dict[str, Any], _: Any) -> FrozenMap[str]:
    urls: dict[Any, str] = {}
    for cls, name in _URL_PROPERTIES:
        if name in data and isinstance(url := data[name], str):
            urls[cls] = url
    return FrozenMap(urls) if urls else EMPTY


_TIMES = ("start_time_GMT", "end_time_GMT")


def _candidate_hook(cls: Any) -> Callable[[Any, Any], Any]:
    hook = model_hook(cls)

    def structure(data: Any, _: Any) -> Any:
        # [seen] these two stand beside testStatus in one answer, within it in another.
        if isinstance(data, dict) and ("start_time_GMT" in data or "end_time_GMT" in data):
            data = with_times_inside(data)
        return hook(data, cls)

    return structure


def with_times_inside(data: dict[str, Any]) -> dict[str, Any]:
    """Copy the times in GMT beside ``testStatus`` into it, unless it has its own."""
    inside = data.get("testStatus")
    if not isinstance(inside, dict):
        return data
    moved = {name: data[name] for name in _TIMES if name in data and not _is_time(inside.get(name))}
    return {**data, "testStatus": {**inside, **moved}}


def _is_time(value: Any) -> bool:
    if value is None:  # the usual case; an exception costs more
        return False
    try:
        to_datetime(value, datetime)
    except MismatchError:
        return False
    return True


def _origin_is(origin: type) -> Callable[[Any], bool]:
    return lambda cls: get_origin(cls) is origin


# cattrs' own would make "None" of null and 1 of true.
converter.register_structure_hook(str, to_str)
converter.register_structure_hook(int, to_int)
converter.register_structure_hook(int | str, to_id)
converter.register_structure_hook(float, to_float)
converter.register_structure_hook(bool, to_bool)
converter.register_structure_hook(datetime, to_datetime)
converter.register_structure_hook(timedelta, to_minutes)
converter.register_structure_hook(OpenStrEnum, to_enum)
converter.register_structure_hook(Any, to_frozen)
converter.register_structure_hook_factory(_origin_is(tuple), _tuple_hook)
converter.register_structure_hook_factory(
    _origin_is(FrozenMap), lambda cls: to_texts if get_args(cls) == (str,) else to_frozen_map
)
converter.register_structure_hook_factory(_origin_is(Mapping), lambda _: _to_webhook_urls)
converter.register_structure_hook_factory(attrs.has, model_hook)
converter.register_structure_hook_factory(lambda cls: cls is CandidateResult, _candidate_hook)
