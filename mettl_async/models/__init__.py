"""Values that users build and values that the server sends; one file per noun."""

from mettl_async.models.access import Access as Access
from mettl_async.models.access import AccessEdit as AccessEdit
from mettl_async.models.access import AccessType as AccessType
from mettl_async.models.account_info import AccountInfo as AccountInfo
from mettl_async.models.analysis import Analysis as Analysis
from mettl_async.models.analysis import Recommendation as Recommendation
from mettl_async.models.analysis import ResponseStyle as ResponseStyle
from mettl_async.models.assessment import Assessment as Assessment
from mettl_async.models.assessment import (
    AssessmentPerformanceCategory as AssessmentPerformanceCategory,
)
from mettl_async.models.assessment import AssessmentSection as AssessmentSection
from mettl_async.models.assessment import AssessmentSkill as AssessmentSkill
from mettl_async.models.assessment import AssessmentType as AssessmentType
from mettl_async.models.assessment import CreatedAssessment as CreatedAssessment
from mettl_async.models.assessment import MarkingScheme as MarkingScheme
from mettl_async.models.assessment import QuestionSource as QuestionSource
from mettl_async.models.assessment import RegistrationField as RegistrationField
from mettl_async.models.assessment import RegistrationFieldType as RegistrationFieldType
from mettl_async.models.assessment_settings import AssessmentSettings as AssessmentSettings
from mettl_async.models.candidate import Candidate as Candidate
from mettl_async.models.candidate import InvitedCandidate as InvitedCandidate
from mettl_async.models.candidate_result import CandidateResult as CandidateResult
from mettl_async.models.candidate_result import TestInstance as TestInstance
from mettl_async.models.completion_mode import CompletionMode as CompletionMode
from mettl_async.models.completion_mode import FinishMode as FinishMode
from mettl_async.models.event import *  # noqa: F403 - its table has the names
from mettl_async.models.image_file import CoverImage as CoverImage
from mettl_async.models.image_file import Favicon as Favicon
from mettl_async.models.image_file import ImageFile as ImageFile
from mettl_async.models.image_file import Logo as Logo
from mettl_async.models.ip_access_restriction import IpAccessRestriction as IpAccessRestriction
from mettl_async.models.ip_access_restriction import IpRange as IpRange
from mettl_async.models.ip_access_restriction import IpRestrictionType as IpRestrictionType
from mettl_async.models.level import Level as Level
from mettl_async.models.link import NoLink as NoLink
from mettl_async.models.link import NoLinkReason as NoLinkReason
from mettl_async.models.link import ReadyLink as ReadyLink
from mettl_async.models.link import ensured as ensured
from mettl_async.models.new_assessment import NewAssessment as NewAssessment
from mettl_async.models.new_assessment import NewSection as NewSection
from mettl_async.models.new_assessment import NewSkill as NewSkill
from mettl_async.models.new_schedule import NewSchedule as NewSchedule
from mettl_async.models.pbt import Pbt as Pbt
from mettl_async.models.pbt import PbtAddition as PbtAddition
from mettl_async.models.proctoring import Protection as Protection
from mettl_async.models.proctoring import VisualProctoring as VisualProctoring
from mettl_async.models.proctoring import VisualProctoringMode as VisualProctoringMode
from mettl_async.models.proctoring import WebProctoring as WebProctoring
from mettl_async.models.question_response import CandidateResponse as CandidateResponse
from mettl_async.models.question_response import EvaluatorData as EvaluatorData
from mettl_async.models.question_response import QuestionResponse as QuestionResponse
from mettl_async.models.question_response import QuestionType as QuestionType
from mettl_async.models.registration import Registration as Registration
from mettl_async.models.registration import RegistrationStatus as RegistrationStatus
from mettl_async.models.registration_options import RegistrationOptions as RegistrationOptions
from mettl_async.models.result_detail import ResultDetail as ResultDetail
from mettl_async.models.schedule import AccessInfo as AccessInfo
from mettl_async.models.schedule import AllowTestResume as AllowTestResume
from mettl_async.models.schedule import AssessmentDetails as AssessmentDetails
from mettl_async.models.schedule import CreatedSchedule as CreatedSchedule
from mettl_async.models.schedule import IpAccessRestrictionInfo as IpAccessRestrictionInfo
from mettl_async.models.schedule import IpRangeInfo as IpRangeInfo
from mettl_async.models.schedule import Schedule as Schedule
from mettl_async.models.schedule import ScheduleCandidate as ScheduleCandidate
from mettl_async.models.schedule import ScheduleStatus as ScheduleStatus
from mettl_async.models.schedule import SecureBrowserInfo as SecureBrowserInfo
from mettl_async.models.schedule import TestGradeNotificationInfo as TestGradeNotificationInfo
from mettl_async.models.schedule import VisualProctoringInfo as VisualProctoringInfo
from mettl_async.models.schedule import VisualProctoringOptions as VisualProctoringOptions
from mettl_async.models.schedule import WebProctoringInfo as WebProctoringInfo
from mettl_async.models.schedule_edit import ScheduleEdit as ScheduleEdit
from mettl_async.models.schedule_filter import ScheduleFilter as ScheduleFilter
from mettl_async.models.schedule_window import FixedAccessOption as FixedAccessOption
from mettl_async.models.schedule_window import ScheduleType as ScheduleType
from mettl_async.models.schedule_window import ScheduleWindow as ScheduleWindow
from mettl_async.models.schedule_window import ScheduleWindowInfo as ScheduleWindowInfo
from mettl_async.models.sorting import AssessmentSort as AssessmentSort
from mettl_async.models.sorting import ResultSort as ResultSort
from mettl_async.models.sorting import SortOrder as SortOrder
from mettl_async.models.test_grade_notification import (
    TestGradeNotification as TestGradeNotification,
)
from mettl_async.models.test_result import CredibilityIndex as CredibilityIndex
from mettl_async.models.test_result import DifficultyMarks as DifficultyMarks
from mettl_async.models.test_result import SectionMarks as SectionMarks
from mettl_async.models.test_result import SkillMarks as SkillMarks
from mettl_async.models.test_result import TestResult as TestResult
from mettl_async.models.test_status import DetailedStatus as DetailedStatus
from mettl_async.models.test_status import OverallStatus as OverallStatus
from mettl_async.models.test_status import TestState as TestState
from mettl_async.models.test_status import TestStatus as TestStatus
from mettl_async.models.webhooks import BasicAuth as BasicAuth
from mettl_async.models.webhooks import Webhooks as Webhooks
from mettl_async.models.white_label import WhiteLabel as WhiteLabel
