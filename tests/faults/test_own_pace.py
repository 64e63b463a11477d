"""What the client's own pace must never do: fail, starve or outlive anybody."""

import asyncio
import time

import pytest

import mettl_async.api.candidates
from mettl_async import (
    Candidate,
    ClientClosedError,
    ClientOptions,
    InvalidInputError,
    MettlClient,
    RateLimitError,
    Registered,
    RetryPolicy,
)
from mettl_async.sandbox import Faults, Sandbox


def people(count):
    return [Candidate(email=f"c{n}@example.org", first_name="C") for n in range(count)]


def client(server, **options):
    return MettlClient(
        server.credentials, base_url=server.base_url, options=ClientOptions(**options)
    )


async def test_a_slow_rate_fails_nobody(monkeypatch):
    monkeypatch.setattr(mettl_async.api.candidates, "FIRST_ANSWER_TIMEOUT", 0.2)
    patience = RetryPolicy(deadline=0.4)
    async with (
        Sandbox().serve() as server,
        client(server, requests_per_second=8, bulk_retry=patience) as mettl,
    ):
        report = await mettl.candidates.register_many(
            server.access_key, people(16), batch_size=1, concurrency=8
        )
    assert len(report.registered) == 16


async def test_a_server_that_asks_for_a_long_pause_at_the_start_gets_it(monkeypatch):
    monkeypatch.setattr(mettl_async.api.candidates, "FIRST_ANSWER_TIMEOUT", 0.5)
    sandbox = Sandbox(faults=Faults(retry_after=1))
    sandbox.faults.script(["throttle:429"] * 3)
    async with sandbox.serve() as server, client(server) as mettl:
        report = await mettl.candidates.register_many(server.access_key, people(200))
    assert len(report.registered) == 200


async def test_the_requests_before_a_long_pause_are_counted_too(monkeypatch):
    """The run becomes patient in the middle of a call: it is one call all the same."""
    monkeypatch.setattr(mettl_async.api.candidates, "FIRST_ANSWER_TIMEOUT", 0.5)
    sandbox = Sandbox(faults=Faults(retry_after=1))
    sandbox.faults.script(["throttle:429"])
    async with sandbox.serve() as server, client(server) as mettl:
        report = await mettl.candidates.register_many(server.access_key, people(20))
    assert {one.attempts for one in report.registered} == {2}


async def test_the_rate_of_single_calls_recovers_by_their_own_successes():
    async with Sandbox().serve() as server, client(server, requests_per_second=1000) as mettl:
        pacer = mettl._shared.admission.pacer
        now = time.monotonic()
        pacer.throttled(now, now, None, 0.0)  # it begins to count
        pacer.found = 40.0
        while pacer.found == 40.0:
            await mettl.schedules.get(server.access_key)
        assert pacer.found > 40.0


async def test_a_pause_of_a_bulk_run_holds_no_slot():
    async with Sandbox().serve() as server, client(server, max_concurrency=2) as mettl:
        mettl._shared.admission.pacer._paused_until = time.monotonic() + 0.6
        run = asyncio.create_task(
            mettl.candidates.register_many(server.access_key, people(60), concurrency=2).collect()
        )
        await asyncio.sleep(0.05)
        await mettl.schedules.get(server.access_key)
        assert not run.done(), "the single call came before the end of the pause"
        assert len((await run).registered) == 60


async def test_closing_ends_a_pause_and_sends_nothing_more():
    async with Sandbox().serve() as server:
        mettl = client(server)
        mettl._shared.admission.pacer._paused_until = time.monotonic() + 300
        stream = aiter(mettl.candidates.register_many(server.access_key, people(100)))
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            await mettl.aclose()
        (told,) = await asyncio.gather(first, return_exceptions=True)
        assert not isinstance(told, Registered)
        await stream.aclose()
        assert server.sandbox.stats.requests == 0


class Full:
    """A limiter that lets nobody through until it is told to."""

    def __init__(self):
        self.gate = asyncio.Event()

    async def acquire(self):
        await self.gate.wait()


@pytest.mark.parametrize("bulk", [True, False])
async def test_closing_does_not_wait_for_a_shared_rate_and_sends_nothing_more(bulk):
    limiter = Full()
    async with Sandbox().serve() as server:
        mettl = MettlClient(server.credentials, base_url=server.base_url, rate_limiter=limiter)
        call = mettl.candidates.register_many if bulk else mettl.candidates.register
        waiting = asyncio.ensure_future(call(server.access_key, people(5)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(10):  # a third of the patience that a run begins with
            await mettl.aclose()
            if not bulk:
                await asyncio.wait([waiting])
        limiter.gate.set()
        (came,) = await asyncio.gather(waiting, return_exceptions=True)
        assert bulk or "the client was closed before this was sent" in str(came)
        assert server.sandbox.stats.requests == 0


async def test_closing_sends_nothing_that_waits_for_a_slot():
    async with Sandbox().serve() as server:
        server.sandbox.faults.latency = 0.2
        mettl = MettlClient(
            server.credentials, base_url=server.base_url, options=ClientOptions(max_concurrency=1)
        )
        calls = [asyncio.create_task(mettl.schedules.get(server.access_key)) for _ in range(3)]
        await asyncio.sleep(0.1)
        await mettl.aclose()
        first, *others = await asyncio.gather(*calls, return_exceptions=True)
        assert first.access_key == server.access_key
        assert [(type(one), one.sent) for one in others] == [(ClientClosedError, False)] * 2
        assert all("the client was closed before this was sent" in str(one) for one in others)
        assert server.sandbox.stats.requests == 1


async def test_a_bulk_run_does_not_wait_for_a_shared_rate_beyond_its_patience():
    async with Sandbox().serve() as server:
        async with MettlClient(
            server.credentials,
            base_url=server.base_url,
            rate_limiter=Full(),
            options=ClientOptions(bulk_retry=RetryPolicy(deadline=0.3, max_attempts=1)),
        ) as mettl:
            async with asyncio.timeout(30):
                report = await mettl.candidates.register_many(server.access_key, people(5))
        assert {type(one.error) for one in report.failed} == {RateLimitError}
        assert {
            "rate limited: no slot of the shared rate within the" in str(one.error)
            for one in report.failed
        } == {True}
        assert server.sandbox.stats.requests == 0


async def test_what_a_limiter_raises_is_raised_as_it_is():
    class Broken:
        async def acquire(self):
            raise LookupError("away")

    async with Sandbox().serve() as server:
        async with MettlClient(
            server.credentials, base_url=server.base_url, rate_limiter=Broken()
        ) as mettl:
            with pytest.raises(LookupError):
                await mettl.schedules.get(server.access_key)


async def test_a_pause_beyond_all_patience_is_told_at_once():
    async with (
        Sandbox().serve() as server,
        client(server, bulk_retry=RetryPolicy(deadline=5.0)) as mettl,
    ):
        mettl._shared.admission.pacer._paused_until = time.monotonic() + 3600
        report = await mettl.candidates.register_many(server.access_key, people(5))
        assert isinstance(report.failed[0].error, RateLimitError)
        assert report.failed[0].error.retry_after > 3000
        assert not report.failed[0].error.sent
        assert server.sandbox.stats.requests == 0


async def test_an_async_on_progress_is_refused():
    async def tell(progress):
        pass

    async with Sandbox().serve() as server, client(server) as mettl:
        with pytest.raises(InvalidInputError, match="on_progress"):
            await mettl.candidates.register_many(server.access_key, [], on_progress=tell)
