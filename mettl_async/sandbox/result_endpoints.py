"""The endpoints of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.request import ApiRequest, Payload, endpoint
from mettl_async.sandbox.state import SandboxCandidate, fold_email
from mettl_async.sandbox.status import describe_status

if TYPE_CHECKING:
    Describe = Callable[[SandboxCandidate], Payload]


@endpoint("GET", "/schedules/{access_key}/candidates", "results.list")
def list_results(request: ApiRequest) -> Payload:
    """List the candidates of a schedule with their results, paged.

    That those who never started come last when descending is [assumed].
    """
    schedule = request.schedule()
    found = request.sort(
        schedule.candidates.values(),
        testStartTime=lambda one: one.started_at or 0.0,
        name=lambda one: one.name.strip().lower(),
    )
    describe = _describer(request)
    shown, paging = request.paginate(found)
    return {"candidates": [describe(one) for one in shown], "paging": paging}


@endpoint("GET", "/schedules/{access_key}/candidates/{email}", "results.get")
def get_result(request: ApiRequest) -> Payload:
    """Describe one candidate of a schedule."""
    candidate = request.candidate()
    return {"candidate": _describer(request)(candidate)}


# That v3 has the same path is [assumed].
@endpoint("GET", "/candidates/{email}", "results.list_for_candidate", versions=("v2", "v1", "v3"))
def list_results_of_candidate(request: ApiRequest) -> Payload:
    """List all that one candidate took in the account; paged in v3 only [doc].

    The key is [seen] for v1. [assumed]: it is the same in v2 and v3, where the items have what a single
    result has and the schedule, and an unknown email has an empty list.
    """
    describe = _describer(request)
    person = fold_email(request.path["email"])
    found = [one for one in request.account.schedules() if person in one.candidates]
    payload: Payload = {}
    if request.version == "v3":
        shown, payload["paging"] = request.paginate(found)
        found = list(shown)
    payload["testInstances"] = [
        {
            "assessmentId": schedule.assessment.id,
            "assessmentName": schedule.assessment.name,
            "scheduleId": schedule.id,
            "scheduleName": schedule.name,
            "accessKey": schedule.access_key,
            **describe(schedule.candidates[person]),
        }
        for schedule in found
    ]
    return payload


@endpoint("DELETE", "/schedules/{access_key}/candidates/{email}", "results.delete")
def delete_result(request: ApiRequest) -> Payload:
    """Delete a finished test; the candidate may register again then [seen]."""
    candidate = request.candidate()
    if candidate.status != "Completed":
        # [doc]: not affected; how that is said is [assumed]
        raise RefusalError("E000", "The test is not completed or expired")
    request.simulation.state.delete(candidate)
    return {}


def _describer(request: ApiRequest) -> Describe:
    """Read the options of a request and return the function that describes a candidate."""
    options = {name for name in ("rs", "qr", "cr", "em") if request.flag(name)}
    ir = request.json("ir") if "ir" in request.parameters else {}
    if not isinstance(ir, dict) or not isinstance(ir.get("recommendation", False), bool):
        raise bad_request('ir must be an object such as {"recommendation":true}')
    if ir.get("recommendation"):
        options.add("ir")

    pace = request.simulation.pace

    def describe(candidate: SandboxCandidate) -> Payload:
        status = describe_status(
            candidate, options, pace=pace, now=request.now, base_url=request.base_url
        )
        return {
            "email": candidate.email,
            "registration": candidate.fields,
            # [doc] that it comes back in results; where is [assumed]
            "context_data": candidate.context_data,
            "testStatus": _older(status) if request.version == "v1" else status,
        }

    return describe


# Not in the v1 data of 2016 [seen]: of a status, and of marks at every level.
_NEWER: Final = frozenset(
    {"compensatoryTime", "overallStatus", "detailedStatus", "start_time_GMT", "end_time_GMT"}
)
_NEWER_MARKS: Final = frozenset(
    {
        "candidateCredibilityIndex",
        "codePlagiarism",
        "difficultyMarks",
        "performanceCategory",
        "performanceCategoryVersion",
    }
)


def _older(status: Payload) -> Payload:
    """Give a status the form of the v1 data of 2016: fewer properties, times in GMT [seen].

    [assumed]: the version and not the year makes the difference, and what is asked for comes all the same.
    """
    older = {name: value for name, value in status.items() if name not in _NEWER}
    for name in ("start", "end"):
        at = status.get(f"{name}_time_GMT")
        if at is not None:
            older[f"{name}Time"] = at.replace("UTC", "GMT")
    if older.get("result") is not None:
        result = older["result"] = _older_marks(older["result"])
        if not any(result["analysis"].values()):
            result["analysis"] = None  # [seen], where nothing was asked for
    return older


def _older_marks(marks: Payload) -> Payload:
    older = {name: value for name, value in marks.items() if name not in _NEWER_MARKS}
    for name in ("sectionMarks", "skillMarks"):
        if name in older:
            older[name] = [_older_marks(one) for one in older[name]]
    if "skillName" in older:
        older["questions"] = None
    if older.get("questionWiseResponse", ()) is None:
        del older["questionWiseResponse"]
    return older
