"""The endpoint of registrations, and what it accepts in ``rd``."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mettl_async.sandbox import lifecycle_rules
from mettl_async.sandbox.assessment_endpoints import NEVER_SKIPPED
from mettl_async.sandbox.candidates import candidate_link
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.request import ApiRequest, Payload, endpoint
from mettl_async.sandbox.shapes import EMAIL, TEXT, is_http_url, matching, shape
from mettl_async.sandbox.state import Schedule, fold_email

MOST_CANDIDATES: Final = 20  # [doc]
IMAGE_FIELDS: Final = ("Candidate Image(Verification)", "RegistrationImage")  # [seen]
_SECONDS: Final = re.compile(r"0*[1-9][0-9]{0,11}", re.ASCII)
_DETAIL: Final = shape({"Email Address": EMAIL}, ("Email Address",), others=TEXT)
_EXTRA: Final = shape(  # of ``optionalParams``; the minutes are text [seen]
    {
        "email": TEXT,
        "context_data": TEXT,
        "compensatory_time": matching("a number of minutes, as a string", "[0-9]+"),
    },
    ("email",),
)

Fields = Mapping[str, str]


@endpoint("POST", "/schedules/{access_key}/candidates", "candidates.register")
def register_candidates(request: ApiRequest) -> Payload:
    """Register up to 20 candidates; answers a link for each, or why there is none.

    One bad candidate refuses the call [assumed], with E400, or E028 for an image that is not a URL.
    Messages name positions and properties only.
    """
    schedule, stats = request.schedule(), request.simulation.stats
    limit = request.parameters.get("timeLimitInSec")
    if limit is not None and not _SECONDS.fullmatch(limit):
        raise bad_request("timeLimitInSec must be an integer greater than 0")
    options = {
        "expires_at": None if limit is None else request.now + int(limit),
        "show_custom_instructions": request.flag("showCustomInstructions"),
    }
    skip_mandatory = request.flag("allowMissingMandatoryRegistrationFields")
    rd = request.json("rd")
    details = rd.get("registrationDetails") if isinstance(rd, dict) else None
    if not isinstance(details, list):
        raise bad_request("rd.registrationDetails must be a list")
    stats.largest_batch = max(stats.largest_batch, len(details))
    if not 1 <= len(details) <= MOST_CANDIDATES:
        raise bad_request(f"rd.registrationDetails must have 1 to {MOST_CANDIDATES} candidates")
    for place, detail in enumerate(details):
        _check_detail(schedule, detail, f"registrationDetails[{place}]", skip_mandatory)
    extras = _read_extras(rd.get("optionalParams"), details)
    _check_quota(schedule, details)
    items = []
    for detail in details:
        person = fold_email(detail["Email Address"])
        stats.registrations[schedule.access_key, person] += 1
        items.append(_register(request, schedule, detail, options | extras.get(person, {})))
    return {"registrationStatus": items}


def _check_detail(schedule: Schedule, detail: Any, where: str, skip_mandatory: bool) -> None:  # noqa: FBT001 - called in one place
    fields = schedule.assessment.registration_fields
    mandatory = () if skip_mandatory else tuple(one.name for one in fields if one.required)
    _DETAIL(detail, where)
    # [assumed]: an empty value of a mandatory field is a missing one
    for name in (*NEVER_SKIPPED, *mandatory):
        if not detail.get(name):
            raise bad_request(f"{where}.{name} is required")
    for one in fields:
        if one.values and detail.get(one.name, "") not in ("", *one.values):
            raise bad_request(f"{where}.{one.name} must be one of its values")
    # [seen] that E028 is about the image; that it refuses the whole call is an inference
    if any(name in detail and not is_http_url(detail[name]) for name in IMAGE_FIELDS):
        raise RefusalError("E028")


def _read_extras(extras: object, details: Sequence[Fields]) -> dict[str, dict[str, Any]]:
    """Read the attributes in ``optionalParams``, by folded email; null is absent [seen]."""
    if extras is None:
        return {}
    if not isinstance(extras, list) or len(extras) > MOST_CANDIDATES:
        raise bad_request(f"optionalParams must be a list of at most {MOST_CANDIDATES}")
    registered = {fold_email(detail["Email Address"]) for detail in details}
    found = {}
    for place, extra in enumerate(extras):
        where = f"optionalParams[{place}]"
        if isinstance(extra, dict):
            extra = {name: value for name, value in extra.items() if value is not None}  # noqa: PLW2901 - what is left
        _EXTRA(extra, where)
        person = fold_email(extra["email"])
        if person not in registered:
            raise bad_request(f"{where}.email must be among registrationDetails")
        names = ("context_data", "compensatory_time")
        found[person] = {name: extra[name] for name in names if name in extra}
    return found


def _check_quota(schedule: Schedule, details: Sequence[Fields]) -> None:
    account = schedule.assessment.account
    if account.registration_limit is None:
        return
    emails = [detail["Email Address"] for detail in details]
    fresh = {fold_email(email) for email in emails if schedule.admits(email)}
    fresh -= schedule.candidates.keys()
    # [assumed]: a call that would pass the limit registers nobody; those known already are free
    if fresh and account.registrations + len(fresh) > account.registration_limit:
        raise RefusalError("E607")


def _register(
    request: ApiRequest, schedule: Schedule, fields: Fields, attributes: Mapping[str, Any]
) -> Payload:
    email = fields["Email Address"]
    known = schedule.candidates.get(fold_email(email))
    if known is not None and known.status == "Completed":  # [seen]
        return _item(email, "Completed", "has completed the test", None)
    if not schedule.admits(email):  # [seen], the words are [assumed]
        return _item(email, "InValid", "is not allowed to take the test", None)
    candidate = request.simulation.state.candidate(schedule, email)
    # Registering again gives the same usable link [seen]; that the new values win is [assumed].
    # A test that runs goes on; the word that the item has then is [assumed].
    lifecycle_rules.admit(candidate, request.now)
    candidate.fields = fields
    candidate.base_url = request.base_url
    for name, value in attributes.items():
        setattr(candidate, name, value)
    link = candidate_link(request.base_url, candidate.ecc)
    return _item(email, candidate.status, "successfully registered for the test", link)


def _item(email: str, status: str, what: str, url: str | None) -> Payload:
    return {
        "email": email,
        "status": status,
        "message": f"Candidate ('{email}') {what}",
        "url": url,
    }
