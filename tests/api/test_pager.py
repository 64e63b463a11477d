"""Pagers: each item once, none lost, pages ahead, whatever the server says about totals."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import AsyncPager, ClientClosedError, InvalidInputError, Page
from mettl_async.api.pager import check_page_size, next_offset
from mettl_async.core.lifecycle import Lifecycle


class Rows:
    """A list on a server, newest first, that may change between two pages."""

    def __init__(self, count, *, totals=True, clamp=None, events=()):
        self.rows = list(range(count))
        self.totals, self.clamp, self.events = totals, clamp, list(events)
        self.asked, self.fresh = [], count

    async def __call__(self, offset, limit):
        self.asked.append((offset, limit))
        size = min(limit, self.clamp or limit)
        items = self.rows[offset : offset + size]
        page = Page(
            items=tuple(items),
            offset=offset,
            received=len(items),
            total=len(self.rows) if self.totals else None,
            has_next=None if self.totals else offset + size < len(self.rows),
        )
        if self.events:
            kind, place = self.events.pop(0)
            if kind == "add":
                self.rows.insert(place % (len(self.rows) + 1), self.fresh)
                self.fresh += 1
            elif self.rows:
                del self.rows[place % len(self.rows)]
        return page


def pager(rows, page_size=10):
    return AsyncPager(rows, Lifecycle(), page_size=page_size, key=lambda item: item)


@given(st.integers(0, 60), st.integers(1, 20), st.booleans(), st.none() | st.integers(1, 7))
def test_a_list_that_stands_still_is_read_whole_and_in_order(count, size, totals, clamp):
    rows = Rows(count, totals=totals, clamp=clamp)
    assert asyncio.run(pager(rows, size).collect()) == list(range(count))


@given(
    st.integers(1, 40), st.integers(2, 9), st.lists(st.tuples(st.just("add"), st.integers(0, 99)))
)
def test_rows_that_are_added_meanwhile_lose_and_repeat_nothing(count, size, events):
    found = asyncio.run(pager(Rows(count, events=events), size).collect())
    assert len(found) == len(set(found))
    assert set(range(count)) <= set(found)


@given(
    st.integers(1, 40),
    st.integers(1, 9),
    st.lists(st.tuples(st.just("delete"), st.integers(0, 99)), max_size=6),
)
def test_rows_that_are_deleted_meanwhile_hide_no_other(count, size, events):
    rows = Rows(count, events=events)
    found = asyncio.run(pager(rows, size).collect())
    assert len(found) == len(set(found))
    assert set(rows.rows) <= set(found)


async def test_the_next_page_is_fetched_while_one_is_used():
    rows = Rows(30)
    pages = pager(rows).pages()
    await anext(pages)
    for _ in range(3):
        await asyncio.sleep(0)
    assert rows.asked == [(0, 10), (10, 10)]
    await pages.aclose()


async def test_leaving_early_drops_what_was_fetched_ahead():
    lifecycle = Lifecycle()

    async def slow(offset, limit):
        if offset:
            await asyncio.sleep(3600)
        return Page(items=(1,), offset=offset, received=1, total=5)

    async for _ in AsyncPager(slow, lifecycle, page_size=1, key=lambda item: item):
        break
    await asyncio.wait_for(lifecycle.drain(), 5)


async def test_an_error_of_a_later_page_comes_when_it_is_due():
    async def breaking(offset, limit):
        if offset:
            raise OSError("second page")
        return Page(items=(1,), offset=0, received=1, total=5)

    found = []
    with pytest.raises(OSError, match="second page"):
        async for item in AsyncPager(breaking, Lifecycle(), page_size=1, key=lambda item: item):
            found.append(item)
    assert found == [1]


async def test_collecting_a_few_fetches_no_page_too_many():
    rows = Rows(100)
    assert await pager(rows).collect(limit=15) == list(range(15))
    assert rows.asked == [(0, 10), (10, 10)]
    assert await pager(Rows(3)).collect(limit=0) == []
    for wrong in (-1, 1.5, True, "2"):
        with pytest.raises(InvalidInputError, match="limit"):
            await pager(rows).collect(limit=wrong)


async def test_a_pager_is_awaited_for_the_whole_list():
    assert await pager(Rows(25)) == list(range(25))


async def test_the_total_is_known_after_the_first_page():
    listing = pager(Rows(12))
    assert listing.total is None
    await listing.collect()
    assert listing.total == 12
    assert len([item async for item in listing]) == 12  # again, from the beginning


async def test_a_server_that_ignores_the_offset_ends():
    async def same(offset, limit):
        return Page(items=(1, 2, 3), offset=offset, received=3)

    listing = AsyncPager(same, Lifecycle(), page_size=3, key=lambda item: item)
    assert await asyncio.wait_for(listing.collect(), 5) == [1, 2, 3]


@given(
    st.integers(0, 200), st.integers(0, 100), st.integers(0, 300), st.none() | st.integers(0, 300)
)
def test_the_next_page_begins_behind_this_one_unless_rows_were_deleted(
    offset, received, total, before
):
    page = Page(items=(), offset=offset, received=received, total=total)
    following = next_offset(page, before, repeats=False)
    if before is not None and before > total:
        back = max(0, offset - (before - total))
        assert following == (back if back < total else None)
    else:
        assert following == (offset + received if offset + received < total else None)


async def test_totals_that_alternate_do_not_keep_us_for_ever():
    asked = []

    async def two_replicas(offset, limit):
        asked.append(offset)
        total = 100 if len(asked) % 2 else 60
        items = tuple(range(offset, min(40, offset + limit)))
        return Page(items=items, offset=offset, received=limit, total=total)

    pages = AsyncPager(two_replicas, Lifecycle(), page_size=10, key=lambda item: item)
    assert await asyncio.wait_for(pages.collect(), 5) == list(range(40))
    assert len(asked) < 60


async def test_next_is_believed_where_the_total_is_too_small():
    async def fetch(offset, limit):
        items = tuple(range(offset, min(offset + 2, 6)))
        return Page(
            items=items, offset=offset, received=len(items), total=2, has_next=offset + 2 < 6
        )

    pages = AsyncPager(fetch, Lifecycle(), page_size=2, key=lambda item: item)
    assert await pages.collect() == list(range(6))


async def test_a_page_that_cannot_be_read_does_not_end_the_list():
    async def fetch(offset, limit):
        items = () if offset == 2 else tuple(range(offset, offset + 2))
        return Page(items=items, offset=offset, received=2, has_next=offset < 4)

    pages = AsyncPager(fetch, Lifecycle(), page_size=2, key=lambda item: item)
    assert await pages.collect() == [0, 1, 4, 5]


@pytest.mark.parametrize("total", [6, None])
async def test_an_empty_page_where_more_is_promised_is_asked_for_again(total):
    asked = []

    async def fetch(offset, limit):
        asked.append(offset)
        items = () if asked == [0, 2] else tuple(range(offset, offset + 2))
        return Page(
            items=items, offset=offset, received=len(items), total=total, has_next=offset < 4
        )

    pages = AsyncPager(fetch, Lifecycle(), page_size=2, key=lambda item: item)
    assert await pages.collect() == list(range(6))
    assert asked == [0, 2, 2, 4]


async def test_an_empty_page_ends_a_list_whose_rows_are_all_there():
    async def fetch(offset, limit):
        items = tuple(range(offset, min(offset + 2, 4)))
        return Page(items=items, offset=offset, received=len(items), total=4, has_next=True)

    pages = AsyncPager(fetch, Lifecycle(), page_size=2, key=lambda item: item)
    assert await pages.collect() == list(range(4))


async def test_items_that_nothing_tells_apart_are_all_kept():
    async def fetch(offset, limit):
        return Page(items=("same", "same"), offset=offset, received=2, has_next=False)

    pages = AsyncPager(fetch, Lifecycle(), page_size=2, key=lambda item: None)
    assert await pages.collect() == ["same"] * 2


async def test_two_readings_of_one_pager_do_not_disturb_each_other():
    rows = Rows(12)
    listing = pager(rows, 4)
    first, second = await asyncio.gather(listing.collect(), listing.collect())
    assert first == second == list(range(12))
    rows.asked.clear()
    await listing.collect()
    assert rows.asked == [(0, 4), (4, 4), (8, 4)]


async def test_a_client_closed_meanwhile_is_an_error_and_no_cancellation():
    lifecycle = Lifecycle()

    async def slow(offset, limit):
        if offset:
            await asyncio.sleep(3600)
        return Page(items=(offset,), offset=offset, received=1, total=5)

    items = aiter(AsyncPager(slow, lifecycle, page_size=1, key=lambda item: item))
    await anext(items)
    waiting = asyncio.create_task(anext(items))
    await asyncio.sleep(0.01)
    await lifecycle.drain()
    with pytest.raises(ClientClosedError, match="closed before"):
        await waiting


async def test_leaving_early_cancels_what_was_fetched_ahead():
    lifecycle = Lifecycle()

    async def slow(offset, limit):
        if offset:
            await asyncio.sleep(3600)
        return Page(items=(1,), offset=offset, received=1, total=5)

    pages = AsyncPager(slow, lifecycle, page_size=1, key=lambda item: item).pages()
    await anext(pages)
    assert len(lifecycle._work) == 1
    await pages.aclose()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not lifecycle._work


@pytest.mark.parametrize("wrong", [0, 101, True, "20", 1.0])
def test_page_sizes_are_bounded(wrong):
    with pytest.raises(InvalidInputError, match="page_size"):
        check_page_size(wrong)
