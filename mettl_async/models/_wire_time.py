"""Dates and times as text, with English names in every locale (so never strftime or strptime)."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_USUAL_MONTHS = {f" {name} ": f"-{number:02}-" for number, name in enumerate(MONTHS, 1)}
_USUAL_ZONES = {" GMT": "+00:00", " UTC": "+00:00", " IST": "+05:30"}

_DATE = r"(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})\s+([A-Za-z]{3})[a-z]*\.?\s+(\d{4})"
_TIME = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
_MOMENT = re.compile(rf"\s*{_DATE}\s+{_TIME}\s+(\S+)\s*", re.ASCII)
_DATE_ONLY = re.compile(rf"\s*{_DATE}\s*", re.ASCII)
_TIME_ONLY = re.compile(rf"\s*{_TIME}\s*", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})", re.ASCII)
_ZONES: dict[str, tzinfo] = {
    "GMT": UTC,
    "UTC": UTC,
    "Z": UTC,
    # [seen] IST beside a UTC field shows India, not Israel or Ireland.
    "IST": timezone(timedelta(hours=5, minutes=30)),
}


def date_text(moment: date) -> str:
    """Format as ``Wed, 20 Oct 2021``."""
    return f"{DAYS[moment.weekday()]}, {moment.day:02} {MONTHS[moment.month - 1]} {moment.year:04}"


def time_text(moment: datetime | time) -> str:
    """Format as ``09:00:00``."""
    return f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"


def offset_text(offset: timedelta) -> str:
    """Format as ``UTC+05:30``."""
    sign, total = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    hours, minutes = divmod(total // timedelta(minutes=1), 60)
    return f"UTC{sign}{hours:02}:{minutes:02}"


def parse_zone(text: str) -> tzinfo | None:
    """Read ``GMT``, ``UTC``, ``IST``, ``UTC+05:30`` or ``+0530``; None for anything else."""
    if (named := _ZONES.get(text.upper())) is not None:
        return named
    if not (match := _OFFSET.fullmatch(text.upper())):
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    if offset >= timedelta(days=1):
        return None
    return timezone(-offset if match[1] == "-" else offset)


def parse_moment(text: str) -> datetime | None:
    """Read ``Fri, 11 Feb 2022 23:05:57 GMT`` into an aware datetime; None when it is not one."""
    if (usual := _usual_moment(text)) is not None:
        return usual
    if not (match := _MOMENT.fullmatch(text)) or (zone := parse_zone(match[7])) is None:
        return None
    return _moment(match.groups()[:6], zone)


def _usual_moment(text: str) -> datetime | None:
    """Read the very form above by its positions, several times as quick as by the expression."""
    offset = _USUAL_ZONES.get(text[25:])
    month = _USUAL_MONTHS.get(text[7:12])
    if (
        offset is None
        or month is None
        or text[3:5] != ", "
        or text[16] != " "
        or text[19] != ":"
        or text[22] != ":"
        or not text[:3].isalpha()
    ):
        return None
    try:
        return datetime.fromisoformat(f"{text[12:16]}{month}{text[5:7]}T{text[17:25]}{offset}")
    except ValueError:  # the 31st of a short month, 25 o'clock, no digits
        return None


def window_moment(
    day: str | None, clock: str | None, location: str | None, offset: str | None
) -> datetime | None:
    """Join the parts of a schedule window; None when one is missing or not readable."""
    found = _DATE_ONLY.fullmatch(day or ""), _TIME_ONLY.fullmatch(clock or "")
    zone = _location(location) or parse_zone(offset or "")
    if not found[0] or not found[1] or zone is None:
        return None
    return _moment(found[0].groups() + found[1].groups(), zone)


def _location(key: str | None) -> tzinfo | None:
    if not key:
        return None
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError):  # unknown here, or not the name of a zone
        return None


def _moment(parts: tuple[str | None, ...], zone: tzinfo) -> datetime | None:
    day, month, year, hour, minute, second = (part or "0" for part in parts)
    if month.title() not in MONTHS:
        return None
    try:
        clock = time(int(hour), int(minute), int(second), tzinfo=zone)
        return datetime.combine(date(int(year), MONTHS.index(month.title()) + 1, int(day)), clock)
    except ValueError:  # the 31st of a short month, 25 o'clock
        return None
