"""Bulk runs and exports on trio: every candidate exactly once, what is in flight has a grace to finish."""

import asyncio
import contextlib
import gc
import itertools
from contextvars import ContextVar
from functools import partial

import httpx
import pytest
import trio
import trio.testing
from by_trio import leak_a_cancellation, on_trio

from mettl_async import (
    Candidate,
    ClientClosedError,
    ClientOptions,
    ConfigurationError,
    ConnectError,
    Failed,
    InvalidInputError,
    MettlClient,
    Registered,
    RunInterruptedError,
    Unknown,
)
from mettl_async.api.export import FailedExport, export_results
from mettl_async.bulk.dispatcher import GRACE, BatchResponse
from mettl_async.bulk.registration_run import RegistrationRun
from mettl_async.bulk.run_options import RunOptions
from mettl_async.bulk.run_workers import RunWorkers
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.errors import CallFacts
from mettl_async.models import Registration, RegistrationStatus
from mettl_async.sandbox import Faults, Sandbox
from mettl_async.sandbox.faults import VARIANTS


def person(number):
    return Candidate(email=f"c{number}@x.org", first_name="A")


def people(count):
    return [person(number) for number in range(count)]


def check_each_once(outcomes, count):
    assert sorted(one.index for one in outcomes) == list(range(count))


class Server:
    """Answers batches after a checkpoint, and knows which began, finished or were cancelled."""

    def __init__(self, behave=None):
        self.behave, self.began, self.finished, self.cancelled = behave, [], [], []
        self.gate = None

    async def __call__(self, entries):
        first = entries[0].index
        self.began.append(first)
        try:
            await trio.lowlevel.checkpoint()
            if self.gate is not None:
                await self.gate.wait()
            if self.behave is not None:
                self.behave(entries)
        except trio.Cancelled:
            self.cancelled.append(first)
            raise
        self.finished.append(first)
        status = RegistrationStatus("ToBeTaken")
        return BatchResponse(
            [
                Registration(
                    email=one.candidate.email, status=status, message="m", url=f"link/{one.index}"
                )
                for one in entries
            ],
            1,
        )


def run_of(candidates, send, lifecycle, *, concurrency=4, batch_size=20):
    options = RunOptions(concurrency=concurrency, batch_size=batch_size)
    make = partial(RunWorkers, candidates, send, options, max_rd_bytes=None, schedule="s")
    return RegistrationRun(make, lifecycle)


# Whole runs against the sandbox.


@on_trio
async def test_a_run_over_a_socket_that_fails_all_the_time_loses_nobody(remote, quick_options):
    for kind in VARIANTS:
        setattr(remote.sandbox.faults, kind, 0.05)
    remote.sandbox.faults.throttle = 0.0  # a slower pace would only make this slow
    async with MettlClient(
        remote.credentials, base_url=remote.base_url, options=quick_options
    ) as mettl:
        report = await mettl.candidates.register_many(
            remote.access_key, people(1000), concurrency=10
        )
        check_each_once(report.outcomes, 1000)
        assert len(report.registered) == 1000
        assert all(
            remote.sandbox.owner_of(one.url) == one.candidate.email for one in report.registered
        )
        assert mettl._shared.admission._queues.slots.value == mettl.options.max_concurrency
    assert mettl._shared.transport._free == []


@on_trio
async def test_a_run_in_process_that_fails_all_the_time_loses_nobody(quick_options):
    faults = Faults.each(0.05)
    faults.latency, faults.throttle = 0.0005, 0.0  # a slower pace would only make this slow
    sandbox = Sandbox(faults=faults, seed=7)
    async with (
        httpx.AsyncClient(transport=sandbox.transport()) as http_client,
        MettlClient(sandbox.credentials, http_client=http_client, options=quick_options) as mettl,
    ):
        report = await mettl.candidates.register_many(sandbox.access_key, people(1000))
    check_each_once(report.outcomes, 1000)
    assert len(report.registered) == 1000


# Leaving, cancelling, closing.


@on_trio
async def test_leaving_early_stops_reading_and_cancels_nothing():
    read, server, lifecycle = [], Server(), Lifecycle()

    def source():
        for number in itertools.count():
            read.append(number)
            yield person(number)

    async with run_of(source(), server, lifecycle) as stream:
        async for _ in stream:
            server.gate = trio.Event()
            await trio.testing.wait_all_tasks_blocked()
            break
    on_their_way = len(server.began) - len(server.finished)
    assert on_their_way > 0
    server.gate.set()
    await lifecycle.drain()
    assert sorted(server.finished) == sorted(server.began)
    assert server.cancelled == []
    assert len(read) <= 20 * 2 * 4 + 40


@on_trio
async def test_a_cancelled_listener_leaves_at_once_and_what_is_in_flight_finishes():
    server, lifecycle = Server(), Lifecycle()
    server.gate = trio.Event()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def listen():
                async with run_of(people(400), server, lifecycle) as stream:
                    async for _ in stream:
                        pass

            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert server.began
    assert server.cancelled == []
    server.gate.set()
    await lifecycle.drain()
    assert sorted(server.finished) == sorted(server.began)


def test_what_is_in_flight_is_given_up_after_the_grace():
    server, lifecycle = Server(), Lifecycle()

    async def leave():
        server.gate = trio.Event()
        async with run_of(people(400), server, lifecycle) as stream:
            with trio.move_on_after(1):
                async for _ in stream:
                    pass
        assert server.began
        assert not server.cancelled
        before = trio.current_time()
        await lifecycle.drain()
        assert trio.current_time() - before == pytest.approx(GRACE)

    trio.run(leave, clock=trio.testing.MockClock(autojump_threshold=0))
    assert sorted(server.cancelled) == sorted(server.began)


@on_trio
async def test_closing_waits_for_what_a_cancelled_caller_left(remote):
    began, answered, scope = [], [], trio.CancelScope()

    async def middleware(request, call_next):
        began.append(request)
        scope.cancel()
        response = await call_next(request)
        answered.append(response)
        return response

    with scope:
        async with MettlClient(
            remote.credentials, base_url=remote.base_url, middleware=[middleware]
        ) as mettl:
            await mettl.candidates.register_many(remote.access_key, people(4000))
    assert scope.cancelled_caught
    assert mettl._shared.lifecycle.closed
    assert mettl._shared.transport._free == []
    assert began
    assert len(answered) == len(began)
    assert len(remote.sandbox.candidates.of(remote.access_key)) == 20 * len(began)


@on_trio
async def test_closing_ends_a_run_whose_input_never_comes():
    lifecycle = Lifecycle()

    async def never():
        yield person(1)
        await trio.sleep_forever()

    async with run_of(never(), Server(), lifecycle, batch_size=1) as run:
        stream = aiter(run)
        await anext(stream)
        await lifecycle.drain()
        with pytest.raises(ClientClosedError, match="closed before this run"):
            await anext(stream)


@on_trio
async def test_the_input_is_closed_before_the_run_is_over():
    closed, lifecycle = [], Lifecycle()

    async def source():
        try:
            for number in itertools.count():
                yield person(number)
        finally:
            await trio.lowlevel.checkpoint()
            closed.append(True)

    async with run_of(source(), Server(), lifecycle) as run:
        await anext(aiter(run))
    await lifecycle.drain()
    assert closed == [True]


@on_trio
async def test_a_slow_listener_slows_the_workers():
    server, lifecycle = Server(), Lifecycle()
    endless = (person(number) for number in itertools.count())
    async with run_of(endless, server, lifecycle, concurrency=2, batch_size=1) as run:
        await anext(aiter(run))
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.began) < 20
    await lifecycle.drain()


@on_trio
async def test_awaiting_a_run_and_leaving_one_inside_of_its_context_leave_nothing_behind(remote):
    async with MettlClient(remote.credentials, base_url=remote.base_url) as mettl:
        async with mettl.candidates.register_many(remote.access_key, people(400)) as run:
            async for _ in run:
                break
        gc.collect()
        report = await mettl.candidates.register_many(remote.access_key, people(100))
    check_each_once(report.outcomes, 100)


# What goes wrong inside of a run.


@on_trio
async def test_what_the_input_raises_comes_after_everything_read_before(remote):
    def source():
        yield from people(45)
        raise OSError("disk")

    async with MettlClient(remote.credentials, base_url=remote.base_url) as mettl:
        with pytest.raises(RunInterruptedError) as caught:
            await mettl.candidates.register_many(remote.access_key, source())
    assert isinstance(caught.value.__cause__, OSError)
    assert len(caught.value.report.registered) == 45


@on_trio
async def test_a_bug_in_a_middleware_is_raised_after_the_siblings_finished():
    def behave(entries):
        if entries[0].index == 20:
            raise ZeroDivisionError

    server, lifecycle, found = Server(behave), Lifecycle(), []
    with pytest.raises(ZeroDivisionError):
        async with run_of(people(100), server, lifecycle, concurrency=5) as stream:
            async for outcome in stream:
                found.append(outcome)
    await lifecycle.drain()
    assert len(found) == 20 * len(server.began)
    assert {one.index for one in found if isinstance(one, Unknown)} == set(range(20, 40))


@on_trio
async def test_a_cancellation_out_of_somebody_elses_code_loses_nobody():
    leaked = await leak_a_cancellation()

    def behave(entries):
        if entries[0].index == 20:
            raise leaked

    server, lifecycle, found = Server(behave), Lifecycle(), []
    with pytest.raises(ConfigurationError, match="cancelled from inside"):
        async with run_of(people(100), server, lifecycle, concurrency=5) as stream:
            async for outcome in stream:
                found.append(outcome)
    await lifecycle.drain()
    assert {one.index for one in found if isinstance(one, Unknown)} == set(range(20, 40))
    assert len(found) == 20 * len(server.began)


@on_trio
async def test_an_input_that_is_cancelled_from_inside_is_no_end_of_the_run():
    leaked, lifecycle, found = await leak_a_cancellation(), Lifecycle(), []

    def source():
        yield from people(50)
        raise leaked

    with pytest.raises(ConfigurationError, match="cancelled from inside"):
        async with run_of(source(), Server(), lifecycle, concurrency=2) as stream:
            async for outcome in stream:
                found.append(outcome)
    await lifecycle.drain()
    assert len(found) in {40, 50}


@on_trio
async def test_a_run_that_something_unheard_of_ends_says_so():
    def behave(entries):
        raise asyncio.CancelledError  # on trio it means nothing

    lifecycle = Lifecycle()
    with pytest.raises(ConfigurationError, match="before it was finished"):
        async with run_of(people(100), Server(behave), lifecycle) as stream:
            async for _ in stream:
                pass
    await lifecycle.drain()


@on_trio
async def test_a_server_that_is_gone_stops_the_run():
    def behave(entries):
        raise ConnectError("x", CallFacts(attempts=5))

    server, lifecycle = Server(behave), Lifecycle()
    async with run_of(people(1000), server, lifecycle, concurrency=3) as stream:
        outcomes = [one async for one in stream]
    await lifecycle.drain()
    check_each_once(outcomes, 1000)
    assert all(isinstance(one, Failed) for one in outcomes)
    assert len(server.began) <= 6


@on_trio
async def test_two_runs_at_once_and_a_context_that_middleware_sees(remote):
    span, seen = ContextVar("span"), set()

    async def middleware(request, call_next):
        seen.add(span.get())
        return await call_next(request)

    async with MettlClient(
        remote.credentials,
        base_url=remote.base_url,
        middleware=[middleware],
        options=ClientOptions(max_concurrency=4),
    ) as mettl:

        async def one_run(name, start):
            span.set(name)
            some = [person(start + number) for number in range(100)]
            report = await mettl.candidates.register_many(remote.access_key, some, concurrency=4)
            assert len(report.registered) == 100

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one_run, "first", 0)
            nursery.start_soon(one_run, "second", 1000)
    assert seen == {"first", "second"}
    assert remote.sandbox.stats.max_in_flight <= 4


# Exports.


@on_trio
async def test_many_schedules_are_exported_and_an_export_may_be_left(remote):
    second = remote.sandbox.add_schedule("second").access_key
    async with MettlClient(remote.credentials, base_url=remote.base_url) as mettl:
        await mettl.candidates.register_many(remote.access_key, people(30))
        await mettl.candidates.register_many(second, people(10))
        keys = [remote.access_key, second, "nothing"]
        found = [one async for one in mettl.results.export(keys, page_size=7)]
        assert len(found) == 41
        (failed,) = [one for one in found if isinstance(one, FailedExport)]
        assert failed.access_key == "nothing"
        everything = mettl.results.export(one.access_key async for one in mettl.schedules.list())
        assert len([one async for one in everything]) == 40
        left = mettl.results.export(mettl_keys(mettl), page_size=1)
        async with contextlib.aclosing(left):
            async for _ in left:
                break
        with pytest.raises(InvalidInputError, match="access_keys"):
            await anext(mettl.results.export("one key"))
    assert not mettl._shared.lifecycle._work


async def mettl_keys(mettl):
    # A generator expression would leave the list to the garbage collector, of which trio warns.
    async with contextlib.aclosing(aiter(mettl.schedules.list(page_size=1))) as schedules:
        async for one in schedules:
            yield one.access_key


@pytest.mark.parametrize("where", ["keys", "reading"])
@on_trio
async def test_an_export_says_when_something_was_cancelled_from_inside(where):
    leaked, lifecycle = await leak_a_cancellation(), Lifecycle()

    async def keys():
        yield "a"
        if where == "keys":
            raise leaked

    async def read(key):
        yield key
        if where == "reading":
            raise leaked

    found = []
    with pytest.raises(ConfigurationError, match="cancelled from inside"):
        async for one in export_results(keys(), read, lifecycle, concurrency=2):
            found.append(one.result)
    assert found == ["a"]
    await lifecycle.drain()


@on_trio
async def test_what_an_export_cannot_read_is_raised_when_the_rest_has_been_read():
    async def read(key):
        if key == "b":
            raise ZeroDivisionError
        yield key

    lifecycle, found = Lifecycle(), []
    with pytest.raises(ZeroDivisionError):
        async for one in export_results(list("abcda"), read, lifecycle, concurrency=1):
            found.append(one.result)
    assert found == ["a", "c", "d"]
    await lifecycle.drain()


@on_trio
async def test_leaving_an_export_cancels_its_reads():
    lifecycle, cancelled = Lifecycle(), []

    async def read(key):
        try:
            yield key
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.append(key)
            raise

    async with contextlib.aclosing(export_results("abc", read, lifecycle, concurrency=2)):
        pass
    exported = export_results(["a", "b"], read, lifecycle, concurrency=2)
    async with contextlib.aclosing(exported) as items:
        await anext(items)
        await trio.testing.wait_all_tasks_blocked()
    await lifecycle.drain()
    assert sorted(cancelled) == ["a", "b"]


def test_every_outcome_is_a_registration_on_both_event_loops():
    async def main():
        lifecycle = Lifecycle()
        sandbox = Sandbox()
        async with (
            httpx.AsyncClient(transport=sandbox.transport()) as http_client,
            MettlClient(sandbox.credentials, http_client=http_client) as mettl,
        ):
            report = await mettl.candidates.register_many(sandbox.access_key, people(60))
        await lifecycle.drain()
        return [(one.index, type(one)) for one in report.outcomes]

    assert asyncio.run(main()) == trio.run(main) == [(n, Registered) for n in range(60)]
