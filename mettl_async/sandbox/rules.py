"""What the server accepts in ``rd`` and ``pbts``, and what becomes of each candidate.

Pure: values in, values or a refusal out. Source: api.md API 5 and 15, observed.md section 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from mettl_async.sandbox.envelope import RefusalError, bad_request, loads
from mettl_async.sandbox.state import RegistrationField, same_person

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CANDIDATES: Final = 20  # [doc]
NEVER_SKIPPED: Final = ("Email Address", "First Name")  # [doc]
IMAGE_FIELDS: Final = ("Candidate Image(Verification)", "RegistrationImage")  # [seen]
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_HTTP_URL: Final = re.compile(r"https?://[^/?#\s]+\S*", re.IGNORECASE)
_BOOLEANS: Final = {"true": True, "false": False}


@frozen(kw_only=True)
class Newcomer:
    """One candidate of a registration, checked."""

    email: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    context_data: str | None = field(default=None, repr=False)
    compensatory_time: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class RegistrationOptions:
    """The parameters beside ``rd``; ``time_limit`` in seconds, None for links that don't expire."""

    skip_mandatory: bool
    time_limit: int | None
    show_custom_instructions: bool


def json_parameter(parameters: Mapping[str, str], name: str) -> Any:
    """Read the JSON text in a required parameter."""
    if name not in parameters:
        raise bad_request(f"{name} is required")
    try:
        return loads(parameters[name])
    except ValueError:
        raise bad_request(f"{name} is not JSON") from None


def read_flag(parameters: Mapping[str, str], name: str) -> bool:
    """Read an optional ``true`` or ``false``; false unless given."""
    value = _BOOLEANS.get(parameters.get(name, "false"))
    if value is None:
        raise bad_request(f"{name} must be true or false")
    return value


def is_email(value: object) -> bool:
    """Tell whether a value has the shape of an email address."""
    return isinstance(value, str) and _EMAIL.fullmatch(value) is not None


def is_http_url(value: object) -> bool:
    """Tell whether a value has the shape of an http or https URL."""
    return isinstance(value, str) and _HTTP_URL.fullmatch(value) is not None


def read_pbts(parameters: Mapping[str, str]) -> list[int]:
    """Read the list of PBT numbers."""
    numbers = json_parameter(parameters, "pbts")
    if not isinstance(numbers, list) or not numbers or any(type(n) is not int for n in numbers):
        raise bad_request("pbts must be a list of integers")
    return numbers


def read_options(parameters: Mapping[str, str]) -> RegistrationOptions:
    """Read the optional parameters of a registration."""
    limit = parameters.get("timeLimitInSec")
    if limit is not None and not re.fullmatch(r"0*[1-9][0-9]{0,11}", limit, re.ASCII):
        raise bad_request("timeLimitInSec must be an integer greater than 0")
    return RegistrationOptions(
        skip_mandatory=read_flag(parameters, "allowMissingMandatoryRegistrationFields"),
        time_limit=None if limit is None else int(limit),
        show_custom_instructions=read_flag(parameters, "showCustomInstructions"),
    )


def read_registration(parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Read ``rd`` as far as its list of candidates; their number is not checked yet."""
    document = json_parameter(parameters, "rd")
    if not isinstance(document, dict) or not isinstance(document.get("registrationDetails"), list):
        raise bad_request("rd.registrationDetails must be a list")
    return document


def check_candidates(
    document: Mapping[str, Any], fields: Sequence[RegistrationField], *, skip_mandatory: bool
) -> list[Newcomer]:
    """Check ``rd`` as a whole: one bad candidate refuses the call [assumed].

    Raises:
        RefusalError: E400, or E028 for an image that is not a URL. Messages name positions and
            properties only.
    """
    details = document["registrationDetails"]
    if not 1 <= len(details) <= MOST_CANDIDATES:
        raise bad_request(f"rd.registrationDetails must have 1 to {MOST_CANDIDATES} candidates")
    mandatory = () if skip_mandatory else tuple(f.name for f in fields if f.required)
    choices = {f.name: f.values for f in fields if f.values}
    for place, detail in enumerate(details):
        _check_detail(place, detail, (*NEVER_SKIPPED, *mandatory), choices)
    extras = _read_extras(document.get("optionalParams", []), details)
    return [
        Newcomer(
            email=detail["Email Address"],
            fields=detail,
            **extras.get(same_person(detail["Email Address"]), {}),
        )
        for detail in details
    ]


def _check_detail(
    place: int, detail: object, mandatory: Sequence[str], choices: Mapping[str, Sequence[str]]
) -> None:
    where = f"registrationDetails[{place}]"
    if not isinstance(detail, dict):
        raise bad_request(f"{where} must be an object")
    # [assumed]: an empty value of a mandatory field is a missing one
    for name in mandatory:
        if detail.get(name) in (None, ""):
            raise bad_request(f"{where}.{name} is required")
    for name, value in detail.items():
        if not isinstance(value, str):
            raise bad_request(f"{where}.{name} must be a string")
    if not is_email(detail["Email Address"]):
        raise bad_request(f"{where}.Email Address must be an email address")
    wrong = [name for name in choices if detail.get(name, "") not in ("", *choices[name])]
    if wrong:
        raise bad_request(f"{where}.{wrong[0]} must be one of its values")
    # [seen] that E028 is about the image; that it refuses the whole call is an inference
    if any(name in detail and not is_http_url(detail[name]) for name in IMAGE_FIELDS):
        raise RefusalError("E028")


def _read_extras(extras: object, details: Sequence[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    if not isinstance(extras, list) or len(extras) > MOST_CANDIDATES:
        raise bad_request(f"optionalParams must be a list of at most {MOST_CANDIDATES}")
    registered = {same_person(detail["Email Address"]) for detail in details}
    found: dict[str, dict[str, str]] = {}
    for place, extra in enumerate(extras):
        where = f"optionalParams[{place}]"
        if not isinstance(extra, dict):
            raise bad_request(f"{where} must be an object")
        email = extra.get("email")
        if not isinstance(email, str) or same_person(email) not in registered:
            raise bad_request(f"{where}.email must be among registrationDetails")
        wanted = {
            name: extra[name] for name in ("context_data", "compensatory_time") if name in extra
        }
        for name, value in wanted.items():
            if not isinstance(value, str):
                raise bad_request(f"{where}.{name} must be a string")
        # [seen]: minutes as text
        if not wanted.get("compensatory_time", "0").isdecimal():
            raise bad_request(f"{where}.compensatory_time must be a number of minutes")
        found[same_person(email)] = wanted
    return found
