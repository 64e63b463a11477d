"""The payloads of webhooks, with the keys and quirks of the samples on the vendor's page "Webhooks"."""

from typing import Any, Final

from mettl_async.sandbox.clock import gmt, ist
from mettl_async.sandbox.envelope import dumps
from mettl_async.sandbox.lifecycle_rules import Pace
from mettl_async.sandbox.state import SandboxCandidate
from mettl_async.sandbox.status import describe_status

STARTED: Final = "startAssessment"
FINISHED: Final = "finishTest"
GRADED: Final = "gradedAssessment"
RESUMED: Final = "candidateTestResumed"

# The property of ``sc`` that has the URL; the last ends in URL, the others in Url [doc].
URL_PROPERTIES: Final = {
    STARTED: "testStartNotificationUrl",
    FINISHED: "testFinishNotificationUrl",
    GRADED: "testGradedNotificationUrl",
    RESUMED: "testResumeEnabledForExpiredTestURL",
}
AUTH_PROPERTY: Final = "testNotificationBasicAuthHeader"
# [doc]: the recommendation and the response style are in the event without being asked for.
_OPTIONS: Final = frozenset({"ir", "rs"})


def event_of(
    event_type: str, candidate: SandboxCandidate, *, at: float, pace: Pace
) -> dict[str, Any] | None:
    """Make the event of something that happened ``at`` this time, for `Deliveries.add`.

    None if nobody listens. URL and credentials are those that the schedule has now [assumed].
    """
    schedule = candidate.schedule
    url = schedule.settings.get(URL_PROPERTIES[event_type])
    if not isinstance(url, str) or not url:
        return None
    graded = event_type == GRADED
    payload = {
        "EVENT_TYPE": event_type,
        "invitation_key": schedule.access_key,
        "assessmentId" if graded else "assessment_id": schedule.assessment.id,  # [doc]
        "candidate_instance_id": candidate.instance_id,
        "context_data": candidate.context_data,
        "timestamp_GMT": gmt(at),
        "source_app": schedule.settings.get("sourceApp"),
        "notification_url": url,  # [seen]; not in the samples of the pages
        "name": candidate.name.strip() if graded else candidate.name,
        "email": candidate.email,
    }
    if event_type in (FINISHED, GRADED):
        payload["finish_mode"] = candidate.finish_mode
    if graded:
        payload |= _result(candidate, at=at, pace=pace)
    auth = schedule.settings.get(AUTH_PROPERTY)
    return {
        "event_type": event_type,
        "url": url,
        "access_key": schedule.access_key,
        "email": candidate.email,
        "basic_auth": auth if isinstance(auth, str) and auth else None,
        "body": dumps(payload),
    }


def _result(candidate: SandboxCandidate, *, at: float, pace: Pace) -> dict[str, Any]:
    """Make what only the graded event has."""
    schedule = candidate.schedule
    status = describe_status(candidate, _OPTIONS, pace=pace, now=at, base_url=candidate.base_url)
    # They stand at the top here and not in testStatus [doc].
    times = {name: status.pop(name) for name in ("start_time_GMT", "end_time_GMT")}
    result = status["result"]
    scores = [
        {
            "sectionName": section["sectionName"],
            "sectionScore": section["totalMarks"],
            "sectionMaxScore": section["maxMarks"],
        }
        for section in result["sectionMarks"]
    ]
    return {
        **times,
        "marks_scored": result["totalMarks"],
        "max_marks": result["maxMarks"],
        "total_attempt_time": int(candidate.seconds),
        "percentile": result["percentile"],
        "assessment_name": schedule.assessment.name,
        "client_id": schedule.assessment.account.client_id,
        "schedule_title": schedule.name,
        "start_time": ist(candidate.started_at or at),
        "end_time": ist(candidate.finished_at or at),
        "sectional_scores": dumps(scores).decode(),  # JSON in a string [doc]
        "grading_type": "NormalGrading",
        "registrationDetails": candidate.fields,
        "proctoringDetails": None,
        "testStatus": status,
    }
