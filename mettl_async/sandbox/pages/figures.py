"""Numbers as people read them; pure, and each of them a filter of the templates."""

import math
from email.utils import formatdate
from typing import Final

_UNITS: Final = ((86400, "day"), (3600, "h"), (60, "min"))


def quantity(number: int, noun: str) -> str:
    """Write a number of things, such as ``1 delivery`` or ``2 deliveries``."""
    if number == 1:
        return f"1 {noun}"
    ends_in_ies = noun.endswith("y") and noun[-2] not in "aeiou"
    return f"{number:,} {noun[:-1]}ies" if ends_in_ies else f"{number:,} {noun}s"


def percent(share: float) -> str:
    """Write a share of one, such as ``7 %`` for 0.07."""
    return f"{share * 100:.3g} %"


def duration(seconds: float) -> str:
    """Write a length of time without its empty units, such as ``1 day 2 h`` or ``0.5 s``."""
    sign, rest = "-" if seconds < 0 else "", round(abs(seconds), 3)
    written = []
    for size, unit in _UNITS:
        number, rest = divmod(rest, size)
        if number:
            written.append(quantity(int(number), unit) if unit == "day" else f"{number:g} {unit}")
    if rest or not written:
        written.append(f"{round(rest, 3):g} s")
    return sign + " ".join(written)


def moment(seconds: float) -> str:
    """Write a point in time in GMT, such as ``28 Nov 2026 13:11:17 GMT``."""
    return formatdate(seconds, usegmt=True).partition(", ")[2]


def countdown(seconds: float | None) -> str:
    """Write time left in full seconds, such as ``29 min 05 s``; None is any length.

    ``countdown.js`` goes on in the same form.
    """
    if seconds is None:
        return "as long as you like"
    minutes, rest = divmod(max(0, math.ceil(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min {rest:02} s" if hours else f"{minutes} min {rest:02} s"


def time_allowed(minutes: int) -> str:
    """Write the time that a test may take; 0 is any length."""
    return quantity(minutes, "minute") if minutes else "as long as you like"


FILTERS: Final = (countdown, duration, moment, percent, quantity, time_allowed)
