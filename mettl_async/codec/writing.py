"""Models to plain data."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import attrs

from mettl_async import models
from mettl_async.codec.converter import converter
from mettl_async.codec.json_text import dumps
from mettl_async.models import _wire_time
from mettl_async.models._frozen_map import FrozenMap
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._wire import MERGED, places_of
from mettl_async.models.event import EVENTS
from mettl_async.models.webhooks import AUTH_PROPERTY

_MINUTE_SECONDS = 60
_MINUTE = timedelta(minutes=1)


def to_wire(value: object) -> Any:
    """Make plain data of a model, with wire names; None is left out."""
    return converter.unstructure(value)


def to_params(value: Any) -> dict[str, str]:
    """Make a call's parameters of a model's attributes; None and False are left out."""
    params: dict[str, str] = {}
    for attribute in attrs.fields(type(value)):
        content = getattr(value, attribute.name)
        if content is not None and content is not False:
            ((name, *inner), *_) = places_of(type(value), attribute)
            for key in reversed(inner):
                content = {key: content}
            params[name] = content if isinstance(content, str) else dumps(content)
    return params


def candidate_details(candidates: Iterable[models.Candidate]) -> list[dict[str, str]]:
    """Write ``registrationDetails`` of "Register Candidates in Schedule"."""
    # Twenty of these for each call: the quickest way there is.
    return [
        one.fields.after({"Email Address": one.email, "First Name": one.first_name})
        for one in candidates
    ]


def candidate_optionals(candidates: Iterable[models.Candidate]) -> list[dict[str, str]]:
    """Write ``optionalParams``, for the candidates that have any."""
    return [
        _optional(one.email, one.context_data, one.compensatory_time)
        for one in candidates
        if one.context_data is not None or one.compensatory_time is not None
    ]


def _optional(email: str, context: str | None, extra_time: timedelta | None) -> dict[str, str]:
    optional = {"email": email}
    if context is not None:
        optional["context_data"] = context
    if extra_time is not None:
        # [seen] text of minutes; not documented.
        optional["compensatory_time"] = str(int(extra_time.total_seconds()) // _MINUTE_SECONDS)
    return optional


def _model_hook(cls: Any) -> Callable[[Any], dict[str, Any]]:
    """Give the function that writes the models of a class.

    What is None is left out, and so is what is false or empty by default and was not set. Properties in
    ``extra`` stand beside the others.
    """
    rows = [(a.name, a.default, places_of(cls, a)) for a in attrs.fields(cls) if a.name != "extra"]
    extensible = any(a.name == "extra" for a in attrs.fields(cls))

    def unstructure(value: Any) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        for name, default, places in rows:
            content = getattr(value, name)
            if content is None or not places or (not content and content == default):
                continue
            if places[0] == MERGED:
                wire |= to_wire(content)
                continue
            target = wire
            for part in places[0][:-1]:
                target = target.setdefault(part, {})
            target[places[0][-1]] = to_wire(content)
        return wire | _from_map(value.extra) if extensible else wire

    return unstructure


def _from_map(value: Mapping[Any, Any]) -> dict[str, Any]:
    # URLs of webhooks are by class of event.
    return {
        EVENTS[name].url_property if name in EVENTS else name: to_wire(item)
        for name, item in value.items()
    }


def _from_invited(value: models.InvitedCandidate) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": value.name, "email": value.email, **value.fields}
    if value.compensatory_time is not None:
        wire["compensatory_time"] = int(value.compensatory_time.total_seconds()) // _MINUTE_SECONDS
    return wire


def _from_window(value: models.ScheduleWindow) -> dict[str, Any]:
    key, offset = getattr(value.time_zone, "key", None), value.starts_at.utcoffset()
    wire = {
        "fixedAccessOption": value.fixed_access_option.value,
        "startsOnDate": _wire_time.date_text(value.starts_at),
        "startsOnTime": _wire_time.time_text(value.starts_at),
        "endsOnDate": _wire_time.date_text(value.ends_at),
        "endsOnTime": _wire_time.time_text(value.ends_at),
    }
    # One of the two is enough [doc]; a named zone has no one offset.
    if key is not None:
        wire["locationTimeZone"] = key
    elif offset is not None:
        wire["timeZone"] = _wire_time.offset_text(offset)
    return wire


def _from_test_link_settings(value: models.TestLinkSettings) -> dict[str, Any]:
    start = datetime.combine(value.test_date, value.test_start_time, value.time_zone)
    wire = {"testDate": _wire_time.date_text(value.test_date)}
    for name, clock in (
        ("testStartTime", value.test_start_time),
        ("testEndTime", value.test_end_time),
        ("reportingStartTime", value.reporting_start_time),
        ("reportingFinishTime", value.reporting_finish_time),
    ):
        wire[name] = _wire_time.time_text(clock)
    # Both are [seen] together; whether one is enough is not known.
    if (offset := start.utcoffset()) is not None:
        wire["timeZone"] = _wire_time.offset_text(offset)
    if (key := getattr(value.time_zone, "key", None)) is not None:
        wire["locationTimeZone"] = key
    return wire


def _from_webhooks(value: models.Webhooks) -> dict[str, Any]:
    pairs = _from_map(value.urls)
    if value.basic_auth is not None:
        pair = f"{value.basic_auth.username}:{value.basic_auth.password}"
        pairs[AUTH_PROPERTY] = b64encode(pair.encode()).decode()
    return pairs


_WRITERS: dict[Any, Callable[[Any], Any]] = {
    models.Candidate: lambda one: candidate_details((one,))[0],
    models.InvitedCandidate: _from_invited,
    models.ScheduleWindow: _from_window,
    models.TestLinkSettings: _from_test_link_settings,
    models.Webhooks: _from_webhooks,
}
converter.register_unstructure_hook(OpenStrEnum, lambda word: word.value)
converter.register_unstructure_hook(datetime, datetime.isoformat)
converter.register_unstructure_hook(timedelta, lambda extra: extra / _MINUTE)
converter.register_unstructure_hook(IPv4Address, str)
converter.register_unstructure_hook(tuple, lambda items: [to_wire(item) for item in items])
converter.register_unstructure_hook(FrozenMap, _from_map)
converter.register_unstructure_hook_factory(attrs.has, _model_hook)
for _cls, _hook in _WRITERS.items():
    converter.register_unstructure_hook(_cls, _hook)
