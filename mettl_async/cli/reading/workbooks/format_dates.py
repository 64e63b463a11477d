"""Dates and times of workbooks, whose numbers count days: by ISO 8601 where the format shows all."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from mettl_async.cli.reading.rows import number_text
from mettl_async.cli.reading.workbooks.cell import NO_DATE, Cell, Unsure
from mettl_async.cli.reading.workbooks.format_section import Part, Section

_DAY: Final = 86_400_000  # milliseconds
_1900: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - sheets know no zones
_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001 - same
_DAYS: Final = 2_958_466  # to the end of the year 9999
# Excel has a 29 February 1900, which never was; LibreOffice's days before it are others.
_CERTAIN_FROM: Final = 61
_ENGLISH: Final = re.compile(r"(en(-.*)?|(0*[0-9a-f]{1,2})?09)?")  # languages of Windows end in 09
_LONG_NAME: Final = 3
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WEEKDAYS: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip


def show_date(section: Section, number: float, *, since_1904: bool, certain: bool) -> Cell:
    """Write the date or time of a number.

    A date without its year, or a time without its days, is not the whole: the user decides.
    """
    if number < 0 or number >= _DAYS:
        return NO_DATE
    units = list(_units(section))
    if section.has("text", "general", "exponent", "percent") or (
        section.has("digit") and not any(unit == "S" for unit, _ in units)
    ):
        return Unsure(None, number_text(number))
    seconds = round(number * _DAY) / 1000
    if not section.has("digit"):
        seconds = round(seconds)
    if section.has("elapsed"):
        return _elapsed(seconds)
    kinds = {unit for unit, _ in units}
    if kinds & set("YMD"):
        return _date(section, units, number, seconds, since_1904=since_1904, certain=certain)
    moment = (_1904 if since_1904 else _1900) + timedelta(seconds=seconds)
    if number < 1 and ("H" in kinds or moment.hour == 0):
        return _time(moment)
    return Unsure(_rendered(section, units, moment), _iso(moment) if number >= 1 else _time(moment))


def _date(
    section: Section,
    units: list[tuple[str, Part]],
    number: float,
    seconds: float,
    *,
    since_1904: bool,
    certain: bool,
) -> Cell:
    if number < 1 and not since_1904:
        return NO_DATE  # shown as the day 0 of January 1900
    if number < _CERTAIN_FROM and not since_1904:
        return Unsure(None, number_text(number))
    kinds = {unit for unit, _ in units}
    moment = (_1904 if since_1904 else _1900) + timedelta(seconds=seconds)
    if not kinds & set("HNS"):
        # The day that it is at the last half of a second, too.
        days = timedelta(days=round(number * _DAY) // _DAY)
        moment = (_1904 if since_1904 else _1900) + days
    if {"Y", "M", "D"} <= kinds and certain:
        return _iso(moment)
    return Unsure(_rendered(section, units, moment), _iso(moment))


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _iso(moment: datetime) -> str:
    """Write a moment; one at midnight is a date [doc of the format]."""
    if not (moment.hour or moment.minute or moment.second or moment.microsecond):
        return moment.date().isoformat()
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _time(moment: datetime) -> str:
    return moment.time().isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _units(section: Section) -> Iterator[tuple[str, Part]]:
    """Name each date part: Y, M, D, weekday (W), H, N for minutes, S; ``m`` is what is beside it."""
    dates = [part for part in section.parts if part.kind in {"date", "elapsed"}]
    for place, part in enumerate(dates):
        letter = part.text[0]
        if letter == "m":
            before = dates[place - 1].text[0] if place else ""
            after = dates[place + 1].text[0] if place + 1 < len(dates) else ""
            minutes = len(part.text) < _LONG_NAME and (before == "h" or after == "s")
            yield "N" if minutes else "M", part
        elif letter == "d":
            yield "D" if len(part.text) < _LONG_NAME else "W", part
        elif letter in "yeb":
            yield "Y", part
        elif letter in "hs":
            yield letter.upper(), part


def _rendered(section: Section, units: list[tuple[str, Part]], moment: datetime) -> str | None:
    """Write what the sheet shows, in English; None where that is not known."""
    named = any(len(part.text) >= _LONG_NAME for unit, part in units if unit in "MW")
    if not section.certain or (named and not _ENGLISH.fullmatch(section.locale)):
        return None
    if any(part.text[0] in "gbe" for part in section.parts if part.kind == "date"):
        return None
    unit_of = {id(part): unit for unit, part in units}
    noon = section.has("noon")
    shown = ""
    for part in section.parts:
        if part.kind == "noon":
            shown += "PM" if moment.hour >= 12 else "AM"  # noqa: PLR2004 - noon
        elif part.kind == "pad":
            shown += " "
        elif id(part) in unit_of:
            shown += _unit(unit_of[id(part)], len(part.text), moment, noon=noon)
        elif part.kind == "digit":
            return None
        else:
            shown += part.text
    return shown.strip(" ")


def _unit(unit: str, length: int, moment: datetime, *, noon: bool) -> str:
    names = {"M": _MONTHS[moment.month - 1], "W": _WEEKDAYS[moment.weekday()]}
    if unit in names and length >= _LONG_NAME:
        name = names[unit]
        return (
            {3: name[:3], 5: name[0]}.get(length, name)
            if unit == "M"
            else (name[:3] if length == _LONG_NAME else name)
        )
    if unit == "Y":
        return f"{moment.year:04}" if length > 2 else f"{moment.year % 100:02}"  # noqa: PLR2004 - digits
    hour = (moment.hour % 12 or 12) if noon else moment.hour
    values = {"M": moment.month, "D": moment.day, "H": hour, "N": moment.minute, "S": moment.second}
    return f"{values[unit]:0{min(length, 2)}}"
