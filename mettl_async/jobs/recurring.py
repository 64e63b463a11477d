"""Recurring work: its rows, and how the leader begins what is due."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from mettl_async.codec import dumps
from mettl_async.display import one_line
from mettl_async.errors import InvalidInputError
from mettl_async.jobs.forgetting import forget
from mettl_async.jobs.pull_spec import PULL, PullSpec, one_task, spec_text
from mettl_async.jobs.statements import now_of
from mettl_async.jobs.tables import chunks, jobs, people, pulled, schedules
from mettl_async.jobs.timetable import Timetable
from mettl_async.jobs.values import Job, JobState, job_row
from mettl_async.jobs.work import logger
from mettl_async.sql_backend import INSERTS, sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from mettl_async.sql_backend import Backend

__all__ = [
    "LISTING",
    "JobSchedule",
    "Recurring",
    "add_schedules",
    "added_pull",
    "every",
    "listed",
    "removed",
]

LISTING: Final = "null"
"""In the place of the first schedule, as long as nobody has listed which ones there are."""
_UNDONE: Final = (str(JobState.SUBMITTING), str(JobState.READY), str(JobState.PAUSED))
_NAME: Final = re.compile(r"[!-.0-?A-~]{1,70}")  # with "@" and a time it is the id of a job
_KEPT: Final = 30  # ended jobs of each schedule
_AT_ONCE: Final = 10


@frozen(kw_only=True)
class JobSchedule:
    """Recurring work.

    Attributes:
        name: Unique in the database.
        cron: When it is due: minute, hour, day, month, day of the week.
        timezone: Whose clocks that means, such as ``Asia/Kolkata``.
        account: Name of the account.
        next_at: When it is due next, in UTC.
        last_job: Id of the job that it made last; None if it was not due yet.
    """

    name: str
    cron: str
    timezone: str
    account: str
    next_at: datetime
    last_job: str | None


async def every(
    backend: Backend, table: Timetable, name: str, account: str, what: PullSpec
) -> JobSchedule:
    """Add recurring work, or change what has this name; see `Jobs.every`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(
            "name", "is no name", 'give 1 to 70 characters of ASCII, but spaces, slashes and "@"'
        )
    statement = _upsert(backend.dialect)

    async def work(connection: AsyncConnection) -> JobSchedule:
        now = (await connection.execute(sa.select(now_of(backend.dialect)))).scalar_one()
        row = {
            "name": name,
            "cron": table.cron,
            "timezone": table.timezone,
            "account": account,
            "spec": spec_text(what, name),
            "next_at": table.after(now),
        }
        return _schedule((await connection.execute(statement, row)).one())

    return await backend.run(work)


async def listed(backend: Backend) -> tuple[JobSchedule, ...]:
    """Return all recurring work, by name."""

    async def work(connection: AsyncConnection) -> tuple[JobSchedule, ...]:
        rows = await connection.execute(sa.select(schedules).order_by(schedules.c.name))
        return tuple(map(_schedule, rows))

    return await backend.run(work)


async def removed(backend: Backend, name: str) -> bool:
    """Delete recurring work, and what it remembers to have pulled."""

    async def work(connection: AsyncConnection) -> bool:
        await connection.execute(sa.delete(pulled).where(pulled.c.task == name))
        gone = await connection.execute(sa.delete(schedules).where(schedules.c.name == name))
        return gone.rowcount > 0

    return await backend.run(work)


async def added_pull(backend: Backend, job_id: str, account: str, what: PullSpec) -> Job:
    """Add a job that pulls once, or return the one that has this id.

    Raises:
        InvalidInputError: That one is another.
    """
    spec = spec_text(what, one_task(job_id))

    async def work(connection: AsyncConnection) -> Job:
        await _add(connection, job_id, account, spec)
        row = (await connection.execute(sa.select(jobs).where(jobs.c.id == job_id))).one()
        if (row.kind, row.account, row.spec) != (PULL, account, spec):
            raise InvalidInputError(
                "id", "is that of another job", "give the job another id, or forget the one there"
            )
        return job_row(row).job

    return await backend.run(work)


async def _add(connection: AsyncConnection, job_id: str, account: str, spec: str) -> bool:
    """Add a job and its chunks, one for each schedule; False if there is one with this id."""
    # Not `spec_of`: a leader of an older version begins what newer workers can do.
    keys = json.loads(spec).get("access_keys")
    texts = [LISTING] if keys is None else [dumps(key) for key in keys]
    now = now_of(connection.dialect.name)
    insert: Any = INSERTS[connection.dialect.name](jobs)
    statement = (
        insert.values(
            id=job_id,
            kind=PULL,
            account=account,
            spec=spec,
            state=str(JobState.READY),
            problem="",
            total=len(texts),
            chunk_size=1,
            submitted_at=now,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(jobs.c.number)
    )
    number = (await connection.execute(statement)).scalar_one_or_none()
    if number is not None:
        await add_schedules(connection, number, texts, 0)
    return number is not None


async def add_schedules(
    connection: AsyncConnection, number: int, texts: list[str], first: int
) -> None:
    """Add what stands for schedules in a job, from a position on, with a chunk each."""
    if not texts:
        return
    where = list(enumerate(texts, first))
    rows = [
        {"job": number, "position": position, "digest": text, "person": text}
        for position, text in where
    ]
    await connection.execute(sa.insert(people), rows)
    parts = [
        {"job": number, "chunk": position, "first": position, "size": 1} for position, _ in where
    ]
    now = now_of(connection.dialect.name)
    await connection.execute(sa.insert(chunks).values(changed_at=now), parts)


@define(eq=False)
class Recurring:
    """What the leader does at each tick: it makes a job of what is due.

    Of each schedule there is one job at a time: a tick is left out, with a line in the log, while the job
    before it is not over. Ticks that passed while nobody led make one job together.
    """

    backend: Backend
    _told: set[tuple[str, str]] = field(factory=set, init=False)

    async def begin_due(self) -> None:
        """Make the jobs that are due; of two leaders at once one makes each."""
        for now, row in await self.backend.run(_due):
            try:
                following = Timetable(row.cron, row.timezone).after(now)
            except InvalidInputError as error:  # its time zone is not known on this machine
                if (row.name, row.timezone) not in self._told:
                    self._told.add((row.name, row.timezone))
                    logger.error("schedule %s cannot be run here: %s", one_line(row.name), error)
                continue
            said = await self.backend.run(partial(_begin, row=row, following=following))
            if said is not None:
                logger.log(*said)
                await self._forget_old(row.name)

    async def _forget_old(self, name: str) -> None:
        row = jobs.c
        old = (
            sa.select(row.id)
            .where(row.kind == PULL, row.id.like(_made_by(name), escape="\\"))
            .where(row.state.not_in(_UNDONE))
            .order_by(row.number.desc())
            .offset(_KEPT)
            .limit(_AT_ONCE)
        )

        async def read(connection: AsyncConnection) -> list[str]:
            return [*(await connection.execute(old)).scalars()]

        for job_id in await self.backend.run(read):
            await forget(self.backend, job_id)


def _made_by(name: str) -> str:
    literal = re.sub(r"([\\%_])", r"\\\1", name)
    return f"{literal}@____-__-__T__:__:__Z"


async def _due(connection: AsyncConnection) -> list[tuple[float, sa.Row[Any]]]:
    now = now_of(connection.dialect.name)
    rows = await connection.execute(
        sa.select(schedules, now.label("now")).where(schedules.c.next_at <= now)
    )
    return [(row.now, row) for row in rows]


async def _begin(
    connection: AsyncConnection, row: sa.Row[Any], following: float
) -> tuple[int, str] | None:
    """Make the job of a tick; return what to log about it, None if another leader was first."""
    here = schedules.c
    passed = sa.update(schedules).where(here.name == row.name, here.next_at == row.next_at)
    moved = passed.where(here.cron == row.cron, here.timezone == row.timezone)
    if (await connection.execute(moved.values(next_at=following))).rowcount != 1:
        return None
    before = sa.select(jobs.c.state).where(jobs.c.id == row.last_job)
    state = (await connection.execute(before)).scalar_one_or_none()
    tick = datetime.fromtimestamp(row.next_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if state in _UNDONE:
        level = logging.WARNING if state == JobState.PAUSED else logging.INFO
        return level, f"schedule: {tick} is left out, because {one_line(row.last_job)} is {state}"
    job_id = f"{row.name}@{tick}"
    # As it is now: somebody may have changed it since it was read.
    spec = sa.select(schedules.c.account, schedules.c.spec).where(here.name == row.name)
    what = (await connection.execute(spec)).one()
    if not await _add(connection, job_id, what.account, what.spec):
        return None
    last = sa.update(schedules).where(here.name == row.name).values(last_job=job_id)
    await connection.execute(last)
    return logging.INFO, f"schedule: {one_line(job_id)} begins"


def _schedule(row: sa.Row[Any]) -> JobSchedule:
    return JobSchedule(
        name=row.name,
        cron=row.cron,
        timezone=row.timezone,
        account=row.account,
        next_at=datetime.fromtimestamp(row.next_at, UTC),
        last_job=row.last_job,
    )


@cache
def _upsert(dialect: str) -> sa.Executable:
    insert: Any = INSERTS[dialect](schedules)
    row, new = schedules.c, insert.excluded
    same = (row.cron == new.cron) & (row.timezone == new.timezone)
    changed: sa.Executable = insert.on_conflict_do_update(
        index_elements=["name"],
        set_={
            **{name: new[name] for name in ("cron", "timezone", "account", "spec")},
            # Whoever says the same at each start puts nothing off.
            "next_at": sa.case((same, row.next_at), else_=new.next_at),
        },
    ).returning(*row)
    return changed
