"""People who take tests."""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, TypeAlias

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models._user_value import AnyText, Check, Email, UserValue

# Registration fields that have an attribute, and its name.
_TYPED = {"Email Address": "email", "First Name": "first_name"}
_TYPED_INVITED = {"email": "email", "name": "name", "compensatory_time": "compensatory_time"}
_NONE, _MINUTE = timedelta(0), timedelta(minutes=1)


def _frozen(value: Mapping[str, str]) -> FrozenMap[str]:
    if type(value) is FrozenMap or not isinstance(value, Mapping):
        return value
    return FrozenMap(value)


def _extra_time(value: timedelta | int | None) -> timedelta | None:
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return timedelta(minutes=value)
        except OverflowError:
            return timedelta.max  # refused below: not whole minutes
    return value  # type: ignore[return-value]  # a bool is refused below


def _check_extra_time(path: str, value: object) -> None:
    if not isinstance(value, timedelta):
        raise InvalidInputError(
            path,
            f"expected timedelta, got {_check.shape(value)}",
            "give timedelta(minutes=...) or minutes",
        )
    if value < _NONE or value % _MINUTE:
        raise InvalidInputError(
            path, "is negative, too long or not whole minutes", "give whole minutes, 0 or more"
        )


def _fields_check(typed: Mapping[str, str]) -> Check:
    """Give the check of registration fields; ``typed`` holds those that have an attribute, and its name."""

    @lru_cache(maxsize=1000)  # all candidates of a run have the same few names
    def checked_name(path: str, name: Any) -> str:
        here = _check.path_of(path, name)
        _check.text(here, name)
        if name in typed:
            raise InvalidInputError(here, "has its own attribute", f"give it as {typed[name]}")
        return here

    def check(path: str, value: Any) -> None:
        _check.mapping(path, value)
        for name, content in value.items():
            _check.text(checked_name(path, name), content, blank=True)

    return check


_ExtraTime: TypeAlias = Annotated[timedelta, _check_extra_time]


@frozen(kw_only=True)
class Candidate(UserValue):
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

    field_prefix = "candidate."

    email: Email
    first_name: str
    fields: Annotated[FrozenMap[str], _fields_check(_TYPED)] = field(
        default=EMPTY, converter=_frozen
    )
    context_data: AnyText | None = None
    compensatory_time: _ExtraTime | None = field(default=None, converter=_extra_time)

    def __repr__(self) -> str:
        return f"Candidate({len(self.fields)} fields)"


@frozen(kw_only=True)
class InvitedCandidate(UserValue):
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

    field_prefix = "candidate."

    email: Email
    name: str
    fields: Annotated[FrozenMap[str], _fields_check(_TYPED_INVITED)] = field(
        default=EMPTY, converter=_frozen
    )
    compensatory_time: _ExtraTime | None = field(default=None, converter=_extra_time)

    def __repr__(self) -> str:
        return f"InvitedCandidate({len(self.fields)} fields)"
