"""A change of a schedule."""

from __future__ import annotations

from typing import Any

from attrs import field, fields, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check, _schedule_rules
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models.access import AccessEdit
from mettl_async.models.ip_access_restriction import IpAccessRestriction
from mettl_async.models.proctoring import Protection, VisualProctoring, WebProctoring
from mettl_async.models.schedule_window import ScheduleType, ScheduleWindow
from mettl_async.models.test_grade_notification import TestGradeNotification
from mettl_async.models.webhooks import Webhooks


@frozen(kw_only=True)
class ScheduleEdit:
    """What to change in a schedule; what is None stays as it is.

    Checked when built. The attributes are those of `NewSchedule`, with two differences: ``access``
    adds and removes candidates, and ``protected`` can be switched off.

    Attributes:
        name: Unique among the schedules of the assessment.
        source_app: Name of your application.
        access: Change of who may take the test.
        schedule_type: ``FIXED`` follows from a ``schedule_window``; ``ALWAYS_ON`` must be said.
        schedule_window: When the link works.
        web_proctoring: How often a candidate may leave the test window.
        visual_proctoring: Camera and screen pictures.
        secure_browser: Whether Mettl's own browser is needed.
        protected: ``OTP_ON_EMAIL`` or ``NOT_ENABLED``.
        webhooks: Where Mettl reports what happens.
        test_grade_notification: Who gets result mails.
        ip_access_restriction: From which addresses the test may be taken.
        extra: Further properties of the JSON by their wire names.

    Raises:
        InvalidInputError: A rule is broken, or there is nothing to change.

    Source: api.md, API 14.
    """

    name: str | None = None
    source_app: str | None = None
    access: AccessEdit | None = None
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
        settings = (getattr(self, attribute.name) for attribute in fields(type(self))[:-1])
        if not self.extra and all(value is None for value in settings):
            raise InvalidInputError(
                "schedule_edit", "changes nothing", "set at least one attribute"
            )
        for path in ("name", "source_app"):
            if (value := getattr(self, path)) is not None:
                _check.text(path, value)
        _check.instance("access", self.access, AccessEdit)
        _schedule_rules.check_settings(self)
        derived = _schedule_rules.type_with_window(self.schedule_type, self.schedule_window, None)
        object.__setattr__(self, "schedule_type", derived)
