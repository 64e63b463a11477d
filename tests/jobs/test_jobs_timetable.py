"""When recurring work is due, across the changes of clocks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import InvalidInputError
from mettl_async.jobs.timetable import Timetable

SPRING, AUTUMN = "2027-03-28", "2027-10-31"  # in Berlin clocks go from 2 to 3, and from 3 to 2


def ticks(cron, zone, after, count):
    """The next times, by the clocks of the zone."""
    table, instant, found = Timetable(cron, zone), at(after, zone), []
    for _ in range(count):
        instant = table.after(instant)
        found.append(datetime.fromtimestamp(instant, ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


def at(time, zone):
    return datetime.fromisoformat(time).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("cron", "zone", "after", "found"),
    [
        ("0 2 * * *", "Asia/Kolkata", "2027-01-01T01:59", ["2027-01-01T02:00+05:30", "2027-01-02T02:00+05:30"]),
        ("0 2 * * *", "UTC", "2027-01-01T02:00", ["2027-01-02T02:00+00:00"]),
        ("0 9 * * mon-fri", "UTC", "2027-01-01T10:00", ["2027-01-04T09:00+00:00"]),
        ("0 0 29 2 *", "UTC", "2027-01-01T00:00", ["2028-02-29T00:00+00:00"]),
        # A time that is skipped comes at the end of the gap, once, however many of them there are.
        ("30 2 * * *", "Europe/Berlin", f"{SPRING}T00:00", [f"{SPRING}T03:00+02:00", "2027-03-29T02:30+02:00"]),
        ("15,45 2 * * *", "Europe/Berlin", f"{SPRING}T00:00", [f"{SPRING}T03:00+02:00", "2027-03-29T02:15+02:00"]),
        ("0 0 * * *", "America/Santiago", "2027-09-04T12:00", ["2027-09-05T01:00-03:00", "2027-09-06T00:00-03:00"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T12:00", ["2027-10-03T02:30+11:00", "2027-10-04T02:15+11:00"]),
        # A time that comes twice is due once.
        ("30 2 * * *", "Europe/Berlin", f"{AUTUMN}T00:00", [f"{AUTUMN}T02:30+02:00", "2027-11-01T02:30+01:00"]),
        # By real time, where the hours are any.
        ("30 * * * *", "Europe/Berlin", f"{AUTUMN}T02:00",
         [f"{AUTUMN}T02:30+02:00", f"{AUTUMN}T02:30+01:00", f"{AUTUMN}T03:30+01:00"]),
        ("30 * * * *", "Europe/Berlin", f"{SPRING}T01:00", [f"{SPRING}T01:30+01:00", f"{SPRING}T03:30+02:00"]),
    ],
)  # fmt: skip
def test_a_time_is_due(cron, zone, after, found):
    assert ticks(cron, zone, after, len(found)) == found


@pytest.mark.parametrize(
    ("cron", "zone", "field"),
    [
        ("0 2 * *", "UTC", "cron"),
        ("0 0 2 * * *", "UTC", "cron"),  # seconds
        ("61 2 * * *", "UTC", "cron"),
        ("0 0 30 2 *", "UTC", "cron"),  # never
        ("@daily", "UTC", "cron"),
        ("R R * * *", "UTC", "cron"),
        ("H H * * *", "UTC", "cron"),
        ("", "UTC", "cron"),
        (7, "UTC", "cron"),
        ("0 2 * * *", "Asia/Nowhere", "timezone"),
        ("0 2 * * *", "../etc/passwd", "timezone"),
        ("0 2 * * *", "", "timezone"),
        ("0 2 * * *", "Asia", "timezone"),
        ("0 2 * * *", None, "timezone"),
    ],
)
def test_what_is_no_time_is_refused(cron, zone, field):
    with pytest.raises(InvalidInputError) as raised:
        Timetable(cron, zone)
    assert (raised.value.field, bool(raised.value.fix)) == (field, True)


ZONES = ("UTC", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago")


@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    after=st.integers(int(at("2027-01-01", "UTC")), int(at("2030-01-01", "UTC"))),
)
def test_a_daily_time_comes_once_each_day_of_its_zone(zone, minute, hour, after):
    table, instant, days = Timetable(f"{minute} {hour} * * *", zone), float(after), []
    for _ in range(5):
        following = table.after(instant)
        assert following > instant
        assert table.after((instant + following) / 2) == following  # whenever it is asked
        instant = following
        days.append(datetime.fromtimestamp(instant, ZoneInfo(zone)).toordinal())
    assert days == list(range(days[0], days[0] + 5))
