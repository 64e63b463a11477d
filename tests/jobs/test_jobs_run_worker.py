"""What a worker is begun with: clients, and the rates that they share."""

import asyncio
import contextlib
from functools import partial

import pytest
from pretended_engine import Dispatch
from worked import QUICK, Worked

from mettl_async import ConfigurationError, InvalidInputError
from mettl_async.jobs import tables
from mettl_async.jobs.run_worker import beside, run_worker
from mettl_async.jobs.worker import Worker
from mettl_async.webhooks import EventHandlers, TestGraded, parse_event, sample_event
from mettl_async.webhooks.sql_inbox import SqlEventInbox

GIVEN = {
    "stop": None, "concurrency": 8, "chunks_at_once": 2, "max_tries": 5, "lease": 30.0, "rates": {},
    "stores": {}, "beside": contextlib.nullcontext(), "pace": QUICK,
}  # fmt: skip


@pytest.fixture
async def worked(jobs_file_url, monkeypatch):
    quick = partial(Worker, make_engine=Dispatch().make_engine)
    monkeypatch.setattr("mettl_async.jobs.run_worker.Worker", quick)
    worked = Worked(jobs_file_url)
    yield worked
    await worked.aclose()


class Own:
    """A rate that its user brings."""

    async def acquire(self):
        """Never wait."""


async def test_all_requests_of_an_account_keep_its_rate(worked):
    await worked.submit(30)
    stop = asyncio.Event()
    async with worked.client() as client:
        given = {**GIVEN, "stop": stop, "rates": {"acme": 10_000}}
        worker = asyncio.create_task(
            run_worker(worked.backend, worked.url, accounts={"acme": client}, **given)
        )
        await worked.until("done")
        stop.set()
        await worker
        assert (await client.account.get()) is not None  # the client of the caller stays open
    assert [row.account for row in await worked.rows(tables.rates)] == ["acme"]
    await worked.check_end()


async def test_chunks_at_once_share_the_concurrency_however_small_it_is(worked):
    await worked.submit(60, chunk_size=20)
    worked.open.clear()
    stop = asyncio.Event()
    async with worked.client() as client:
        given = {**GIVEN, "stop": stop, "concurrency": 1}
        worker = asyncio.create_task(
            run_worker(worked.backend, worked.url, accounts={"acme": client}, **given)
        )
        await worked.until_waiting(1)
        await asyncio.sleep(10 * QUICK.tick)
        assert worked.waiting == 1
        worked.open.set()
        await worked.until("done")
        stop.set()
        await worker


@pytest.mark.parametrize(
    ("rates", "limiter", "why"),
    [
        ({"acme": 5, "initech": 5}, None, "rates: names 'initech', for which there is no client"),
        ({"acme": 5}, Own(), "'acme', whose client has a rate_limiter already"),
        ({"acme": 0}, None, "per_second"),
    ],
)
async def test_rates_that_cannot_be_kept_are_refused(worked, rates, limiter, why):
    async with worked.client() as client:
        given = {**GIVEN, "rates": rates}
        accounts = {
            "acme": client if limiter is None else client.with_options(rate_limiter=limiter)
        }
        with pytest.raises(ConfigurationError, match=why):
            await run_worker(worked.backend, worked.url, accounts=accounts, **given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stores", {"own": 7}),
        ("concurrency", 0),
        ("chunks_at_once", 101),
        ("max_tries", 0),
        ("lease", 0.5),
        ("accounts", {}),
    ],
)
async def test_arguments_out_of_bounds_are_refused(worked, name, value):
    with pytest.raises(InvalidInputError, match=name):
        await run_worker(
            worked.backend, worked.url, **{**GIVEN, "accounts": {"a": None}, name: value}
        )


async def test_an_inbox_is_emptied_beside_and_ends_with_the_worker(worked):
    inbox, handlers, stop, handled = (
        SqlEventInbox(worked.engine),
        EventHandlers(),
        asyncio.Event(),
        [],
    )
    await inbox.create_table()

    @handlers.on(TestGraded)
    async def graded(event):
        handled.append(event)
        stop.set()

    await inbox.add(parse_event(sample_event(TestGraded)))
    async with worked.client() as client, asyncio.timeout(20):
        given = {**GIVEN, "stop": stop, "beside": beside(inbox, handlers)}
        await run_worker(worked.backend, worked.url, accounts={"acme": client}, **given)
    await inbox.add(parse_event(sample_event(TestGraded)), key="another one")
    await asyncio.sleep(0.05)
    assert (len(handled), await inbox.waiting()) == (1, 1)


def test_an_inbox_without_handlers_is_refused(worked):
    inbox, handlers = SqlEventInbox(worked.engine), EventHandlers()
    for given, missing in (((inbox, None), "handlers"), ((None, handlers), "inbox")):
        with pytest.raises(ConfigurationError, match=f"{missing}: is missing"):
            beside(*given)
