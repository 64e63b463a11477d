"""An assessment as the server sends it."""

from datetime import datetime
from typing import ClassVar

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire
from mettl_async.models.level import Level
from mettl_async.models.question_response import QuestionType


class MarkingScheme(OpenStrEnum):
    """Whether marks are set by skill or by question."""

    FIXED = "FIXED"
    DYNAMIC = "DYNAMIC"


class AssessmentType(OpenStrEnum):
    """Kind of assessment. [seen] this one; the pages have none."""

    REGULAR = "REGULAR"


class QuestionSource(OpenStrEnum):
    """Whose questions."""

    METTL = "Mettl"
    CUSTOM = "Custom"


class RegistrationFieldType(OpenStrEnum):
    """How a registration field is filled in; the list is not complete."""

    TEXT_BOX = "TextBox"
    SELECT_BOX = "SelectBox"


@frozen(kw_only=True)
class AssessmentSkill(ServerValue):
    """A skill that a section tests; ``duration`` is in minutes."""

    name: str | None = None
    level: Level | None = None
    question_count: int | None = None
    source: QuestionSource | None = None
    question_type: QuestionType | None = None
    duration: int | None = None
    correct_grade: float | None = None
    incorrect_grade: float | None = None
    question_pooling: bool | None = None


@frozen(kw_only=True)
class AssessmentSection(ServerValue):
    """A section of an assessment; ``duration`` is in minutes, 0 when it has none of its own."""

    name: str | None = None
    instructions: str | None = field(default=None, repr=False)
    duration: int | None = None
    is_timed: bool | None = None
    order: int | None = None
    randomize_questions: bool | None = None
    randomize_options: bool | None = None
    all_questions_mandatory: bool | None = None
    skills: tuple[AssessmentSkill, ...] = ()


@frozen(kw_only=True)
class RegistrationField(ServerValue):
    """A field that candidates fill in, by the exact name that registration wants.

    Attributes:
        name: What `Candidate.fields` calls it.
        type: How it is filled in.
        required: Whether it must be given.
        validate: Whether the server checks it.
        values: The choices of a select box.
    """

    name: str
    type: RegistrationFieldType | None = None
    required: bool | None = None
    validate: bool | None = None
    values: tuple[str, ...] = ()


@frozen(kw_only=True)
class AssessmentPerformanceCategory(ServerValue):
    """Names of the performance categories, and the version of their definition."""

    version: int | None = None
    performance_categories: tuple[str, ...] = ()


@frozen(kw_only=True)
class Assessment(ServerValue):
    """An assessment as the server sends it.

    Only ``id`` is certain; what is absent, or not of the expected form, is None. ``sections`` and
    ``registration_fields`` are absent, so empty, in the answer to a change of settings.
    ``duration`` is in minutes. Words the library does not know are kept (``is_known`` is False).

    Vendor pages: "Get All Assessments", "Get Assessment", "Edit Assessment Settings".
    """

    id: int
    name: str | None = None
    duration: int | None = None
    tests_taken: int | None = None
    instructions: str | None = field(default=None, repr=False)
    default_instructions: str | None = field(default=None, repr=False)
    allow_copy_paste: bool | None = None
    # It may hold a token of the caller's.
    exit_redirection_url: str | None = field(
        default=None, repr=False, metadata=wire("exitRedirectionURL")
    )
    custom_assessment_name: str | None = None
    show_report_to_candidate_on_exit: bool | None = None
    on_screen_calculator: bool | None = None
    fixed_section_order: bool | None = None
    created_at: datetime | None = None
    max_marks: float | None = None
    marking_scheme: MarkingScheme | None = None
    assessment_type: AssessmentType | None = None
    enable_qr_upload: bool | None = field(default=None, metadata=wire("enableQRUpload"))
    sections: tuple[AssessmentSection, ...] = field(default=(), repr=_check.size)
    registration_fields: tuple[RegistrationField, ...] = field(default=(), repr=_check.size)
    assessment_performance_category: AssessmentPerformanceCategory | None = None


@frozen(kw_only=True)
class CreatedAssessment(ServerValue):
    """An assessment that was just created. [seen] its only attribute; the page shows no answer.

    Vendor page: "Create Assessment".
    """

    also_read: ClassVar[tuple[str, ...]] = ("status",)

    # [assumed] the second: no answer is documented.
    assessment_id: int = field(metadata=wire("assessmentId", "assessment.id"))
