"""What creating and editing a schedule have in common."""

from typing import Final

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models._extensible import Extensible
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._wire import wire
from mettl_async.models.event import EVENTS
from mettl_async.models.ip_access_restriction import IpAccessRestriction
from mettl_async.models.proctoring import Protection, VisualProctoring, WebProctoring
from mettl_async.models.schedule_window import ScheduleType, ScheduleWindow
from mettl_async.models.test_grade_notification import TestGradeNotification
from mettl_async.models.test_link_settings import TestLinkSettings, TestLinkType
from mettl_async.models.webhooks import AUTH_PROPERTY, Webhooks

_WEBHOOK_PROPERTIES: Final = (*(kind.url_property for kind in EVENTS.values()), AUTH_PROPERTY)


@frozen(kw_only=True)
class ScheduleSettings(Extensible):
    """Settings of a schedule; `NewSchedule` describes them."""

    schedule_type: ScheduleType | None = None
    schedule_window: ScheduleWindow | None = None
    test_link_type: TestLinkType | None = None
    test_link_settings: TestLinkSettings | None = None
    web_proctoring: WebProctoring | None = None
    visual_proctoring: VisualProctoring | None = None
    secure_browser: bool | None = field(default=None, metadata=wire("secureBrowser.enabled"))
    protected: Protection | None = None
    webhooks: Webhooks | None = field(default=None, metadata=wire("*", *_WEBHOOK_PROPERTIES))
    test_grade_notification: TestGradeNotification | None = None
    ip_access_restriction: IpAccessRestriction | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.test_link_settings is not None:
            self._imply("test_link_type", TestLinkType.SCHEDULED, "test_link_settings")
        elif self.test_link_type is TestLinkType.SCHEDULED:
            raise InvalidInputError(
                "test_link_settings", "is missing, and SCHEDULED needs it", "give TestLinkSettings"
            )
        for name in ("schedule_window", "test_link_settings"):
            if getattr(self, name) is not None:
                self._imply("schedule_type", ScheduleType.FIXED, name)
        # With a waiting room none is needed [seen].
        if (
            self.schedule_type is ScheduleType.FIXED
            and self.schedule_window is None
            and self.test_link_settings is None
        ):
            raise InvalidInputError(
                "schedule_window",
                "is missing, and a Fixed schedule needs one",
                "give a ScheduleWindow",
            )

    def _imply(self, name: str, value: OpenStrEnum, cause: str) -> None:
        """Set what another attribute implies."""
        given = getattr(self, name)
        if given not in {None, value}:
            raise InvalidInputError(
                name, f"is {given}, yet there is a {cause}", "leave one of them out"
            )
        object.__setattr__(self, name, value)
