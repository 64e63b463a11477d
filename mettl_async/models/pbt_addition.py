"""The answer to adding a pre-built test."""

from __future__ import annotations

from attrs import field, frozen

from mettl_async.models._server_value import ServerValue


def _none_for_zero(value: int | None) -> int | None:
    return value or None


@frozen(kw_only=True)
class PbtAddition(ServerValue):
    """What became of one pre-built test (PBT) that was to be added to the account.

    Attributes:
        pbt_id: The pre-built test.
        added: Whether it was added.
        message: The server's words; empty when it says none.
        assessment_id: The new assessment; None when none was made (0 on the wire).
        pbt_name: Its name, when it was added.

    Source: api.md, API 5.
    """

    pbt_id: int
    added: bool
    message: str = ""
    assessment_id: int | None = field(default=None, converter=_none_for_zero)
    pbt_name: str | None = None
