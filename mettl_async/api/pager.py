"""Lists that come page by page.

Pages are asked for by our own, freshly signed limit and offset. The server's ``next`` addresses carry
a signature and could name any host, so they are never followed; only their presence counts.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable
from contextlib import aclosing
from typing import Generic, TypeVar

from attrs import evolve, field, frozen

from mettl_async.core.lifecycle import Lifecycle
from mettl_async.models import _check

T = TypeVar("T")

MOST_FRUITLESS = 10
"""Pages in a row with nothing new, after which a shrinking total is not believed any more."""

MOST_PER_PAGE = 100
"""[doc] ``limit`` is 1 to 100, and 20 when it is not given."""


@frozen(kw_only=True)
class Page(Generic[T]):
    """Part of a list.

    Attributes:
        items: Those that no earlier page had.
        offset: Where it begins.
        received: Rows the server sent, those that could not be read or came before included.
        total: How many rows there are in all, when the server says.
        has_next: Whether the server says that more follow; None when it says nothing.
    """

    items: tuple[T, ...] = field(repr=lambda items: f"<{len(items)} items>")
    offset: int
    received: int
    total: int | None = None
    has_next: bool | None = None


class AsyncPager(Generic[T]):
    """A list that is read as it is needed; ``async for`` gives its items.

    While one page is used the next is fetched. What is guaranteed when the list changes meanwhile: no
    item comes twice, and none is lost as long as, between two pages, rows are only added or only
    deleted. Rows that are added make others come again, which is noticed; where rows were deleted the
    total shrinks, and the gap is read again. A row that moves in the sort order may be missed: sort by
    something that stays.

    Each iteration starts from the beginning. Reading may be left at any time; under trio, which warns
    of generators that are left to the garbage collector, write ``async with aclosing(aiter(pager))``.

    Attributes:
        total: Rows in all as of the last page read; None before the first, or when the server does
            not say.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], Coroutine[None, None, Page[T]]],
        lifecycle: Lifecycle,
        *,
        page_size: int,
        key: Callable[[T], Hashable],
    ) -> None:
        # A key of None means that nothing tells two items apart, so none of them is a repeat.
        self._fetch, self._lifecycle, self._key = fetch, lifecycle, key
        self.page_size = page_size
        self.total: int | None = None

    def __aiter__(self) -> AsyncGenerator[T]:
        return self._items()

    async def _items(self) -> AsyncGenerator[T]:
        async with aclosing(self._pages(ahead=True)) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    def pages(self) -> AsyncGenerator[Page[T]]:
        """Give whole pages; the next is fetched while one is used.

        Raises:
            CallError: See `mettl_async.errors`.
        """
        return self._pages(ahead=True)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Read the list to its end, or up to ``limit`` items.

        Args:
            limit: 0 or more; None for all. No page beyond the last one needed is fetched.

        Raises:
            InvalidInputError: ``limit`` is no whole number of 0 or more.
            CallError: See `mettl_async.errors`.
        """
        if limit is not None:
            _check.count("limit", limit)
        items: list[T] = []
        if limit == 0:
            return items
        async with aclosing(self._pages(ahead=limit is None)) as pages:
            async for page in pages:
                items += page.items
                if limit is not None and len(items) >= limit:
                    break
        return items[:limit]

    async def _pages(self, *, ahead: bool) -> AsyncGenerator[Page[T]]:
        seen: set[Hashable] = set()
        page = await self._fetch(0, self.page_size)
        before: int | None = None
        fruitless = 0
        while True:
            readable = bool(page.items)
            page, new = self._without_repeats(page, seen)
            fruitless = 0 if new else fruitless + 1
            # Going back must bring something new, or replicas that disagree could keep us for ever.
            trusted = before if fruitless <= MOST_FRUITLESS else None
            offset = next_offset(page, trusted, repeats=readable and not new)
            before = self.total = page.total
            if offset is None:
                yield page
                return
            if not ahead:
                yield page
                page = await self._fetch(offset, self.page_size)
                continue
            upcoming = self._lifecycle.start(self._fetch(offset, self.page_size))
            try:
                yield page
                page = await upcoming.result()
            finally:
                upcoming.stop()

    def _without_repeats(self, page: Page[T], seen: set[Hashable]) -> tuple[Page[T], int]:
        """Leave out what came before, and count the items that certainly did not."""
        kept: list[T] = []
        new = 0
        for item in page.items:
            key = self._key(item)
            if key is None or key not in seen:
                kept.append(item)
            if key is not None and key not in seen:
                seen.add(key)
                new += 1
        return evolve(page, items=tuple(kept)), new


def next_offset(page: Page[T], total_before: int | None, *, repeats: bool) -> int | None:
    """Tell where the next page begins, or None at the end; pure.

    Args:
        page: The page just read.
        total_before: The total of the page before it.
        repeats: Whether it had items, and none of them was new.
    """
    after = page.offset + page.received
    deleted = max(0, (total_before or 0) - page.total) if page.total is not None else 0
    if page.received == 0 and not deleted:
        return None
    if page.total is not None:
        if deleted:
            # Later rows moved up, past the beginning of this page: read again from where they are.
            after = max(0, page.offset - deleted)
            return after if after < page.total else None
        if after < page.total:
            return after
        # The total contradicts `next`: believe the one that promises more, as long as more comes.
        return after if page.has_next and not repeats else None
    # Without a total: stop when the server says so, or when it only repeats itself [assumed].
    return after if page.has_next is not False and not repeats else None


def check_page_size(page_size: object) -> None:
    """Refuse a page size out of bounds.

    Raises:
        InvalidInputError: Not a whole number from 1 to 100.
    """
    _check.count("page_size", page_size, least=1, most=MOST_PER_PAGE)
