"""The account that the keys belong to."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from mettl_async.models._frozen_map import EMPTY, FrozenMap


@frozen(kw_only=True)
class AccountInfo:
    """The account that the keys belong to; the repr shows no personal data.

    Attributes:
        email: Its owner's address.
        first_name: Their first name.
        last_name: Their last name.
        account_type: In the server's words.
        raw: The rest as it came, frozen: the page tells of name, logo, white label, compliance and
            registration fields, but not what they are called.

    Source: api.md, API 1.
    """

    email: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    account_type: str | None = None
    raw: FrozenMap[Any] = field(default=EMPTY)
