"""Names of properties on the wire, and where else in an answer to look for them."""

from __future__ import annotations

from typing import TypeAlias

Place: TypeAlias = tuple[str, ...]  # names from the object inwards

WHOLE = ""
"""Where the reader of events puts a whole event as it came, for the attribute ``raw``."""

_EVENTS = ("TestStarted", "TestFinished", "TestGraded", "TestResumeEnabled", "UnknownEvent")
# Properties of events are in snake case, but for these. api.md section 7.
_CAMEL_IN_EVENTS = {"registration_details", "proctoring_details", "test_status"}

_IRREGULAR = {
    "test_resume_enabled_for_expired_test_url": "testResumeEnabledForExpiredTestURL",
    "exit_redirection_url": "exitRedirectionURL",
    "enable_qr_upload": "enableQRUpload",
    "context_data": "context_data",
    "Analysis.recommendations": "recommendation",
    "QuestionResponse.response": "questionResponse",
    "SectionMarks.question_responses": "questionWiseResponse",
}

# The first readable one counts. api.md sections 6 (API 17) and 7; observed.md section 7.
_PLACES: dict[str, tuple[Place, ...]] = {
    # The zone names of the others are ambiguous.
    "TestStatus.start_time": (("start_time_GMT",), ("startTime",)),
    "TestStatus.end_time": (("end_time_GMT",), ("endTime",)),
    # [seen] inside the result; [doc] beside it.
    "TestStatus.analysis": (("result", "analysis"), ("analysis",)),
    "CandidateResponse.response_index": (("mcqTypeResponse", "responseIndex"),),
    "CandidateResponse.responses": (("mcaTypeResponse", "responses"),),
    "CandidateResponse.text": (
        ("longAnswerTypeResponse", "candidateResponse"),
        ("shortAnswerTypeResponse", "candidateResponse"),
    ),
    "CandidateResponse.uploaded_files": (
        ("longAnswerTypeResponse", "uploadedFiles"),
        ("shortAnswerTypeResponse", "uploadedFiles"),
    ),
    # [assumed] the second of each: no answer of these three is documented.
    "CandidateResult.context_data": (("context_data",), ("contextData",)),
    "Pbt.pbt_id": (("pbtId",), ("id",)),
    "Pbt.pbt_name": (("pbtName",), ("name",)),
    "CreatedAssessment.assessment_id": (("assessmentId",), ("assessment", "id")),
    "TestGraded.start_time": (("start_time_GMT",), ("start_time",)),
    "TestGraded.end_time": (("end_time_GMT",), ("end_time",)),
    "UnknownEvent.event_type": (("EVENT_TYPE",),),
    "UnknownEvent.problem": (),
}
for _event in _EVENTS:
    _PLACES |= {
        f"{_event}.access_key": (("invitation_key",),),
        # [doc] camel case in graded events only.
        f"{_event}.assessment_id": (("assessment_id",), ("assessmentId",)),
        f"{_event}.timestamp": (("timestamp_GMT",),),
        f"{_event}.raw": ((WHOLE,),),
        # What we say of an event; nobody who sends one may say it.
        f"{_event}.context": (),
        f"{_event}.reconciled": (),
    }


def wire_name(attribute: str, owner: str = "") -> str:
    """Name of a property on the wire: lower camel case, with the vendor's exceptions.

    Args:
        attribute: Name of the attribute.
        owner: Name of its class, for the exceptions that hold in one class only.
    """
    if owner in _EVENTS and attribute not in _CAMEL_IN_EVENTS:
        return attribute
    first, *rest = attribute.split("_")
    return (
        _IRREGULAR.get(f"{owner}.{attribute}")
        or _IRREGULAR.get(attribute)
        or first + "".join(map(str.title, rest))
    )


def wire_places(attribute: str, owner: str) -> tuple[Place, ...]:
    """Where to look for an attribute of a class, best place first; nowhere if it is never sent."""
    places = _PLACES.get(f"{owner}.{attribute}")
    return ((wire_name(attribute, owner),),) if places is None else places
