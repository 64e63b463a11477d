"""What the server accepts in ``sc``: the table of the Create and Edit Schedule pages, as data.

Pure. A property that the pages don't have is kept and not looked at: clients send several [seen].
That a broken rule is answered with E400 naming the property is [assumed].
Source: api.md API 13 and 14.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final
from zoneinfo import ZoneInfo

from mettl_async.sandbox.envelope import bad_request
from mettl_async.sandbox.rules import is_email, is_http_url

Check = Callable[[Any, str], None]

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


def _must(be: str, holds: Callable[[Any], bool]) -> Check:
    def check(value: Any, where: str) -> None:
        if not holds(value):
            raise bad_request(f"{where} must be {be}")

    return check


def _one_of(*values: str) -> Check:
    allowed = " or ".join(values)
    return _must(allowed, lambda value: isinstance(value, str) and value in values)


def _each(check: Check) -> Check:
    def check_list(value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise bad_request(f"{where} must be a list")
        for place, item in enumerate(value):
            check(item, f"{where}[{place}]")

    return check_list


def _shape(
    properties: Mapping[str, Check],
    required: tuple[str, ...] = (),
    further: Callable[[Mapping[str, Any], str], None] | None = None,
) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise bad_request(f"{where} must be an object")
        for name in required:
            if name not in value:
                raise bad_request(f"{where}.{name} is required")
        for name, item in value.items():
            if name in properties:
                properties[name](item, f"{where}.{name}")
        if further is not None:
            further(value, where)

    return check


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


_TEXT: Final = _must("a string", lambda value: isinstance(value, str))
_WORDS: Final = _must(
    "a string that is not empty", lambda value: isinstance(value, str) and value.strip() != ""
)
_BOOL: Final = _must("a boolean", lambda value: isinstance(value, bool))
_COUNT: Final = _must("an integer of at least 0", lambda value: type(value) is int and value >= 0)
_URL: Final = _must("a URL", is_http_url)
_IP: Final = _must("an IPv4 address", _is_ipv4)
_CLOCK: Final = _must(
    "a time such as 09:00:00", lambda value: isinstance(value, str) and bool(_TIME.fullmatch(value))
)
_DAY: Final = _must("a date such as Wed, 20 Oct 2021", _is_date)
_UTC_OFFSET: Final = _must(
    "an offset such as UTC+05:30",
    lambda value: isinstance(value, str) and bool(_OFFSET.fullmatch(value)),
)
_EMAIL: Final = _must("an email address", is_email)
_ENABLED: Final = {"enabled": _BOOL}


def _person(person: Mapping[str, Any], where: str) -> None:
    for name, value in person.items():
        if name != "compensatory_time" and not isinstance(value, str):
            raise bad_request(f"{where}.{name} must be a string")


_PERSON: Final = _shape(
    {"email": _EMAIL, "name": _WORDS, "compensatory_time": _COUNT}, ("email", "name"), _person
)

_COMMON: Final[dict[str, Check]] = {
    "name": _WORDS,
    "sourceApp": _WORDS,
    "scheduleType": _one_of("AlwaysOn", "Fixed"),
    "scheduleWindow": _shape(
        {
            "fixedAccessOption": _one_of("ExactTime", "SlotWise"),
            "startsOnDate": _DAY,
            "endsOnDate": _DAY,
            "startsOnTime": _CLOCK,
            "endsOnTime": _CLOCK,
            "timeZone": _UTC_OFFSET,
            "locationTimeZone": _must("a time zone such as Asia/Kolkata", _is_zone),
        },
        ("startsOnDate", "startsOnTime", "endsOnDate", "endsOnTime"),
        _window_zone,
    ),
    "webProctoring": _shape({**_ENABLED, "count": _COUNT, "showRemainingCounts": _BOOL}),
    "visualProctoring": _shape(
        {
            "mode": _one_of("PHOTO", "OFF", "VIDEO"),  # VIDEO is [seen] only
            "options": _shape({"candidateScreenCapture": _BOOL, "candidateAuthorization": _BOOL}),
        }
    ),
    "secureBrowser": _shape(_ENABLED),
    "testStartNotificationUrl": _URL,
    "testFinishNotificationUrl": _URL,
    "testGradedNotificationUrl": _URL,
    "testResumeEnabledForExpiredTestURL": _URL,
    "testNotificationBasicAuthHeader": _TEXT,
    "testGradeNotification": _shape({**_ENABLED, "recipients": _each(_EMAIL)}, (), _recipients),
    "ipAccessRestriction": _shape(
        {
            **_ENABLED,
            "type": _one_of("SINGLE", "RANGE"),
            "ip": _IP,
            "ranges": _each(_shape({"start": _IP, "end": _IP}, ("start", "end"))),
        },
        (),
        _restriction,
    ),
}

_ACCESS: Final = {
    "type": _one_of("OpenForAll", "ByInvitation"),
    "sendEmail": _BOOL,
    "isCandidateCrfPrefilled": _BOOL,
}

_CREATE: Final = _shape(
    {
        **_COMMON,
        "access": _shape({**_ACCESS, "candidates": _each(_PERSON)}, ("type",)),
        "protected": _one_of("OtpOnEmail"),
    },
    ("name", "sourceApp", "access", "scheduleType"),
)

_EDIT: Final = _shape(
    {
        **_COMMON,
        "access": _shape(
            {
                **_ACCESS,
                "candidates": _shape({"add": _each(_PERSON), "remove": _each(_EMAIL)}),
            },
            ("type",),
        ),
        "protected": _one_of("OtpOnEmail", "NotEnabled"),
    }
)


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
