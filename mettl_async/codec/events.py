"""Plain data to events: what an event must have, and what is normalised before it is read."""

from collections.abc import Callable
from typing import Any

from mettl_async.codec.converter import converter
from mettl_async.codec.json_text import dumps, loads
from mettl_async.codec.mismatch import MismatchError, Problem, expected
from mettl_async.codec.reading import model_hook, with_times_inside
from mettl_async.models._wire import WHOLE
from mettl_async.models.event import EVENTS, UnknownEvent

_KEYS = ("invitation_key", "email")
# A larger number is no id: databases cannot store it, and orjson rounds it.
_IDS = ("assessment_id", "assessmentId", "candidate_instance_id", "client_id")
_INT64 = 2**63


def _event_hook(cls: Any) -> Callable[[Any, Any], Any]:
    hook = model_hook(cls)

    def structure(data: Any, _: Any) -> Any:
        if not isinstance(data, dict):
            raise expected("object", data)
        right = _normalized(data)
        missing = [] if cls is UnknownEvent else [name for name in _KEYS if right[name] is None]
        if missing:
            raise MismatchError([one for name in missing for one in _problems(data, name)])
        return hook(right, cls)

    return structure


def _problems(data: dict[str, Any], name: str) -> list[Problem]:
    value = _key(data, name)
    if isinstance(value, str):
        return [("." + name, "has a NUL" if "\0" in value else "is blank")]
    return [("." + name, problem) for _, problem in expected("str", value).problems]


def _key(data: dict[str, Any], name: str) -> Any:
    """[assumed] An access key of digits only may arrive as a number."""
    value = data.get(name)
    if name == "invitation_key" and type(value) is int and 0 <= value < _INT64:
        return str(value)
    return value


def _usable(text: str) -> bool:
    # PostgreSQL cannot store a NUL, and no address and no key has one.
    return bool(text.strip()) and "\0" not in text


def _normalized(data: dict[str, Any]) -> dict[str, Any]:
    """Copy an event with its properties in the form that the readers expect, where possible."""
    right = {**data, WHOLE: data}
    for name in _KEYS:
        value = _key(data, name)
        right[name] = value.strip() if isinstance(value, str) and _usable(value) else None
    for name in ("EVENT_TYPE", "name"):  # [doc] samples have a space after the name
        if isinstance(value := data.get(name), str):
            right[name] = value.strip() or None
    for name in _IDS:
        value = data.get(name)
        if isinstance(value, (int, float)) and not -_INT64 <= value < _INT64:
            right[name] = None
    context = data.get("context_data")
    if context is not None and not isinstance(context, str):
        # [assumed] Often it is JSON text of the caller; someone may unpack it on the way.
        right["context_data"] = _text_of(context)
    if "sectional_scores" in data:
        right["sectional_scores"] = _listed(data["sectional_scores"])
    # [seen] the times in GMT stand beside testStatus here.
    return with_times_inside(right)


def _text_of(value: Any) -> str | None:
    try:
        return dumps(value)
    except ValueError:  # nested beyond reason
        return None


def _listed(scores: Any) -> Any:
    """[doc] JSON text of a list. [assumed] The list itself, or one object."""
    if isinstance(scores, str):
        try:
            scores = loads(scores.encode())
        except ValueError:
            return None
    return [scores] if isinstance(scores, dict) else scores


converter.register_structure_hook_factory(
    lambda cls: cls is UnknownEvent or cls in EVENTS, _event_hook
)
