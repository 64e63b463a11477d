"""The times of a test with a waiting room."""

from datetime import date, datetime, time, tzinfo

from attrs import frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._user_value import UserValue
from mettl_async.models.schedule_window import check_zone


class TestLinkType(OpenStrEnum):
    """How a test begins: for each candidate alone, or at one time after a waiting room; both are [seen]."""

    __test__ = False  # its name makes pytest think it holds tests

    DURATION = "DURATION"
    SCHEDULED = "SCHEDULED"


@frozen(kw_only=True)
class TestLinkSettings(UserValue):
    """The times of a test with a waiting room, all on one day.

    Candidates report, wait, and begin at one time. The pages do not name it: one client sends it since
    2022 [seen]. Checked when built.

    Attributes:
        test_date: The day.
        test_start_time: When the test begins; naive, whole seconds.
        test_end_time: When it ends, later on that day.
        reporting_start_time: From when candidates may report; before the end of the test [assumed].
        reporting_finish_time: Until when they may; later than that.
        time_zone: Of all times: `ZoneInfo`, or `timezone` of whole minutes from -12:00 to +14:00.

    Raises:
        InvalidInputError: A time is aware, has parts of a second, or is not after the one it must follow.
    """

    __test__ = False  # as above
    field_prefix = "test_link_settings."

    test_date: date
    test_start_time: time
    test_end_time: time
    reporting_start_time: time
    reporting_finish_time: time
    time_zone: tzinfo

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        prefix = self.field_prefix
        if isinstance(self.test_date, datetime):
            raise InvalidInputError(f"{prefix}test_date", "is a moment", "use .date()")
        for name in (
            "test_start_time",
            "test_end_time",
            "reporting_start_time",
            "reporting_finish_time",
        ):
            clock = getattr(self, name)
            if clock.tzinfo is not None or clock.microsecond:
                raise InvalidInputError(
                    f"{prefix}{name}",
                    "has a time zone, or parts of a second",
                    "give time(9, 30), and time_zone beside it",
                )
        check_zone(f"{prefix}time_zone", self.time_zone)
        for first, second in (
            ("test_start_time", "test_end_time"),
            ("reporting_start_time", "reporting_finish_time"),
            ("reporting_start_time", "test_end_time"),
        ):
            if getattr(self, second) <= getattr(self, first):
                raise InvalidInputError(
                    f"{prefix}{second}", f"is not after {first}", "give a later time of that day"
                )
