"""Deliveries as Mettl sends them, for tests and for ``mettl webhooks send``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from mettl_async.codec import EVENT_TYPES, dumps
from mettl_async.errors import InvalidInputError
from mettl_async.models import Event, FinishMode, TestFinished, TestGraded, UnknownEvent, _wire_time

_AT: Final = datetime(2022, 2, 11, 23, 8, 2, tzinfo=UTC)
_IST: Final = timezone(timedelta(hours=5, minutes=30))
_SECONDS: Final = 64
_UNKNOWN_TYPE: Final = "someEventOfTomorrow"
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


def sample_event(
    kind: type[Event],
    *,
    access_key: str = "a1b2c3d4e5",
    email: str = "asha.rao@example.org",
    name: str = "Asha",
    context_data: str | None = None,
    at: datetime = _AT,
    assessment_id: int = 999_999,
    candidate_instance_id: int = 99_999_999,
    source_app: str = "App Name",
    notification_url: str | None = None,
    finish_mode: FinishMode = FinishMode.NORMAL_SUBMISSION,
    marks_scored: float = 5.0,
    max_marks: float = 10.0,
) -> bytes:
    """Make the body of a delivery, with the names, shapes and quirks of the vendor's samples.

    The same arguments give the same bytes. `parse_event` gives back what was put in.

    Args:
        kind: Such as ``TestGraded``; ``UnknownEvent`` gives an event of a made-up type.
        access_key: Of the schedule.
        email: Of the candidate.
        name: Of the candidate; a space is added where the vendor's samples have one.
        context_data: Such as `ContextSigner.sign` gives.
        at: When it happened, aware.
        assessment_id: Of the assessment.
        candidate_instance_id: Of the attempt.
        source_app: Of the schedule.
        notification_url: [seen] Left out when None, as in the documentation.
        finish_mode: How the test ended; in finished and graded events.
        marks_scored: In graded events.
        max_marks: The same.

    Raises:
        InvalidInputError: ``at`` has no time zone, ``kind`` is no kind of event.

    Source: api.md section 7, and the pages of APIs 13 and 14.
    """
    if at.tzinfo is None:
        raise InvalidInputError("at", "has no time zone", "give an aware datetime")
    event_type = _UNKNOWN_TYPE if kind is UnknownEvent else EVENT_TYPES.get(kind)  # type: ignore[arg-type]
    if event_type is None:
        raise InvalidInputError("kind", "is no kind of event", "give a class such as TestGraded")
    graded = kind is TestGraded
    body: dict[str, Any] = {
        "EVENT_TYPE": event_type,
        "invitation_key": access_key,
        "assessmentId" if graded else "assessment_id": assessment_id,
        "candidate_instance_id": candidate_instance_id,
        "context_data": context_data,
        "timestamp_GMT": _time(at, UTC, "GMT"),
        "source_app": source_app,
        **({} if notification_url is None else {"notification_url": notification_url}),
        "name": name if graded else f"{name} ",
        "email": email,
    }
    if graded or kind is TestFinished:
        body["finish_mode"] = finish_mode.value
    if graded:
        body |= _grading(
            at, email=email, name=name, mode=finish_mode, scored=marks_scored, most=max_marks
        )
    return dumps(body).encode()


def _grading(
    at: datetime, *, email: str, name: str, mode: FinishMode, scored: float, most: float
) -> dict[str, Any]:
    start = at - timedelta(seconds=_SECONDS)
    section = {"sectionName": "Section #1", "sectionScore": scored, "sectionMaxScore": most}
    return {
        "start_time_GMT": _time(start, UTC, "UTC"),
        "end_time_GMT": _time(at, UTC, "UTC"),
        "marks_scored": scored,
        "max_marks": most,
        "total_attempt_time": _SECONDS,
        "percentile": 100.0,
        "assessment_name": "Assessment Name",
        "client_id": 99_999,
        "schedule_title": "Test Link Name",
        "start_time": _time(start, _IST, "IST"),
        "end_time": _time(at, _IST, "IST"),
        "sectional_scores": dumps([section]),
        "grading_type": "NormalGrading",
        "registrationDetails": {"Email Address": email, "First Name": name},
        "proctoringDetails": None,
        "testStatus": _status(start, at, mode, scored, most),
    }


def _status(
    start: datetime, end: datetime, mode: FinishMode, scored: float, most: float
) -> dict[str, Any]:
    overall, detailed = _STATUSES.get(mode, _USUAL)
    completion = mode.completion_mode
    marks = {"totalMarks": scored, "maxMarks": most, "timeTaken": float(_SECONDS)}
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
        "startTime": _time(start, _IST, "IST"),
        "endTime": _time(end, _IST, "IST"),
        "completionMode": None if completion is None else completion.value,
        "result": {
            "totalMarks": scored,
            "maxMarks": most,
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
            "responseStyles": [
                {
                    "title": "Genuine",
                    "description": "Answers vary enough.",
                }
            ],
            "recommendation": [{"type": "Recommendation", "value": "Not Recommended"}],
        },
        # [seen] Both are links that whoever has them can follow.
        "pdfReport": "https://example.org/analytics/download-candidate-report?url=made-up",
        "htmlReport": "https://example.org/analytics/share-report?key=made-up",
    }


def _time(moment: datetime, zone: timezone, name: str) -> str:
    local = moment.astimezone(zone)
    return f"{_wire_time.date_text(local)} {_wire_time.time_text(local)} {name}"
