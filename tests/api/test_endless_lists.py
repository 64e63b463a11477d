"""Lists end: two pages in a row without anything new are an error, and what came before is not lost."""

import asyncio
import pickle
from itertools import count
from traceback import walk_tb

import httpx
import httpx2
import pytest
from attrs import evolve

from mettl_async import (
    AsyncPager,
    ClientOptions,
    Credentials,
    EndlessListError,
    MettlClient,
    MettlDecodeError,
    Page,
)
from mettl_async.api.endpoints import LIST_ASSESSMENTS
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.models import CandidateResult, TestInstance

KEYS = Credentials(public_key="public", private_key="private")


def rows(start, number, *, readable=True):
    return [{"id": one} if readable else {"id": "secret"} for one in range(start, start + number)]


def same_page(offset, _):
    return rows(0, 20), {"totalRecords": 100}


def same_page_with_next(offset, _):
    return rows(0, 20), {"totalRecords": 100, "next": "https://api.mettl.com/next"}


def total_grows(offset, number):
    return rows(0, 20), {"totalRecords": 20 * number + 100}


def huge_total(offset, _):
    return rows(min(offset, 40), 20), {"totalRecords": 10**9}


def nothing_readable(offset, _):
    return rows(0, 20, readable=offset == 0), {"next": "https://api.mettl.com/next"}


def cut_short(offset, _):
    return rows(offset, 0 if offset else 20), {"totalRecords": 10**6}


def cut_short_without_a_total(offset, _):
    return rows(offset, 0 if offset else 20), {"next": "https://api.mettl.com/next"}


def empty_from_the_beginning(offset, _):
    return [], {"totalRecords": 5}


ENDLESS = {
    "cut short": (cut_short, 20),
    "cut short without a total": (cut_short_without_a_total, 20),
    "empty from the beginning": (empty_from_the_beginning, 0),
    "same page": (same_page, 20),
    "same page and next": (same_page_with_next, 20),
    "total grows": (total_grows, 20),
    "huge total": (huge_total, 60),
    "nothing readable": (nothing_readable, 20),
}


class Server:
    """Lists assessments as a function of the offset and the number of the request has them."""

    def __init__(self, behave):
        self.behave, self.numbers, self.asked = behave, count(1), 0

    async def __call__(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked += 1
                params = httpx.URL(head.split(" ")[1]).params
                items, paging = self.behave(int(params["offset"]), next(self.numbers))
                body = httpx.Response(
                    200, json={"status": "SUCCESS", "assessments": items, "paging": paging}
                ).content
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize("kind", ["lanes", "aiohttp", "httpx", "httpx2"])
@pytest.mark.parametrize("name", ENDLESS)
async def test_over_a_socket_an_endless_list_ends(name, kind):
    behave, number = ENDLESS[name]
    endless = Server(behave)
    injected = {"httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}.get(kind)
    http_client = injected(trust_env=False) if injected else None
    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with (
        server,
        MettlClient(
            KEYS,
            base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            options=ClientOptions(trust_env=False),
            http_client=http_client,
            transport="aiohttp" if kind == "aiohttp" else "httpx",
        ) as mettl,
    ):
        with pytest.raises(EndlessListError, match="brought nothing new") as caught:
            await mettl.assessments.list(page_size=20).collect()
        found = []
        with pytest.raises(EndlessListError):
            async for one in mettl.assessments.list(page_size=20):
                found.append(one)
    if http_client is not None:
        await http_client.aclose()
    assert isinstance(caught.value, MettlDecodeError)
    assert caught.value.operation == LIST_ASSESSMENTS.operation
    assert caught.value.safe_to_repeat
    assert [one.id for one in caught.value.items] == [one.id for one in found] == [*range(number)]
    assert endless.asked <= 2 * (number // 20 + 2)


async def test_the_items_are_in_no_text_and_no_pickle():
    async def fetch(offset, limit):
        return Page(items=("secret",), offset=offset, received=1, total=9)

    pages = AsyncPager(fetch, Lifecycle(), page_size=1, key=lambda item: item)
    with pytest.raises(EndlessListError) as caught:
        await pages.collect()
    error = caught.value
    assert error.items == ("secret",)
    assert "secret" not in f"{error} {error!r}"
    assert pickle.loads(pickle.dumps(error)).items == ()  # noqa: S301 - ours


async def test_enough_items_are_no_error_however_long_the_list():
    async def fetch(offset, limit):
        return Page(items=(min(offset, 3),), offset=offset, received=1, total=10**9)

    pages = AsyncPager(fetch, Lifecycle(), page_size=1, key=lambda item: item)
    assert await pages.collect(limit=4) == [0, 1, 2, 3]


def instances(*numbers):
    return tuple(evolve(TestInstance(), extra={"number": number}) for number in numbers)


async def test_items_that_nothing_tells_apart_are_new_unless_their_page_is_the_last_again():
    async def fetch(offset, limit):
        found = instances(min(offset, 4), min(offset, 4) + 1)
        return Page(items=found, offset=offset, received=2, total=10**9)

    pages = AsyncPager(fetch, Lifecycle(), page_size=2, key=lambda item: None)
    with pytest.raises(EndlessListError) as caught:
        await pages.collect()
    assert [one.extra["number"] for one in caught.value.items] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("ends", ["never", "by an error"])
async def test_no_frame_of_ours_shows_who_came_before(ends):
    async def fetch(offset, limit):
        if offset and ends == "by an error":
            raise MettlDecodeError("spoilt")
        found = tuple(CandidateResult(email=f"{n}@secret.example") for n in range(3))
        return Page(items=found, offset=offset, received=3, total=10**9)

    pages = AsyncPager(fetch, Lifecycle(), page_size=3, key=lambda one: one.email)
    with pytest.raises(MettlDecodeError) as caught:
        async for _ in pages:
            pass
    shown = [
        repr(frame.f_locals)
        for frame, _ in walk_tb(caught.value.__traceback__)
        if frame.f_globals["__name__"].startswith("mettl_async")
    ]
    assert shown
    assert "secret" not in "".join(shown)
