"""The endpoints of schedules; `schedule_rules` has what they accept."""

from collections.abc import Mapping
from typing import Any

from mettl_async.sandbox import lifecycle_rules, schedule_rules
from mettl_async.sandbox.clock import gmt
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.events import AUTH_PROPERTY
from mettl_async.sandbox.request import ApiRequest, Payload, endpoint
from mettl_async.sandbox.state import Assessment, Invited, Schedule, fold_email


@endpoint("GET", "/assessments/{assessment_id}/schedules", "schedules.list_in_assessment")
def list_schedules_in_assessment(request: ApiRequest) -> Payload:
    """List the schedules of one assessment, all at once; ``filter`` picks some."""
    assessment = request.assessment()
    wanted = {}
    if "filter" in request.parameters:
        wanted = request.json("filter")
        schedule_rules.FILTER(wanted, "filter")
    found = []
    for schedule in assessment.schedules.values():  # oldest first [assumed]
        described = describe_schedule(request, schedule)
        if all(
            _matches(described[name], wanted.get(name, {}))
            for name in ("visualProctoring", "webProctoring")
        ):
            del described["assessmentDetails"]  # [assumed]
            found.append(described)
    return {"schedules": found}


def _matches(described: Any, wanted: Any) -> bool:
    """Tell whether all that is wanted is so [assumed]."""
    if isinstance(wanted, dict):
        return isinstance(described, dict) and all(
            name in described and _matches(described[name], value) for name, value in wanted.items()
        )
    return bool(described == wanted)


@endpoint("GET", "/schedules", "schedules.list")
def list_schedules(request: ApiRequest) -> Payload:
    """List the schedules of the account; sorting is of an old client [seen], paging [assumed]."""
    found = request.sort(
        sorted(request.account.schedules(), key=lambda schedule: schedule.id),
        createdAt=lambda schedule: schedule.created_at,
        testTaken=lambda schedule: schedule.tests_taken,
        name=lambda schedule: schedule.name.lower(),
    )
    shown, paging = request.paginate(found)
    return {"schedules": [describe_schedule(request, one) for one in shown], "paging": paging}


@endpoint("GET", "/schedules/{access_key}", "schedules.get")
def get_schedule(request: ApiRequest) -> Payload:
    """Describe one schedule, with its assessment."""
    return {"schedule": describe_schedule(request, request.schedule())}


@endpoint("POST", "/assessments/{assessment_id}/schedules", "schedules.create")
def create_schedule(request: ApiRequest) -> Payload:
    """Create a schedule; its name must be unique in the assessment."""
    assessment = request.assessment()
    sc = request.json("sc", nulls=False)
    schedule_rules.NEW_SCHEDULE(sc, "sc")
    _check_unique(assessment, sc["name"])
    access = sc["access"]
    schedule = request.simulation.add_schedule(
        sc["name"], assessment=assessment, access_type=access["type"], settings=_settings(sc)
    )
    _apply_access(schedule, access, access.get("candidates", []))
    described = describe_schedule(request, schedule)
    names = ("id", "name", "accessKey", "accessUrl", "status")
    created = {"assessmentId": assessment.id, **{name: described[name] for name in names}}
    return {"createdSchedule": created}


@endpoint("POST", "/schedules/{access_key}/edit", "schedules.edit")
def edit_schedule(request: ApiRequest) -> Payload:
    """Change some properties of a schedule; answers the whole of it."""
    schedule = request.schedule()
    sc = request.json("sc", nulls=False)
    schedule_rules.EDIT(sc, "sc")
    if "scheduleType" in sc:  # [assumed]: the window that it has will do
        schedule_rules.check_window({**schedule.settings, **sc}, "sc")
    name = sc.get("name", schedule.name)
    if name != schedule.name:
        _check_unique(schedule.assessment, name)
    access = sc.get("access", {})
    candidates = access.get("candidates", {})
    removed = candidates.get("remove", [])
    for place, email in enumerate(removed):
        if fold_email(email) not in schedule.invited:
            raise bad_request(f"sc.access.candidates.remove[{place}] is not in the schedule")
    # Nothing is changed before everything was checked.
    if name != schedule.name:
        request.simulation.state.rename(schedule, name)
    # [assumed]: a nested object replaces the stored one as a whole
    schedule.settings = {**schedule.settings, **_settings(sc)}
    for email in removed:
        person = fold_email(email)
        schedule.invited.pop(person, None)
        if person in schedule.candidates:
            lifecycle_rules.revoke(schedule.candidates[person], request.now)
    if access:
        schedule.access_type = access["type"]
        _apply_access(schedule, access, candidates.get("add", []))
    return {"schedule": describe_schedule(request, schedule)}


def _check_unique(assessment: Assessment, name: str) -> None:
    if name in assessment.schedules:
        raise RefusalError("E000", "Please use unique title for Schedule")  # [seen], literally


def _settings(sc: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sc.items() if name not in ("name", "access")}


def _apply_access(
    schedule: Schedule, access: Mapping[str, Any], invited: list[Mapping[str, Any]]
) -> None:
    schedule.send_email = access.get("sendEmail", schedule.send_email)
    schedule.prefilled = access.get("isCandidateCrfPrefilled", schedule.prefilled)
    for person in invited:
        schedule.invite(Invited(email=person["email"], name=person["name"]))


def describe_schedule(request: ApiRequest, schedule: Schedule) -> Payload:
    """Make the schedule object; what was never set has the defaults of the vendor's sample."""
    sent = schedule.settings
    assessment = schedule.assessment
    visual = sent.get("visualProctoring", {})
    mode = visual.get("mode", "OFF")
    options = {
        "candidateScreenCapture": False,
        "candidateAuthorization": False,
        "audioOptional": True,
        "isAudioProctoring": False,
        **visual.get("options", {}),
    }
    off = {"enabled": False}
    described = {
        "id": schedule.id,
        "name": schedule.name,
        "accessKey": schedule.access_key,
        "accessUrl": f"{request.base_url}/authenticateKey/{schedule.access_key}",
        "status": schedule.status,
        "createdAt": gmt(schedule.created_at),
        "imageProctoring": mode != "OFF",
        "webProctoring": off | sent.get("webProctoring", {}),
        "access": {
            "type": schedule.access_type,
            "candidates": [
                {"name": person.name, "submissionDate": None, "email": person.email}
                for person in schedule.invited.values()
            ],
            "sendEmail": schedule.send_email,
            "sendReminders": False,
            "isCandidateCrfPrefilled": schedule.prefilled,
        },
        "ipAccessRestriction": off | sent.get("ipAccessRestriction", {}),
        "isCandidateAuthProctored": options["candidateAuthorization"],
        "testGradeNotification": off | sent.get("testGradeNotification", {}),
        "visualProctoring": {"options": options, "mode": mode},
        "allowTestResume": "UnSuperVised",
        "secureBrowser": off | sent.get("secureBrowser", {}),
        "assessmentDetails": {
            "id": assessment.id,
            "duration": assessment.duration,
            "name": assessment.name,
            "instructions": assessment.instructions,
            "createdAt": gmt(assessment.created_at),
        },
        "protected": sent.get("protected", "NotEnabled"),
    }
    # [assumed]: what was sent and is not described above comes back as it was sent, except the
    # webhooks' password
    more = {name: value for name, value in sent.items() if name != AUTH_PROPERTY}
    return more | described
