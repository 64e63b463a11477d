"""Pre-built tests of the vendor's library."""

from collections.abc import Iterable
from functools import partial

from mettl_async.api import endpoints
from mettl_async.api.caller import Resource
from mettl_async.api.pager import AsyncPager
from mettl_async.errors import InvalidInputError
from mettl_async.models import Pbt, PbtAddition, _check


class Pbts(Resource):
    """``mettl.pbts``."""

    def list(self) -> AsyncPager[Pbt]:
        """List all pre-built tests of the vendor's library.

        What an item holds besides its id is not known: it is in ``extra``.

        Example::

            async for pbt in mettl.pbts.list():
                print(pbt.pbt_id, pbt.pbt_name)

        Vendor page: "Get All PBTs".
        """
        return self._caller.pages(endpoints.LIST_PBTS)

    async def add(self, pbt_ids: Iterable[int]) -> tuple[PbtAddition, ...]:
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

        Example::

            for added in await mettl.pbts.add([1336]):
                print(added.pbt_name, added.assessment_id)

        Vendor page: "Add PBTs".
        """
        ids = _check.as_tuple(pbt_ids)
        _check.items("pbt_ids", ids, partial(_check.count, least=1))
        if not ids or len(set(ids)) != len(ids):
            problem = "has an id twice" if ids else "is empty"
            raise InvalidInputError("pbt_ids", problem, "pass each PBT id once")
        return await self._caller.call(endpoints.ADD_PBTS, pbt_ids=[*ids])
