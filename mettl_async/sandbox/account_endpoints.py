"""The endpoints of the account and of pre-built tests."""

from typing import Final

from mettl_async.sandbox.assessment_endpoints import describe_fields
from mettl_async.sandbox.envelope import RefusalError, bad_request
from mettl_async.sandbox.request import ApiRequest, Payload, endpoint
from mettl_async.sandbox.shapes import TEXT, each, matching, shape
from mettl_async.sandbox.state import PBTS

_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
# First bytes and most kB of each file; kB is taken for 1024 bytes [assumed].
FILES: Final = {
    "logo": (_PICTURES, 100),
    "fav": ((b"\x89PNG\r\n\x1a\n", b"\x00\x00\x01\x00"), 10),
    "cov": (_PICTURES, 2000),  # from the product guide, not from the page
}
_COLOUR: Final = matching("a colour such as 1A2B3C", "[0-9A-Fa-f]{6}")
_MOST_NUMBERS: Final = 2  # [doc]


# The property of the custom test URL is not known by name; it is let through like any other.
_WHITE_LABEL: Final = shape(
    dict.fromkeys(
        ("headerBackgroundColor", "headerFontColor", "buttonColor", "buttonFontColor"), _COLOUR
    ),
    others=TEXT,
)
_NUMBERS: Final = each(TEXT)


@endpoint("GET", "/account", "account.get")
def get_account(request: ApiRequest) -> Payload:
    """Describe the account; the first four names are [seen], the rest [assumed]."""
    account = request.account
    return {
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


@endpoint("POST", "/account/upload-logo", "account.update_logo", takes_files=True)
def update_logo(request: ApiRequest) -> Payload:
    """Take the picture in the part ``logo``."""
    files = _pictures(request, "logo")
    if not files:
        raise bad_request("logo is required, as a file in a multipart body")
    request.account.files |= files
    return {}  # nothing else is known of the answer


@endpoint("POST", "/account/update-white-labeling", "account.update_white_label", takes_files=True)
def update_white_label(request: ApiRequest) -> Payload:
    """Take colours, support numbers and two pictures."""
    account = request.account
    if not account.may_white_label:
        raise RefusalError("E403")  # the code is [assumed]
    wl = request.json("wl")
    _WHITE_LABEL(wl, "wl")
    numbers = []
    if "sn" in request.parameters:
        numbers = request.json("sn")
        _NUMBERS(numbers, "sn")
        if len(numbers) > _MOST_NUMBERS:
            raise bad_request(f"sn must have at most {_MOST_NUMBERS} numbers")
    files = _pictures(request, "fav", "cov")
    account.white_label = wl
    # [assumed]: what is not sent stays
    account.support_numbers = tuple(numbers) or account.support_numbers
    account.files |= files
    return {}


def _pictures(request: ApiRequest, *names: str) -> dict[str, bytes]:
    """Take the files that were sent; that a wrong one is E400 is [assumed]."""
    found = {name: request.files[name] for name in names if name in request.files}
    for name in names:
        if name in request.parameters:
            raise bad_request(f"{name} must be a file in a multipart body")
    for name, content in found.items():
        magic, most = FILES[name]
        if not content.startswith(magic):
            raise bad_request(f"{name} is not a picture of an accepted kind")
        if len(content) > most * 1024:
            raise bad_request(f"{name} must be at most {most} kB")
    return found


@endpoint("GET", "/pbts", "pbts.list")
def list_pbts(request: ApiRequest) -> Payload:
    """List the pre-built tests; the answer is [assumed] from the one of Add PBTs."""
    return {
        "pbts": [
            {"pbtId": number, "pbtName": name, "added": number in request.account.added_pbts}
            for number, name in PBTS.items()
        ],
    }


@endpoint("POST", "/pbts/add", "pbts.add")
def add_pbts(request: ApiRequest) -> Payload:
    """Add pre-built tests; those that are there already fail, the rest are added [doc]."""
    numbers = request.json("pbts")
    if not isinstance(numbers, list) or not numbers or any(type(n) is not int for n in numbers):
        raise bad_request("pbts must be a list of integers")
    items = [_add_pbt(request, number) for number in numbers]
    # [doc]: ERROR without an error object when some fail; when all fail, the same [assumed]
    return {"status": "SUCCESS" if all(item["added"] for item in items) else "ERROR", "pbts": items}


def _add_pbt(request: ApiRequest, number: int) -> Payload:
    account, name = request.account, PBTS.get(number)
    if name is None or number in account.added_pbts:
        # The words for an unknown one are [assumed].
        problem = "pbt not found" if name is None else "pbt assessment already added"
        return {
            "pbtId": number,
            "added": False,
            "message": f"Exception: {problem}",
            "assessmentId": 0,
            "pbtName": None,
        }
    account.added_pbts.add(number)
    added = request.simulation.add_assessment(name, account=account)
    return {
        "pbtId": number,
        "added": True,
        "message": f"{name}({number}) has been added successfully with assessment Id : {added.id}",
        "assessmentId": added.id,
        "pbtName": name,
    }
