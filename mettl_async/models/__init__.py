"""Values that users build and values that the server sends; one file per noun."""

from mettl_async.models.access import Access, AccessEdit, AccessType
from mettl_async.models.candidate import Candidate, InvitedCandidate
from mettl_async.models.created_schedule import CreatedSchedule
from mettl_async.models.ip_access_restriction import IpAccessRestriction, IpRange, IpRestrictionType
from mettl_async.models.new_schedule import NewSchedule
from mettl_async.models.pbt_addition import PbtAddition
from mettl_async.models.proctoring import (
    Protection,
    VisualProctoring,
    VisualProctoringMode,
    WebProctoring,
)
from mettl_async.models.registration import Registration, RegistrationStatus
from mettl_async.models.schedule import (
    AccessInfo,
    AllowTestResume,
    AssessmentDetails,
    IpAccessRestrictionInfo,
    IpRangeInfo,
    Schedule,
    ScheduleCandidate,
    ScheduleStatus,
    SecureBrowserInfo,
    TestGradeNotificationInfo,
    VisualProctoringInfo,
    VisualProctoringOptions,
    WebProctoringInfo,
)
from mettl_async.models.schedule_edit import ScheduleEdit
from mettl_async.models.schedule_window import (
    FixedAccessOption,
    ScheduleType,
    ScheduleWindow,
    ScheduleWindowInfo,
)
from mettl_async.models.test_grade_notification import TestGradeNotification
from mettl_async.models.webhooks import BasicAuth, Webhooks

__all__ = [
    "Access",
    "AccessEdit",
    "AccessInfo",
    "AccessType",
    "AllowTestResume",
    "AssessmentDetails",
    "BasicAuth",
    "Candidate",
    "CreatedSchedule",
    "FixedAccessOption",
    "InvitedCandidate",
    "IpAccessRestriction",
    "IpAccessRestrictionInfo",
    "IpRange",
    "IpRangeInfo",
    "IpRestrictionType",
    "NewSchedule",
    "PbtAddition",
    "Protection",
    "Registration",
    "RegistrationStatus",
    "Schedule",
    "ScheduleCandidate",
    "ScheduleEdit",
    "ScheduleStatus",
    "ScheduleType",
    "ScheduleWindow",
    "ScheduleWindowInfo",
    "SecureBrowserInfo",
    "TestGradeNotification",
    "TestGradeNotificationInfo",
    "VisualProctoring",
    "VisualProctoringInfo",
    "VisualProctoringMode",
    "VisualProctoringOptions",
    "WebProctoring",
    "WebProctoringInfo",
    "Webhooks",
]
