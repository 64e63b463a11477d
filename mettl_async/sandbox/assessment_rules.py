"""What the server accepts in ``assessments`` and ``as``, as data.

Pure. A property that the pages don't have is let through and not looked at. The shape of sections is
[seen] in one client, their rules are [assumed]. Source: api.md API 8 and 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mettl_async.sandbox.blueprint import LEVELS, QUESTION_TYPES, Section, Skill
from mettl_async.sandbox.envelope import bad_request
from mettl_async.sandbox.shapes import (
    BOOL,
    COUNT,
    NUMBER,
    POSITIVE,
    TEXT,
    WORDS,
    each,
    must,
    one_of,
    shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVEL: Final = must(
    " or ".join(LEVELS), lambda value: isinstance(value, str) and value.upper() in LEVELS
)
_SKILL: Final = shape(
    {
        "name": WORDS,  # must exist in the question bank; the sandbox's has every skill
        "level": _LEVEL,
        "questionCount": POSITIVE,
        "questionPooling": BOOL,
        "questionType": one_of(*QUESTION_TYPES),
        "correctGrade": NUMBER,
        "incorrectGrade": NUMBER,
    },
    ("name", "level", "questionCount"),
)
_SECTION: Final = shape(
    {
        "name": WORDS,
        "duration": COUNT,
        "instructions": TEXT,
        "allQuestionsMandatory": BOOL,
        "randomizeQuestions": BOOL,
        "skills": each(_SKILL),
    },
    ("name", "skills"),
)
_COMMON: Final = {
    "instructions": TEXT,
    "allowCopyPaste": BOOL,
    "exitRedirectionURL": TEXT,
    "onScreenCalculator": BOOL,
}
_CREATE: Final = shape(
    {
        **_COMMON,
        "name": WORDS,
        "duration": POSITIVE,
        "showReportToCandidateOnExit": BOOL,
        "sections": each(_SECTION),
    },
    ("name",),
)
# ``showReportToCandidateOnExit`` is a stranger here [doc], so it changes nothing [assumed].
_SETTINGS: Final = shape({**_COMMON, "showReportToCandidate": BOOL})


def check_new_assessment(sent: Any) -> None:
    """Check the ``assessments`` of Create Assessment.

    Raises:
        RefusalError: E400 naming the property.
    """
    _CREATE(sent, "assessments")
    sections = sent.get("sections", [])
    if len({part["name"] for part in sections}) < len(sections):
        raise bad_request("assessments.sections must have unique names")
    timed = bool(sections) and all(part.get("duration") for part in sections)
    if "duration" not in sent and not timed:  # [doc]
        raise bad_request("assessments.duration is required unless every section has its own")


def check_settings(sent: Any) -> None:
    """Check the partial ``as`` of Edit Assessment Settings.

    Raises:
        RefusalError: E400 naming the property.
    """
    _SETTINGS(sent, "as")


def read_sections(sent: Mapping[str, Any]) -> tuple[Section, ...]:
    """Make sections of what was checked."""
    return tuple(
        Section(
            name=part["name"],
            duration=part.get("duration", 0),
            instructions=part.get("instructions", ""),
            randomize_questions=part.get("randomizeQuestions", False),
            all_questions_mandatory=part.get("allQuestionsMandatory", False),
            skills=tuple(_skill(skill) for skill in part["skills"]),
        )
        for part in sent.get("sections", [])
    )


def _skill(skill: Mapping[str, Any]) -> Skill:
    return Skill(
        name=skill["name"],
        level=skill["level"].upper(),
        question_count=skill["questionCount"],
        question_type=skill.get("questionType", "AllType"),
        correct_grade=float(skill.get("correctGrade", 1)),
        incorrect_grade=float(skill.get("incorrectGrade", 0)),
        question_pooling=skill.get("questionPooling", False),
    )
