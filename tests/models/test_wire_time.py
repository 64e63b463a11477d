import locale
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.models import ScheduleWindowInfo
from mettl_async.models._wire_time import (
    date_text,
    offset_text,
    parse_moment,
    parse_zone,
    time_text,
)

IST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Fri, 11 Feb 2022 23:05:57 GMT", datetime(2022, 2, 11, 23, 5, 57, tzinfo=UTC)),
        ("Fri, 16 Aug 2024 13:14:13 UTC", datetime(2024, 8, 16, 13, 14, 13, tzinfo=UTC)),
        ("Fri, 16 Aug 2024 18:44:13 IST", datetime(2024, 8, 16, 13, 14, 13, tzinfo=UTC)),
        ("1 jan 2022 00:00:00 +0530", datetime(2022, 1, 1, tzinfo=IST)),
    ],
)
def test_the_servers_times_become_aware(text, moment):
    read = parse_moment(text)
    assert read == moment
    assert read.utcoffset() is not None


@pytest.mark.parametrize(
    "text",
    ["", "now", "Fri, 31 Feb 2022 23:05:57 GMT", "Fri, 11 Feb 2022 25:05:57 GMT", "Fri, 11 Foo 2022 23:05:57 GMT",
     "Fri, 11 Feb 2022 23:05:57", "Fri, 11 Feb 2022 23:05:57 EST", "Fri, 11 Feb 0000 23:05:57 GMT",
     "Fri, 11 Feb 2022 23:05:57 +9999"],
)  # fmt: skip
def test_what_is_no_time_is_none(text):
    assert parse_moment(text) is None


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_raise(text):
    parse_moment(text)
    info = ScheduleWindowInfo(
        starts_on_date="Mon, 07 Feb 2022",
        starts_on_time="12:00:00",
        location_time_zone=text,
        time_zone=text,
    )
    assert info.starts_at is None or info.starts_at.tzinfo is not None
    assert ScheduleWindowInfo(starts_on_date=text, starts_on_time=text).starts_at is None


@given(st.datetimes(min_value=datetime(1000, 1, 1)))  # noqa: DTZ001 - hypothesis wants it naive
def test_what_is_written_is_read_back(moment):
    moment = moment.replace(microsecond=0)
    assert parse_moment(f"{date_text(moment)} {time_text(moment)} GMT") == moment.replace(
        tzinfo=UTC
    )


@given(st.integers(-12 * 60, 14 * 60))
def test_offsets_are_read_back(minutes):
    offset = timedelta(minutes=minutes)
    assert parse_zone(offset_text(offset)).utcoffset(None) == offset


def test_offsets_look_as_documented():
    assert offset_text(timedelta(hours=5, minutes=30)) == "UTC+05:30"
    assert offset_text(timedelta(hours=-8)) == "UTC-08:00"


def test_a_window_prefers_the_named_zone_and_falls_back_to_the_offset():
    parts = {"starts_on_date": "Mon, 07 Feb 2022", "starts_on_time": "12:00:00"}
    named = ScheduleWindowInfo(**parts, location_time_zone="Asia/Kolkata", time_zone="UTC-08:00")
    assert named.starts_at == datetime(2022, 2, 7, 12, tzinfo=IST)
    assert named.starts_at.tzinfo.key == "Asia/Kolkata"
    offset = ScheduleWindowInfo(**parts, location_time_zone="Nowhere/Land", time_zone="UTC+05:30")
    assert offset.starts_at == datetime(2022, 2, 7, 12, tzinfo=IST)
    assert offset.ends_at is None


@pytest.fixture
def foreign_locale():
    before = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "hi_IN.UTF-8", "C.UTF-8"):
        try:
            yield locale.setlocale(locale.LC_TIME, name)
        except locale.Error:
            continue
        break
    locale.setlocale(locale.LC_TIME, before)


def test_names_are_english_whatever_the_locale(foreign_locale, monkeypatch):
    monkeypatch.setattr("calendar.day_abbr", ["x"] * 7)
    assert date_text(datetime(2021, 10, 20, tzinfo=UTC)) == "Wed, 20 Oct 2021"
    assert parse_moment("Wed, 20 Oct 2021 09:00:00 GMT") == datetime(2021, 10, 20, 9, tzinfo=UTC)


def test_no_function_that_asks_the_locale_is_used():
    from mettl_async.models import _wire_time  # noqa: PLC0415 - to read its names

    used = {
        name
        for f in vars(_wire_time).values()
        if hasattr(f, "__code__")
        for name in f.__code__.co_names
    }
    assert not used & {"strftime", "strptime", "day_abbr", "month_abbr"}
    assert "weekday" in used
