"""What may be put into a path: one check for each name of a placeholder."""

import re
from collections.abc import Callable
from typing import Final

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check

# Letters and digits [doc]; "-" and "_" are let through in case new keys have them [assumed].
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_access_key(value: object) -> str:
    """Refuse what cannot be the access key of a schedule.

    Raises:
        InvalidInputError: Not 1 to 64 letters and digits.
    """
    if isinstance(value, str) and _ACCESS_KEY.fullmatch(value):
        return value
    raise InvalidInputError(
        "access_key",
        f"is no access key ({_check.shape(value)})",
        "pass the letters and digits at the end of the schedule's link",
    )


def check_email(value: object) -> str:
    """Refuse what cannot be a candidate's email address.

    Raises:
        InvalidInputError: It is none.
    """
    _check.email("email", value)
    return str(value)


def check_assessment_id(value: object) -> str:
    """Refuse what cannot be the id of an assessment.

    Raises:
        InvalidInputError: Not a whole number above 0.
    """
    _check.count("assessment_id", value, least=1)
    return str(value)


CHECKS: Final[dict[str, Callable[[object], str]]] = {
    "access_key": check_access_key,
    "assessment_id": check_assessment_id,
    "email": check_email,
}
"""By the name of the placeholder; each gives the text to put in."""

PERSONAL: Final = ("email",)
"""Placeholders whose values are candidates' data."""
