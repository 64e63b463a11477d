"""An assessment to be created."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._extensible import Extensible
from mettl_async.models._user_value import AnyText, Positive, Url
from mettl_async.models._wire import wire
from mettl_async.models.level import Level
from mettl_async.models.question_response import QuestionType


def _skills(value: Iterable[NewSkill]) -> tuple[NewSkill, ...]:
    return _check.as_tuple(value)


def _sections(value: Iterable[NewSection]) -> tuple[NewSection, ...]:
    return _check.as_tuple(value)


@frozen(kw_only=True)
class NewSkill(Extensible):
    """Questions of one skill, picked from the account's question bank.

    Checked when built. What is None is not sent. [seen] the whole form, in a client's method that is no
    longer in use; the page is cut off before it.

    Attributes:
        name: Of a skill in the question bank.
        level: How hard; [assumed] sent as the server spells it (``EASY``), where that client has ``easy``.
        question_count: How many, 1 or more.
        question_pooling: Whether each candidate gets other questions.
        question_type: Kind of question.
        correct_grade: Marks for a right answer.
        incorrect_grade: Marks for a wrong one; 0 or negative as a rule.
        extra: Further properties by their wire names.

    Raises:
        InvalidInputError: A rule is broken; `field` names the place.

    Vendor page: "Create Assessment".
    """

    field_prefix = "skill."

    name: str
    level: Level
    question_count: Positive
    question_pooling: bool | None = None
    question_type: QuestionType | None = None
    correct_grade: float | None = None
    incorrect_grade: float | None = None


@frozen(kw_only=True)
class NewSection(Extensible):
    """A section of a new assessment.

    Checked when built. What is None is not sent. [seen] the whole form; see `NewSkill`.

    Attributes:
        name: Unique within the assessment.
        skills: At least one.
        duration: Minutes, 1 or more; only for a section with a time of its own.
        instructions: HTML is allowed.
        all_questions_mandatory: Whether each question must be answered.
        randomize_questions: Whether they come in another order for each candidate.
        extra: Further properties by their wire names.

    Raises:
        InvalidInputError: A rule is broken; `field` names the place.

    Vendor page: "Create Assessment".
    """

    field_prefix = "section."

    name: str
    skills: tuple[NewSkill, ...] = field(converter=_skills)
    duration: Positive | None = None
    instructions: AnyText | None = None
    all_questions_mandatory: bool | None = None
    randomize_questions: bool | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        # [assumed] The page says what questions it wants (imported ones), so there must be some.
        _check.not_empty("section.skills", self.skills, "give at least one NewSkill")


@frozen(kw_only=True)
class NewAssessment(Extensible):
    """An assessment to be created of questions that are already in the account.

    Checked when built, down to the last property. What is None is not sent.

    Attributes:
        name: Unique in the account.
        sections: At least one, no name twice.
        duration: Minutes, 1 or more; may be left out when every section has its own.
        instructions: HTML is allowed.
        allow_copy_paste: Whether candidates may copy and paste.
        exit_redirection_url: Where candidates go from the end. It may hold a token, so the repr has none.
        show_report_to_candidate_on_exit: Whether they see their report.
        on_screen_calculator: Whether they have a calculator.
        extra: Further properties of the JSON by their wire names, sent as they are: the page's table is
            cut off.

    Raises:
        InvalidInputError: A rule is broken; `field` names the place.

    Vendor page: "Create Assessment".
    """

    name: str
    sections: tuple[NewSection, ...] = field(converter=_sections)
    duration: Positive | None = None
    instructions: AnyText | None = None
    allow_copy_paste: bool | None = None
    exit_redirection_url: Url | None = field(
        default=None, repr=False, metadata=wire("exitRedirectionURL")
    )
    show_report_to_candidate_on_exit: bool | None = None
    on_screen_calculator: bool | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.not_empty("sections", self.sections, "give at least one NewSection")
        seen: dict[str, int] = {}
        for index, section in enumerate(self.sections):
            if (first := seen.setdefault(section.name.casefold(), index)) != index:
                raise InvalidInputError(
                    f"sections[{index}].name", f"repeats the name of item {first}", "rename one"
                )
        if self.duration is None and any(one.duration is None for one in self.sections):
            raise InvalidInputError(
                "duration", "is missing", "give minutes, here or in every section"
            )
