"""Workers of an inbox: how they begin and end, and what a receiver says when one has failed."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest
from inbox_events import event_of, handling, until_empty

from mettl_async.errors import ConfigurationError, HandlerCancelledError, WorkerEndedError
from mettl_async.webhooks import (
    MemorySeenEvents,
    TestEvent,
    TestGraded,
    TestResumeEnabled,
    WebhookReceiver,
    sample_event,
)
from mettl_async.webhooks.inbox_worker import InboxWorker
from mettl_async.webhooks.sql_inbox import SqlEventInbox

GRADED = sample_event(TestGraded)


async def nothing(event):
    pass


async def cancelled_itself(event):
    gone = asyncio.get_running_loop().create_future()
    gone.cancel()
    await gone


def errors(caplog):
    return [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]


async def status(receiver, body=GRADED):
    return (await receiver.respond("POST", {}, body)).status


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("mettl_async.webhooks.inbox_worker._AWAY", 0.01)


# --- a worker that fails ----------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["run", "working"])
async def test_without_handlers_nothing_begins_and_receivers_answer_503(inbox, entry, caplog):
    receiver = WebhookReceiver(auth=None, store=inbox)
    assert await status(receiver) == 200
    with pytest.raises(ConfigurationError, match="handlers: none is declared"):
        getattr(inbox, entry)(receiver.handlers)  # at once: a task of it might never be awaited
    (line,) = errors(caplog)
    assert line.startswith(f"the worker of inbox {inbox.table.name} ended with handlers: none is")
    assert await status(receiver) == 503
    assert caplog.records[-1].getMessage().startswith("the event is kept, but the worker of inbox")
    with pytest.raises(WorkerEndedError):
        await receiver.handle(event_of())
    assert await inbox.waiting() == 2, "each is kept all the same"
    receiver.on(TestEvent)(nothing)
    async with inbox.working(receiver.handlers):
        assert await status(receiver) == 200
        await until_empty(inbox)
    assert await status(receiver) == 200


async def test_a_worker_that_nobody_awaits_says_in_the_log_why_it_ended(engine, table_name, caplog):
    inbox = SqlEventInbox(engine, table=table_name)
    receiver = WebhookReceiver(auth=None, store=inbox)
    task = asyncio.create_task(inbox.run(handling(nothing)))
    await asyncio.wait([task])
    told = f"table {table_name}: is not in the database; call create_table()"
    (line,) = errors(caplog)
    assert told in line
    await inbox.create_table()
    assert await status(receiver) == 503
    with pytest.raises(ConfigurationError, match="create_table"):
        await task
    async with inbox.working(handling(nothing)):
        assert await status(receiver) == 200
        await until_empty(inbox)


async def test_a_table_that_was_there_is_waited_for(engine, inbox, quick, caplog):
    name, came = inbox.table.name, []

    async def work(event):
        came.append(event)

    async def rename(old, new):
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"alter table {old} rename to {new}")

    receiver = WebhookReceiver(auth=None, store=inbox)
    async with inbox.working(handling(work), longest_idle=0.01):
        await rename(name, f"{name}_away")
        assert await status(receiver) == 503
        with anyio.fail_after(10):
            while not any("take failed with table" in line for line in errors(caplog)):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        await rename(f"{name}_away", name)
        assert await status(receiver) == 200
        await until_empty(inbox)
    assert len(came) == 1


# --- begin and end ----------------------------------------------------------------------------------


async def test_a_stop_before_a_run_has_begun_is_not_forgotten(inbox):
    await inbox.add(event_of())
    task = asyncio.create_task(inbox.run(handling(nothing)))
    inbox.stop()
    async with asyncio.timeout(10):  # for ever, if it were forgotten
        await task
    assert await inbox.waiting() == 1
    async with asyncio.timeout(10), inbox.working(handling(nothing)):
        await until_empty(inbox)


async def test_a_worker_works_beside_a_block_and_ends_what_it_has_with_it(inbox):
    begun, ended = anyio.Event(), []

    async def work(event):
        begun.set()
        await anyio.sleep(0.02)
        ended.append(event)

    async with inbox.working(handling(work)):
        await inbox.add(event_of())
        await begun.wait()
    assert len(ended) == 1
    await inbox.add(event_of(number=1))
    async with inbox.working(handling(nothing)):
        inbox.stop()
    assert await inbox.waiting() <= 1


async def test_a_block_does_not_begin_without_the_table(engine, table_name):
    inbox = SqlEventInbox(engine, table=table_name)
    with pytest.raises(ConfigurationError, match="create_table"):
        async with inbox.working(handling(nothing)):
            pytest.fail("the block began")


async def test_a_block_begins_though_the_database_is_away(inbox, quick, monkeypatch):
    async def away(most):
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "take", away)
        async with inbox.working(handling(nothing)):
            pass


async def test_a_database_that_goes_and_comes_back_is_told_once_each(
    inbox, quick, monkeypatch, caplog
):
    take, looks = inbox.take, []
    ways = [OSError, OSError, KeyError, OSError, None, OSError, OSError, None]

    async def sometimes(most):
        looks.append(most)
        problem = ways[len(looks) - 1] if len(looks) <= len(ways) else None
        if problem is not None:
            raise problem("asha@example.org")
        return await take(most)

    monkeypatch.setattr(inbox, "take", sometimes)
    async with inbox.working(handling(nothing), longest_idle=0.01):
        with anyio.fail_after(10):
            while len(looks) <= len(ways):  # noqa: ASYNC110 - nothing tells when
                await anyio.sleep(0.01)
    said = [one.getMessage().partition(" at ")[0] for one in caplog.records]
    gone, back = "take failed with", "take succeeds again"
    assert said == [f"{gone} OSError", f"{gone} KeyError", back, f"{gone} OSError", back]


@pytest.mark.parametrize("of_block", [None, ValueError])
async def test_what_ended_a_worker_is_raised_at_the_end_of_the_block(
    inbox, of_block, monkeypatch, caplog
):
    receiver, looks = WebhookReceiver(auth=None, store=inbox), []

    async def fail(self, most):
        looks.append(most)
        if len(looks) > 1:
            raise RuntimeError("asha@example.org")
        return ()

    async def block():
        async with inbox.working(handling(nothing)), asyncio.timeout(10):
            while await status(receiver) == 200:
                pass
            if of_block is not None:
                raise of_block

    monkeypatch.setattr(InboxWorker, "_take", fail)
    with pytest.raises(of_block or RuntimeError):
        await block()
    (line,) = errors(caplog)
    assert "ended with RuntimeError at test_webhooks_inbox_running.py:" in line


@pytest.mark.parametrize("by", ["task", "scope"])
async def test_a_block_that_is_cancelled_gives_back_what_its_worker_has(inbox, by):
    begun = anyio.Event()

    async def work(event):
        begun.set()
        await anyio.sleep_forever()

    async def block():
        async with inbox.working(handling(work)):
            await anyio.sleep_forever()

    await inbox.add(event_of())
    with anyio.fail_after(10):
        if by == "task":
            task = asyncio.create_task(block())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            async with anyio.create_task_group() as group:
                group.start_soon(block)
                await begun.wait()
                group.cancel_scope.cancel()
    (again,) = await inbox.take(1)
    assert again.tries == 1


async def test_a_graceful_end_that_is_cancelled_gives_back_what_is_left(inbox):
    begun, ending = anyio.Event(), anyio.Event()

    async def work(event):
        begun.set()
        await anyio.sleep_forever()

    async def block():
        async with inbox.working(handling(work)):
            await begun.wait()
            ending.set()

    await inbox.add(event_of())
    with anyio.fail_after(10):
        task = asyncio.create_task(block())
        await ending.wait()
        await anyio.lowlevel.checkpoint()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (again,) = await inbox.take(1)
    assert again.tries == 1


# --- a handler that fails ---------------------------------------------------------------------------


async def test_a_handler_that_cancels_itself_has_failed(inbox, caplog):
    told = []

    async def on_error(error, event):
        told.append((type(error), event))
        raise RuntimeError("asha@example.org")

    await inbox.add(event := event_of())
    async with inbox.working(handling(cancelled_itself), on_error=on_error):
        await until_empty(inbox)
    (letter,) = await inbox.dead_letters()
    assert letter.tries == 3
    assert letter.problem.startswith("HandlerCancelledError at test_webhooks_inbox_running.py:")
    assert told == [(HandlerCancelledError, event)] * 3
    hook = [line for line in errors(caplog) if line.startswith("on_error failed with RuntimeError")]
    assert len(hook) == 3
    assert "asha@" not in caplog.text


async def test_what_ends_the_task_of_a_handler_counts_as_a_try(inbox, caplog):
    class Abort(BaseException):
        pass

    async def abort(event):
        raise Abort

    await inbox.add(event_of())
    async with inbox.working(handling(abort)):
        await until_empty(inbox)
    (letter,) = await inbox.dead_letters()
    assert letter.tries == 3
    assert any(line.startswith("a worker failed with Abort") for line in errors(caplog))


# --- the receiver before it -------------------------------------------------------------------------


async def test_a_second_event_without_a_time_is_told(inbox, caplog):
    receiver = WebhookReceiver(auth=None, store=inbox)
    body = sample_event(TestResumeEnabled).replace(b"timestamp_GMT", b"nothing")
    for _ in range(2):
        assert await status(receiver, body) == 200
    (line,) = [one.getMessage() for one in caplog.records]
    assert line.startswith("not handled again: TestResumeEnabled")
    assert await inbox.waiting() == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"strict": True}, "leave out strict, .* give strict to inbox.run"),
        (
            {"handler_timeout": 120.0},
            "leave out handler_timeout, .* give handler_timeout to inbox.run",
        ),
        ({"on_error": nothing}, "leave out on_error, .* give on_error to inbox.run"),
        ({"busy_wait": 3.0}, "leave out busy_wait, .* by the store$"),
        ({"seen": MemorySeenEvents(), "strict": True}, "leave out seen, strict, .* give strict to"),
    ],
)
def test_what_does_nothing_with_a_store_is_refused(given, told):
    class Store:
        async def add(self, event, key):
            return True

    with pytest.raises(ConfigurationError, match=f"^store: {told}"):
        WebhookReceiver(auth=None, store=Store(), **given)
    WebhookReceiver(auth=None, store=Store())
