"""Pre-built tests of the vendor's library."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from attrs import frozen

from mettl_async.api.endpoint import Caller, Endpoint, checked_id, payload_list
from mettl_async.codec import dumps, list_from_wire
from mettl_async.core.request import Placement
from mettl_async.errors import InvalidInputError
from mettl_async.models import Pbt, PbtAddition

if TYPE_CHECKING:
    from mettl_async.core.pipeline import ApiResponse

# The page prints /pbts; its own signature only verifies for /pbts/add (api.md, API 5).
ADD = Endpoint(
    operation="pbts.add",
    method="POST",
    path="/pbts/add",
    placement=Placement.FORM,
    payload="pbts",
    partial_success=True,
    # A repeat adds nothing twice, but would answer "already added" for what the first one added.
    repeatable=False,
)


# The page is not stored; path and name of the list are [seen] and [assumed].
LIST = Endpoint(
    operation="pbts.list",
    method="GET",
    path="/pbts",
    placement=Placement.QUERY,
    payload="pbts",
    repeatable=True,
)


@frozen
class Pbts:
    """``mettl.pbts``."""

    _caller: Caller

    async def list(self) -> tuple[Pbt, ...]:
        """All pre-built tests of the vendor's library.

        Raises:
            CallError: See `mettl_async.errors`.

        Source: api.md, API 4; what an item holds besides its id is not known, so all of it is in ``raw``.
        """
        return await self._caller.call(LIST, {}, {}, _pbts)

    async def add(self, pbt_ids: Collection[int]) -> tuple[PbtAddition, ...]:
        """Add pre-built tests to the account's assessments.

        A partial failure is data, not an exception: look at ``added`` of each.

        Args:
            pbt_ids: Ids of PBTs, at least one, each once.

        Returns:
            One item per id that the server answers for; ``added`` is false with the server's
            ``message`` for those that were in the account already.

        Raises:
            InvalidInputError: Empty, repeated, or not whole numbers above 0.
            CallError: See `mettl_async.errors`.

        Source: api.md, API 5.
        """
        if isinstance(pbt_ids, (str, bytes)) or not isinstance(pbt_ids, Collection):
            raise InvalidInputError("pbt_ids", "is not a list", "pass a list of PBT ids")
        ids = [int(checked_id(one, f"pbt_ids[{i}]")) for i, one in enumerate(pbt_ids)]
        if not ids or len(set(ids)) != len(ids):
            problem = "has an id twice" if ids else "is empty"
            raise InvalidInputError("pbt_ids", problem, "pass each PBT id once")
        return await self._caller.call(ADD, {}, {"pbts": dumps(ids)}, _additions)


def _pbts(answer: ApiResponse) -> tuple[Pbt, ...]:
    items, _ = list_from_wire(Pbt, payload_list(answer, LIST.payload), where="$.pbts")
    return tuple(items)


def _additions(answer: ApiResponse) -> tuple[PbtAddition, ...]:
    items, _ = list_from_wire(PbtAddition, payload_list(answer, ADD.payload), where="$.pbts")
    return tuple(items)
