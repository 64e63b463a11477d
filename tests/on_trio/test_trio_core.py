"""Single calls, lists, reports and closing, on trio."""

import asyncio
import contextlib
import functools
import gc
import itertools
import socket
from contextvars import ContextVar

import anyio
import httpx
import httpx2
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
    ConnectionLostError,
    Credentials,
    MettlClient,
    NotFoundError,
    NotReadyError,
    RetryPolicy,
    ServerError,
    TransportTimeoutError,
)
from mettl_async.api.pager import AsyncPager, Page
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.core.tasks import begin
from mettl_async.models import Access, NewSchedule
from mettl_async.sandbox import Pace, Sandbox

ASHA = Candidate(email="asha+1@x.org", first_name="Asha")
KEYS = Credentials(public_key="p", private_key="s")
ONCE = RetryPolicy(max_attempts=1)


def client_of(server, **more):
    return MettlClient(server.credentials, base_url=server.base_url, **more)


@contextlib.asynccontextmanager
async def raw_server(handler):
    """A bare socket server of trio's; its base URL."""
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(
            functools.partial(trio.serve_tcp, handler, 0, host="127.0.0.1")
        )
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def silence(stream):
    async for _ in stream:
        pass


def free_slots(mettl):
    return mettl._shared.admission._queues.slots.value


# One call.


@pytest.mark.parametrize("kind", ["lanes", "httpx", "httpx2"])
@on_trio
async def test_a_call_over_a_socket_whichever_way_it_goes(remote, kind):
    async with contextlib.AsyncExitStack() as stack:
        injected = {"httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}.get(kind)
        http_client = injected and await stack.enter_async_context(injected(trust_env=False))
        mettl = await stack.enter_async_context(client_of(remote, http_client=http_client))
        (one,) = await mettl.candidates.register(remote.access_key, [ASHA])
        assert remote.sandbox.owner_of(one.url) == ASHA.email
        with pytest.raises(NotFoundError):
            await mettl.schedules.get("nothing")


@on_trio
async def test_a_call_in_process_needs_no_other_event_loop():
    sandbox = Sandbox()
    sandbox.faults.latency = 0.001
    async with (
        httpx.AsyncClient(transport=sandbox.transport()) as http_client,
        MettlClient(sandbox.credentials, http_client=http_client) as mettl,
    ):
        (one,) = await mettl.candidates.register(sandbox.access_key, [ASHA])
    assert sandbox.owner_of(one.url) == ASHA.email


@pytest.mark.parametrize(
    "fault", ["reset_before", "reset_after", "throttle:429", "server_error:502", "html", "truncate"]
)
@on_trio
async def test_registering_is_tried_again_after_each_fault(remote, quick_options, fault):
    remote.sandbox.faults.retry_after = 0
    remote.sandbox.faults.script([fault, fault])
    async with client_of(remote, options=quick_options) as mettl:
        (one,) = await mettl.candidates.register(remote.access_key, [ASHA])
    assert one.url
    assert remote.sandbox.stats.requests == 3


@on_trio
async def test_a_create_whose_answer_was_lost_is_not_sent_again(remote, quick_options):
    remote.sandbox.faults.script(["reset_after"])
    assessment = next(iter(remote.sandbox.assessments))
    drive = NewSchedule(name="n", source_app="t", access=Access.open_for_all())
    async with client_of(remote, options=quick_options) as mettl:
        with pytest.raises(ConnectionLostError) as caught:
            await mettl.schedules.create(assessment, drive)
    assert caught.value.sent
    assert remote.sandbox.stats.requests == 1


@on_trio
async def test_errors_come_alone_and_not_in_groups(remote):
    with pytest.raises(ServerError):
        async with client_of(remote, options=ClientOptions(retry=ONCE)) as mettl:
            remote.sandbox.faults.script(["server_error:500"])
            await mettl.account.get()


@pytest.mark.parametrize("scheme", ["http", "https"])
@on_trio
async def test_what_cannot_be_reached_was_not_sent(scheme):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    options = ClientOptions(retry=ONCE, trust_env=False)
    url = f"{scheme}://127.0.0.1:{port}"
    async with MettlClient(KEYS, base_url=url, options=options) as mettl:
        with pytest.raises(ConnectError) as caught:
            await mettl.account.get()
    assert not caught.value.sent


@on_trio
async def test_a_server_without_tls_is_told_nothing():
    heard = []

    async def listen(stream):
        heard.append(await stream.receive_some())
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    options = ClientOptions(retry=ONCE, trust_env=False, connect_timeout=5)
    async with raw_server(listen) as url:
        https = url.replace("http:", "https:")
        async with MettlClient(KEYS, base_url=https, options=options) as mettl:
            with pytest.raises(ConnectError) as caught:
                await mettl.account.get()
    assert not caught.value.sent
    assert all(b"asgn" not in one for one in heard)


# Time and cancellation.


@on_trio
async def test_a_silent_server_is_a_timeout():
    options = ClientOptions(read_timeout=0.05, retry=ONCE)
    async with (
        raw_server(silence) as url,
        MettlClient(KEYS, base_url=url, options=options) as mettl,
    ):
        with pytest.raises(TransportTimeoutError, match=r"read timed out after 0\.\d+ s") as caught:
            await mettl.account.get()
        assert caught.value.sent
        assert free_slots(mettl) == options.max_concurrency
        assert mettl._shared.transport._free == []


@on_trio
async def test_the_deadline_bounds_a_call_in_flight_and_one_that_waits_for_a_slot():
    asked = trio.Event()

    async def listen(stream):
        await stream.receive_some()
        asked.set()
        await silence(stream)

    options = ClientOptions(max_concurrency=1, retry=ONCE, read_timeout=30)
    async with raw_server(listen) as url, MettlClient(KEYS, base_url=url, options=options) as mettl:
        hasty = mettl.with_options(timeout=0.05)
        with pytest.raises(TransportTimeoutError, match="deadline") as caught:
            await hasty.account.get()
        assert caught.value.sent
        asked = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mettl.account.get)
            await asked.wait()
            with pytest.raises(TransportTimeoutError, match="deadline") as caught:
                await hasty.account.get()
            nursery.cancel_scope.cancel()
        assert not caught.value.sent
        assert free_slots(mettl) == 1


@pytest.mark.parametrize("scope", [trio.CancelScope, anyio.CancelScope])
@on_trio
async def test_a_cancelled_call_ends_at_once_and_leaves_no_slot_or_connection(scope):
    asked = trio.Event()

    async def listen(stream):
        await stream.receive_some()
        asked.set()
        await silence(stream)

    async def cancel_when_asked(scope):
        await asked.wait()
        scope.cancel()

    options = ClientOptions(max_concurrency=2)
    async with raw_server(listen) as url, MettlClient(KEYS, base_url=url, options=options) as mettl:
        async with trio.open_nursery() as nursery:
            with scope() as mine:
                nursery.start_soon(cancel_when_asked, mine)
                await mettl.account.get()
            assert mine.cancelled_caught
        assert free_slots(mettl) == 2
        assert mettl._shared.transport._free == []
    gc.collect()  # an unclosed socket would warn, and warnings are errors


@on_trio
async def test_a_thousand_calls_share_a_few_slots_and_connections(remote):
    links = []
    async with client_of(remote, options=ClientOptions(max_concurrency=4)) as mettl:

        async def call(number):
            one = Candidate(email=f"{number}@x.org", first_name="A")
            links.extend(await mettl.candidates.register(remote.access_key, [one]))

        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(call, number)
        assert len(mettl._shared.transport._free) <= 4
        assert free_slots(mettl) == 4
    assert len({one.url for one in links}) == 300
    assert remote.sandbox.stats.max_in_flight <= 4
    assert mettl._shared.transport._free == []
    gc.collect()


# One event loop, and closing.


def test_a_second_event_loop_is_refused_whichever_came_first():
    def fresh():
        sandbox = Sandbox()
        http_client = httpx.AsyncClient(transport=sandbox.transport())
        return MettlClient(sandbox.credentials, http_client=http_client)

    async def call(mettl):
        await mettl.account.get()

    async def refused(mettl):
        with pytest.raises(ConfigurationError, match="another event loop"):
            await mettl.account.get()
        with pytest.raises(ConfigurationError, match="another event loop"):
            await mettl.aclose()

    mettl = fresh()
    trio.run(call, mettl)
    trio.run(refused, mettl)
    asyncio.run(refused(mettl))
    mettl = fresh()
    asyncio.run(call(mettl))
    trio.run(refused, mettl)


def test_without_an_event_loop_it_says_what_it_runs_on():
    with pytest.raises(ConfigurationError, match="asyncio and trio"):
        MettlClient(KEYS).account.get().send(None)


@on_trio
async def test_without_async_with_closing_twice_is_fine_and_use_afterwards_refused(remote):
    mettl = client_of(remote)
    await mettl.candidates.register(remote.access_key, [ASHA])
    await mettl.aclose()
    await mettl.aclose()
    with pytest.raises(ClientClosedError, match="closed"):
        await mettl.account.get()


@on_trio
async def test_a_custom_middleware_and_credentials_may_await_on_trio(remote):
    async def keys():
        await trio.lowlevel.checkpoint()
        return remote.credentials

    async def middleware(request, call_next):
        await trio.lowlevel.checkpoint()
        return await call_next(request)

    async with MettlClient(keys, base_url=remote.base_url, middleware=[middleware]) as mettl:
        assert (await mettl.candidates.register(remote.access_key, [ASHA]))[0].url


# Lists.


class Rows:
    """A list of ten numbers, a page of which may take for ever."""

    def __init__(self, stuck_at=None):
        self.stuck_at, self.asked, self.stopped = stuck_at, [], False

    async def __call__(self, offset, limit):
        self.asked.append(offset)
        try:
            if offset == self.stuck_at:
                await trio.sleep_forever()
            await trio.lowlevel.checkpoint()
        except trio.Cancelled:
            self.stopped = True
            raise
        return Page(
            items=tuple(range(offset, offset + limit)), offset=offset, received=limit, total=10
        )


def pager(rows, lifecycle=None):
    return AsyncPager(rows, lifecycle or Lifecycle(), page_size=2, key=lambda item: item)


@on_trio
async def test_a_list_is_read_whole_in_each_way():
    assert await pager(Rows()).collect() == list(range(10))
    assert [item async for item in pager(Rows())] == list(range(10))
    assert await pager(Rows()).collect(limit=3) == [0, 1, 2]


@on_trio
async def test_the_next_page_is_fetched_while_one_is_used():
    rows = Rows()
    async with contextlib.aclosing(pager(rows).pages()) as pages:
        await anext(pages)
        await trio.testing.wait_all_tasks_blocked()
        assert rows.asked == [0, 2]


@on_trio
async def test_leaving_a_list_early_cancels_what_was_fetched_ahead():
    rows, lifecycle = Rows(stuck_at=2), Lifecycle()
    async with contextlib.aclosing(aiter(pager(rows, lifecycle))) as items:
        async for _ in items:
            await trio.testing.wait_all_tasks_blocked()
            break
    await trio.testing.wait_all_tasks_blocked()
    assert rows.stopped
    assert not lifecycle._work


@on_trio
async def test_a_reader_who_is_cancelled_takes_the_page_ahead_along():
    rows, lifecycle = Rows(stuck_at=2), Lifecycle()
    with trio.move_on_after(0.01) as scope:
        await pager(rows, lifecycle).collect()
    assert scope.cancelled_caught
    await trio.testing.wait_all_tasks_blocked()
    assert rows.stopped
    assert not lifecycle._work


@on_trio
async def test_a_client_closed_meanwhile_is_an_error_and_no_cancellation():
    lifecycle = Lifecycle()

    async def read():
        with pytest.raises(ClientClosedError, match="closed before"):
            await pager(Rows(stuck_at=2), lifecycle).collect()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await lifecycle.drain()


@on_trio
async def test_an_error_of_a_later_page_comes_when_it_is_due():
    async def breaking(offset, limit):
        if offset:
            raise OSError("second page")
        return Page(items=(1, 2), offset=0, received=2, total=5)

    found = []
    with pytest.raises(OSError, match="second page"):
        async for item in pager(breaking):
            found.append(item)
    assert found == [1, 2]


@on_trio
async def test_the_lists_of_a_server_are_read(remote):
    people = [Candidate(email=f"c{n}@x.org", first_name="C") for n in range(20)]
    async with client_of(remote) as mettl:
        await mettl.candidates.register(remote.access_key, people)
        results = await mettl.results.list(remote.access_key, page_size=3).collect()
        assert {one.email for one in results} == {one.email for one in people}


# Reports.


@on_trio
async def test_a_result_is_waited_for_and_its_report_saved(remote, tmp_path):
    sandbox = remote.sandbox
    sandbox.pace = Pace(report_delay=60, links_first=True, pending_status=404)
    async with client_of(remote) as mettl:
        await mettl.candidates.register(remote.access_key, [ASHA])
        person = sandbox.candidates[remote.access_key, ASHA.email]
        person.start()
        sandbox.clock.advance(120)
        person.finish()
        result = await mettl.results.wait_for(remote.access_key, ASHA.email, timeout=20)
        with pytest.raises(NotReadyError):
            await mettl.results.download_report(result, tmp_path / "asha.pdf", timeout=0.1)
        assert list(tmp_path.iterdir()) == []
        sandbox.clock.advance(90)
        path = await mettl.results.download_report(result, tmp_path / "asha.pdf")
    assert path.read_bytes().startswith(b"%PDF-")
    assert [file.name for file in tmp_path.iterdir()] == ["asha.pdf"]


@on_trio
async def test_a_download_that_is_cancelled_leaves_nothing(remote, tmp_path):
    async with client_of(remote) as mettl:
        await mettl.candidates.register(remote.access_key, [ASHA])
        person = remote.sandbox.candidates[remote.access_key, ASHA.email]
        person.start()
        person.finish()
        result = await mettl.results.get(remote.access_key, ASHA.email)
        remote.sandbox.faults.latency = 30
        with trio.move_on_after(0.05) as scope:
            await mettl.results.download_report(result, tmp_path / "asha.pdf")
        assert scope.cancelled_caught
    assert list(tmp_path.iterdir()) == []


# What runs in the background never brings trio down.


@on_trio
async def test_background_work_has_the_context_of_who_began_it():
    spans, seen, ended = ContextVar("span"), [], []
    spans.set("mine")

    async def work():
        seen.append(spans.get())
        return 7

    started = begin(work(), ended.append)
    await started.wait()
    assert await started.result() == 7
    assert (seen, ended) == (["mine"], [started])


@pytest.mark.parametrize("exc", [ZeroDivisionError(), SystemExit(), asyncio.CancelledError()])
@on_trio
async def test_whatever_background_work_raises_goes_to_who_asks(exc):
    async def work():
        raise exc

    started = begin(work(), lambda _: None)
    await started.wait()
    with pytest.raises(type(exc)):
        await started.result()


@on_trio
async def test_an_error_that_nobody_asks_for_is_told_without_its_words(all_logs):
    async def work():
        raise ValueError("secret@x.org")

    for wanted in (True, False):
        started = begin(work(), lambda _: None)
        if not wanted:
            started.stop()
        await started.wait()
        del started
    gc.collect()
    said = [line for line in all_logs if "background work ended" in line]
    assert len(said) == 1
    assert "ValueError" in said[0]
    assert "secret" not in said[0]


@on_trio
async def test_a_cancellation_out_of_somebodys_code_is_no_value_and_no_crash():
    leaked = await leak_a_cancellation()

    async def work():
        raise leaked

    started = begin(work(), lambda _: None)
    await started.wait()
    with pytest.raises(ClientClosedError):
        await started.result()


def test_an_interrupt_that_meets_background_work_reaches_the_program():
    async def work():
        async with anyio.create_task_group() as group:
            group.start_soon(interrupted)

    async def interrupted():
        raise KeyboardInterrupt

    async def main():
        begin(work(), lambda _: None)
        await trio.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)


def test_what_was_not_closed_ends_with_trio():
    steps = itertools.count()

    async def work():
        while True:
            next(steps)
            await trio.lowlevel.checkpoint()

    async def main():
        Lifecycle().start(work(), lambda: None)
        await trio.sleep(0.01)

    trio.run(main)
    assert next(steps) > 0
