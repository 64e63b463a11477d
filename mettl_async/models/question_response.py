"""What a candidate answered to one question."""

from typing import Any

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire


class QuestionType(OpenStrEnum):
    """Kind of question; the abbreviations are the vendor's, who explains none."""

    ALL_TYPE = "AllType"
    MCQ = "MCQ"
    MCA = "MCA"
    CODE = "CODE"
    FITB = "FITB"
    LONG_ANSWER = "LONG_ANSWER"
    SHORT_ANSWER = "SHORT_ANSWER"
    SQL = "SQL"
    CS = "CS"
    CP = "CP"
    FES = "FES"
    TS = "TS"
    FU = "FU"


@frozen(kw_only=True)
class CandidateResponse(ServerValue):
    """The answer itself; which attribute is set follows from the question's type.

    All is [seen]. The repr shows nothing of it.

    Attributes:
        response_index: The choice, of a multiple-choice question.
        responses: The choices, of one with several answers, as they came: their form is not documented.
        text: Of a long or short answer.
        uploaded_files: Files that came with it, as they came: their form is not documented.
        extra: Answers of other types (diagrams and what may be added), frozen.
    """

    response_index: int | None = field(
        default=None, repr=False, metadata=wire("mcqTypeResponse.responseIndex")
    )
    responses: tuple[Any, ...] = field(
        default=(), repr=_check.size, metadata=wire("mcaTypeResponse.responses")
    )
    text: str | None = field(
        default=None,
        repr=False,
        metadata=wire(
            "longAnswerTypeResponse.candidateResponse", "shortAnswerTypeResponse.candidateResponse"
        ),
    )
    uploaded_files: tuple[Any, ...] = field(
        default=(),
        repr=_check.size,
        metadata=wire(
            "longAnswerTypeResponse.uploadedFiles", "shortAnswerTypeResponse.uploadedFiles"
        ),
    )


@frozen(kw_only=True)
class EvaluatorData(ServerValue):
    """What a human evaluator gave; the repr shows no personal data. All is [seen].

    The form of ``evaluation_time`` is not documented, so it stays text.
    """

    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    marks_awarded: float | None = None
    evaluation_comments: str | None = field(default=None, repr=False)
    evaluation_time: str | None = None
    evaluator_role: str | None = None


@frozen(kw_only=True)
class QuestionResponse(ServerValue):
    """A question and the candidate's answer. All is [seen].

    Attributes:
        question_id: The question: a number, or text where it is none [seen].
        api_question_type: Its kind.
        version: Its version.
        response: The answer; None when none was given.
        min_marks: The lowest score there is; may be negative.
        max_marks: The highest.
        marks_scored: Score of the answer; may be negative.
        is_attempted: Whether it was answered.
        time_spent: Seconds.
        skill_name: The skill it tests.
        evaluator_data: What human evaluators gave.

    Vendor page: "Get Result of Candidate in Schedule" (the undocumented parameters ``cr`` and ``em``).
    """

    question_id: int | str | None = None
    api_question_type: QuestionType | None = None
    version: int | None = None
    response: CandidateResponse | None = field(default=None, metadata=wire("questionResponse"))
    min_marks: float | None = None
    max_marks: float | None = None
    marks_scored: float | None = None
    is_attempted: bool | None = None
    time_spent: float | None = None
    skill_name: str | None = None
    evaluator_data: tuple[EvaluatorData, ...] = ()
