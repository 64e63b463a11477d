"""Marks."""

from typing import ClassVar

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire
from mettl_async.models.level import Level
from mettl_async.models.question_response import QuestionResponse


class CredibilityIndex(OpenStrEnum):
    """How far the proctoring lets one believe that the candidate did not cheat.

    The flow page has an admin review the test log when it is low. [seen] the last, without proctoring.
    """

    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    NOT_APPLICABLE = "Not Applicable"


@frozen(kw_only=True)
class Marks(ServerValue):
    """Marks, and how many questions they are of.

    Attributes:
        total_marks: Marks that were scored; may be negative.
        max_marks: The highest score there is.
        total_question: Number of questions.
        total_correct_answers: Number of right answers.
        total_un_answered: Number of questions without an answer.
    """

    total_marks: float | None = None
    max_marks: float | None = None
    total_question: int | None = None
    total_correct_answers: int | None = None
    total_un_answered: int | None = None


@frozen(kw_only=True)
class DifficultyMarks(Marks):
    """Marks of the questions of one difficulty; ``time_taken`` is in seconds."""

    level: Level | None = None
    time_taken: float | None = None


@frozen(kw_only=True)
class SkillMarks(Marks):
    """Marks of one skill within a section; ``time_taken`` is in seconds."""

    skill_name: str | None = None
    time_taken: float | None = None
    difficulty_marks: tuple[DifficultyMarks, ...] = ()


@frozen(kw_only=True)
class SectionMarks(Marks):
    """Marks of one section.

    ``time_taken`` is in seconds; [seen] 0 although the section's skills have some.
    ``question_responses`` is empty unless question-wise responses were asked for.
    """

    section_name: str | None = None
    time_taken: float | None = None
    skill_marks: tuple[SkillMarks, ...] = ()
    difficulty_marks: tuple[DifficultyMarks, ...] = ()
    question_responses: tuple[QuestionResponse, ...] = field(
        default=(), repr=_check.size, metadata=wire("questionWiseResponse")
    )


@frozen(kw_only=True)
class TestResult(Marks):
    """Marks of one test, by section, skill and difficulty.

    Of a psychometric assessment none of the scores means anything, and all must be ignored, says the
    vendor's flow page; nothing in the answer tells such a test from others. See `TestStatus.analysis`.

    Attributes:
        percentile: 0 to 100.
        attempt_time: Seconds, with a fraction.
        candidate_credibility_index: How credible the result is.
        code_plagiarism: ``NA``, or what the check of code found. Its words are not documented.
        section_marks: By section.
        performance_category: Such as ``Poor``, of those the assessment defines.
        performance_category_version: Of the definition.
        difficulty_marks: By difficulty.

    Vendor page: "Get Result of Candidate in Schedule".
    """

    __test__ = False  # its name makes pytest think it holds tests
    also_read: ClassVar[tuple[str, ...]] = ("analysis",)  # by `TestStatus.analysis`

    percentile: float | None = None
    attempt_time: float | None = None
    candidate_credibility_index: CredibilityIndex | None = None
    code_plagiarism: str | None = None
    section_marks: tuple[SectionMarks, ...] = ()
    performance_category: str | None = None
    performance_category_version: int | None = None
    difficulty_marks: tuple[DifficultyMarks, ...] = ()
