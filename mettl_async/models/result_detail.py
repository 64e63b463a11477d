"""What results are to hold beyond marks."""

from __future__ import annotations

from attrs import field, frozen

from mettl_async.errors import InvalidInputError


def _flag(_: object, attribute: object, value: object) -> None:
    if not isinstance(value, bool):
        name = getattr(attribute, "name", "detail")
        raise InvalidInputError(
            f"detail.{name}", f"is a {type(value).__name__}", "pass True or False"
        )


@frozen(kw_only=True)
class ResultDetail:
    """What results are to hold beyond marks; everything is off by default.

    More makes pages heavy: with question-wise responses one client went down to 50 candidates a
    page [seen].

    Attributes:
        recommendation: Recommendations of the report (``ir``).
        response_style: Response styles of the report (``rs``).
        essay_answers: Answers to essay questions (``qr``).
        question_responses: Every answer, question by question (``cr`` [seen]).
        evaluation: Evaluators' marks and comments, question by question (``em`` [seen]).

    Source: api.md, APIs 16 and 17; integration flow, "On demand Results".
    """

    recommendation: bool = field(default=False, validator=_flag)
    response_style: bool = field(default=False, validator=_flag)
    essay_answers: bool = field(default=False, validator=_flag)
    question_responses: bool = field(default=False, validator=_flag)
    evaluation: bool = field(default=False, validator=_flag)
