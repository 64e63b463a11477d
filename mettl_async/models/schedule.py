"""A schedule (test link) as the server sends it."""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._frozen_map import EMPTY
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire
from mettl_async.models.access import AccessType
from mettl_async.models.event import EVENTS, TestEvent
from mettl_async.models.ip_access_restriction import IpRestrictionType
from mettl_async.models.proctoring import Protection, VisualProctoringMode
from mettl_async.models.schedule_window import ScheduleType, ScheduleWindowInfo


class ScheduleStatus(OpenStrEnum):
    """State of a schedule; the pages show only this one."""

    ACTIVE = "ACTIVE"


class AllowTestResume(OpenStrEnum):
    """How an interrupted test may be resumed; the pages show only this one."""

    UNSUPERVISED = "UnSuperVised"


@frozen(kw_only=True)
class WebProctoringInfo(ServerValue):
    """Browsing tolerance."""

    enabled: bool | None = None
    count: int | None = None
    show_remaining_counts: bool | None = None


@frozen(kw_only=True)
class VisualProctoringOptions(ServerValue):
    """Options of visual proctoring."""

    candidate_screen_capture: bool | None = None
    candidate_authorization: bool | None = None
    audio_optional: bool | None = None
    is_audio_proctoring: bool | None = None


@frozen(kw_only=True)
class VisualProctoringInfo(ServerValue):
    """Visual proctoring."""

    mode: VisualProctoringMode | None = None
    options: VisualProctoringOptions | None = None


@frozen(kw_only=True)
class SecureBrowserInfo(ServerValue):
    """Whether Mettl's own browser is needed."""

    enabled: bool | None = None


@frozen(kw_only=True)
class ScheduleCandidate(ServerValue):
    """A candidate who was added to a schedule; the repr shows no personal data.

    The form of ``submission_date`` is not documented, so it stays text.
    """

    email: str = field(repr=False)
    name: str | None = field(default=None, repr=False)
    submission_date: str | None = None


@frozen(kw_only=True)
class AccessInfo(ServerValue):
    """Who may take the test."""

    type: AccessType | None = None
    candidates: tuple[ScheduleCandidate, ...] = field(default=(), repr=_check.size)
    send_email: bool | None = None
    send_reminders: bool | None = None
    is_candidate_crf_prefilled: bool | None = None


@frozen(kw_only=True)
class IpRangeInfo(ServerValue):
    """A range of addresses."""

    start: str | None = None
    end: str | None = None


@frozen(kw_only=True)
class IpAccessRestrictionInfo(ServerValue):
    """From where the test may be taken."""

    enabled: bool | None = None
    type: IpRestrictionType | None = None
    ip: str | None = None
    ranges: tuple[IpRangeInfo, ...] = ()


@frozen(kw_only=True)
class TestGradeNotificationInfo(ServerValue):
    """Who gets result mails; the repr shows no address."""

    __test__ = False  # its name makes pytest think it holds tests

    enabled: bool | None = None
    recipients: tuple[str, ...] = field(default=(), repr=_check.size)


@frozen(kw_only=True)
class AssessmentDetails(ServerValue):
    """The assessment that a schedule belongs to; ``duration`` is in minutes."""

    id: int | None = None
    duration: int | None = None
    name: str | None = None
    instructions: str | None = field(default=None, repr=False)
    created_at: datetime | None = None


@frozen(kw_only=True)
class Schedule(ServerValue):
    """A schedule as the server sends it.

    Only ``access_key`` is certain; what is absent, or not of the expected form, is None.
    Times are aware. Words the library does not know are kept (``is_known`` is False).

    ``webhook_urls`` are by class of event, as in `Webhooks`. They may hold a token, so the repr shows none.

    Vendor page: "Edit Schedule".
    """

    access_key: str
    id: int | None = None
    name: str | None = None
    access_url: str | None = None
    status: ScheduleStatus | None = None
    created_at: datetime | None = None
    source_app: str | None = None
    access: AccessInfo | None = None
    schedule_type: ScheduleType | None = None
    schedule_window: ScheduleWindowInfo | None = None
    web_proctoring: WebProctoringInfo | None = None
    visual_proctoring: VisualProctoringInfo | None = None
    image_proctoring: bool | None = None
    is_candidate_auth_proctored: bool | None = None
    secure_browser: SecureBrowserInfo | None = None
    protected: Protection | None = None
    allow_test_resume: AllowTestResume | None = None
    ip_access_restriction: IpAccessRestrictionInfo | None = None
    test_grade_notification: TestGradeNotificationInfo | None = None
    assessment_details: AssessmentDetails | None = None
    webhook_urls: Mapping[type[TestEvent], str] = field(
        default=EMPTY,
        repr=False,
        metadata=wire("*", *(kind.url_property for kind in EVENTS.values())),
    )


@frozen(kw_only=True)
class CreatedSchedule(ServerValue):
    """A schedule that was just created.

    Only ``access_key`` is certain. ``access_url`` is the link to share.

    Vendor page: "Create Schedule".
    """

    access_key: str
    id: int | None = None
    assessment_id: int | None = None
    name: str | None = None
    access_url: str | None = None
    status: ScheduleStatus | None = None
