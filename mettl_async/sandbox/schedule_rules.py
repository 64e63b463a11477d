"""What the server accepts in ``sc``, as data: the table of Create Schedule and Edit Schedule.

A property that the vendor's pages don't have is kept and not looked at: clients send several [seen].
"""

import re
from calendar import timegm
from collections.abc import Mapping
from email.utils import formatdate, parsedate
from functools import cache
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final
from zoneinfo import ZoneInfo

from mettl_async.sandbox import shapes
from mettl_async.sandbox.envelope import bad_request
from mettl_async.sandbox.events import AUTH_PROPERTY, URL_PROPERTIES

_DATE: Final = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4}", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    midnight = f"{value} 00:00:00 GMT"
    parsed = parsedate(midnight)
    # [assumed]: a wrong weekday is refused
    return parsed is not None and formatdate(timegm(parsed), usegmt=True) == midnight


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
    # A client has the last with a small t [seen].
    if not window.keys() & {"timeZone", "locationTimeZone", "locationtimeZone"}:
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


_IP: Final = shapes.must("an IPv4 address", _is_ipv4)
_TIME: Final = shapes.matching(
    "a time such as 09:00:00", r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
)
_DAY: Final = shapes.must("a date such as Wed, 20 Oct 2021", _is_date)
_OFFSET: Final = shapes.matching(
    "an offset such as UTC+05:30", r"UTC[+-](0[0-9]|1[0-4]):[0-5][0-9]"
)
_ENABLED: Final = {"enabled": shapes.BOOL}
_OPTIONS: Final = shapes.shape(
    {"candidateScreenCapture": shapes.BOOL, "candidateAuthorization": shapes.BOOL}
)


# All is [seen] of one client, so that neither a form nor what is required is known.
_WAITING_ROOM: Final = shapes.shape(
    dict.fromkeys(
        (
            "testDate",
            "testStartTime",
            "testEndTime",
            "reportingStartTime",
            "reportingFinishTime",
            "timeZone",
            "locationTimeZone",
        ),
        shapes.TEXT,
    )
)

_PERSON: Final = shapes.shape(
    {"email": shapes.EMAIL, "name": shapes.WORDS, "compensatory_time": shapes.COUNT},
    ("email", "name"),
    others=shapes.TEXT,
)

_COMMON: Final[dict[str, shapes.Check]] = {
    "name": shapes.WORDS,
    "sourceApp": shapes.WORDS,
    "scheduleType": shapes.one_of("AlwaysOn", "Fixed"),
    "scheduleWindow": shapes.shape(
        {
            "fixedAccessOption": shapes.one_of(
                "ExactTime", "SlotWise", "Slotwise"
            ),  # the last [seen]
            "startsOnDate": _DAY,
            "endsOnDate": _DAY,
            "startsOnTime": _TIME,
            "endsOnTime": _TIME,
            "timeZone": _OFFSET,
            "locationTimeZone": shapes.must("a time zone such as Asia/Kolkata", _is_zone),
        },
        ("startsOnDate", "startsOnTime", "endsOnDate", "endsOnTime"),
        _window_zone,
    ),
    "testLinkType": shapes.one_of("DURATION", "SCHEDULED"),
    "testLinkSettings": _WAITING_ROOM,
    "webProctoring": shapes.shape(
        {**_ENABLED, "count": shapes.COUNT, "showRemainingCounts": shapes.BOOL}
    ),
    "visualProctoring": shapes.shape(
        {
            "mode": shapes.one_of("PHOTO", "OFF", "VIDEO"),  # VIDEO is [seen] only
            "options": _OPTIONS,
        }
    ),
    "secureBrowser": shapes.shape(_ENABLED),
    **dict.fromkeys(URL_PROPERTIES.values(), shapes.URL),
    AUTH_PROPERTY: shapes.TEXT,
    "testGradeNotification": shapes.shape(
        {**_ENABLED, "recipients": shapes.each(shapes.EMAIL)}, (), _recipients
    ),
    "ipAccessRestriction": shapes.shape(
        {
            **_ENABLED,
            "type": shapes.one_of("SINGLE", "RANGE"),
            "ip": _IP,
            "ranges": shapes.each(shapes.shape({"start": _IP, "end": _IP}, ("start", "end"))),
        },
        (),
        _restriction,
    ),
}

_ACCESS: Final = {
    "type": shapes.one_of("OpenForAll", "ByInvitation"),
    "sendEmail": shapes.BOOL,
    "isCandidateCrfPrefilled": shapes.BOOL,
}


def _new_schedule(sc: Mapping[str, Any], where: str) -> None:
    if sc["access"]["type"] == "ByInvitation" and not sc["access"].get("candidates"):
        raise bad_request(f"{where}.access.candidates is required with ByInvitation")
    check_window(sc, where)


def check_window(sc: Mapping[str, Any], where: str) -> None:
    """Check that a fixed schedule has a window, or the times of a waiting room [seen]."""
    if sc.get("scheduleType") != "Fixed" or "scheduleWindow" in sc:
        return
    if sc.get("testLinkType") != "SCHEDULED":
        raise bad_request(f"{where}.scheduleWindow is required with Fixed")
    if not sc.get("testLinkSettings"):
        raise bad_request(f"{where}.testLinkSettings is required with SCHEDULED")


NEW_SCHEDULE: Final = shapes.shape(
    {
        **_COMMON,
        "access": shapes.shape({**_ACCESS, "candidates": shapes.each(_PERSON)}, ("type",)),
        "protected": shapes.one_of("OtpOnEmail"),
    },
    ("name", "sourceApp", "access", "scheduleType"),
    _new_schedule,
)
EDIT: Final = shapes.shape(
    {
        **_COMMON,
        "access": shapes.shape(
            {
                **_ACCESS,
                "candidates": shapes.shape(
                    {"add": shapes.each(_PERSON), "remove": shapes.each(shapes.EMAIL)}
                ),
            },
            ("type",),
        ),
        "protected": shapes.one_of("OtpOnEmail", "NotEnabled"),
    }
)
FILTER: Final = shapes.shape(
    {
        "visualProctoring": shapes.shape(
            {"mode": shapes.one_of("PHOTO", "OFF"), "options": _OPTIONS}
        ),
        "webProctoring": shapes.shape({**_ENABLED, "count": shapes.COUNT}, ("enabled",)),
    }
)
