"""All statements about the chunks of jobs, and the people and outcomes in them."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from attrs import frozen

from mettl_async.jobs.tables import chunks, jobs, outcomes, people
from mettl_async.sql_backend import INSERTS, NOW, sa

SETTLED: Final = ("registered", "rejected")
"""Outcomes that stay: within a job the values of a person never change."""
NOT_SENT: Final = "NotSent"
"""Code of somebody who was in no request when the last try of the chunk ended."""
_SETTINGS: Final = {
    # A worker that is frozen now lets go of its rows before its lease has ended.
    "idle_in_transaction_session_timeout": "15s",
    # A plan that was made when a table was small reads all of it when it has grown.
    "plan_cache_mode": "force_custom_plan",
    # Compiling a statement that looks costly takes a hundred times as long as doing it.
    "jit": "off",
}
_VALUES: Final = ("status", "url", "code", "reason")


def now_of(dialect: str) -> sa.ColumnElement[float]:
    """Give the time, in seconds since 1970, by the clock of the database."""
    return sa.literal_column(NOW[dialect], sa.Double)


def tune(dialect: str) -> sa.Select[Any]:
    """Give the statement that a transaction begins with which reads many rows; see `tuned`."""
    settings = _settings() if dialect == "postgresql" else [sa.literal_column("1")]
    return sa.select(*settings)


def tuned(statement: sa.Update, dialect: str) -> sa.Update:
    """Let an update, which is the first of a transaction, set on PostgreSQL what holds until its end.

    Not for the session: behind PgBouncer that is everybody's.
    """
    if dialect != "postgresql":
        return statement
    return statement.where(*(one.is_not(None) for one in _settings()))


def _settings() -> list[sa.ColumnElement[Any]]:
    return [sa.func.set_config(name, value, sa.true()) for name, value in _SETTINGS.items()]


@frozen
class ChunkStatements:
    """What a worker does to a chunk, and to the people in it.

    Names of parameters: ``the_job`` (number), ``the_chunk``, ``mine`` (attempt), ``me`` (worker);
    ``start`` and ``stop`` are positions.

    Attributes:
        job: Reads the job of a chunk.
        claim: Makes a worker the owner, unless somebody is.
        fence: Holds the chunk until the transaction ends; changes no row if the worker lost it.
        bounds: Reads where the chunk is.
        left: Reads the people who have no settled outcome.
        record: Writes outcomes; settled ones are never replaced.
        count_left: Counts the people who have no settled outcome.
        fill: Gives everybody without an outcome one.
        count: Counts outcomes by status.
        end: Writes that the chunk is done.
        put_off: Gives the chunk back, to be tried again.
    """

    job: sa.Select[Any]
    claim: sa.Executable
    fence: sa.Executable
    bounds: sa.Select[Any]
    left: sa.Select[Any]
    record: sa.Executable
    count_left: sa.Select[Any]
    fill: sa.Executable
    count: sa.Select[Any]
    end: sa.Update
    put_off: sa.Update

    @classmethod
    @cache
    def of(cls, dialect: str) -> ChunkStatements:
        """Make them for a dialect."""
        row, now = chunks.c, now_of(dialect)
        this = (row.job == sa.bindparam("the_job")) & (row.chunk == sa.bindparam("the_chunk"))
        attempt = this & (row.attempt == sa.bindparam("mine")) & sa.not_(row.done)
        mine = attempt & (row.owner == sa.bindparam("me"))
        held = tuned(sa.update(chunks).where(mine), dialect)
        still = sa.update(chunks).where(this)
        return cls(
            job=sa.select(jobs).where(jobs.c.number == sa.bindparam("the_job")),
            claim=sa.update(chunks)
            .where(attempt, row.owner.is_(None))
            .values(owner=sa.bindparam("me"), changed_at=now)
            .returning(row.first, row.size, row.tries),
            fence=held.values(changed_at=now).returning(row.first, row.size, row.tries),
            bounds=sa.select(row.first, row.size).where(this),
            left=sa.select(people.c.position, people.c.person)
            .where(_left())
            .order_by(people.c.position),
            record=_record(dialect),
            count_left=sa.select(sa.func.count()).select_from(people).where(_left()),
            fill=_fill(),
            count=sa.select(outcomes.c.status, sa.func.count())
            .where(_within(outcomes))
            .group_by(outcomes.c.status),
            end=still.values(
                done=True,
                owner=None,
                changed_at=now,
                tries=sa.bindparam("now_tried", type_=sa.Integer),
                **{f"{one}": sa.bindparam(f"now_{one}", type_=sa.Integer) for one in KINDS},
            ),
            put_off=still.values(
                owner=None,
                changed_at=now,
                tries=sa.bindparam("now_tried", type_=sa.Integer),
                not_before=now + sa.bindparam("pause", type_=sa.Double),
            ),
        )


KINDS: Final = ("registered", "rejected", "failed", "unknown")
"""Every status of an outcome; each has a column in the table of chunks."""


def _within(table: sa.Table) -> sa.ColumnElement[bool]:
    row = table.c
    within: sa.ColumnElement[bool] = (
        (row.job == sa.bindparam("the_job"))
        & (row.position >= sa.bindparam("start", type_=sa.Integer))
        & (row.position < sa.bindparam("stop", type_=sa.Integer))
    )
    return within


def _status() -> sa.ColumnElement[str]:
    # As a value, which is looked up for each person: a planner without fresh statistics joins whole tables.
    row = outcomes.c
    same = (row.job == people.c.job) & (row.position == people.c.position)
    return sa.select(row.status).where(same).correlate(people).scalar_subquery()


def _left() -> sa.ColumnElement[bool]:
    # Who repeats an email has no digest, and is rejected from the beginning.
    status = sa.func.coalesce(_status(), "")
    return _within(people) & people.c.digest.is_not(None) & status.not_in(SETTLED)


def _record(dialect: str) -> sa.Executable:
    insert: Any = INSERTS[dialect](outcomes)
    recorded: sa.Executable = insert.on_conflict_do_update(
        index_elements=["job", "position"],
        set_={name: insert.excluded[name] for name in _VALUES},
        where=sa.and_(*(outcomes.c.status != one for one in SETTLED)),  # no list in executemany
    )
    return recorded


def _fill() -> sa.Executable:
    text = sa.literal_column("''", sa.Text)
    missing = sa.select(
        people.c.job,
        people.c.position,
        sa.literal_column("'failed'", sa.Text),
        text,
        sa.literal_column(f"'{NOT_SENT}'", sa.Text),
        sa.bindparam("why", type_=sa.Text),
    ).where(_within(people), people.c.digest.is_not(None), _status().is_(None))
    return sa.insert(outcomes).from_select(["job", "position", *_VALUES], missing)


@cache
def close_jobs(dialect: str) -> sa.Update:
    """Give the statement that ends each job whose chunks are all done.

    Whoever ends a chunk executes it afterwards in a transaction of its own, so that of two who end the last
    two at once one sees both.
    """
    job, chunk = jobs.c, chunks.c
    undone: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
        chunk.job == job.number, sa.not_(chunk.done)
    )
    ready = (job.state == "ready") & sa.not_(undone.correlate(jobs).exists())
    return sa.update(jobs).where(ready).values(state="done", ended_at=now_of(dialect))


@cache
def pause_for() -> sa.Update:
    """Give the statement that pauses a job because of a ``problem``; nothing of a person may be in it."""
    job = jobs.c
    return (
        sa.update(jobs)
        .where(job.number == sa.bindparam("the_job"), job.state == "ready")
        .values(state="paused", problem=sa.bindparam("new_problem", type_=sa.Text))
    )
