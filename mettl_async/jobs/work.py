"""What a worker runs: the work of one chunk, what may come of it, and how often it looks at things."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
from attrs import define, field, frozen

from mettl_async.bulk.outcomes import JournalError
from mettl_async.errors import ConfigurationError, MettlError
from mettl_async.sql_backend import sa
from mettl_async.webhooks.processing import place_of

if TYPE_CHECKING:
    from mettl_async.client import MettlClient
    from mettl_async.jobs.chunk_journal import ChunkLease
    from mettl_async.jobs.chunk_work import ClaimedChunk
    from mettl_async.jobs.observing import WorkerObserver
    from mettl_async.sql_backend import Backend

logger: Final = logging.getLogger("mettl_async.jobs")
_LONGEST_AWAY: Final = 5.0  # seconds between two tries to reach the database


@frozen(kw_only=True)
class Pace:
    """How often a worker looks at things, in seconds.

    Attributes:
        lease: How long a worker may be silent until its chunks are handed on.
        tick: Between two looks of the leader at what has to be handed out, and of others at the leader.
        busy: Between two looks at its queues, as long as it runs a chunk.
        idle: The same, as long as it runs none.
        watch: Between two looks at the states of the jobs that are being run.
        first_pause: Until a chunk with people left is tried again; doubled each time.
        longest_pause: The bound of that.
        unanswered: Until a chunk is tried again, at least, whose server answered nobody.
        finish: What is in flight may take so long when the worker stops.
        sweep: Between two times when the leader deletes what has ended.
    """

    lease: float = 30.0
    tick: float = 2.0
    busy: float = 0.2
    idle: float = 2.0
    watch: float = 1.0
    first_pause: float = 10.0
    longest_pause: float = 600.0
    unanswered: float = 60.0
    finish: float = 20.0
    sweep: float = 20.0

    def pause(self, tries: int, chance: float) -> float:
        """Return the seconds until a chunk is tried again that ended with people left so often before."""
        return min(self.first_pause * 2.0 ** min(tries, 60), self.longest_pause) * (1 + chance) / 2


@frozen(kw_only=True)
class Work:
    """A chunk to run.

    Attributes:
        backend: Of the tables.
        lease: What allows to write about the chunk.
        chunk: What was claimed.
        client: Of the account.
        concurrency: Calls at once.
        stopping: Set when nothing further is to be begun: the worker stops, or the job is paused. What is
            in flight is finished and recorded.
        observers: Who is told of each outcome.
    """

    backend: Backend
    lease: ChunkLease
    chunk: ClaimedChunk
    client: MettlClient
    concurrency: int
    stopping: asyncio.Event
    observers: Sequence[WorkerObserver] = ()


@frozen
class Finished:
    """All was tried; whether people are left stands in the tables.

    Attributes:
        problem: Why some are, without personal data.
        unanswered: Whether the server answered nobody, so that it may be away.
    """

    problem: str = ""
    unanswered: bool = False


@frozen
class Stopped:
    """It was told to stop, or cannot be run here now; the rest is done later.

    Attributes:
        pause: Seconds until then.
    """

    pause: float = 0.0


@frozen
class Refused:
    """The account or the schedule was refused: the whole job waits for somebody to mend that.

    Attributes:
        problem: What for, without personal data.
    """

    problem: str


Ending: TypeAlias = Finished | Stopped | Refused
Runner: TypeAlias = Callable[[Work], Awaitable[Ending]]
"""Runs a chunk of one kind of job.

What it raises: `JournalError` if the database failed, or the chunk was lost; a `ConfigurationError` if this
version cannot run it.
"""


@define(eq=False)
class Presence:
    """Say once that the database is away, and once that it is back, however many loops notice."""

    is_away: bool = field(default=False, init=False)

    def went(self, error: Exception) -> None:
        """Note that something failed; what is no failure of the database is said each time."""
        if not is_away(error):
            logger.error("a worker failed with %s%s", type(error).__name__, place_of(error))
        elif not self.is_away:
            self.is_away = True
            logger.warning(
                "the database cannot be used (%s%s); trying again until it can",
                type(error).__name__,
                place_of(error),
            )

    def came(self) -> None:
        """Note that something succeeded."""
        if self.is_away:
            self.is_away = False
            logger.warning("the database can be used again")

    async def steadily(
        self, step: Callable[[], Awaitable[object]], pause: Callable[[], float]
    ) -> None:
        """Do a step again and again with pauses between; one that fails is tried again sooner or later."""
        tries = 0
        while True:
            if await self.succeeds(step):
                tries = 0
                await anyio.sleep(pause())
            else:
                tries += 1
                await anyio.sleep(min(0.1 * 2.0 ** min(tries, 10), _LONGEST_AWAY))

    async def succeeds(self, step: Callable[[], Awaitable[object]]) -> bool:
        """Do a step; return whether it did not fail because of the database."""
        try:
            await step()
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - a database that is away comes back
            self.went(error)
            return False
        return True


def named(error: MettlError) -> str:
    """Name an error by its class and Mettl's code: nothing of a person is in it."""
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def is_away(error: BaseException) -> bool:
    """Return whether the database failed, rather than what it was asked."""
    cause = error.__cause__ if isinstance(error, JournalError) else error
    failures = sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError | OSError
    return isinstance(cause, failures) or (
        isinstance(cause, sa.exc.DBAPIError) and cause.connection_invalidated
    )
