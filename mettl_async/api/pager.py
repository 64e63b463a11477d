"""Lists that come page by page.

Pages are asked for by our own, freshly signed limit and offset. The server's ``next`` addresses carry
a signature and could name any host, so they are never followed; only their presence counts.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Hashable
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from mettl_async.core.frames import forgetful
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.errors import CallFacts, EndlessListError
from mettl_async.models import _check

T = TypeVar("T")

MOST_FRUITLESS = 10
"""Pages in a row with nothing new, after which a shrinking total is not believed any more."""

MOST_STALE = 2
"""Pages in a row with nothing new after which a list has no end; where it is read again they don't count."""

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
    """A list that is read as it is needed: ``async for`` gives its items, ``await`` all of them at once.

    While one page is used the next is fetched. What is guaranteed when the list changes meanwhile: no
    item comes twice, and none is lost as long as, between two pages, rows are only added or only
    deleted. Rows that are added make others come again, which is noticed; where rows were deleted the
    total shrinks, and the gap is read again. A row that moves in the sort order may be missed: sort by
    something that stays. Two pages in a row without a new item, though more are to follow, are an
    `EndlessListError`: a whole page would have to be added before each of them for that to be wrong.
    An empty page where more is promised is one of these, so a list that is cut short never looks whole.

    Each iteration starts from the beginning. Reading may be left at any time; under trio, which warns
    of generators that are left to the garbage collector, write ``async with aclosing(aiter(pager))``.

    Example::

        everything = await mettl.assessments.list()
        first = await mettl.assessments.list().collect(limit=10)
        async for page in mettl.assessments.list(page_size=50).pages():
            print(page.offset, len(page.items), page.total)

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
        operation: str = "",
    ) -> None:
        # A key of None means that nothing tells two items apart, so none of them is a repeat.
        self._fetch, self._lifecycle, self._key = forgetful(fetch), lifecycle, key
        self._operation = operation
        self.page_size = page_size
        self.total: int | None = None

    def __aiter__(self) -> AsyncGenerator[T]:
        return self._items()

    async def _items(self) -> AsyncGenerator[T]:
        async with aclosing(self._pages(ahead=True)) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self.collect().__await__()

    def pages(self) -> AsyncGenerator[Page[T]]:
        """Give whole pages; the next is fetched while one is used.

        Raises:
            EndlessListError: Two pages in a row bring nothing new.
            CallError: See `mettl_async.errors`.
        """
        return self._pages(ahead=True)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Read the list to its end, or up to ``limit`` items.

        Args:
            limit: 0 or more; None for all. No page beyond the last one needed is fetched.

        Raises:
            InvalidInputError: ``limit`` is no whole number of 0 or more.
            EndlessListError: Two pages in a row bring nothing new; ``.items`` has what came before.
            CallError: See `mettl_async.errors`.
        """
        if limit is not None:
            _check.count("limit", limit)
        items: list[T] = []
        if limit == 0:
            return items
        try:
            async with aclosing(self._pages(ahead=limit is None)) as pages:
                async for page in pages:
                    items += page.items
                    if limit is not None and len(items) >= limit:
                        break
        except EndlessListError as error:
            error.items = tuple(items)
            raise
        return items[:limit]

    async def _pages(self, *, ahead: bool) -> AsyncGenerator[Page[T]]:
        repeats = _Repeats(self._key)
        page = await self._fetch(0, self.page_size)
        before: int | None = None
        fruitless = stale = furthest = 0
        while True:
            readable = bool(page.items)
            page = repeats.left_out(page)
            fruitless = 0 if page.items else fruitless + 1
            stale = 0 if page.items else stale + (page.offset >= furthest)
            furthest = max(furthest, page.offset + page.received)
            # Going back must bring something new, or replicas that disagree could keep us for ever.
            trusted = before if fruitless <= MOST_FRUITLESS else None
            offset = next_offset(page, trusted, repeats=readable and not page.items)
            before = self.total = page.total
            if offset is None:
                yield page
                return
            if stale >= MOST_STALE:
                raise self._endless()
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

    def _endless(self) -> EndlessListError:
        facts = CallFacts(
            operation=self._operation, sent=True, may_have_been_handled=True, safe_to_repeat=True
        )
        return EndlessListError(
            f"{MOST_STALE} pages in a row brought nothing new, though more are to follow", facts
        )


class _Repeats(Generic[T]):
    """Knows what came before. Error reporters show locals, and the repr of this one holds no email."""

    def __init__(self, key: Callable[[T], Hashable]) -> None:
        self._key, self._seen = key, set[Hashable]()
        self._last: list[tuple[T, object]] = []

    def left_out(self, page: Page[T]) -> Page[T]:
        """Return a page without what came before."""
        kept: list[T] = []
        content = [(item, getattr(item, "extra", None)) for item in page.items]
        for item in page.items:
            key = self._key(item)
            # Where nothing tells items apart, they came before if their page is the last one again.
            is_new = content != self._last if key is None else key not in self._seen
            if is_new:
                self._seen.add(key)
                kept.append(item)
        self._last = content
        return evolve(page, items=tuple(kept))


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
        # Nothing where more is promised could be a slip: the same page again, and then it is no list. A
        # total that agrees with the empty page beats a `next` that does not [assumed].
        promised = page.has_next if page.total is None else page.offset < page.total
        return page.offset if promised else None
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
