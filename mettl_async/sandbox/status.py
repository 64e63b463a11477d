"""What results and graded events say of a test: the same code for both, so that they agree.

Shapes are those of api.md API 17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from mettl_async.sandbox import grading, reports
from mettl_async.sandbox.life import ending, gmt, ist

if TYPE_CHECKING:
    from mettl_async.sandbox.life import Pace
    from mettl_async.sandbox.state import SandboxCandidate, Schedule

Payload = dict[str, Any]


@frozen(kw_only=True)
class Extras:
    """What of a result is wanted beyond the plain one; the parameters of API 16 and 17.

    Attributes:
        recommendation: Fills ``analysis.recommendation``.
        styles: Fills ``analysis.responseStyles``.
        essays: Question-wise responses to essays.
        every: Question-wise responses to all questions.
        evaluators: What evaluators said of them.
    """

    recommendation: bool = False
    styles: bool = False
    essays: bool = False
    every: bool = False
    evaluators: bool = False


def result_with(schedule: Schedule, candidate: SandboxCandidate, extras: Extras) -> Payload:
    """Give the result of a test that was graded."""
    marked = grading.result_of(schedule, candidate)
    recommended = {"type": "Performance Category", "value": marked["performanceCategory"]}
    analysis = {
        # The form of an item: [doc] on the page of API 13, in a graded event.
        "responseStyles": (
            [{"title": "Genuine", "description": "Answers vary enough."}] if extras.styles else []
        ),
        "recommendation": [recommended] if extras.recommendation else [],
    }
    given = {**marked, "analysis": analysis}
    # [assumed]: em alone asks for nothing
    if extras.essays or extras.every:
        responses = grading.question_wise(
            schedule.assessment, candidate, all_types=extras.every, evaluators=extras.evaluators
        )
        given["sectionMarks"] = [
            {**section, "questionWiseResponse": of_section}
            for section, of_section in zip(marked["sectionMarks"], responses, strict=True)
        ]
    return given


def describe_status(
    schedule: Schedule,
    candidate: SandboxCandidate,
    extras: Extras,
    *,
    pace: Pace,
    now: float,
    base_url: str,
) -> Payload:
    """Make the ``testStatus`` of a candidate as it is now; ``base_url`` is for the report links."""
    how = ending(candidate, now)
    status: Payload = {
        "status": candidate.status,
        # [seen] the text "false"; minutes as text are [assumed]
        "compensatoryTime": candidate.compensatory_time or "false",
        "overallStatus": how.overall,
        "detailedStatus": how.detailed,
    }
    # [assumed]: keys are absent before the start, and null as long as there is no value
    start, end = candidate.started_at, candidate.finished_at
    if start is not None:
        status |= {"start_time_GMT": gmt(start, "UTC"), "startTime": ist(start)}
    if start is not None or end is not None:
        graded = pace.graded(candidate, now)
        status |= {
            "end_time_GMT": None if end is None else gmt(end, "UTC"),
            "endTime": None if end is None else ist(end),
            "completionMode": how.completion,
            "result": result_with(schedule, candidate, extras) if graded else None,
            **reports.links(candidate, pace=pace, now=now, base_url=base_url),
        }
    if candidate.status == "InProgress" and candidate.session_at is not None:
        # That it exists is [seen]; of which moment it is, and in which zone, is [assumed].
        last = candidate.disconnected_at or candidate.session_at
        status["lastResponseTime"] = ist(last)
    return status
