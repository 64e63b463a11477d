"""When recurring work is due: cron in a time zone; pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from attrs import field, frozen
from croniter import CroniterError, croniter

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check

_FIELDS: Final = 5
# Not what croniter knows beyond that: seconds, years, and hashed or random times.
_WORDS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
_FIELD: Final = re.compile(rf"(?:{_WORDS}|[0-9*/,\-#L])+", re.IGNORECASE)
_FIX: Final = 'give five fields: minute, hour, day, month, day of the week, such as "0 2 * * *"'


@frozen
class Timetable:
    """A cron expression of five fields, and the time zone whose clocks it means.

    A time that clocks skip in spring comes when they have skipped it, once. A time that comes twice in
    autumn is due the first time, unless the field of hours begins with ``*``: then it follows real time.

    Raises:
        InvalidInputError: The expression or the zone makes no sense, or the time never comes.
    """

    cron: str = field()
    timezone: str = field()

    def __attrs_post_init__(self) -> None:
        _check.text("cron", self.cron)
        _check.text("timezone", self.timezone)
        _zone(self.timezone)
        parts = self.cron.split()
        if len(parts) != _FIELDS or not all(map(_FIELD.fullmatch, parts)):
            raise InvalidInputError("cron", "is no cron expression", _FIX)
        self.after(0.0)

    def after(self, instant: float) -> float:
        """Return the first time that is due after another; both in seconds since 1970.

        Raises:
            InvalidInputError: There is none.
        """
        by_the_clock = self.cron.split()[1].startswith("*")
        try:
            ticks = croniter(self.cron, datetime.fromtimestamp(instant, _zone(self.timezone)))
            while True:
                tick: datetime = ticks.get_next(datetime)
                if (by_the_clock or not tick.fold) and tick.timestamp() > instant:
                    return tick.timestamp()
        except (CroniterError, ValueError, OverflowError):
            pass
        raise InvalidInputError("cron", "is no cron expression, or its time never comes", _FIX)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        pass
    raise InvalidInputError(
        "timezone", "is no time zone that is known here", 'give a name such as "Asia/Kolkata"'
    )
