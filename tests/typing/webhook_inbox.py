"""An inbox as users write it, checked by mypy --strict and pyright, never run."""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from typing import assert_type

from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from mettl_async.sql_backend import pgbouncer_options
from mettl_async.webhooks import Claim, Event, EventHandlers, TestGraded, WebhookReceiver
from mettl_async.webhooks.sql_inbox import DeadLetter, SqlEventInbox

engine = create_async_engine("postgresql+asyncpg://ats@db/ats", **pgbouncer_options())
inbox = SqlEventInbox(engine, lease=120, max_tries=5)
receiver = WebhookReceiver(auth=None, store=inbox)
handlers = EventHandlers()


@handlers.on(TestGraded)
async def graded(event: TestGraded, claim: Claim) -> None:
    async with inbox.transaction(claim) as connection:
        await connection.exec_driver_sql("select 1")
    async with AsyncSession(engine) as session, session.begin():
        await inbox.mark(claim, session)


@handlers.on(TestGraded)  # type: ignore[arg-type]
async def without_the_event() -> None: ...


async def poison(event: Event | None, letter: DeadLetter) -> None:
    assert_type(letter.tries, int)


async def work() -> None:
    await inbox.run(handlers, concurrency=20, on_poison=poison)
    await inbox.run(receiver.handlers)
    inbox.stop()
    assert_type(await inbox.dead_letters(), list[DeadLetter])
    assert_type(await inbox.replay([1, 2]), int)
    await inbox.run([graded])  # type: ignore[arg-type]
