"""A change of a schedule."""

from attrs import frozen

from mettl_async.models import _check
from mettl_async.models._schedule_settings import ScheduleSettings
from mettl_async.models.access import AccessEdit


@frozen(kw_only=True)
class ScheduleEdit(ScheduleSettings):
    """Changes of a schedule; what is None stays as it is.

    Checked when built. The attributes are those of `NewSchedule`, with two differences: ``access``
    adds and removes candidates, and ``protected`` can be switched off.

    Attributes:
        name: Unique among the schedules of the assessment.
        source_app: Name of your application.
        access: Change of who may take the test.
        schedule_type: ``FIXED`` follows from a window or a waiting room; ``ALWAYS_ON`` must be said.
        protected: ``OTP_ON_EMAIL`` or ``NOT_ENABLED``.

    Raises:
        InvalidInputError: A rule is broken, or there is nothing to change.

    Vendor page: "Edit Schedule".
    """

    name: str | None = None
    source_app: str | None = None
    access: AccessEdit | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.something("schedule_edit", self)
