"""What an assessment consists of: sections, skills and the questions' marks.

Plain values. Source: api.md API 7; names of a section's properties in Create Assessment are [seen].
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

LEVELS: Final = ("EASY", "MEDIUM", "DIFFICULT")  # the last two are [seen] in a comment only
QUESTION_TYPES: Final = (
    "AllType", "MCQ", "CODE", "FITB", "LONG_ANSWER", "MCA", "SQL", "SHORT_ANSWER", "CS", "CP",
    "FES", "TS", "FU",
)  # fmt: skip


@frozen(kw_only=True)
class Skill:
    """Questions of one skill and level in a section.

    Attributes:
        name: Name of the skill.
        level: One of `LEVELS`.
        question_count: How many questions.
        question_type: One of `QUESTION_TYPES`.
        correct_grade: Marks of a right answer.
        incorrect_grade: Marks of a wrong answer, 0 or less.
        question_pooling: Whether questions are drawn from a pool.
    """

    name: str
    level: str = "EASY"
    question_count: int = 1
    question_type: str = "MCQ"
    correct_grade: float = 1.0
    incorrect_grade: float = -0.0
    question_pooling: bool = True


@frozen(kw_only=True)
class Section:
    """One section; ``duration`` in minutes, 0 if it isn't timed."""

    name: str
    skills: tuple[Skill, ...]
    duration: int = 0
    instructions: str = ""
    randomize_questions: bool = False
    all_questions_mandatory: bool = False


def max_marks(sections: tuple[Section, ...]) -> float:
    """Add up the marks that can be had."""
    return float(
        sum(
            skill.question_count * skill.correct_grade for part in sections for skill in part.skills
        )
    )


DEFAULT_SECTIONS: Final = (
    Section(
        name="Section #1",
        skills=(
            Skill(name="Quantitative Aptitude", question_count=6),
            Skill(
                name="Quantitative Aptitude",
                level="MEDIUM",
                question_count=4,
                correct_grade=2.0,
                incorrect_grade=-0.5,
            ),
            Skill(name="Logical Reasoning", question_count=3, question_type="MCA"),
        ),
    ),
    Section(
        name="Section #2",
        skills=(
            Skill(name="Vocabulary", question_count=2, question_type="SHORT_ANSWER"),
            Skill(
                name="Written Communication",
                level="DIFFICULT",
                question_type="LONG_ANSWER",
                correct_grade=10.0,
            ),
        ),
    ),
)
