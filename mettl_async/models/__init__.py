"""Values that users build and values that the server sends; one file per noun."""

from mettl_async.models import event as _event
from mettl_async.models.access import Access, AccessEdit, AccessType
from mettl_async.models.account_info import AccountInfo
from mettl_async.models.analysis import Analysis, Recommendation, ResponseStyle
from mettl_async.models.assessment import (
    Assessment,
    AssessmentPerformanceCategory,
    AssessmentSection,
    AssessmentSkill,
    AssessmentType,
    CreatedAssessment,
    MarkingScheme,
    QuestionSource,
    RegistrationField,
    RegistrationFieldType,
)
from mettl_async.models.assessment_settings import AssessmentSettings
from mettl_async.models.candidate import Candidate, InvitedCandidate
from mettl_async.models.candidate_result import CandidateResult, TestInstance
from mettl_async.models.completion_mode import CompletionMode, FinishMode
from mettl_async.models.created_schedule import CreatedSchedule
from mettl_async.models.event import *  # noqa: F403 - its __all__ is the list of events
from mettl_async.models.image_file import CoverImage, Favicon, ImageFile, Logo
from mettl_async.models.ip_access_restriction import IpAccessRestriction, IpRange, IpRestrictionType
from mettl_async.models.level import Level
from mettl_async.models.link import NoLink, NoLinkReason, ReadyLink, ensured
from mettl_async.models.new_assessment import NewAssessment, NewSection, NewSkill
from mettl_async.models.new_schedule import NewSchedule
from mettl_async.models.pbt import Pbt
from mettl_async.models.pbt_addition import PbtAddition
from mettl_async.models.proctoring import (
    Protection,
    VisualProctoring,
    VisualProctoringMode,
    WebProctoring,
)
from mettl_async.models.question_response import (
    CandidateResponse,
    EvaluatorData,
    QuestionResponse,
    QuestionType,
)
from mettl_async.models.registration import Registration, RegistrationStatus
from mettl_async.models.registration_options import RegistrationOptions
from mettl_async.models.result_detail import ResultDetail
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
from mettl_async.models.schedule_filter import ScheduleFilter
from mettl_async.models.schedule_window import (
    FixedAccessOption,
    ScheduleType,
    ScheduleWindow,
    ScheduleWindowInfo,
)
from mettl_async.models.sorting import AssessmentSort, ResultSort, SortOrder
from mettl_async.models.test_grade_notification import TestGradeNotification
from mettl_async.models.test_result import (
    CredibilityIndex,
    DifficultyMarks,
    SectionMarks,
    SkillMarks,
    TestResult,
)
from mettl_async.models.test_status import DetailedStatus, OverallStatus, TestState, TestStatus
from mettl_async.models.webhooks import BasicAuth, Webhooks
from mettl_async.models.white_label import WhiteLabel

__all__ = [
    "Access",
    "AccessEdit",
    "AccessInfo",
    "AccessType",
    "AccountInfo",
    "AllowTestResume",
    "Analysis",
    "Assessment",
    "AssessmentDetails",
    "AssessmentPerformanceCategory",
    "AssessmentSection",
    "AssessmentSettings",
    "AssessmentSkill",
    "AssessmentSort",
    "AssessmentType",
    "BasicAuth",
    "Candidate",
    "CandidateResponse",
    "CandidateResult",
    "CompletionMode",
    "CoverImage",
    "CreatedAssessment",
    "CreatedSchedule",
    "CredibilityIndex",
    "DetailedStatus",
    "DifficultyMarks",
    "EvaluatorData",
    "Favicon",
    "FinishMode",
    "FixedAccessOption",
    "ImageFile",
    "InvitedCandidate",
    "IpAccessRestriction",
    "IpAccessRestrictionInfo",
    "IpRange",
    "IpRangeInfo",
    "IpRestrictionType",
    "Level",
    "Logo",
    "MarkingScheme",
    "NewAssessment",
    "NewSchedule",
    "NewSection",
    "NewSkill",
    "NoLink",
    "NoLinkReason",
    "OverallStatus",
    "Pbt",
    "PbtAddition",
    "Protection",
    "QuestionResponse",
    "QuestionSource",
    "QuestionType",
    "ReadyLink",
    "Recommendation",
    "Registration",
    "RegistrationField",
    "RegistrationFieldType",
    "RegistrationOptions",
    "RegistrationStatus",
    "ResponseStyle",
    "ResultDetail",
    "ResultSort",
    "Schedule",
    "ScheduleCandidate",
    "ScheduleEdit",
    "ScheduleFilter",
    "ScheduleStatus",
    "ScheduleType",
    "ScheduleWindow",
    "ScheduleWindowInfo",
    "SectionMarks",
    "SecureBrowserInfo",
    "SkillMarks",
    "SortOrder",
    "TestGradeNotification",
    "TestGradeNotificationInfo",
    "TestInstance",
    "TestResult",
    "TestState",
    "TestStatus",
    "VisualProctoring",
    "VisualProctoringInfo",
    "VisualProctoringMode",
    "VisualProctoringOptions",
    "WebProctoring",
    "WebProctoringInfo",
    "Webhooks",
    "WhiteLabel",
    "ensured",
]
__all__ += _event.__all__
