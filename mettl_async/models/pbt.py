"""Pre-built tests."""

from __future__ import annotations

from attrs import field, frozen

from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire


@frozen(kw_only=True)
class Pbt(ServerValue):
    """A pre-built test (PBT) of the vendor's library.

    No sample of this answer is known: names are [assumed] to be those of API 5 (``pbtId``, ``pbtName``),
    or plainly ``id`` and ``name``; ``extra`` has the rest.

    Source: api.md, API 4.
    """

    pbt_id: int = field(metadata=wire("pbtId", "id"))
    pbt_name: str | None = field(default=None, metadata=wire("pbtName", "name"))
