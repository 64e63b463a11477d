"""An inbox: what is answered with 200 is committed, and each event is handled once, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import anyio
import pytest
import sqlalchemy as sa
from asgi_calls import PASSWORD, USERNAME, call
from inbox_events import event_of, handling, until_empty
from sql_rows import rows_of
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.errors import ClaimLostError, ConfigurationError
from mettl_async.webhooks import (
    BasicAuth,
    EventHandlers,
    MemorySeenEvents,
    TestFinished,
    TestGraded,
    TestStarted,
    UnknownEvent,
    WebhookReceiver,
    parse_event,
    sample_event,
)
from mettl_async.webhooks.sql_inbox import SqlEventInbox

AUTH = BasicAuth(username=USERNAME, password=PASSWORD)


@contextlib.asynccontextmanager
async def working(inbox, handlers, **given):
    """A worker, which ends what it does at the end of the block."""
    task = asyncio.create_task(inbox.run(handlers, **{"longest_idle": 0.05, **given}))
    try:
        yield task
    finally:
        inbox.stop()
        await task


async def make_older(engine, inbox, seconds):
    row = inbox.table.c
    async with engine.begin() as connection:
        await connection.execute(
            sa.update(inbox.table).values(
                due_at=row.due_at - seconds, done_at=row.done_at - seconds
            )
        )


async def test_a_receiver_answers_200_before_anything_is_handled(inbox):
    receiver, came = WebhookReceiver(auth=AUTH, store=inbox), []

    @receiver.on(TestGraded)
    async def graded(event):
        came.append(event)

    body = sample_event(TestGraded)
    for _ in range(2):
        assert (await call(receiver, body)).status == 200
    assert not came
    assert await inbox.waiting() == 1
    async with working(inbox, receiver.handlers):
        await until_empty(inbox)
    assert came == [parse_event(body)]
    assert (await call(receiver, body)).status == 200
    assert await inbox.waiting() == 0, "it was handled"


async def test_a_receiver_needs_no_handlers_of_its_own(inbox):
    receiver = WebhookReceiver(auth=AUTH, store=inbox)
    assert (await call(receiver, sample_event(TestStarted))).status == 200
    assert await inbox.waiting() == 1


async def test_without_the_table_the_answer_is_503_and_the_log_says_what_to_call(
    engine, table_name, caplog
):
    inbox = SqlEventInbox(engine, table=table_name)
    receiver = WebhookReceiver(auth=AUTH, store=inbox)
    assert (await call(receiver, sample_event(TestStarted))).status == 503
    assert f"table {table_name}: is not in the database; call create_table()" in caplog.text
    with pytest.raises(ConfigurationError, match="create_table"):
        await inbox.run(handling(print_nothing))


async def print_nothing(event):
    pass


async def test_events_of_one_candidate_are_never_at_work_at_once_and_keep_their_order(inbox):
    at_work, most, order = Counter(), Counter(), {}

    async def work(event):
        at_work[event.email] += 1
        most[event.email] = max(most[event.email], at_work[event.email])
        await anyio.sleep(0.002)
        order.setdefault(event.email, []).append(type(event))
        at_work[event.email] -= 1

    kinds = [TestStarted, TestFinished, TestGraded]
    for kind in kinds:
        await asyncio.gather(*(inbox.add(event_of(kind, number)) for number in range(12)))
    async with working(inbox, handling(work)), working(inbox, handling(work)):
        await until_empty(inbox)
    assert set(most.values()) == {1}
    assert order == dict.fromkeys((f"c{number}@example.org" for number in range(12)), kinds)


async def test_the_oldest_come_first(inbox):
    order = []

    async def work(event):
        order.append(event.email)

    for number in range(20):
        await inbox.add(event_of(number=number))
    async with working(inbox, handling(work), concurrency=1):
        await until_empty(inbox)
    assert order == [f"c{number}@example.org" for number in range(20)]


async def test_an_event_that_is_committed_after_a_later_one_waits_for_it(engine, inbox):
    """Two processes add events of one candidate, and the second commits first."""
    for kind in (TestStarted, TestGraded):
        await inbox.add(event_of(kind))
    async with engine.begin() as connection:  # the first one is not there yet
        await connection.execute(
            sa.update(inbox.table).where(inbox.table.c.id == 1).values(done_at=0)
        )
    (later,) = await inbox.take(5)
    async with engine.begin() as connection:
        await connection.execute(
            sa.update(inbox.table).where(inbox.table.c.id == 1).values(done_at=None)
        )
    assert await inbox.take(5) == []
    await inbox.complete(later.claim)
    (first,) = await inbox.take(5)
    assert first.id == 1


async def test_what_fails_is_tried_again_while_the_next_of_its_candidate_waits(inbox):
    tried = []

    async def work(event):
        tried.append((type(event), event.email))
        if len([one for one in tried if one == tried[-1]]) < 3 and event.email == "c0@example.org":
            raise RuntimeError("by chance")

    for kind in (TestStarted, TestGraded):
        for number in range(2):
            await inbox.add(event_of(kind, number))
    async with working(inbox, handling(work)):
        await until_empty(inbox)
    mine = [kind for kind, email in tried if email == "c0@example.org"]
    assert mine == [TestStarted] * 3 + [TestGraded] * 3
    assert await inbox.dead_letters() == []


async def test_what_keeps_failing_is_a_dead_letter_without_personal_data(inbox, all_logs):
    poisoned = []

    async def work(event):
        raise RuntimeError(f"no room for {event.email}")

    async def on_poison(event, letter):
        poisoned.append((event, letter))
        raise RuntimeError(event.email)

    event = event_of()
    await inbox.add(event)
    async with working(inbox, handling(work), on_poison=on_poison):
        await until_empty(inbox)
    (letter,) = await inbox.dead_letters()
    assert poisoned == [(event, letter)]
    assert (letter.kind, letter.tries) == ("TestGraded", 3)
    assert "RuntimeError at test_webhooks_inbox.py:" in letter.problem
    ours = [line for line in all_logs if "mettl_async.webhooks" in line]
    assert any("given up after 3 tries" in line for line in ours)
    assert not [line for line in ours if "c0@" in line]


async def test_a_dead_letter_comes_again_when_it_is_replayed(inbox):
    works, came = False, []

    async def work(event):
        if not works:
            raise RuntimeError
        came.append(event)

    for number in range(3):
        await inbox.add(event_of(number=number))
    async with working(inbox, handling(work)):
        await until_empty(inbox)
    letters = await inbox.dead_letters()
    assert len(letters) == 3
    assert await inbox.add(event_of(number=0)) is False, "a second delivery changes nothing"
    works = True
    assert await inbox.replay([letters[0].id]) == 1
    assert await inbox.replay() == 2
    async with working(inbox, handling(work)):
        await until_empty(inbox)
    assert len(came) == 3
    assert await inbox.dead_letters() == []


async def test_an_event_whose_workers_die_is_given_up_without_being_called_again(engine, inbox):
    await inbox.add(event_of())
    for _ in range(3):
        assert len(await inbox.take(1)) == 1
        assert await inbox.take(1) == []
        await make_older(engine, inbox, 3600)
    called = []

    async def work(event):
        called.append(event)

    async with working(inbox, handling(work)):
        await until_empty(inbox)
    assert not called
    (letter,) = await inbox.dead_letters()
    assert letter.problem == "its worker died while it was handled"


async def test_who_lost_an_event_can_neither_complete_nor_fail_it(engine, inbox):
    await inbox.add(event_of())
    (slow,) = await inbox.take(1)
    await make_older(engine, inbox, 3600)
    (quick,) = await inbox.take(1)
    assert not await inbox.complete(slow.claim)
    assert not await inbox.give_back(slow.claim)
    assert not await inbox.try_again(slow.claim, 0, "")
    assert not await inbox.give_up(slow.claim, "")
    with pytest.raises(ClaimLostError):
        async with inbox.transaction(slow.claim):
            pass
    assert await inbox.complete(quick.claim)


async def test_nothing_personal_stays_when_it_is_handled(engine, inbox):
    await inbox.add(event_of())
    assert "c0@example.org" in repr(await rows_of(engine, inbox.table))
    async with working(inbox, handling(print_nothing)):
        await until_empty(inbox)
    assert "c0@example.org" not in repr(await rows_of(engine, inbox.table))
    assert await inbox.forget() == 0
    assert await inbox.forget(older_than=0) == 1


async def test_a_worker_that_is_stopped_ends_what_it_has(inbox):
    begun, go_on = anyio.Event(), anyio.Event()

    async def work(event):
        begun.set()
        await go_on.wait()

    for number in range(2):
        await inbox.add(event_of(number=number))
    task = asyncio.create_task(inbox.run(handling(work), concurrency=1))
    await begun.wait()
    inbox.stop()
    await anyio.sleep(0.02)
    assert not task.done()
    go_on.set()
    await task
    assert await inbox.waiting() == 1


async def test_a_worker_that_is_cancelled_gives_back_what_it_has(inbox):
    begun = anyio.Event()

    async def work(event):
        begun.set()
        await anyio.sleep_forever()

    await inbox.add(event_of())
    task = asyncio.create_task(inbox.run(handling(work)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (again,) = await inbox.take(1)
    assert again.tries == 1


async def test_a_database_that_is_away_is_waited_for(inbox, monkeypatch):
    take, failed = inbox.take, []

    async def sometimes(most):
        if not failed:
            failed.append(most)
            raise OSError("the database is away")
        return await take(most)

    monkeypatch.setattr(inbox, "take", sometimes)
    monkeypatch.setattr("mettl_async.webhooks.inbox_worker._AWAY", 0.01)
    await inbox.add(event_of())
    async with working(inbox, handling(print_nothing)):
        await until_empty(inbox)
    assert failed


async def test_an_event_without_a_handler_is_told_once_or_kept_if_strict(inbox, caplog):
    handlers = handling(print_nothing, TestStarted)
    for number in range(3):
        await inbox.add(event_of(TestGraded, number))
    async with working(inbox, handlers):
        await until_empty(inbox)
    assert len([one for one in caplog.records if "no handler for TestGraded" in one.message]) == 1
    await inbox.add(event_of(TestGraded, 9))
    async with working(inbox, handlers, strict=True):
        await until_empty(inbox)
    (letter,) = await inbox.dead_letters()
    assert letter.problem == "no handler is declared for its type"


async def test_a_known_event_that_cannot_be_read_is_kept(inbox):
    await inbox.add(parse_event(b'{"EVENT_TYPE": "gradedAssessment"}'))
    async with working(inbox, handling(print_nothing)):
        await until_empty(inbox)
    (letter,) = await inbox.dead_letters()
    assert letter.kind == "UnknownEvent"
    assert "cannot be read" in letter.problem


async def test_events_without_a_candidate_do_not_wait_for_each_other(inbox):
    for kind in "abc":
        await inbox.add(parse_event(b'{"EVENT_TYPE": "%s"}' % kind.encode()))
    taken = await inbox.take(10)
    assert [one.tries for one in taken] == [1, 1, 1]
    await asyncio.gather(*(inbox.complete(one.claim) for one in taken))
    assert await inbox.waiting() == 0


async def test_what_makes_no_sense_is_refused(inbox, engine):
    with pytest.raises(ConfigurationError, match="max_tries"):
        SqlEventInbox(engine, max_tries=0)
    with pytest.raises(ConfigurationError, match="store"):
        WebhookReceiver(auth=AUTH, store=inbox, seen=MemorySeenEvents())
    with pytest.raises(ConfigurationError, match="handlers"):
        await inbox.run(EventHandlers())
    with pytest.raises(ConfigurationError, match="lease"):
        await inbox.run(handling(print_nothing, UnknownEvent), handler_timeout=3600)
    with pytest.raises(ConfigurationError, match="concurrency"):
        await inbox.run(handling(print_nothing), concurrency=0)
    with pytest.raises(ConfigurationError, match="older_than"):
        await inbox.forget(older_than=-1)


async def test_taking_reads_no_whole_table_though_its_statistics_are_old(postgres_url, table_name):
    engine = create_async_engine(postgres_url)
    inbox = SqlEventInbox(engine, table=table_name)
    await inbox.create_table()
    take = inbox._statements.take.compile(dialect=postgresql.dialect(paramstyle="pyformat"))
    given = {**take.params, "most": 10, "lease": 60.0, "new_token": "made up"}
    text = str(take) % {name: repr(value) for name, value in given.items()}
    async with engine.begin() as connection:
        names = "key_digest, candidate, kind, body, received_at, due_at, tries"
        await connection.exec_driver_sql(
            f"insert into {table_name} ({names}) select n, n / 3, '', '', 1, 1, 0"  # noqa: S608 - ours
            " from generate_series(1, 20000) as numbers(n)"
        )
        plan = (await connection.exec_driver_sql(f"explain {text}")).scalars().all()
        await connection.execute(inbox._statements.lock, inbox._lock)
        jit = (await connection.exec_driver_sql("show jit")).scalar_one()
    assert not [line for line in plan if "Seq Scan" in line], plan
    assert jit == "off"
    await engine.dispose()
