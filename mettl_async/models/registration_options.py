"""What can be asked for when candidates are registered."""

from functools import partial
from typing import Annotated, Final

from attrs import frozen

from mettl_async.models import _check
from mettl_async.models._user_value import UserValue

MAX_TIME_LIMIT: Final = 2**31 - 1
"""Seconds; only "greater than 0" is documented, and no server takes more than this [assumed]."""


@frozen(kw_only=True)
class RegistrationOptions(UserValue):
    """Options of a registration; they hold for all its candidates.

    Each attribute has a flag of ``mettl register``, whose help text stands in ``cli/options.py``.

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
    time_limit_in_sec: (
        Annotated[int, partial(_check.count, least=1, most=MAX_TIME_LIMIT)] | None
    ) = None
    show_custom_instructions: bool = False


DEFAULT_OPTIONS: Final = RegistrationOptions()
