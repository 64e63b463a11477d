"""A schedule (test link) to be created."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check, _schedule_rules
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models.access import Access
from mettl_async.models.ip_access_restriction import IpAccessRestriction
from mettl_async.models.proctoring import Protection, VisualProctoring, WebProctoring
from mettl_async.models.schedule_window import ScheduleType, ScheduleWindow
from mettl_async.models.test_grade_notification import TestGradeNotification
from mettl_async.models.webhooks import Webhooks


@frozen(kw_only=True)
class NewSchedule:
    """A schedule (test link) to be created in an assessment.

    Checked when built, down to the last property. What is None is not sent.

    Attributes:
        name: Unique among the schedules of the assessment.
        source_app: Name of your application.
        access: Who may take the test.
        schedule_type: Follows from ``schedule_window``; need not be given.
        schedule_window: When the link works; always, when None.
        web_proctoring: How often a candidate may leave the test window.
        visual_proctoring: Camera and screen pictures.
        secure_browser: Whether Mettl's own browser is needed.
        protected: ``OTP_ON_EMAIL`` to ask for a password sent by mail.
        webhooks: Where Mettl reports what happens.
        test_grade_notification: Who gets result mails.
        ip_access_restriction: From which addresses the test may be taken.
        extra: Further properties of the JSON by their wire names, sent as they are. The server
            knows some that the pages do not name; see api.md, API 13.

    Raises:
        InvalidInputError: A rule is broken; `field` names the place.

    Source: api.md, API 13.
    """

    name: str
    source_app: str
    access: Access
    schedule_type: ScheduleType | None = None
    schedule_window: ScheduleWindow | None = None
    web_proctoring: WebProctoring | None = None
    visual_proctoring: VisualProctoring | None = None
    secure_browser: bool | None = None
    protected: Protection | None = None
    webhooks: Webhooks | None = None
    test_grade_notification: TestGradeNotification | None = None
    ip_access_restriction: IpAccessRestriction | None = None
    extra: FrozenMap[Any] = field(default=EMPTY, converter=_schedule_rules.extra)

    def __attrs_post_init__(self) -> None:
        _check.text("name", self.name)
        _check.text("source_app", self.source_app)
        _check.instance("access", self.access, Access, optional=False)
        _schedule_rules.check_settings(self)
        if self.protected not in {None, Protection.OTP_ON_EMAIL}:
            raise InvalidInputError(
                "protected",
                "only takes OTP_ON_EMAIL when creating",
                "leave it out to have no protection",
            )
        derived = _schedule_rules.type_with_window(
            self.schedule_type, self.schedule_window, ScheduleType.ALWAYS_ON
        )
        object.__setattr__(self, "schedule_type", derived)
