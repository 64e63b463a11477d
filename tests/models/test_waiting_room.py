"""Schedules with a waiting room, which need no window; and what stands where in results of real clients."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import attrs
import pytest

from mettl_async import codec, models
from mettl_async.errors import InvalidInputError
from mettl_async.models import NewSchedule, ScheduleEdit, ScheduleType, ScheduleWindow
from mettl_async.models import TestLinkSettings as Settings
from mettl_async.models import TestLinkType as LinkType

KOLKATA = ZoneInfo("Asia/Kolkata")
SETTINGS = Settings(
    test_date=date(2022, 12, 1),
    test_start_time=time(10),
    test_end_time=time(12, 30),
    reporting_start_time=time(9, 30),
    reporting_finish_time=time(10, 15),
    time_zone=KOLKATA,
)


def new(**changes):
    return NewSchedule(name="N", source_app="S", access=models.Access.open_for_all(), **changes)


def refused(path, problem, make):
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.field == path
    assert problem in caught.value.problem


@pytest.mark.parametrize("make", [new, ScheduleEdit])
def test_a_waiting_room_makes_the_schedule_fixed_without_a_window(make):
    wire = codec.to_wire(make(test_link_settings=SETTINGS))
    assert "scheduleWindow" not in wire
    assert (wire["scheduleType"], wire["testLinkType"]) == ("Fixed", "SCHEDULED")
    assert wire["testLinkSettings"] == {
        "testDate": "Thu, 01 Dec 2022",
        "testStartTime": "10:00:00",
        "testEndTime": "12:30:00",
        "reportingStartTime": "09:30:00",
        "reportingFinishTime": "10:15:00",
        "timeZone": "UTC+05:30",
        "locationTimeZone": "Asia/Kolkata",
    }


def test_an_offset_has_no_place():
    offset = attrs.evolve(SETTINGS, time_zone=timezone(timedelta(hours=-8)))
    wire = codec.to_wire(offset)
    assert (wire["timeZone"], "locationTimeZone" in wire) == ("UTC-08:00", False)


@pytest.mark.parametrize("make", [new, ScheduleEdit])
def test_what_contradicts_a_waiting_room_is_refused(make):
    refused("test_link_settings", "is missing", lambda: make(test_link_type=LinkType.SCHEDULED))
    refused(
        "test_link_type",
        "DURATION",
        lambda: make(test_link_type=LinkType.DURATION, test_link_settings=SETTINGS),
    )
    refused(
        "schedule_type",
        "AlwaysOn",
        lambda: make(schedule_type=ScheduleType.ALWAYS_ON, test_link_settings=SETTINGS),
    )
    duration = make(test_link_type=LinkType.DURATION)
    assert codec.to_wire(duration)["testLinkType"] == "DURATION"
    window = ScheduleWindow(
        starts_at=datetime(2022, 12, 1, tzinfo=UTC), ends_at=datetime(2022, 12, 2, tzinfo=UTC)
    )
    both = make(schedule_window=window, test_link_settings=SETTINGS)
    assert both.schedule_type is ScheduleType.FIXED


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("test_date", datetime(2022, 12, 1, tzinfo=UTC), "moment"),
        ("test_date", "2022-12-01", "expected date"),
        ("test_start_time", time(10, tzinfo=UTC), "time zone"),
        ("test_start_time", "10:00", "expected time"),
        ("reporting_start_time", time(9, 30, 0, 1), "parts of a second"),
        ("test_end_time", time(10), "not after test_start_time"),
        ("reporting_finish_time", time(9, 30), "not after reporting_start_time"),
        ("time_zone", None, "expected tzinfo"),
        ("time_zone", timezone(timedelta(hours=15)), "-12:00 to +14:00"),
    ],
)
def test_the_bounds_of_a_waiting_room(name, value, problem):
    refused(f"test_link_settings.{name}", problem, lambda: attrs.evolve(SETTINGS, **{name: value}))


def test_nobody_reports_after_the_end():
    refused(
        "test_link_settings.test_end_time",
        "not after reporting_start_time",
        lambda: attrs.evolve(
            SETTINGS, reporting_start_time=time(13), reporting_finish_time=time(14)
        ),
    )


@pytest.mark.parametrize(
    ("sent", "read"), [(7, 7), (7.0, 7), ("7", 7), ("q-7", "q-7"), ("007", "007"), ("", ""), (True, None)]
)  # fmt: skip
def test_the_id_of_a_question_may_be_text(sent, read):
    one = codec.from_wire(models.QuestionResponse, {"questionId": sent}, where="$")
    assert (one.question_id, type(one.question_id)) == (read, type(read))


@pytest.mark.parametrize(
    "status",
    [
        {"result": {"totalMarks": 1.0}, "performanceCategory": "Poor"},
        {"result": {"totalMarks": 1.0, "performanceCategory": "Poor"}},
        {"result": {"performanceCategory": "Poor"}, "performanceCategory": "Good"},
    ],
)
def test_a_performance_category_is_found_within_the_result_and_beside_it(status):
    found = codec.from_wire(models.TestStatus, status, where="$")
    assert (found.performance_category, found.extra) == ("Poor", {})


def test_the_v1_result_of_2016_keeps_what_it_has():
    skill = {"skillName": "S", "totalMarks": 1.0, "questions": None}
    section = {"sectionName": "A", "totalMarks": 1.0, "skillMarks": [skill]}
    result = {"totalMarks": 1.0, "analysis": None, "sectionMarks": [section]}
    found = codec.from_wire(models.TestStatus, {"status": "Completed", "result": result}, where="$")
    (read,) = found.result.section_marks
    assert (found.analysis, found.compensatory_time, found.performance_category) == (None,) * 3
    assert (read.skill_marks[0].skill_name, read.difficulty_marks) == ("S", ())
    assert read.skill_marks[0].extra == {"questions": None}
    assert (found.extra, found.result.extra) == ({}, {})
