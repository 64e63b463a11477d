"""What the server accepts in ``sc``: the table of the Create and Edit Schedule pages, as data.

Pure. A property that the pages don't have is kept and not looked at: clients send several [seen].
That a broken rule is answered with E400 naming the property is [assumed].
Source: api.md API 13 and 14.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from mettl_async.sandbox.envelope import bad_request
from mettl_async.sandbox.events import AUTH_PROPERTY, URL_PROPERTIES
from mettl_async.sandbox.rules import is_email, is_http_url
from mettl_async.sandbox.shapes import (
    BOOL,
    COUNT,
    TEXT,
    WORDS,
    Check,
    each,
    must,
    one_of,
    shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_DATE: Final = re.compile(r"([A-Z][a-z]{2}), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4})", re.ASCII)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", re.ASCII)
_OFFSET: Final = re.compile(r"UTC[+-](0[0-9]|1[0-4]):[0-5][0-9]", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)


def _is_date(value: Any) -> bool:
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[3] not in _MONTHS:
        return False
    try:
        day = date(int(match[4]), _MONTHS.index(match[3]) + 1, int(match[2]))
    except ValueError:
        return False
    return _DAYS[day.weekday()] == match[1]  # [assumed]: a weekday that lies is refused


@cache
def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _is_zone(value: Any) -> bool:
    if not isinstance(value, str) or _ZONE.fullmatch(value) is None:
        return False
    # A machine without time zone data knows none of them: then the shape must do.
    return _zone_exists(value) or not _zone_exists("Asia/Kolkata")


def _is_ipv4(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(IPv4Address(value) or True)
    except AddressValueError:
        return False


def _window_zone(window: Mapping[str, Any], where: str) -> None:
    if "timeZone" not in window and "locationTimeZone" not in window:
        raise bad_request(f"{where}.timeZone or {where}.locationTimeZone is required")


def _recipients(notification: Mapping[str, Any], where: str) -> None:
    if notification.get("enabled") and not notification.get("recipients"):
        raise bad_request(f"{where}.recipients is required when enabled")


def _restriction(restriction: Mapping[str, Any], where: str) -> None:
    if not restriction.get("enabled"):
        return
    kind = restriction.get("type")
    if kind is None:
        raise bad_request(f"{where}.type is required when enabled")
    needed = "ip" if kind == "SINGLE" else "ranges"
    if not restriction.get(needed):
        raise bad_request(f"{where}.{needed} is required with {kind}")


_URL: Final = must("a URL", is_http_url)
_IP: Final = must("an IPv4 address", _is_ipv4)
_CLOCK: Final = must(
    "a time such as 09:00:00", lambda value: isinstance(value, str) and bool(_TIME.fullmatch(value))
)
_DAY: Final = must("a date such as Wed, 20 Oct 2021", _is_date)
_UTC_OFFSET: Final = must(
    "an offset such as UTC+05:30",
    lambda value: isinstance(value, str) and bool(_OFFSET.fullmatch(value)),
)
_EMAIL: Final = must("an email address", is_email)
_ENABLED: Final = {"enabled": BOOL}


def _person(person: Mapping[str, Any], where: str) -> None:
    for name, value in person.items():
        if name != "compensatory_time" and not isinstance(value, str):
            raise bad_request(f"{where}.{name} must be a string")


_PERSON: Final = shape(
    {"email": _EMAIL, "name": WORDS, "compensatory_time": COUNT}, ("email", "name"), _person
)

_COMMON: Final[dict[str, Check]] = {
    "name": WORDS,
    "sourceApp": WORDS,
    "scheduleType": one_of("AlwaysOn", "Fixed"),
    "scheduleWindow": shape(
        {
            "fixedAccessOption": one_of("ExactTime", "SlotWise"),
            "startsOnDate": _DAY,
            "endsOnDate": _DAY,
            "startsOnTime": _CLOCK,
            "endsOnTime": _CLOCK,
            "timeZone": _UTC_OFFSET,
            "locationTimeZone": must("a time zone such as Asia/Kolkata", _is_zone),
        },
        ("startsOnDate", "startsOnTime", "endsOnDate", "endsOnTime"),
        _window_zone,
    ),
    "webProctoring": shape({**_ENABLED, "count": COUNT, "showRemainingCounts": BOOL}),
    "visualProctoring": shape(
        {
            "mode": one_of("PHOTO", "OFF", "VIDEO"),  # VIDEO is [seen] only
            "options": shape({"candidateScreenCapture": BOOL, "candidateAuthorization": BOOL}),
        }
    ),
    "secureBrowser": shape(_ENABLED),
    **dict.fromkeys(URL_PROPERTIES.values(), _URL),
    AUTH_PROPERTY: TEXT,
    "testGradeNotification": shape({**_ENABLED, "recipients": each(_EMAIL)}, (), _recipients),
    "ipAccessRestriction": shape(
        {
            **_ENABLED,
            "type": one_of("SINGLE", "RANGE"),
            "ip": _IP,
            "ranges": each(shape({"start": _IP, "end": _IP}, ("start", "end"))),
        },
        (),
        _restriction,
    ),
}

_ACCESS: Final = {
    "type": one_of("OpenForAll", "ByInvitation"),
    "sendEmail": BOOL,
    "isCandidateCrfPrefilled": BOOL,
}

_CREATE: Final = shape(
    {
        **_COMMON,
        "access": shape({**_ACCESS, "candidates": each(_PERSON)}, ("type",)),
        "protected": one_of("OtpOnEmail"),
    },
    ("name", "sourceApp", "access", "scheduleType"),
)

_EDIT: Final = shape(
    {
        **_COMMON,
        "access": shape(
            {
                **_ACCESS,
                "candidates": shape({"add": each(_PERSON), "remove": each(_EMAIL)}),
            },
            ("type",),
        ),
        "protected": one_of("OtpOnEmail", "NotEnabled"),
    }
)


_FILTER: Final = shape(
    {
        "visualProctoring": shape(
            {
                "mode": one_of("PHOTO", "OFF"),
                "options": shape({"candidateScreenCapture": BOOL, "candidateAuthorization": BOOL}),
            }
        ),
        "webProctoring": shape({**_ENABLED, "count": COUNT}, ("enabled",)),
    }
)


def check_filter(wanted: Any) -> None:
    """Check the ``filter`` of the schedules of an assessment.

    Raises:
        RefusalError: E400 naming the property.
    """
    _FILTER(wanted, "filter")


def check_new_schedule(sc: Any) -> None:
    """Check the ``sc`` of Create Schedule.

    Raises:
        RefusalError: E400 naming the property.
    """
    _CREATE(sc, "sc")
    if sc["access"]["type"] == "ByInvitation" and not sc["access"].get("candidates"):
        raise bad_request("sc.access.candidates is required with ByInvitation")
    if sc["scheduleType"] == "Fixed" and "scheduleWindow" not in sc:
        raise bad_request("sc.scheduleWindow is required with Fixed")


def check_edit(sc: Any, *, has_window: bool) -> None:
    """Check the partial ``sc`` of Edit Schedule.

    Raises:
        RefusalError: E400 naming the property.
    """
    _EDIT(sc, "sc")
    # [assumed]: a window that the schedule already has will do
    if sc.get("scheduleType") == "Fixed" and "scheduleWindow" not in sc and not has_window:
        raise bad_request("sc.scheduleWindow is required with Fixed")
