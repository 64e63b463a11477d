"""The endpoints of results: API 16 to 19."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mettl_async.sandbox import rules
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.state import SandboxCandidate, Schedule, same_person
from mettl_async.sandbox.status import Extras, describe_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from mettl_async.sandbox.asked import Asked, Payload

    Describe = Callable[[Schedule, SandboxCandidate], Payload]


def list_results(asked: Asked) -> Payload:
    """API 16: the candidates of a schedule with their results, paged."""
    schedule = asked.schedule()
    sort, descending = asked.order("testStartTime", "name")
    page = asked.page()
    describe = _describer(asked)
    candidates = list(schedule.candidates.values())
    # Equal ones, such as those who never started, go by registration; that they come last when
    # descending is [assumed].
    if descending:
        candidates.reverse()
    candidates.sort(key=_name if sort == "name" else _start_time, reverse=descending)
    return {
        "status": "SUCCESS",
        "candidates": [describe(schedule, one) for one in page.of(candidates)],
        "paging": asked.paging(page, len(candidates)),
    }


def _start_time(candidate: SandboxCandidate) -> float:
    return candidate.started_at or 0.0


def _name(candidate: SandboxCandidate) -> str:
    return candidate.name.strip().lower()


def get_result(asked: Asked) -> Payload:
    """API 17: one candidate of a schedule."""
    schedule = asked.schedule()
    describe = _describer(asked)
    return {"status": "SUCCESS", "candidate": describe(schedule, asked.candidate(schedule))}


def list_results_of_candidate(asked: Asked) -> Payload:
    """API 18: everything that one candidate took in the account; paged in v3 only [doc].

    The key is [seen] for v1. [assumed]: it is the same in v2 and v3, where the items have what API
    17 gives and the schedule, and someone unknown has an empty list.
    """
    describe = _describer(asked)
    person = same_person(asked.path["email"])
    found = [
        (schedule, schedule.candidates[person])
        for schedule in asked.account.schedules()
        if person in schedule.candidates
    ]
    payload: Payload = {"status": "SUCCESS"}
    if asked.version == "v3":
        page = asked.page()
        payload["paging"] = asked.paging(page, len(found))
        found = list(page.of(found))
    payload["testInstances"] = [
        {
            "assessmentId": schedule.assessment.id,
            "assessmentName": schedule.assessment.name,
            "scheduleId": schedule.id,
            "scheduleName": schedule.name,
            "accessKey": schedule.access_key,
            **describe(schedule, candidate),
        }
        for schedule, candidate in found
    ]
    return payload


def delete_result(asked: Asked) -> Payload:
    """API 19: forget a finished test; the candidate may register again then [seen]."""
    schedule = asked.schedule()
    candidate = asked.candidate(schedule)
    if candidate.status != "Completed":
        # [doc]: not affected; how that is said is [assumed]
        raise RefusalError("E000", "The test is not completed or expired")
    asked.state.delete(schedule, candidate)
    return {"status": "SUCCESS"}


def _describer(asked: Asked) -> Describe:
    """Read the flags of a request and make what describes a candidate accordingly."""
    recommendation = False
    if "ir" in asked.parameters:
        ir = rules.json_parameter(asked.parameters, "ir")
        if not isinstance(ir, dict) or not isinstance(ir.get("recommendation", False), bool):
            raise bad_request('ir must be an object such as {"recommendation":true}')
        recommendation = ir.get("recommendation", False)
    extras = Extras(
        recommendation=recommendation,
        styles=asked.flag("rs"),
        essays=asked.flag("qr"),
        every=asked.flag("cr"),
        evaluators=asked.flag("em"),
    )

    def describe(schedule: Schedule, candidate: SandboxCandidate) -> Payload:
        status = describe_status(
            schedule, candidate, extras, pace=asked.pace, now=asked.now, base_url=asked.base_url
        )
        return {
            "email": candidate.email,
            "registration": candidate.fields,
            # [doc] that it comes back in results; where is [assumed]
            "context_data": candidate.context_data,
            "testStatus": _older(status) if asked.version == "v1" else status,
        }

    return describe


def _older(status: Payload) -> Payload:
    """Give a status the form of the v1 data of 2016: times in GMT, no newer statuses [seen].

    That the version and not the year makes the difference is [assumed], and so is that the pages'
    ``analysis`` beside the result belongs to it.
    """
    gone = ("overallStatus", "detailedStatus", "start_time_GMT", "end_time_GMT")
    older = {name: value for name, value in status.items() if name not in gone}
    for name in ("start", "end"):
        at = status.get(f"{name}_time_GMT")
        if at is not None:
            older[f"{name}Time"] = at.replace("UTC", "GMT")
    if older.get("result") is not None:
        older["result"] = dict(older["result"])
        older["analysis"] = older["result"].pop("analysis")
    return older
