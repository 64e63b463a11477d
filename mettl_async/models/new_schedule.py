"""A schedule (test link) to be created."""

from attrs import frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models._schedule_settings import ScheduleSettings
from mettl_async.models.access import Access
from mettl_async.models.proctoring import Protection
from mettl_async.models.schedule_window import ScheduleType


@frozen(kw_only=True)
class NewSchedule(ScheduleSettings):
    """A schedule (test link) to be created in an assessment.

    Checked when built, down to the last property. What is None is not sent.

    Attributes:
        name: Unique among the schedules of the assessment.
        source_app: Name of your application.
        access: Who may take the test.
        schedule_type: Follows from the window or the waiting room; need not be given.
        schedule_window: When the link works; always, when None.
        test_link_type: ``SCHEDULED`` for a waiting room; follows from ``test_link_settings``.
        test_link_settings: The times of a test with a waiting room, which needs no window [seen].
        web_proctoring: How often a candidate may leave the test window.
        visual_proctoring: Camera and screen pictures.
        secure_browser: Whether Mettl's own browser is needed.
        protected: ``OTP_ON_EMAIL`` to ask for a password sent by mail.
        webhooks: Where Mettl reports what happens.
        test_grade_notification: Who gets result mails.
        ip_access_restriction: From which addresses the test may be taken.
        extra: Further properties of the JSON by their wire names, sent as they are; the server knows
            some that the pages do not name [seen].

    Raises:
        InvalidInputError: A rule is broken; `field` names the place.

    Vendor page: "Create Schedule".
    """

    name: str
    source_app: str
    access: Access

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.protected not in {None, Protection.OTP_ON_EMAIL}:
            raise InvalidInputError(
                "protected",
                "only takes OTP_ON_EMAIL when creating",
                "leave it out to have no protection",
            )
        if self.schedule_type is None:
            object.__setattr__(self, "schedule_type", ScheduleType.ALWAYS_ON)
