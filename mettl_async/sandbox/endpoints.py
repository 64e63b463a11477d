"""The endpoints: each takes a checked request and gives the payload of its answer.

Source: api.md section 6. Add the next endpoint here and one line in ``routes.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

from attrs import field, frozen

from mettl_async.sandbox import rules, schedule_rules
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.state import Account, Assessment, Invited, Schedule, State, same_person
from mettl_async.sandbox.stats import Stats

Payload = dict[str, Any]


@frozen(kw_only=True)
class Asked:
    """A request whose signature was found right; ``base_url`` is scheme and host as requested."""

    state: State = field(repr=False)
    stats: Stats = field(repr=False)
    account: Account = field(repr=False)
    path: Mapping[str, str] = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)
    base_url: str
    now: float

    def assessment(self) -> Assessment:
        """Find the assessment that the path names, in this account."""
        number = self.path["assessment_id"]
        found = self.state.assessments.get(int(number)) if number.isdecimal() else None
        # [assumed]: what belongs to another account is not found, too
        if found is None or found.account is not self.account:
            raise RefusalError("E404")
        return found

    def schedule(self) -> Schedule:
        """Find the schedule that the path names, in this account."""
        found = self.state.schedules.get(self.path["access_key"])
        if found is None or found.assessment.account is not self.account:
            raise RefusalError("E404")
        return found

    def link(self, ecc: str) -> str:
        """Make a candidate's link; its form is [seen] in a test script only, so it is opaque."""
        return f"{self.base_url}/v2/take-test?ecc={ecc}"


def add_pbts(asked: Asked) -> Payload:
    """API 5: add pre-built tests; those that are there already fail, the rest are added [doc]."""
    items = [_add_pbt(asked, number) for number in rules.read_pbts(asked.parameters)]
    # [doc]: ERROR without an error object when some fail; when all fail, the same [assumed]
    status = "SUCCESS" if all(item["added"] for item in items) else "ERROR"
    return {"status": status, "pbts": items}


def _add_pbt(asked: Asked, number: int) -> Payload:
    name = asked.state.pbts.get(number)
    if name is None or number in asked.account.added_pbts:
        # The words for an unknown one are [assumed].
        problem = "pbt not found" if name is None else "pbt assessment already added"
        return {
            "pbtId": number,
            "added": False,
            "message": f"Exception: {problem}",
            "assessmentId": 0,
            "pbtName": None,
        }
    asked.account.added_pbts.add(number)
    assessment = asked.state.add_assessment(asked.account, name, (), now=asked.now)
    return {
        "pbtId": number,
        "added": True,
        "message": f"{name}({number}) has been added successfully with assessment Id : {assessment.id}",
        "assessmentId": assessment.id,
        "pbtName": name,
    }


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
    schedule.settings.update({k: v for k, v in sc.items() if k not in ("name", "access")})
    if access:
        schedule.access_type = access["type"]
        _apply_access(schedule, access)
    for email in candidates.get("remove", []):
        schedule.uninvite(email)
    for person in candidates.get("add", []):
        _invite(schedule, person)
    return {"status": "SUCCESS", "schedule": _describe(asked, schedule)}


def register_candidates(asked: Asked) -> Payload:
    """API 15: register up to 20 candidates; answers a link for each, or why there is none."""
    schedule = asked.schedule()
    options = rules.read_options(asked.parameters)
    document = rules.read_registration(asked.parameters)
    asked.stats.saw_batch(len(document["registrationDetails"]))
    newcomers = rules.check_candidates(
        document,
        schedule.assessment.registration_fields,
        skip_mandatory=options.skip_mandatory,
    )
    _check_quota(schedule, newcomers)
    items = []
    for newcomer in newcomers:
        asked.stats.registrations[schedule.access_key, same_person(newcomer.email)] += 1
        items.append(_register(asked, schedule, newcomer, options))
    return {"status": "SUCCESS", "registrationStatus": items}


def _check_quota(schedule: Schedule, newcomers: list[rules.Newcomer]) -> None:
    account = schedule.assessment.account
    if account.registration_limit is None:
        return
    fresh = {same_person(n.email) for n in newcomers if schedule.admits(n.email)}
    fresh -= schedule.candidates.keys()
    # [assumed]: a call that would pass the limit registers nobody; those known already are free
    if fresh and account.registrations + len(fresh) > account.registration_limit:
        raise RefusalError("E607")


def _register(
    asked: Asked, schedule: Schedule, newcomer: rules.Newcomer, options: rules.RegistrationOptions
) -> Payload:
    known = schedule.candidates.get(same_person(newcomer.email))
    if known is not None and known.status == "Completed":  # [seen]
        return _item(newcomer.email, "Completed", "has completed the test", None)
    if not schedule.admits(newcomer.email):  # [seen], the words are [assumed]
        return _item(newcomer.email, "InValid", "is not allowed to take the test", None)
    candidate = asked.state.candidate(schedule, newcomer.email)
    # Registering again gives the same usable link [seen]; that the new values win is [assumed].
    candidate.status = "ToBeTaken"
    candidate.fields = newcomer.fields
    if newcomer.context_data is not None:
        candidate.context_data = newcomer.context_data
    if newcomer.compensatory_time is not None:
        candidate.compensatory_time = newcomer.compensatory_time
    candidate.expires_at = None if options.time_limit is None else asked.now + options.time_limit
    candidate.show_custom_instructions = options.show_custom_instructions
    return _item(
        newcomer.email,
        candidate.status,
        "successfully registered for the test",
        asked.link(candidate.ecc),
    )


def _item(email: str, status: str, what: str, url: str | None) -> Payload:
    return {
        "email": email,
        "status": status,
        "message": f"Candidate ('{email}') {what}",
        "url": url,
    }


def _check_unique(assessment: Assessment, name: str) -> None:
    if name in assessment.schedules:
        raise RefusalError("E000", "Please use unique title for Schedule")  # [seen], literally


def _apply_access(schedule: Schedule, access: Mapping[str, Any]) -> None:
    schedule.send_email = access.get("sendEmail", schedule.send_email)
    schedule.prefilled = access.get("isCandidateCrfPrefilled", schedule.prefilled)


def _invite(schedule: Schedule, person: Mapping[str, Any]) -> None:
    schedule.invited[same_person(person["email"])] = Invited(
        email=person["email"], name=person["name"], fields=person
    )


def _access_url(asked: Asked, schedule: Schedule) -> str:
    return f"{asked.base_url}/authenticateKey/{schedule.access_key}"


def _date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


def _describe(asked: Asked, schedule: Schedule) -> Payload:
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
        "createdAt": _date(schedule.created_at),
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
            "createdAt": _date(assessment.created_at),
        },
        "protected": sent.get("protected", "NotEnabled"),
    }
    # [assumed]: what was sent and is not described above comes back as it was sent, the webhooks'
    # password excepted
    for name, value in sent.items():
        if name != "testNotificationBasicAuthHeader":
            described.setdefault(name, value)
    return described
