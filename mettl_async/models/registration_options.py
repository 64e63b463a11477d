"""What can be asked for when candidates are registered."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from mettl_async.models import _check

MAX_TIME_LIMIT: Final = 2**31 - 1
"""Seconds; only "greater than 0" is documented, and no server takes more than this [assumed]."""


@frozen(kw_only=True)
class RegistrationOptions:
    """Options of a registration; they hold for all its candidates.

    Attributes:
        allow_missing_mandatory_registration_fields: Let candidates fill in mandatory fields
            (other than email and first name) themselves.
        time_limit_in_sec: Seconds after which the links expire, 1 or more; None for never.
        show_custom_instructions: Show the assessment's own instructions before the test.

    Raises:
        InvalidInputError: A value is of the wrong type or out of bounds.

    Vendor page: "Register Candidates in Schedule".
    """

    allow_missing_mandatory_registration_fields: bool = False
    time_limit_in_sec: int | None = None
    show_custom_instructions: bool = False

    def __attrs_post_init__(self) -> None:
        _check.flag(
            "allow_missing_mandatory_registration_fields",
            self.allow_missing_mandatory_registration_fields,
            optional=False,
        )
        if self.time_limit_in_sec is not None:
            _check.count("time_limit_in_sec", self.time_limit_in_sec, least=1, most=MAX_TIME_LIMIT)
        _check.flag("show_custom_instructions", self.show_custom_instructions, optional=False)


DEFAULT_OPTIONS: Final = RegistrationOptions()
