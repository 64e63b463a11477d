"""When a test link works."""

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from attrs import frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _wire_time
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._server_value import ServerValue
from mettl_async.models._user_value import UserValue

# The offsets in use on earth, which is what "UTC offset defined in tz database" can mean.
_WEST, _EAST = timedelta(hours=-12), timedelta(hours=14)
_MINUTE = timedelta(minutes=1)


class ScheduleType(OpenStrEnum):
    """Any time, or within a window."""

    ALWAYS_ON = "AlwaysOn"
    FIXED = "Fixed"


class FixedAccessOption(OpenStrEnum):
    """How the window's times are meant."""

    EXACT_TIME = "ExactTime"
    SLOT_WISE = "SlotWise"


@frozen(kw_only=True)
class ScheduleWindow(UserValue):
    """The time in which a test link works.

    Checked when built; afterwards both moments are aware and ``time_zone`` is their zone. The server
    gets the wall clock and the zone: a `ZoneInfo` by its name, a fixed offset as ``UTC+05:30``.

    Attributes:
        starts_at: Aware, or naive with ``time_zone``; whole seconds.
        ends_at: The same zone as ``starts_at``.
        fixed_access_option: ``EXACT_TIME``: from one moment to the other. ``SLOT_WISE``: on each day
            from the first to the last, between the two times of day.
        time_zone: `ZoneInfo`, or `timezone` of whole minutes from -12:00 to +14:00.

    Raises:
        InvalidInputError: Naive without a zone, two zones, parts of a second, or an end before the start.

    Vendor page: "Create Schedule".
    """

    field_prefix = "schedule_window."

    starts_at: datetime
    ends_at: datetime
    fixed_access_option: FixedAccessOption = FixedAccessOption.EXACT_TIME
    time_zone: tzinfo | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for name in ("starts_at", "ends_at"):
            _check_moment(f"schedule_window.{name}", getattr(self, name), self.time_zone)
        zone = self.starts_at.tzinfo or self.time_zone
        if not _same(zone, self.ends_at.tzinfo or zone) or not _same(zone, self.time_zone or zone):
            raise InvalidInputError(
                "schedule_window.time_zone",
                "starts_at, ends_at and time_zone are not in one zone",
                "use moment.astimezone(zone) to bring them to one",
            )
        check_zone("schedule_window.time_zone", zone)
        object.__setattr__(self, "starts_at", self.starts_at.replace(tzinfo=zone))
        object.__setattr__(self, "ends_at", self.ends_at.replace(tzinfo=zone))
        object.__setattr__(self, "time_zone", zone)
        self._check_order()

    def _check_order(self) -> None:
        # The wire carries wall clock and zone, so the wall clock is what must be in order.
        start, end = self.starts_at.replace(tzinfo=None), self.ends_at.replace(tzinfo=None)
        if end <= start:
            raise InvalidInputError(
                "schedule_window.ends_at", "is not after starts_at", "give a later end"
            )
        # [assumed] A slot that ends earlier in the day than it starts runs past midnight: no page says
        # so, and the server has the last word. One of no length can mean nothing.
        if self.fixed_access_option is FixedAccessOption.SLOT_WISE and start.time() == end.time():
            raise InvalidInputError(
                "schedule_window.ends_at",
                "has the same time of day as starts_at, an empty slot",
                "give another time of day, or use FixedAccessOption.EXACT_TIME",
            )


def _check_moment(path: str, moment: datetime, zone: tzinfo | None) -> None:
    if moment.tzinfo is None and zone is None:
        raise InvalidInputError(
            path, "has no time zone", "give an aware datetime, or time_zone=ZoneInfo(...)"
        )
    if moment.microsecond:
        raise InvalidInputError(path, "has parts of a second", "use .replace(microsecond=0)")


def _same(one: tzinfo | None, other: tzinfo | None) -> bool:
    if isinstance(one, ZoneInfo) and isinstance(other, ZoneInfo):
        return one is other or (one.key is not None and one.key == other.key)
    return one == other


def check_zone(path: str, zone: tzinfo | None) -> None:
    """Check for a zone with a name, or an offset in use."""
    if isinstance(zone, ZoneInfo) and zone.key:
        return
    if not isinstance(zone, timezone):
        raise InvalidInputError(
            path,
            f"is a {type(zone).__name__} without a name of the tz database",
            "use zoneinfo.ZoneInfo('Asia/Kolkata') or datetime.timezone(offset)",
        )
    offset = zone.utcoffset(None)
    if offset % _MINUTE or not _WEST <= offset <= _EAST:
        raise InvalidInputError(
            path, "is not an offset of whole minutes from -12:00 to +14:00", "use ZoneInfo(...)"
        )


@frozen(kw_only=True)
class ScheduleWindowInfo(ServerValue):
    """A schedule's window as the server tells it.

    The texts are as they came; `starts_at` and `ends_at` are aware datetimes, or None where a part
    is missing or not readable. With both zones given the named one counts.
    """

    fixed_access_option: FixedAccessOption | None = None
    starts_on_date: str | None = None
    starts_on_time: str | None = None
    ends_on_date: str | None = None
    ends_on_time: str | None = None
    time_zone: str | None = None
    location_time_zone: str | None = None

    @property
    def starts_at(self) -> datetime | None:
        """The start, if it can be read."""
        return self._moment(self.starts_on_date, self.starts_on_time)

    @property
    def ends_at(self) -> datetime | None:
        """The end, if it can be read."""
        return self._moment(self.ends_on_date, self.ends_on_time)

    def _moment(self, day: str | None, clock: str | None) -> datetime | None:
        return _wire_time.window_moment(day, clock, self.location_time_zone, self.time_zone)
