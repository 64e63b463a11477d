"""Parsing of a delivery's body into an event."""

from typing import Any, Final

from attrs import evolve

from mettl_async.codec import from_wire, kind, loads
from mettl_async.errors import EventDecodeError, MettlDecodeError
from mettl_async.models.event import EVENTS, Event, UnknownEvent

_USUAL: Final = {kind.event_type: cls for cls, kind in EVENTS.items()}
# [assumed] Case is ignored, as with all words of the server.
_CLASSES: Final = {kind.event_type.casefold(): cls for cls, kind in EVENTS.items()}
# [assumed] Properties that a proxy or a queue may wrap an event in; Mettl does not wrap it.
_WRAPPERS = ("data", "payload", "event")
_LAYERS = 4


def parse_event(body: bytes) -> Event:
    """Parse the body of a delivery.

    It raises nothing but `EventDecodeError`, for any bytes. A property that is absent, null or
    not of the expected form is None; all that came is in ``raw``. An event of an unknown type, or without
    an email or an access key, is an `UnknownEvent`, so that nothing is lost. What has no type is no event.

    The text is JSON in UTF-8, with or without a byte order mark; of a name that comes twice the last
    counts. A one-item list around the event, or an object with it under ``data``, ``payload`` or
    ``event``, is unwrapped [assumed]. Bounds: the caller limits the size of the body (the receiver to a
    mebibyte); in ``raw``, values nested deeper than 32 are None.

    Example::

        event = parse_event(sample_event(TestGraded, email="asha@example.org"))
        if isinstance(event, TestGraded):
            print(event.email, event.marks_scored)

    Args:
        body: Bytes of the body.

    Raises:
        EventDecodeError: No UTF-8, no JSON, no object, or no ``EVENT_TYPE`` in it. The message has places
            and shapes, never the content.

    Source: vendor page "Create Schedule", its section on webhooks.
    """
    data, problem = _loaded(body)
    found = None if problem else _unwrapped(data)
    if found is not None:
        problem = _type_problem(found)
        if not problem:
            return _event(found)
    problem = problem or f"expected an object, got {kind(data)}"
    # Not within an except block, and without the body: error reporters show the locals of frames.
    del body, data, found
    raise EventDecodeError(problem)


def _loaded(body: bytes) -> tuple[Any, str]:
    try:
        return loads(body), ""
    except ValueError as error:
        return None, str(error)


def _unwrapped(data: Any) -> dict[str, Any] | None:
    """Find the object with an ``EVENT_TYPE``; else the outermost object, if there is one."""
    outermost = None
    for _ in range(1 + _LAYERS):
        if isinstance(data, dict):
            if "EVENT_TYPE" in data:
                return data
            outermost = outermost or data
            inner = (data.get(name) for name in _WRAPPERS)
            data = next((one for one in inner if isinstance(one, (dict, list))), None)
        elif isinstance(data, list) and len(data) == 1:
            data = data[0]
        else:
            break
    return outermost


def _type_problem(data: dict[str, Any]) -> str:
    """Say why an object has no usable type; empty if it has one."""
    if "EVENT_TYPE" not in data:
        return "it has no EVENT_TYPE"
    word = data["EVENT_TYPE"]
    if not isinstance(word, str):
        return f"EVENT_TYPE: expected str, got {kind(word)}"
    return "" if word.strip() else "EVENT_TYPE is blank"


def _event(data: dict[str, Any]) -> Event:
    problem = None
    word = data["EVENT_TYPE"]
    cls = _USUAL.get(word) or _CLASSES.get(word.strip().casefold())
    if cls is not None:
        try:
            return from_wire(cls, data, where="$")
        except MettlDecodeError as error:
            problem = error.problem
    return evolve(from_wire(UnknownEvent, data, where="$"), problem=problem)
