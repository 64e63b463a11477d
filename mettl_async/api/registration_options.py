"""What can be asked for when candidates are registered, as it goes over the wire."""

from __future__ import annotations

from typing import Final

from mettl_async.codec import wire_name
from mettl_async.errors import InvalidInputError

MAX_TIME_LIMIT: Final = 2**31 - 1
"""Seconds; only "greater than 0" is documented, and no server takes more than this [assumed]."""


def registration_options(
    allow_missing: bool,  # noqa: FBT001 - internal, named at each call's origin
    time_limit_in_sec: int | None,
    show_instructions: bool,  # noqa: FBT001 - same
) -> dict[str, str]:
    """Check the options, and give those that are sent.

    Raises:
        InvalidInputError: One is of the wrong type or out of bounds.
    """
    fixed: dict[str, str] = {}
    flags = (
        ("allow_missing_mandatory_registration_fields", allow_missing),
        ("show_custom_instructions", show_instructions),
    )
    for name, value in flags:
        if not isinstance(value, bool):
            raise InvalidInputError(name, f"is a {type(value).__name__}", "pass True or False")
        if value:
            fixed[wire_name(name)] = "true"
    if time_limit_in_sec is not None:
        if (
            not isinstance(time_limit_in_sec, int)
            or isinstance(time_limit_in_sec, bool)
            or not 0 < time_limit_in_sec <= MAX_TIME_LIMIT
        ):
            raise InvalidInputError(
                "time_limit_in_sec",
                f"is not a whole number from 1 to {MAX_TIME_LIMIT}",
                "pass seconds, or None for links that do not expire",
            )
        fixed["timeLimitInSec"] = str(time_limit_in_sec)
    return fixed
