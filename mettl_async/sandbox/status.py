"""The ``testStatus`` of results and graded events: the same code for both, so that they agree.

Shapes are those of the vendor's page "Get Result of Candidate in Schedule".
"""

from collections.abc import Set as AbstractSet
from typing import Any

from mettl_async.sandbox import grading, reports
from mettl_async.sandbox.clock import gmt, ist
from mettl_async.sandbox.lifecycle_rules import Pace, ending
from mettl_async.sandbox.state import SandboxCandidate

Payload = dict[str, Any]


# The parameters that fill optional parts of a result: ``ir`` and ``rs`` of its analysis, ``qr`` the
# responses to essays, ``cr`` those to all questions, ``em`` what evaluators said of them.
Options = AbstractSet[str]


def _result(candidate: SandboxCandidate, options: Options) -> Payload:
    marks = grading.result_of(candidate)
    recommended = {"type": "Performance Category", "value": marks["performanceCategory"]}
    analysis = {
        # The form of an item: [doc] on the page "Create Schedule", in a graded event.
        "responseStyles": (
            [{"title": "Genuine", "description": "Answers vary enough."}] if "rs" in options else []
        ),
        "recommendation": [recommended] if "ir" in options else [],
    }
    result = {**marks, "analysis": analysis}
    # [assumed]: em alone asks for nothing
    if options & {"qr", "cr"}:
        responses = grading.question_wise(
            candidate, all_types="cr" in options, evaluators="em" in options
        )
        result["sectionMarks"] = [
            {**section, "questionWiseResponse": of_section}
            for section, of_section in zip(marks["sectionMarks"], responses, strict=True)
        ]
    return result


def describe_status(
    candidate: SandboxCandidate, options: Options, *, pace: Pace, now: float, base_url: str
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
            "result": _result(candidate, options) if graded else None,
            **reports.links(candidate, pace=pace, now=now, base_url=base_url),
        }
    if candidate.status == "InProgress" and candidate.session_at is not None:
        # That it exists is [seen]; of which moment it is, and in which zone, is [assumed].
        last = candidate.disconnected_at or candidate.session_at
        status["lastResponseTime"] = ist(last)
    return status
