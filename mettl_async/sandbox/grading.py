"""A candidate's answers and their marks: made up, and the same each time for one email.

The assessment and the candidate decide, nothing else. Shapes are those of the vendor's page "Get Result
of Candidate in Schedule".
"""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, Final

from attrs import field, frozen

from mettl_async.sandbox.state import SandboxCandidate, fold_email, max_marks

ESSAYS: Final = ("LONG_ANSWER", "SHORT_ANSWER")
_CATEGORIES: Final = ((0.4, "Poor"), (0.7, "Average"), (1.0, "Good"))
CATEGORY_NAMES: Final = tuple(name for _, name in _CATEGORIES)
_SUSPECT: Final = ("BrowsingToleranceExceeded", "ProctoredFinish", "SuspiciousSoftwareFinish")


@frozen(kw_only=True)
class QuestionResponse:
    """One question with its marks; ``seconds`` are whole."""

    question_id: int
    skill: Mapping[str, Any]
    attempted: bool
    correct: bool
    scored: float
    seconds: int
    choice: int = field(repr=False)


def _random(candidate: SandboxCandidate, what: str) -> Random:
    assessment = candidate.schedule.assessment
    return Random(f"{what} {assessment.id} {fold_email(candidate.email)}")  # noqa: S311 - repeatable on purpose


def usual_seconds(candidate: SandboxCandidate) -> float:
    """Return how long this candidate takes by default: 30 to 90% of the duration."""
    share = _random(candidate, "pace").uniform(0.3, 0.9)
    return round(candidate.schedule.assessment.duration * 60 * share, 3)


def responses_of(candidate: SandboxCandidate) -> list[list[QuestionResponse]]:
    """Answer the questions of each section."""
    assessment = candidate.schedule.assessment
    random = _random(candidate, "answers")
    ability = random.uniform(0.25, 0.95)
    total = sum(skill["questionCount"] for part in assessment.sections for skill in part["skills"])
    seconds = int(candidate.seconds / max(1, total))
    number = assessment.id * 1000
    sections = []
    for part in assessment.sections:
        responses = []
        for skill in part["skills"]:
            for _ in range(skill["questionCount"]):
                number += 1
                attempted = random.random() < 0.9  # noqa: PLR2004 - one in ten is left out
                correct = attempted and random.random() < ability
                scored = 0.0
                if attempted:
                    scored = skill["correctGrade"] if correct else skill["incorrectGrade"]
                responses.append(
                    QuestionResponse(
                        question_id=number,
                        skill=skill,
                        attempted=attempted,
                        correct=correct,
                        scored=scored + 0.0,  # no minus before a zero
                        seconds=seconds if attempted else 0,
                        choice=random.randrange(4),
                    )
                )
        sections.append(responses)
    return sections


def result_of(candidate: SandboxCandidate) -> dict[str, Any]:
    """Mark the test; without question-wise responses, and with an empty analysis."""
    assessment = candidate.schedule.assessment
    sections = responses_of(candidate)
    everything = [one for part in sections for one in part]
    totals = _counts(everything)
    share = max(0.0, totals["totalMarks"] / (max_marks(assessment.sections) or 1.0))
    return {
        "totalMarks": totals["totalMarks"],
        "maxMarks": totals["maxMarks"],
        "percentile": round(share * 100, 13),  # [assumed]: others don't count here
        "attemptTime": candidate.seconds,
        "candidateCredibilityIndex": _credibility(candidate),
        "codePlagiarism": "NA",
        "totalQuestion": totals["totalQuestion"],
        "totalCorrectAnswers": totals["totalCorrectAnswers"],
        "totalUnAnswered": totals["totalUnAnswered"],
        "sectionMarks": [
            _section(part["name"], responses)
            for part, responses in zip(assessment.sections, sections, strict=True)
        ],
        "performanceCategory": next(name for most, name in _CATEGORIES if share <= most),
        "performanceCategoryVersion": 1,
        "difficultyMarks": _by_difficulty(everything),
        "analysis": {"responseStyles": [], "recommendation": []},
    }


def _counts(responses: Sequence[QuestionResponse]) -> dict[str, float]:
    # Counts are floats here and integers in difficultyMarks: [seen]
    return {
        "totalMarks": float(sum(one.scored for one in responses)),
        "maxMarks": float(sum(one.skill["correctGrade"] for one in responses)),
        "timeTaken": float(sum(one.seconds for one in responses)),
        "totalQuestion": float(len(responses)),
        "totalCorrectAnswers": float(sum(one.correct for one in responses)),
        "totalUnAnswered": float(sum(not one.attempted for one in responses)),
    }


def _section(name: str, responses: Sequence[QuestionResponse]) -> dict[str, Any]:
    return {
        "sectionName": name,
        **_counts(responses),
        "timeTaken": 0.0,  # while its skills have time: [seen]
        "skillMarks": [
            {
                "skillName": skill,
                **_counts(of_skill),
                "difficultyMarks": _by_difficulty(of_skill),
            }
            for skill, of_skill in _grouped((one.skill["name"], one) for one in responses)
        ],
        "difficultyMarks": _by_difficulty(responses),
        "questionWiseResponse": None,
    }


def _by_difficulty(responses: Sequence[QuestionResponse]) -> list[dict[str, Any]]:
    """Give an item for each level: [doc] and [seen] for skills, sections and the whole."""
    groups = _grouped((one.skill["level"], one) for one in responses)
    return [_difficulty(level, of_level) for level, of_level in groups]


def _difficulty(level: str, responses: Sequence[QuestionResponse]) -> dict[str, Any]:
    counts = _counts(responses)
    whole = ("totalQuestion", "totalUnAnswered", "timeTaken", "totalCorrectAnswers")
    return {"level": level, **counts, **{name: int(counts[name]) for name in whole}}


def _grouped(
    pairs: Iterable[tuple[str, QuestionResponse]],
) -> list[tuple[str, list[QuestionResponse]]]:
    groups: dict[str, list[QuestionResponse]] = {}
    for name, one in pairs:
        groups.setdefault(name, []).append(one)
    return list(groups.items())


def _credibility(candidate: SandboxCandidate) -> str:
    settings = candidate.schedule.settings
    proctored = (
        settings.get("visualProctoring", {}).get("mode", "OFF") != "OFF"
        or settings.get("webProctoring", {}).get("enabled") is True
    )
    if not proctored:
        return "Not Applicable"
    if candidate.finish_mode in _SUSPECT:
        return "Low"
    return _random(candidate, "trust").choice(("High", "Medium", "Low"))


def question_wise(
    candidate: SandboxCandidate, *, all_types: bool, evaluators: bool
) -> list[list[dict[str, Any]]]:
    """Give the question-wise responses of each section; only essays unless ``all_types``."""
    return [
        [
            _response(one, evaluators=evaluators)
            for one in part
            if all_types or one.skill["questionType"] in ESSAYS
        ]
        for part in responses_of(candidate)
    ]


def _response(one: QuestionResponse, *, evaluators: bool) -> dict[str, Any]:
    kind = one.skill["questionType"]
    seen = evaluators and kind == "LONG_ANSWER" and one.attempted
    return {
        "questionId": one.question_id,
        "apiQuestionType": kind,
        "version": 1,
        "questionResponse": _given(kind, one) if one.attempted else None,
        "minMarks": one.skill["incorrectGrade"] + 0.0,
        "maxMarks": one.skill["correctGrade"],
        "marksScored": one.scored,
        "isAttempted": one.attempted,
        "timeSpent": one.seconds,
        "skillName": one.skill["name"],
        "evaluatorData": [_evaluation(one)] if seen else [] if evaluators else None,
    }


def _given(kind: str, one: QuestionResponse) -> dict[str, Any]:
    if kind == "MCA":
        return {"mcaTypeResponse": {"responses": sorted({one.choice, 0})}}
    if kind == "LONG_ANSWER":
        text = "Überlegt, dann geschrieben."
        return {"longAnswerTypeResponse": {"candidateResponse": text, "uploadedFiles": []}}
    if kind == "SHORT_ANSWER":
        return {"shortAnswerTypeResponse": {"candidateResponse": f"answer {one.choice}"}}
    return {"mcqTypeResponse": {"responseIndex": one.choice}}


def _evaluation(one: QuestionResponse) -> dict[str, Any]:
    return {
        "name": "Evaluator",
        "email": "",  # may be blank [seen]
        "marksAwarded": one.scored,
        "evaluationComments": "Clear — well argued.",
        "evaluationTime": None,  # its form is not known
        "evaluatorRole": "EVALUATOR",  # [assumed]
    }
