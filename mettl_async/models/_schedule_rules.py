"""What creating and editing a schedule have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check, _extra
from mettl_async.models.event import EVENTS
from mettl_async.models.ip_access_restriction import IpAccessRestriction
from mettl_async.models.proctoring import Protection, VisualProctoring, WebProctoring
from mettl_async.models.schedule_window import ScheduleType, ScheduleWindow
from mettl_async.models.test_grade_notification import TestGradeNotification
from mettl_async.models.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mettl_async.models._frozen_map import FrozenMap
    from mettl_async.models.new_schedule import NewSchedule
    from mettl_async.models.schedule_edit import ScheduleEdit

# What the codec writes for the typed attributes; its tests hold the two together.
TYPED_NAMES = frozenset(
    {
        "name",
        "sourceApp",
        "access",
        "scheduleType",
        "scheduleWindow",
        "webProctoring",
        "visualProctoring",
        "secureBrowser",
        "protected",
        *(kind.url_property for kind in EVENTS.values()),
        "testNotificationBasicAuthHeader",
        "testGradeNotification",
        "ipAccessRestriction",
    }
)


def extra(value: Mapping[str, Any]) -> FrozenMap[Any]:
    """Freeze further properties, none of which may be one that has a typed attribute."""
    return _extra.frozen("extra", value, TYPED_NAMES)


def check_settings(schedule: NewSchedule | ScheduleEdit) -> None:
    """Types of the settings that both take."""
    _check.member("schedule_type", schedule.schedule_type, ScheduleType)
    _check.instance("schedule_window", schedule.schedule_window, ScheduleWindow)
    _check.instance("web_proctoring", schedule.web_proctoring, WebProctoring)
    _check.instance("visual_proctoring", schedule.visual_proctoring, VisualProctoring)
    _check.flag("secure_browser", schedule.secure_browser)
    _check.member("protected", schedule.protected, Protection)
    _check.instance("webhooks", schedule.webhooks, Webhooks)
    _check.instance(
        "test_grade_notification", schedule.test_grade_notification, TestGradeNotification
    )
    _check.instance("ip_access_restriction", schedule.ip_access_restriction, IpAccessRestriction)


def type_with_window(
    given: ScheduleType | None, window: ScheduleWindow | None, without: ScheduleType | None
) -> ScheduleType | None:
    """Derive the type from the window; refuse one that says otherwise."""
    if window is not None and given not in {None, ScheduleType.FIXED}:
        raise InvalidInputError(
            "schedule_type", "is AlwaysOn, yet there is a schedule_window", "leave one of them out"
        )
    if window is None and given is ScheduleType.FIXED:
        raise InvalidInputError(
            "schedule_window", "is missing, and a Fixed schedule needs one", "give a ScheduleWindow"
        )
    return given or (without if window is None else ScheduleType.FIXED)
