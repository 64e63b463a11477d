"""Properties of sample events that only some kinds have, as the vendor's samples print them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from mettl_async.models._wire_time import date_text, time_text
from mettl_async.models.completion_mode import FinishMode

_IST: Final = timezone(timedelta(hours=5, minutes=30))
_SECONDS: Final = 64
_QUESTIONS: Final = 2

# [assumed] Overall and detailed status by finish mode: the pages have a table of each, but none of both.
_STATUSES: Final = {
    FinishMode.TIME_EXPIRED: ("Completed", "Time Over"),
    FinishMode.BLOCKED: ("Blocked", "Authorizer Blocked"),
    FinishMode.BROWSING_TOLERANCE_EXCEEDED: (
        "Test Stopped",
        "Browsing Tolerance Limit Exceeded",
    ),
    FinishMode.TEST_EXPIRED: ("Disconnected", "Disconnected from Server"),
    FinishMode.PROCTORED_FINISH: ("Test Stopped", "Proctor Stopped"),
    FinishMode.SUSPICIOUS_SOFTWARE_FINISH: ("Test Stopped", "Suspicious Software Detected"),
    FinishMode.CANDIDATE_CLOSED: ("Disconnected", "Test Window Closed"),
}
_USUAL: Final = ("Completed", "Test-taker Completed")


def finished_sample(*, finish_mode: FinishMode, **_: object) -> dict[str, Any]:
    """Make what a finished event has beyond others."""
    return {"finish_mode": finish_mode.value}


def graded_sample(
    *,
    email: str,
    name: str,
    at: datetime,
    finish_mode: FinishMode,
    marks_scored: float,
    max_marks: float,
) -> dict[str, Any]:
    """Return the properties that only graded events have, and the name without the space at its end."""
    start = at - timedelta(seconds=_SECONDS)
    section = {
        "sectionName": "Section #1",
        "sectionScore": marks_scored,
        "sectionMaxScore": max_marks,
    }
    return {
        "name": name,
        "finish_mode": finish_mode.value,
        "start_time_GMT": wire_time(start, UTC, "UTC"),
        "end_time_GMT": wire_time(at, UTC, "UTC"),
        "marks_scored": marks_scored,
        "max_marks": max_marks,
        "total_attempt_time": _SECONDS,
        "percentile": 100.0,
        "assessment_name": "Assessment Name",
        "client_id": 99_999,
        "schedule_title": "Test Link Name",
        "start_time": wire_time(start, _IST, "IST"),
        "end_time": wire_time(at, _IST, "IST"),
        "sectional_scores": json.dumps([section]),
        "grading_type": "NormalGrading",
        "registrationDetails": {"Email Address": email, "First Name": name},
        "proctoringDetails": None,
        "testStatus": _status(start, at, finish_mode, marks_scored, max_marks),
    }


def _status(
    start: datetime, end: datetime, finish_mode: FinishMode, scored: float, reachable: float
) -> dict[str, Any]:
    overall, detailed = _STATUSES.get(finish_mode, _USUAL)
    completion = finish_mode.completion_mode
    marks = {
        "totalMarks": scored,
        "maxMarks": reachable,
        "timeTaken": float(_SECONDS),
    }
    # [doc] Counts are floats but in difficultyMarks, and the section has no time although its skills do.
    counts = {
        "totalQuestion": float(_QUESTIONS),
        "totalCorrectAnswers": 1.0,
        "totalUnAnswered": 0.0,
    }
    whole = {count: int(value) for count, value in counts.items()}
    difficulties = [{"level": "EASY", **marks, "timeTaken": _SECONDS, **whole}]
    skill = {"skillName": "Skill Name", **marks, **counts, "difficultyMarks": difficulties}
    section = {
        "sectionName": "Section #1",
        **marks,
        "timeTaken": 0.0,
        **counts,
        "skillMarks": [skill],
        "difficultyMarks": difficulties,
        "questionWiseResponse": None,
    }
    return {
        "status": "Completed",
        "compensatoryTime": "false",  # [seen]
        "overallStatus": overall,
        "detailedStatus": detailed,
        "startTime": wire_time(start, _IST, "IST"),
        "endTime": wire_time(end, _IST, "IST"),
        "completionMode": None if completion is None else completion.value,
        "result": {
            "totalMarks": scored,
            "maxMarks": reachable,
            "percentile": 100.0,
            "attemptTime": float(_SECONDS),
            "candidateCredibilityIndex": "Low",
            "codePlagiarism": "NA",
            **counts,
            "sectionMarks": [section],
            "performanceCategory": None,
            "performanceCategoryVersion": None,
            "difficultyMarks": difficulties,
        },
        "analysis": {
            "responseStyles": [{"title": "Genuine", "description": "Answers vary enough."}],
            "recommendation": [{"type": "Recommendation", "value": "Not Recommended"}],
        },
        # [seen] Both are links that whoever has them can follow.
        "pdfReport": "https://example.org/analytics/download-candidate-report?url=made-up",
        "htmlReport": "https://example.org/analytics/share-report?key=made-up",
    }


def wire_time(moment: datetime, zone: timezone, name: str) -> str:
    """Write a time as events have it, such as ``Fri, 11 Feb 2022 23:08:02 GMT``."""
    local = moment.astimezone(zone)
    return f"{date_text(local)} {time_text(local)} {name}"
