"""An inbox of events in SQLite or PostgreSQL: they are committed at once and handled later."""

from __future__ import annotations

import secrets
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from attrs import field, frozen

from mettl_async.errors import ConfigurationError, WorkerEndedError
from mettl_async.models._fold_email import fold_email
from mettl_async.models.event import Event
from mettl_async.sql_backend import sa
from mettl_async.sql_batches import Batches
from mettl_async.webhooks.handlers import EventHandlers
from mettl_async.webhooks.identity import event_identity
from mettl_async.webhooks.inbox_statements import InboxStatements, inbox_table
from mettl_async.webhooks.inbox_worker import DeadLetter, InboxWorker, OnPoison, Taken
from mettl_async.webhooks.local_workers import LocalWorkers
from mettl_async.webhooks.processing import OnError
from mettl_async.webhooks.seen_events import DAY, LEASE, Claim, check_positive, key_digest
from mettl_async.webhooks.sql_claims import SqlClaims
from mettl_async.webhooks.stored_event import event_text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["DeadLetter", "OnPoison", "SqlEventInbox"]

TABLE: Final = "mettl_inbox"
REMEMBER: Final = 90 * DAY
_LISTED: Final = 1000  # dead letters at once


class SqlEventInbox(SqlClaims):
    """An inbox in one table of SQLite or PostgreSQL: a receiver fills it, any number of workers empty it.

    Example::

        engine = create_async_engine("sqlite+aiosqlite:///service.db", hide_parameters=True)
        inbox = SqlEventInbox(engine)
        await inbox.create_table()
        receiver = WebhookReceiver(auth=None, store=inbox)  # commits, then answers 200


        @receiver.on(TestGraded)
        async def graded(event: TestGraded, claim: Claim) -> None:
            async with inbox.transaction(claim) as connection:
                await connection.execute(scores.insert().values(marks=event.marks_scored))


        await inbox.add(parse_event(sample_event(TestGraded)))  # as the receiver does
        async with inbox.working(receiver.handlers):  # such as in the lifespan of an app
            print(await inbox.waiting(), "to handle")
        async with asyncio.TaskGroup() as group:  # or as a task, until it is stopped
            group.create_task(inbox.run(receiver.handlers))
            inbox.stop()
        for letter in await inbox.dead_letters():
            print(letter.kind, letter.problem)
        await inbox.replay()  # once the reason is mended
        await inbox.forget()  # daily

    An event is taken by one worker at a time, the oldest first. Of one candidate of a schedule there is one
    at a time, in the order in which they came: while the first is tried again, the next ones wait. A
    worker that dies loses its events when the lease is over, by the clock of the database.

    What a handler writes by `transaction` or with `mark` happens exactly once. A handler that does neither
    is called again if its worker dies before the event is marked.

    An event that fails is tried again after a pause that doubles from ``first_pause`` to
    ``longest_pause``; after ``max_tries`` it is a dead letter in the same table, which ``on_poison`` of `run`
    gets and which stays until `replay` (``mettl webhooks replay``). Tries that killed their worker count.

    The table holds each event as it came, with the personal data in it, until it is handled; then its
    digest only, so that it is not handled again. `forget` deletes those. No log shows an event, not even those of
    SQLAlchemy and aiosqlite at DEBUG. The values of your own statements they may show: make the engine with
    ``hide_parameters=True``, and leave the logger ``aiosqlite``, which knows no such option, above DEBUG.

    Behind PgBouncer make the engine with `pgbouncer_options`. It runs on asyncio only, as does SQLAlchemy.

    Args:
        engine: An engine that stays yours, with its pool; it is never disposed of here.
        table: Name of the table.
        lease: Seconds that a worker has an event, above 0.
        remember: Seconds after which `forget` deletes a handled event, above 0.
        max_tries: How often an event is tried, at least 1.
        first_pause: Seconds before the second try, above 0.
        longest_pause: Seconds before any try, at most, above 0.

    Attributes:
        lease: Seconds that a worker has an event.

    Raises:
        ConfigurationError: Another database, a sync engine, a SQLite in memory, a blank table name, or a
            number that is not positive.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        table: str = TABLE,
        lease: float = LEASE,
        remember: float = REMEMBER,
        max_tries: int = 10,
        first_pause: float = 1.0,
        longest_pause: float = 600.0,
    ) -> None:
        check_positive(
            lease=lease,
            remember=remember,
            max_tries=max_tries,
            first_pause=first_pause,
            longest_pause=longest_pause,
        )
        # The key of a claim is the digest already: nothing else is in the table.
        super().__init__(engine, inbox_table(table), cleared=["body", "problem"], digest=str)
        self.lease = lease
        self.max_tries = max_tries
        self.first_pause = first_pause
        self.longest_pause = longest_pause
        self._remember = remember
        self._statements = InboxStatements.of(self.table, self._backend.dialect)
        self._adding = Batches(backend=self._backend, work=self._add_all, key=lambda new: new.key)
        self._lock = {"lock": crc32(table.encode())}
        self._workers = LocalWorkers(table)

    async def add(self, event: Event, key: str | None = None) -> bool:
        """Keep an event; when this returns, it is committed.

        Args:
            event: Event.
            key: What two deliveries of it share; by default `event_identity`.

        Returns:
            Whether it was not there before.

        Raises:
            ConfigurationError: The table is not there.
            WorkerEndedError: It is committed, but the last worker of this inbox in this process ended by an
                error, and none runs since: a sender must learn that something is wrong.
            sqlalchemy.exc.DBAPIError: The database stayed locked or refused.
            OSError: The database can't be reached.
        """
        digest = key_digest(event_identity(event) if key is None else key)
        new = _New(
            key=digest,
            candidate=_candidate(event, digest),
            kind=type(event).__name__,
            body=event_text(event),
        )
        is_new = await self._adding.add(new)
        self._workers.wake()
        if (problem := self._workers.problem) is not None:
            raise WorkerEndedError(
                f"the event is kept, but the worker of inbox {self.table.name} ended with {problem}"
            )
        return is_new

    # Not async, so that it counts from the call on: stop() may come before a task has begun with it.
    def run(
        self,
        handlers: EventHandlers,
        *,
        concurrency: int = 10,
        handler_timeout: float = 30.0,
        longest_idle: float = 1.0,
        strict: bool = False,
        on_poison: OnPoison | None = None,
        on_error: OnError | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Handle events, until `stop` is called; then end those that are being handled.

        If it is cancelled, they are cancelled and given back at once. A database that is away is waited for,
        and so is a table that was there before: the log says once that it is away, and once that it is back.

        An error that ends it is logged, too. Until it is called again, a receiver with this inbox as
        ``store`` answers 503 in this process, though it keeps what comes.

        Args:
            handlers: What to call, such as ``receiver.handlers``.
            concurrency: Events at a time, above 0.
            handler_timeout: Seconds for all handlers of an event, shorter than the lease.
            longest_idle: Seconds between two looks at an empty inbox, above 0, at most. What is added in this
                process is seen at once.
            strict: Whether an event of a type without a handler fails, instead of being done with a warning.
            on_poison: Awaited with each event that is given up, and its dead letter, once it is committed.
                The event is None if it could not be read. A failure of it is logged.
            on_error: Awaited with the exception and the event whenever a handler failed, once that is
                committed. It has ``handler_timeout`` seconds. A failure of it is logged.

        Raises:
            ConfigurationError: No handlers, or a number that makes no sense: at once. The table is not there:
                when it is awaited.
        """
        worker = InboxWorker(
            inbox=self,
            handlers=handlers,
            concurrency=concurrency,
            handler_timeout=handler_timeout,
            longest_idle=longest_idle,
            strict=strict,
            on_poison=on_poison,
            on_error=on_error,
        )
        return self._workers.run(self._workers.checked(worker))

    def working(
        self,
        handlers: EventHandlers,
        *,
        concurrency: int = 10,
        handler_timeout: float = 30.0,
        longest_idle: float = 1.0,
        strict: bool = False,
        on_poison: OnPoison | None = None,
        on_error: OnError | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Handle events beside a block, such as the lifespan of an app; see `run` for the rest.

        ::

            async with inbox.working(receiver.handlers):
                yield

        The block begins once the inbox was looked at. At its end no more events are taken, and those
        that are being handled are ended; if the block is cancelled, they are given back.

        Raises:
            ConfigurationError: As of `run`. If the worker ended by it meanwhile, it is raised at the end of
                the block, unless the block itself raises.
        """
        worker = InboxWorker(
            inbox=self,
            handlers=handlers,
            concurrency=concurrency,
            handler_timeout=handler_timeout,
            longest_idle=longest_idle,
            strict=strict,
            on_poison=on_poison,
            on_error=on_error,
        )
        return self._workers.working(self._workers.checked(worker))

    def stop(self) -> None:
        """Let every `run` and `working` of this inbox in this process take no more events.

        Each ends when those that are being handled are. One that is called later is not stopped.
        """
        self._workers.stop()

    async def take(self, most: int) -> Sequence[Taken]:
        """Claim the oldest events that may be handled now, at most so many."""
        token = secrets.token_hex(16)
        bound = {"most": most, "lease": self.lease, "new_token": token}

        async def work(connection: AsyncConnection) -> Sequence[Taken]:
            if self._statements.lock is not None:
                await connection.execute(self._statements.lock, self._lock)
            rows = (await connection.execute(self._statements.take, bound)).all()
            return [
                Taken(
                    id=row.id,
                    claim=Claim(key=row.key_digest, token=token),
                    kind=row.kind,
                    body=row.body,
                    tries=row.tries,
                )
                for row in sorted(rows, key=lambda row: row.id)
            ]

        return await self._backend.run(work)

    async def give_back(self, claim: Claim) -> bool:
        """Let an event be taken at once, as if it had not been tried."""
        return await self._change(self._statements.give_back, claim)

    async def try_again(self, claim: Claim, pause: float, problem: str) -> bool:
        """Let an event be taken after a pause of some seconds."""
        return await self._change(
            self._statements.try_again, claim, pause=pause, new_problem=problem
        )

    async def give_up(self, claim: Claim, problem: str) -> bool:
        """Make an event a dead letter."""
        return await self._change(self._statements.give_up, claim, new_problem=problem)

    async def dead_letters(self, ids: Sequence[int] | None = None) -> list[DeadLetter]:
        """List events that kept failing, the oldest first: a thousand at most, or these."""
        row = self.table.c
        query = sa.select(*(row[name] for name in _FIELDS))
        query = query.where(row.dead_at.is_not(None)).order_by(row.id).limit(_LISTED)
        if ids is not None:
            query = query.where(row.id.in_(ids))

        async def work(connection: AsyncConnection) -> list[DeadLetter]:
            rows = (await connection.execute(query)).mappings()
            return [DeadLetter(**{**one, "problem": one["problem"] or ""}) for one in rows]

        return await self._backend.run(work)

    async def replay(self, ids: Sequence[int] | None = None) -> int:
        """Let dead letters be handled again, as if they had just come: all, or these.

        Returns:
            How many that were.
        """
        replay = self._statements.replay
        if ids is not None:
            replay = replay.where(self.table.c.id.in_(ids))
        return await self._backend.change(replay, {})

    async def waiting(self) -> int:
        """Count the events that are neither handled nor dead letters."""

        async def work(connection: AsyncConnection) -> int:
            return int((await connection.execute(self._statements.waiting)).scalar_one())

        return await self._backend.run(work)

    async def forget(self, older_than: float | None = None) -> int:
        """Delete the events that were handled long ago; dead letters stay.

        An event that comes again after it was deleted is handled again.

        Args:
            older_than: Seconds; ``remember`` if None.

        Returns:
            Number of events that were deleted.
        """
        age = self._remember if older_than is None else older_than
        if not age >= 0:
            raise ConfigurationError("older_than: must not be negative")
        return await self._backend.change(self._statements.forget, {"age": age})

    async def _change(self, statement: sa.Update, claim: Claim, **more: float | str) -> bool:
        parameters = {**self._marks.bound(claim), **more}
        return await self._backend.change(statement, parameters) == 1

    async def _add_all(self, connection: AsyncConnection, new: Sequence[_New]) -> Sequence[bool]:
        bound = {"batch": self._statements.batch([one.row for one in new])}
        added = set((await connection.execute(self._statements.add, bound)).scalars())
        return [one.key in added for one in new]


_FIELDS: Final = ("id", "kind", "tries", "problem", "received_at", "dead_at")


@frozen(kw_only=True)
class _New:
    """An event to add."""

    key: str
    candidate: str
    kind: str
    body: str = field(repr=False)

    @property
    def row(self) -> tuple[str, str, str, str]:
        return self.key, self.candidate, self.kind, self.body


def _candidate(event: Event, key: str) -> str:
    """Give what the events of one candidate of a schedule share; of who is not known nobody waits."""
    if not event.email or not event.access_key:
        return key
    return key_digest(f"{event.access_key}\n{fold_email(event.email)}")
