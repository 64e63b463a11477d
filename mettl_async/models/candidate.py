"""People who take tests."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from attrs import field, frozen

from mettl_async.models import _check
from mettl_async.models._frozen_map import EMPTY, FrozenMap

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESERVED = {"Email Address": "email", "First Name": "first_name"}
_RESERVED_INVITED = {"email": "email", "name": "name", "compensatory_time": "compensatory_time"}


def _fields(value: Mapping[str, str]) -> FrozenMap[str]:
    return _check.fields("candidate.fields", value, _RESERVED)


def _invited_fields(value: Mapping[str, str]) -> FrozenMap[str]:
    return _check.fields("candidate.fields", value, _RESERVED_INVITED)


def _minutes(value: timedelta | int | None) -> timedelta | None:
    return _check.minutes("candidate.compensatory_time", value)


@frozen(kw_only=True)
class Candidate:
    """Someone to register in a schedule, to get a personal test link for.

    Checked when built; immutable, hashable, picklable. Its repr shows no personal data.

    Attributes:
        email: Address; one registration per address and schedule.
        first_name: Not blank.
        fields: Other registration fields by the exact name they have in the account or assessment.
        context_data: Text that comes back in webhooks and results.
        compensatory_time: Extra time, whole minutes; an int counts minutes. [seen], not documented.

    Raises:
        InvalidInputError: A rule is broken; the message never holds the value.

    Vendor page: "Register Candidates in Schedule".
    """

    email: str = field(repr=False)
    first_name: str = field(repr=False)
    fields: FrozenMap[str] = field(default=EMPTY, converter=_fields, repr=False)
    context_data: str | None = field(default=None, repr=False)
    compensatory_time: timedelta | None = field(default=None, converter=_minutes, repr=False)

    def __attrs_post_init__(self) -> None:
        _check.email("candidate.email", self.email)
        _check.text("candidate.first_name", self.first_name)
        if self.context_data is not None:
            _check.text("candidate.context_data", self.context_data, blank=True)

    def __repr__(self) -> str:
        return f"Candidate({len(self.fields)} fields)"


@frozen(kw_only=True)
class InvitedCandidate:
    """Someone who may take the test of a schedule that is by invitation only.

    Checked when built; immutable, hashable, picklable. Its repr shows no personal data.

    Attributes:
        email: Address.
        name: Not blank.
        fields: Other registration fields by their exact names.
        compensatory_time: Extra time, whole minutes; an int counts minutes. Only when a schedule is
            created; the page "Edit Schedule" does not have it.

    Raises:
        InvalidInputError: A rule is broken; the message never holds the value.

    Vendor pages: "Create Schedule", "Edit Schedule".
    """

    email: str = field(repr=False)
    name: str = field(repr=False)
    fields: FrozenMap[str] = field(default=EMPTY, converter=_invited_fields, repr=False)
    compensatory_time: timedelta | None = field(default=None, converter=_minutes, repr=False)

    def __attrs_post_init__(self) -> None:
        _check.email("candidate.email", self.email)
        _check.text("candidate.name", self.name)

    def __repr__(self) -> str:
        return f"InvitedCandidate({len(self.fields)} fields)"
