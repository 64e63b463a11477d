"""Where a page stands among the others."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Paging:
    """Where a page stands among the others.

    The addresses of the neighbouring pages are signed, thus credentials, and aren't kept.

    Attributes:
        has_next: Whether the server gave the address of a next page; None when it says nothing of it.
        has_previous: The same for a previous page.
        total_records: How many there are in all; None when it does not say.

    Source: api.md section 5.
    """

    has_next: bool | None = None
    has_previous: bool | None = None
    total_records: int | None = None
