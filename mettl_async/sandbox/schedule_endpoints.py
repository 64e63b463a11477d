"""The endpoints of schedules: API 10 to 14."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mettl_async.sandbox import life, rules, schedule_rules
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.events import AUTH_PROPERTY
from mettl_async.sandbox.state import Assessment, Invited, Schedule, same_person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mettl_async.sandbox.asked import Asked, Payload


def list_schedules_in_assessment(asked: Asked) -> Payload:
    """API 10: the schedules of one assessment, all at once; ``filter`` picks some."""
    assessment = asked.assessment()
    wanted = {}
    if "filter" in asked.parameters:
        wanted = rules.json_parameter(asked.parameters, "filter")
        schedule_rules.check_filter(wanted)
    found = []
    for schedule in assessment.schedules.values():  # oldest first [assumed]
        described = describe_schedule(asked, schedule)
        if all(
            _matches(described[name], wanted.get(name, {}))
            for name in ("visualProctoring", "webProctoring")
        ):
            del described["assessmentDetails"]  # [assumed]
            found.append(described)
    return {"status": "SUCCESS", "schedules": found}


def _matches(described: Any, wanted: Any) -> bool:
    """Tell whether everything that is wanted is so [assumed]."""
    if isinstance(wanted, dict):
        return isinstance(described, dict) and all(
            name in described and _matches(described[name], value) for name, value in wanted.items()
        )
    return bool(described == wanted)


def list_schedules(asked: Asked) -> Payload:
    """API 11: the schedules of the account; sorting is of an old client [seen], paging [assumed]."""
    sort, descending = asked.order("createdAt", "testTaken", "name")
    page = asked.page()
    keys = {
        "createdAt": lambda schedule: (schedule.created_at, schedule.id),
        "testTaken": lambda schedule: (_taken(schedule), schedule.id),
        "name": lambda schedule: (schedule.name.lower(), schedule.id),
    }
    schedules = sorted(asked.account.schedules(), key=keys[sort], reverse=descending)
    return {
        "status": "SUCCESS",
        "schedules": [describe_schedule(asked, schedule) for schedule in page.of(schedules)],
        "paging": asked.paging(page, len(schedules)),
    }


def _taken(schedule: Schedule) -> int:
    return sum(one.started_at is not None for one in schedule.candidates.values())


def get_schedule(asked: Asked) -> Payload:
    """API 12: one schedule, with its assessment."""
    return {"status": "SUCCESS", "schedule": describe_schedule(asked, asked.schedule())}


def create_schedule(asked: Asked) -> Payload:
    """API 13: create a schedule; its name must be unique in the assessment."""
    assessment = asked.assessment()
    sc = rules.json_parameter(asked.parameters, "sc")
    schedule_rules.check_new_schedule(sc)
    _check_unique(assessment, sc["name"])
    access = sc["access"]
    settings = {name: value for name, value in sc.items() if name not in ("name", "access")}
    schedule = asked.state.add_schedule(
        assessment, sc["name"], access["type"], settings, now=asked.now
    )
    _apply_access(schedule, access)
    for person in access.get("candidates", []):
        _invite(schedule, person)
    return {
        "status": "SUCCESS",
        "createdSchedule": {
            "assessmentId": assessment.id,
            "id": schedule.id,
            "name": schedule.name,
            "accessKey": schedule.access_key,
            "accessUrl": _access_url(asked, schedule),
            "status": schedule.status,
        },
    }


def edit_schedule(asked: Asked) -> Payload:
    """API 14: change some properties of a schedule; answers the whole of it."""
    schedule = asked.schedule()
    sc = rules.json_parameter(asked.parameters, "sc")
    schedule_rules.check_edit(sc, has_window="scheduleWindow" in schedule.settings)
    name = sc.get("name", schedule.name)
    if name != schedule.name:
        _check_unique(schedule.assessment, name)
    access = sc.get("access", {})
    candidates = access.get("candidates", {})
    for place, email in enumerate(candidates.get("remove", [])):
        if same_person(email) not in schedule.invited:
            raise bad_request(f"sc.access.candidates.remove[{place}] is not in the schedule")
    # Nothing is changed before everything was checked.
    if name != schedule.name:
        asked.state.rename(schedule, name)
    # [assumed]: a nested object replaces the stored one as a whole
    sent = {k: v for k, v in sc.items() if k not in ("name", "access")}
    schedule.settings = {**schedule.settings, **sent}
    if access:
        schedule.access_type = access["type"]
        _apply_access(schedule, access)
    for email in candidates.get("remove", []):
        schedule.uninvite(email)
        candidate = schedule.candidates.get(same_person(email))
        if candidate is not None:
            life.revoke(candidate, asked.now)
    for person in candidates.get("add", []):
        _invite(schedule, person)
    return {"status": "SUCCESS", "schedule": describe_schedule(asked, schedule)}


def _check_unique(assessment: Assessment, name: str) -> None:
    if name in assessment.schedules:
        raise RefusalError("E000", "Please use unique title for Schedule")  # [seen], literally


def _apply_access(schedule: Schedule, access: Mapping[str, Any]) -> None:
    schedule.send_email = access.get("sendEmail", schedule.send_email)
    schedule.prefilled = access.get("isCandidateCrfPrefilled", schedule.prefilled)


def _invite(schedule: Schedule, person: Mapping[str, Any]) -> None:
    schedule.invite(Invited(email=person["email"], name=person["name"], fields=person))


def _access_url(asked: Asked, schedule: Schedule) -> str:
    return f"{asked.base_url}/authenticateKey/{schedule.access_key}"


def describe_schedule(asked: Asked, schedule: Schedule) -> Payload:
    """Make the schedule object of API 12 and 14; what was never set has the sample's defaults."""
    sent = schedule.settings
    assessment = schedule.assessment
    visual = sent.get("visualProctoring", {})
    options = {
        "candidateScreenCapture": False,
        "candidateAuthorization": False,
        "audioOptional": True,
        "isAudioProctoring": False,
        **visual.get("options", {}),
    }
    described = {
        "id": schedule.id,
        "name": schedule.name,
        "accessKey": schedule.access_key,
        "accessUrl": _access_url(asked, schedule),
        "status": schedule.status,
        "createdAt": life.gmt(schedule.created_at),
        "imageProctoring": visual.get("mode", "OFF") != "OFF",
        "webProctoring": sent.get("webProctoring", {"enabled": False}),
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
        "ipAccessRestriction": sent.get("ipAccessRestriction", {"enabled": False}),
        "isCandidateAuthProctored": options["candidateAuthorization"],
        "testGradeNotification": sent.get("testGradeNotification", {"enabled": False}),
        "visualProctoring": {"options": options, "mode": visual.get("mode", "OFF")},
        "allowTestResume": "UnSuperVised",
        "secureBrowser": sent.get("secureBrowser", {"enabled": False}),
        "assessmentDetails": {
            "id": assessment.id,
            "duration": assessment.duration,
            "name": assessment.name,
            "instructions": assessment.instructions,
            "createdAt": life.gmt(assessment.created_at),
        },
        "protected": sent.get("protected", "NotEnabled"),
    }
    # [assumed]: what was sent and is not described above comes back as it was sent, the webhooks'
    # password excepted
    for name, value in sent.items():
        if name != AUTH_PROPERTY:
            described.setdefault(name, value)
    return described
