"""The endpoints of the account and of pre-built tests: API 1 to 5."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mettl_async.sandbox import rules
from mettl_async.sandbox.assessment_endpoints import describe_fields
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.shapes import TEXT, each, must, shape

if TYPE_CHECKING:
    from mettl_async.sandbox.asked import Asked, Payload

# kB is taken for 1024 bytes [assumed].
MOST_LOGO: Final = 100 * 1024
MOST_FAVICON: Final = 10 * 1024
MOST_COVER: Final = 2000 * 1024  # of the product guide, not of the page
PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
ICONS: Final = (b"\x89PNG\r\n\x1a\n", b"\x00\x00\x01\x00")
_COLOUR: Final = must(
    "a colour such as 1A2B3C",
    lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9A-Fa-f]{6}", value)),
)
_MOST_NUMBERS: Final = 2  # [doc]


def _all_strings(wl: Any, where: str) -> None:
    for name, value in wl.items():
        TEXT(value, f"{where}.{name}")


# The property of the custom test URL is not known by name; it is let through like any other.
_WHITE_LABEL: Final = shape(
    {
        "headerBackgroundColor": _COLOUR,
        "headerFontColor": _COLOUR,
        "buttonColor": _COLOUR,
        "buttonFontColor": _COLOUR,
    },
    (),
    _all_strings,
)
_NUMBERS: Final = each(TEXT)


def get_account(asked: Asked) -> Payload:
    """API 1: what is known of the account; the first four names are [seen], the rest [assumed]."""
    account = asked.account
    return {
        "status": "SUCCESS",
        "accountInfo": {
            "email": "admin@example.com",
            "firstName": "Sandbox",
            "lastName": "Account",
            "accountType": "CORPORATE",  # the word is [assumed]
            "whiteLabel": account.white_label,
            "supportNumbers": list(account.support_numbers),
            "registrationFields": describe_fields(()),
        },
    }


def update_logo(asked: Asked) -> Payload:
    """API 2: take the picture in the part ``logo``."""
    logo = _picture(asked, "logo", PICTURES, MOST_LOGO)
    if logo is None:
        raise bad_request("logo is required, as a file in a multipart body")
    asked.account.logo = logo
    return {"status": "SUCCESS"}  # nothing else is known of the answer


def update_white_label(asked: Asked) -> Payload:
    """API 3: take colours, support numbers and two pictures."""
    account = asked.account
    if not account.may_white_label:
        raise RefusalError("E403")  # the code is [assumed]
    wl = rules.json_parameter(asked.parameters, "wl")
    _WHITE_LABEL(wl, "wl")
    numbers = []
    if "sn" in asked.parameters:
        numbers = rules.json_parameter(asked.parameters, "sn")
        _NUMBERS(numbers, "sn")
        if len(numbers) > _MOST_NUMBERS:
            raise bad_request(f"sn must have at most {_MOST_NUMBERS} numbers")
    favicon = _picture(asked, "fav", ICONS, MOST_FAVICON)
    cover = _picture(asked, "cov", PICTURES, MOST_COVER)
    account.white_label = wl
    # [assumed]: what is not sent stays
    account.support_numbers = tuple(numbers) or account.support_numbers
    account.favicon = favicon or account.favicon
    account.cover = cover or account.cover
    return {"status": "SUCCESS"}


def _picture(asked: Asked, name: str, magic: tuple[bytes, ...], most: int) -> bytes | None:
    """Take a file; that a wrong one is E400 is [assumed]."""
    content = asked.files.get(name)
    if content is None:
        if name in asked.parameters:
            raise bad_request(f"{name} must be a file in a multipart body")
        return None
    if not content.startswith(magic):
        raise bad_request(f"{name} is not a picture of an accepted kind")
    if len(content) > most:
        raise bad_request(f"{name} must be at most {most // 1024} kB")
    return content


def list_pbts(asked: Asked) -> Payload:
    """API 4: the pre-built tests; its answer is [assumed] from the one of API 5."""
    return {
        "status": "SUCCESS",
        "pbts": [
            {"pbtId": number, "pbtName": name, "added": number in asked.account.added_pbts}
            for number, name in asked.state.pbts.items()
        ],
    }


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
    asked.account.added_pbts |= {number}
    assessment = asked.state.add_assessment(asked.account, name, (), now=asked.now)
    return {
        "pbtId": number,
        "added": True,
        "message": f"{name}({number}) has been added successfully with assessment Id : {assessment.id}",
        "assessmentId": assessment.id,
        "pbtName": name,
    }
