"""What creating and editing a schedule have in common."""

from typing import Final

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models._extensible import Extensible
from mettl_async.models._wire import wire
from mettl_async.models.event import EVENTS
from mettl_async.models.ip_access_restriction import IpAccessRestriction
from mettl_async.models.proctoring import Protection, VisualProctoring, WebProctoring
from mettl_async.models.schedule_window import ScheduleType, ScheduleWindow
from mettl_async.models.test_grade_notification import TestGradeNotification
from mettl_async.models.webhooks import AUTH_PROPERTY, Webhooks

_WEBHOOK_PROPERTIES: Final = (*(kind.url_property for kind in EVENTS.values()), AUTH_PROPERTY)


@frozen(kw_only=True)
class ScheduleSettings(Extensible):
    """Settings of a schedule; `NewSchedule` describes them."""

    schedule_type: ScheduleType | None = None
    schedule_window: ScheduleWindow | None = None
    web_proctoring: WebProctoring | None = None
    visual_proctoring: VisualProctoring | None = None
    secure_browser: bool | None = field(default=None, metadata=wire("secureBrowser.enabled"))
    protected: Protection | None = None
    webhooks: Webhooks | None = field(default=None, metadata=wire("*", *_WEBHOOK_PROPERTIES))
    test_grade_notification: TestGradeNotification | None = None
    ip_access_restriction: IpAccessRestriction | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.schedule_window is not None:
            if self.schedule_type not in {None, ScheduleType.FIXED}:
                raise InvalidInputError(
                    "schedule_type",
                    "is AlwaysOn, yet there is a schedule_window",
                    "leave one of them out",
                )
            object.__setattr__(self, "schedule_type", ScheduleType.FIXED)
        elif self.schedule_type is ScheduleType.FIXED:
            raise InvalidInputError(
                "schedule_window",
                "is missing, and a Fixed schedule needs one",
                "give a ScheduleWindow",
            )
