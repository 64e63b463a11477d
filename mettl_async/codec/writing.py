"""Models to plain data."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import attrs

from mettl_async import models
from mettl_async.codec.converter import converter
from mettl_async.codec.json_text import dumps
from mettl_async.codec.naming import wire_name
from mettl_async.models import _wire_time
from mettl_async.models._frozen_map import FrozenMap
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._wire import places_of
from mettl_async.models.event import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
            params[name] = dumps(content)
    return params


def candidate_details(candidates: Iterable[models.Candidate]) -> list[dict[str, str]]:
    """``registrationDetails`` (API 15)."""
    # Twenty of these for each call: the quickest way there is.
    return [
        one.fields.after({"Email Address": one.email, "First Name": one.first_name})
        for one in candidates
    ]


def candidate_optionals(candidates: Iterable[models.Candidate]) -> list[dict[str, str]]:
    """``optionalParams`` (API 15): of those only of whom there is something to say."""
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


def _without_none(pairs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_wire(value) for name, value in pairs.items() if value is not None}


def _from_model(value: Any) -> dict[str, Any]:
    return _without_none(
        {
            wire_name(a.name, type(value).__name__): getattr(value, a.name)
            for a in attrs.fields(type(value))
        }
    )


def _from_extensible(value: Any) -> dict[str, Any]:
    wire = _from_model(value)
    extra = wire.pop("extra")
    return wire | extra  # type: ignore[no-any-return]


def _from_map(value: FrozenMap[Any]) -> dict[str, Any]:
    return {name: to_wire(item) for name, item in value.items()}


def _from_invited(value: models.InvitedCandidate) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": value.name, "email": value.email, **value.fields}
    if value.compensatory_time is not None:
        wire["compensatory_time"] = int(value.compensatory_time.total_seconds()) // _MINUTE_SECONDS
    return wire


def _from_white_label(value: models.WhiteLabel) -> dict[str, Any]:
    wire = _from_extensible(value)
    del wire["supportNumbers"]  # a parameter of their own
    return wire


def _from_access(value: models.Access) -> dict[str, Any]:
    return _without_none(
        {
            "type": value.type,
            "sendEmail": value.send_email or None,
            "isCandidateCrfPrefilled": value.is_candidate_crf_prefilled or None,
            "candidates": value.candidates or None,
        }
    )


def _from_access_edit(value: models.AccessEdit) -> dict[str, Any]:
    changes = _without_none({"add": value.add or None, "remove": value.remove or None})
    return _without_none(
        {
            "type": value.type,
            "sendEmail": value.send_email or None,
            "isCandidateCrfPrefilled": value.is_candidate_crf_prefilled,
            "candidates": changes or None,
        }
    )


def _from_window(value: models.ScheduleWindow) -> dict[str, Any]:
    key, offset = getattr(value.time_zone, "key", None), value.starts_at.utcoffset()
    return _without_none(
        {
            "fixedAccessOption": value.fixed_access_option,
            "startsOnDate": _wire_time.date_text(value.starts_at),
            "startsOnTime": _wire_time.time_text(value.starts_at),
            "endsOnDate": _wire_time.date_text(value.ends_at),
            "endsOnTime": _wire_time.time_text(value.ends_at),
            # One of the two is enough [doc]; a named zone has no one offset.
            "timeZone": _wire_time.offset_text(offset)
            if key is None and offset is not None
            else None,
            "locationTimeZone": key,
        }
    )


def _from_visual(value: models.VisualProctoring) -> dict[str, Any]:
    options = _without_none(
        {
            "candidateScreenCapture": value.candidate_screen_capture,
            "candidateAuthorization": value.candidate_authorization,
        }
    )
    return _without_none({"mode": value.mode, "options": options or None})


def _from_ip(value: models.IpAccessRestriction) -> dict[str, Any]:
    return _without_none(
        {
            "enabled": value.enabled,
            "type": value.type,
            "ip": None if value.ip is None else str(value.ip),
            "ranges": [{"start": str(r.start), "end": str(r.end)} for r in value.ranges] or None,
        }
    )


def _from_webhooks(value: models.Webhooks) -> dict[str, Any]:
    pairs: dict[str, Any] = {EVENTS[event].url_property: url for event, url in value.urls.items()}
    if value.basic_auth is not None:
        pairs["testNotificationBasicAuthHeader"] = _from_basic_auth(value.basic_auth)
    return pairs


def _from_basic_auth(value: models.BasicAuth) -> str:
    return b64encode(f"{value.username}:{value.password}".encode()).decode()


def _from_schedule(value: models.NewSchedule | models.ScheduleEdit) -> dict[str, Any]:
    secure = None if value.secure_browser is None else {"enabled": value.secure_browser}
    return {
        **_without_none(
            {
                "name": value.name,
                "sourceApp": value.source_app,
                "access": value.access,
                "scheduleType": value.schedule_type,
                "scheduleWindow": value.schedule_window,
                "webProctoring": value.web_proctoring,
                "visualProctoring": value.visual_proctoring,
                "secureBrowser": secure,
                "protected": value.protected,
            }
        ),
        **(to_wire(value.webhooks) or {}),
        **_without_none(
            {
                "testGradeNotification": value.test_grade_notification,
                "ipAccessRestriction": value.ip_access_restriction,
            }
        ),
        **_from_map(value.extra),
    }


_WRITERS: dict[Any, Callable[[Any], Any]] = {
    models.Candidate: lambda one: candidate_details((one,))[0],
    models.InvitedCandidate: _from_invited,
    models.Access: _from_access,
    models.AccessEdit: _from_access_edit,
    models.ScheduleWindow: _from_window,
    models.VisualProctoring: _from_visual,
    models.IpAccessRestriction: _from_ip,
    models.Webhooks: _from_webhooks,
    models.BasicAuth: _from_basic_auth,
    models.NewSchedule: _from_schedule,
    models.ScheduleEdit: _from_schedule,
    models.NewAssessment: _from_extensible,
    models.NewSection: _from_extensible,
    models.NewSkill: _from_extensible,
    models.ScheduleFilter: _from_extensible,
    models.WhiteLabel: _from_white_label,
}
converter.register_unstructure_hook(OpenStrEnum, lambda word: word.value)
converter.register_unstructure_hook(datetime, datetime.isoformat)
converter.register_unstructure_hook(timedelta, lambda extra: extra / _MINUTE)
converter.register_unstructure_hook(IPv4Address, str)
converter.register_unstructure_hook(tuple, lambda items: [to_wire(item) for item in items])
converter.register_unstructure_hook(FrozenMap, _from_map)
converter.register_unstructure_hook_factory(attrs.has, lambda _: _from_model)
for _cls, _hook in _WRITERS.items():
    converter.register_unstructure_hook(_cls, _hook)
