"""A run is awaited or iterated, once, and sends nothing before that."""

import asyncio
import gc
import inspect

import pytest
from scripted_server import Server, check_each_once, collect, people, person, run_of

from mettl_async import (
    ClientClosedError,
    ClientOptions,
    ConfigurationError,
    FileJournal,
    InvalidInputError,
    MettlClient,
    RegistrationReport,
    RunInterruptedError,
)
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.sandbox import Sandbox


@pytest.fixture
async def server():
    async with Sandbox().serve() as running:
        yield running


@pytest.fixture
async def mettl(server):
    options = ClientOptions(max_concurrency=4)
    async with MettlClient(server.credentials, base_url=server.base_url, options=options) as client:
        yield client


async def test_awaiting_gives_a_report_in_the_order_of_the_input(mettl, server):
    report = await mettl.candidates.register_many(server.access_key, people(95), batch_size=7)
    assert isinstance(report, RegistrationReport)
    assert [one.index for one in report.outcomes] == list(range(95))
    assert server.sandbox.stats.max_in_flight <= 4


async def test_iterating_gives_each_outcome_once(mettl, server):
    run = mettl.candidates.register_many(server.access_key, people(95))
    check_each_once([one async for one in run], 95)


async def test_a_task_does_a_run_in_the_background(mettl, server):
    run = mettl.candidates.register_many(server.access_key, people(30))
    assert len((await asyncio.create_task(run.collect())).registered) == 30
    both = [mettl.candidates.register_many(server.access_key, people(n)) for n in (3, 4)]
    assert [len(one.registered) for one in await asyncio.gather(*both)] == [3, 4]


@pytest.mark.parametrize("first", ["awaited", "iterated", "left", "closed"])
@pytest.mark.parametrize("second", ["awaited", "iterated"])
async def test_a_run_is_used_once(first, second):
    server, lifecycle = Server(), Lifecycle()
    run = run_of(people(100), server, lifecycle)
    if first == "awaited":
        await run
    elif first == "iterated":
        check_each_once([one async for one in run], 100)
    elif first == "left":
        async for _ in run:
            break
    else:
        await run.aclose()
    calls = len(server.calls)
    with pytest.raises(ConfigurationError, match="is used once"):
        if second == "awaited":
            await run
        else:
            aiter(run)
    await run.aclose()
    await lifecycle.drain()
    assert first == "left" or len(server.calls) == calls


async def test_awaiting_a_run_that_is_being_iterated_does_not_end_it():
    lifecycle, found = Lifecycle(), []
    run = run_of(people(100), Server(), lifecycle, batch_size=1)
    async for outcome in run:
        found.append(outcome)
        if len(found) == 1:
            with pytest.raises(ConfigurationError, match="is used once"):
                await run
    check_each_once(found, 100)
    await lifecycle.drain()


async def test_leaving_a_loop_inside_of_the_context_stops_reading_and_finishes_what_is_in_flight():
    read, server, lifecycle = [], Server(), Lifecycle()

    def source():
        for number in range(10_000):
            read.append(number)
            yield person(number)

    async with run_of(source(), server, lifecycle) as run:
        async for _ in run:
            break
    await lifecycle.drain()
    assert len(read) < 500
    assert server.finished == len(server.calls)


async def test_a_run_that_is_not_used_sends_nothing_and_warns():
    server = Server()
    runs = [run_of(people(1), server, Lifecycle())]
    with pytest.warns(RuntimeWarning, match="neither awaited nor iterated"):
        runs.clear()
    assert server.calls == []


async def test_a_run_that_is_closed_unused_does_not_warn():
    async with run_of(people(1), Server(), Lifecycle()):
        pass
    gc.collect()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        *[({"candidates": one}, "candidates") for one in ("a@x.org", b"x", {"a": 1}, 7, None)],
        ({"candidates": person(1)}, "candidates"),
        ({"access_key": "a/b"}, "access_key"),
        ({"concurrency": 5}, "concurrency"),
        ({"batch_size": 21}, "batch_size"),
        ({"journal": "a.journal"}, "journal"),
        ({"journal": FileJournal}, "journal"),
        ({"candidate_fallback": 7}, "candidate_fallback"),
        ({"on_progress": 7}, "on_progress"),
    ],
    ids=str,
)
async def test_arguments_are_checked_at_once(mettl, wrong, field):
    arguments = {"access_key": "abc", "candidates": people(1), **wrong}
    with pytest.raises(InvalidInputError) as caught:
        mettl.candidates.register_many(**arguments)
    assert caught.value.field == field


def test_a_run_can_be_made_before_an_event_loop_runs():
    async def main(run):
        return await run

    mettl = MettlClient(Sandbox().credentials, base_url="http://127.0.0.1:9")
    assert not inspect.iscoroutinefunction(mettl.candidates.register_many)
    report = asyncio.run(main(mettl.candidates.register_many("abc", [])))
    assert report.outcomes == ()


async def test_what_was_found_before_a_failure_is_in_the_error():
    def source():
        yield from people(25)
        raise OSError("disk")

    lifecycle = Lifecycle()
    with pytest.raises(RunInterruptedError, match="OSError: 25 of 25") as caught:
        await run_of(source(), Server(), lifecycle)
    assert [one.index for one in caught.value.report.outcomes] == list(range(25))
    await lifecycle.drain()


async def test_a_failure_before_anything_was_found_is_raised_itself():
    def source():
        raise OSError("disk")
        yield

    with pytest.raises(OSError, match="disk"):
        await run_of(source(), Server(), Lifecycle())
    assert await collect([], Server()) == []


async def test_a_closed_client_is_noticed_when_the_run_is_used(mettl, server):
    run = mettl.candidates.register_many(server.access_key, people(1))
    await mettl.aclose()
    with pytest.raises(ClientClosedError, match="closed"):
        await run


async def test_leaving_the_loop_ends_the_run_without_a_collector(mettl, server):
    read = 0

    def input_of_many():
        nonlocal read
        for one in people(5_000):
            read += 1
            yield one

    gc.disable()
    try:
        async for _ in mettl.candidates.register_many(server.access_key, input_of_many()):
            break
        await asyncio.sleep(0)
        at_the_break = read
        await asyncio.sleep(0.3)
    finally:
        gc.enable()
    assert read <= at_the_break + 20


async def test_a_run_is_closed_from_another_task(mettl, server):
    run = mettl.candidates.register_many(server.access_key, people(100_000))
    begun = asyncio.Event()

    async def read():
        async for _ in run:
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    await run.aclose()
    with pytest.raises(ClientClosedError, match="the run was closed before"):
        await task
