"""Pre-built tests."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from mettl_async.models._frozen_map import EMPTY, FrozenMap


@frozen(kw_only=True)
class Pbt:
    """A pre-built test (PBT) of the vendor's library.

    No sample of this answer is known: names are [assumed] to be those of API 5 (``pbtId``, ``pbtName``),
    or plainly ``id`` and ``name``; ``raw`` has the rest as it came, frozen.

    Source: api.md, API 4.
    """

    pbt_id: int
    pbt_name: str | None = None
    raw: FrozenMap[Any] = field(default=EMPTY)
