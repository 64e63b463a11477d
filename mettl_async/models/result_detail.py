"""What results are to hold beyond marks."""

from attrs import field, frozen

from mettl_async.models._user_value import UserValue
from mettl_async.models._wire import wire


@frozen(kw_only=True)
class ResultDetail(UserValue):
    """What results hold beyond marks; everything is off by default.

    More makes pages heavy: with question-wise responses one client went down to 50 candidates a
    page [seen].

    Attributes:
        recommendation: Recommendations of the report (``ir``).
        response_style: Response styles of the report (``rs``).
        essay_answers: Answers to essay questions (``qr``).
        question_responses: Every answer, question by question (``cr`` [seen]).
        evaluation: Evaluators' marks and comments, question by question (``em`` [seen]).

    Raises:
        InvalidInputError: A value is not a bool.

    Vendor pages: "Get Result of Candidate in Schedule", "On demand Results".
    """

    field_prefix = "detail."

    recommendation: bool = field(default=False, metadata=wire("ir.recommendation"))
    response_style: bool = field(default=False, metadata=wire("rs"))
    essay_answers: bool = field(default=False, metadata=wire("qr"))
    question_responses: bool = field(default=False, metadata=wire("cr"))
    evaluation: bool = field(default=False, metadata=wire("em"))
