"""One rate for all workers that use an account, kept in the database of the jobs."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from attrs import define, field

from mettl_async.config import number, require
from mettl_async.errors import ConfigurationError
from mettl_async.jobs.tables import rates
from mettl_async.jobs.turns import LONGEST_PAUSE, Answer, Turns, horizon
from mettl_async.sql_backend import INSERTS, NOW, Backend, sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

RATE: Final = number(0.01, 10_000)

_FIRST_PAUSE: Final = 0.25  # seconds until a database that is away is asked again
_LONGEST_PAUSE: Final = 5.0

_log = logging.getLogger("mettl_async")


@define(eq=False)
class DatabaseRate:
    """At most ``per_second`` requests of an account, evenly spaced, by all processes together.

    Pass it as ``client.with_options(rate_limiter=...)``. No second has more than 1.2 times the rate, and
    while there is enough to send, the mean is the rate. A pause that the server asks one process for is
    kept by all, within half a second. Times are those of the database, so that the clocks of the machines
    need not agree. Within a process the first come is the first served.

    While the database is away, nothing is sent. It is the database of the jobs: without it no outcome could
    be recorded either, and ten workers that kept the rate by themselves would send ten times as much as the
    account may. asyncio only, and one event loop, as the client.

    Args:
        backend: Of the database where the table of rates is; it stays whose it was.
        account: What is counted. No key.
        per_second: Requests per second, 0.01 to 10,000; all processes must say the same.

    Raises:
        ConfigurationError: An argument cannot work.
    """

    _backend: Backend
    account: str
    per_second: float
    _now: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    _turns: Turns = field(init=False)
    _waiting: int = field(default=0, init=False)
    _first: asyncio.Lock = field(factory=asyncio.Lock, init=False)  # of those who wait
    _news: asyncio.Event = field(factory=asyncio.Event, init=False)
    _question: asyncio.Task[None] | None = field(default=None, init=False)
    _problem: ConfigurationError | None = field(default=None, init=False)
    _away: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        require("per_second", self.per_second, RATE)
        if not isinstance(self.account, str) or not self.account.strip():
            raise ConfigurationError("account: must be a name")
        self._turns = Turns(self.per_second)

    def __repr__(self) -> str:
        return f"DatabaseRate({self.per_second:g} per second, account={self.account!r})"

    async def acquire(self) -> None:
        """Return when one more request may be sent.

        Raises:
            ConfigurationError: The tables of the jobs are not in the database.
        """
        self._waiting += 1
        try:
            async with self._first:
                await self._next()
        finally:
            self._waiting -= 1

    async def pause(self, seconds: float) -> None:
        """Let no process send for so many seconds from now, an hour at most.

        It holds in this process at once. The others are told in the background, as soon as the database
        answers.
        """
        if seconds > 0:
            self._turns.pause(self._now(), seconds)
            self._news.set()
            self._ask(0)

    async def aclose(self) -> None:
        """Ask no more; wait for the statement at work, some seconds at most."""
        if self._question is not None:
            self._question.cancel()
            await asyncio.wait([self._question])

    async def _next(self) -> None:
        """Wait for the next turn of this process, and spend it."""
        while True:
            step = self._turns.step(self._now(), self._waiting)
            self._news.clear()
            if step.turns or step.look:
                self._ask(step.turns)
            if step.wait == 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(step.wait):
                    await self._news.wait()
            if (problem := self._problem) is not None:
                self._problem = None
                raise problem

    def _ask(self, turns: int) -> None:
        """Ask the database, unless a question is on its way; in a task, which no waiter's end cancels."""
        if self._question is None:
            self._question = asyncio.create_task(self._asking(turns))
            self._question.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._question = None
        self._news.set()
        if task.cancelled():
            return
        if isinstance(error := task.exception(), ConfigurationError) and self._waiting:
            self._problem = error
        elif error is None and self._turns.untold(self._now()):
            self._ask(0)  # of what came meanwhile

    async def _asking(self, turns: int) -> None:
        pause = _FIRST_PAUSE
        while True:
            asked = self._now()
            untold = self._turns.untold(asked)
            try:
                sent, got, answer = await self._backend.run(
                    partial(self._answer, turns=turns, pause=untold)
                )
            except ConfigurationError:
                raise
            except Exception as error:  # noqa: BLE001 - a database that is away comes back
                self._say(type(error).__name__)
            else:
                self._say(None)
                self._turns.answered(asked, sent, got, answer, turns=turns, pause=untold)
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads the workers
            pause = min(2 * pause, _LONGEST_PAUSE)
            if not self._waiting and not self._turns.untold(self._now()):
                return  # nobody needs an answer any more

    def _say(self, problem: str | None) -> None:
        """Say once that the database is away, and once that it is back."""
        if problem is not None and not self._away:
            _log.warning(
                "the rate of account %s cannot be read (%s); nothing is sent until it can",
                self.account,
                problem,
            )
        elif problem is None and self._away:
            _log.warning("the rate of account %s can be read again", self.account)
        self._away = problem is not None

    async def _answer(
        self, connection: AsyncConnection, *, turns: int, pause: float
    ) -> tuple[float, float, Answer]:
        """Ask, and tell when it was asked and answered."""
        question = (_reserving if turns or pause else _looking)(self._backend.dialect)
        seconds = turns / self.per_second
        bound = {
            "account": self.account,
            "seconds": seconds,
            "margin": self._turns.margin,
            "horizon": horizon(self.per_second),
            "pause": pause,
        }
        sent = self._now()
        next_turn, paused_until, now = (await connection.execute(question, bound)).one()
        got = self._now()
        return sent, got, Answer(next_turn - seconds, paused_until, now)


@cache
def _reserving(dialect: str) -> sa.Executable:
    """Reserve turns and tell of a pause, in one statement, whose lock makes it one after the other.

    PostgreSQL evaluates what is set after it has waited for the row's lock, and SQLite likewise.
    """
    now = _now_of(dialect)
    latest = sa.func.max if dialect == "sqlite" else sa.func.greatest
    account, seconds, margin, away, pause = (
        sa.bindparam("account", type_=sa.Text),
        *(
            sa.bindparam(name, type_=sa.Double)
            for name in ("seconds", "margin", "horizon", "pause")
        ),
    )
    new_pause = sa.case((pause > 0, now + pause), else_=0.0)
    paused = latest(new_pause, _unless_beyond(now + LONGEST_PAUSE, rates.c.paused_until))
    free = latest(
        _unless_beyond(latest(now, paused) + away, rates.c.next_turn), paused, now + margin
    )
    statement: sa.Executable = (
        INSERTS[dialect](rates)
        .values(account=account, next_turn=now + margin + pause + seconds, paused_until=new_pause)
        .on_conflict_do_update(
            index_elements=[rates.c.account],
            set_={"next_turn": free + seconds, "paused_until": paused},
        )
        .returning(rates.c.next_turn, rates.c.paused_until, now)
    )
    return statement


@cache
def _looking(dialect: str) -> sa.Executable:
    """Read the pause; there may be no row."""
    columns = (
        sa.func.coalesce(sa.func.max(one), 0.0) for one in (rates.c.next_turn, rates.c.paused_until)
    )
    mine = rates.c.account == sa.bindparam("account")
    return sa.select(*columns, _now_of(dialect)).where(mine)


def _now_of(dialect: str) -> sa.ColumnElement[float]:
    return sa.literal_column(NOW[dialect], sa.Double)


def _unless_beyond(
    bound: sa.ColumnElement[float], moment: sa.ColumnElement[float]
) -> sa.Case[float]:
    """Give a moment, or none where the database's clock must have been set back since."""
    return sa.case((moment <= bound, moment), else_=0.0)
