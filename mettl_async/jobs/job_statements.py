"""All statements about whole jobs, and about handing people in."""

from __future__ import annotations

from functools import cache
from typing import Any

from attrs import frozen

from mettl_async.jobs.statements import KINDS, now_of, tuned
from mettl_async.jobs.tables import chunks, jobs, leases, outcomes, people, pulled
from mettl_async.sql_backend import INSERTS, sa
from mettl_async.sql_batches import rows_of_json


@frozen
class JobStatements:
    """What is done to jobs.

    Names of parameters: ``the_id`` of a job, ``the_job`` its number; ``start`` and ``stop`` are positions.

    Attributes:
        add: Adds a job, unless its id is there.
        find: Reads the job with an id.
        newest: Reads the newest ones in some states.
        set_state: Brings a job from some states into another.
        due: Lets its chunks be taken at once.
        grow: Adds to the number of people, as long as nobody else has, and it is not complete.
        complete: Ends the submission.
        add_people: Adds some, of a ``batch`` of rows as JSON: position, digest, person.
        find_people: Reads those in a range.
        reject_repeated: Rejects those in a range who have no digest, with a ``code`` and a ``reason``.
        add_chunks: Adds some.
        chunks: Counts chunks, and people with outcomes in them.
        repeated: Counts outcomes before there are chunks: those of people who repeat an email.
        outcomes: Reads a page of outcomes.
        forget_outcomes: Deletes those in a range.
        forget_people: Deletes those in a range.
        forget_chunks: Deletes all of a job.
        forget_lease: Deletes that of its submission.
        forget_pulled: Deletes what ``the_task`` remembers to have pulled.
        forget_job: Deletes its row.
    """

    add: sa.Executable
    find: sa.Select[Any]
    newest: sa.Select[Any]
    set_state: sa.Update
    due: sa.Update
    grow: sa.Update
    complete: sa.Update
    add_people: sa.Executable
    find_people: sa.Select[Any]
    reject_repeated: sa.Executable
    add_chunks: sa.Executable
    chunks: sa.Select[Any]
    repeated: sa.Select[Any]
    outcomes: sa.Select[Any]
    forget_outcomes: sa.Delete
    forget_people: sa.Delete
    forget_chunks: sa.Delete
    forget_lease: sa.Delete
    forget_pulled: sa.Delete
    forget_job: sa.Delete

    @classmethod
    @cache
    def of(cls, dialect: str) -> JobStatements:
        """Make them for a dialect."""
        row, now = jobs.c, now_of(dialect)
        this = row.number == sa.bindparam("the_job")
        insert: Any = INSERTS[dialect](jobs)
        states = row.state.in_(sa.bindparam("states", expanding=True))
        ended = sa.case((sa.bindparam("ends", type_=sa.Boolean), now), else_=row.ended_at)
        submitting = tuned(sa.update(jobs).where(this, row.state == "submitting"), dialect).where(
            row.total == sa.bindparam("seen", type_=sa.Integer)
        )
        person, outcome, chunk = people.c, outcomes.c, chunks.c
        within = (person.job == sa.bindparam("the_job")) & _between(person.position)
        return cls(
            add=insert.values(
                id=sa.bindparam("new_id"),
                kind=sa.bindparam("new_kind"),
                account=sa.bindparam("new_account"),
                spec=sa.bindparam("new_spec"),
                chunk_size=sa.bindparam("new_chunk_size"),
                state="submitting",
                problem="",
                total=0,
                submitted_at=now,
            ).on_conflict_do_nothing(index_elements=["id"]),
            find=sa.select(jobs).where(row.id == sa.bindparam("the_id")),
            newest=sa.select(jobs)
            .where(states)
            .order_by(row.number.desc())
            .limit(sa.bindparam("most", type_=sa.Integer)),
            set_state=sa.update(jobs)
            .where(row.id == sa.bindparam("the_id"), states)
            .values(state=sa.bindparam("new_state"), problem="", ended_at=ended),
            due=sa.update(chunks)
            .where(chunk.job == sa.bindparam("the_job"), sa.not_(chunk.done))
            .values(not_before=0.0),
            grow=submitting.values(total=sa.bindparam("new_total", type_=sa.Integer)),
            complete=submitting.values(
                state="ready", total=sa.bindparam("new_total", type_=sa.Integer)
            ),
            add_people=_add_people(dialect),
            find_people=sa.select(person.position, person.person)
            .where(within)
            .order_by(person.position),
            reject_repeated=_reject_repeated(),
            add_chunks=sa.insert(chunks).values(changed_at=now),
            chunks=_count_chunks(),
            repeated=sa.select(sa.func.count())
            .select_from(outcomes)
            .where(outcome.job == sa.bindparam("the_job")),
            outcomes=_page(),
            forget_outcomes=sa.delete(outcomes).where(
                outcome.job == sa.bindparam("the_job"), _between(outcome.position)
            ),
            forget_people=sa.delete(people).where(within),
            forget_chunks=sa.delete(chunks).where(chunk.job == sa.bindparam("the_job")),
            forget_lease=sa.delete(leases).where(leases.c.name == sa.bindparam("the_lease")),
            forget_pulled=sa.delete(pulled).where(pulled.c.task == sa.bindparam("the_task")),
            forget_job=sa.delete(jobs).where(this),
        )


def _add_people(dialect: str) -> sa.Executable:
    rows, (position, digest, text) = rows_of_json(dialect, "batch", 3)
    job, there = sa.bindparam("the_job", type_=sa.Integer), people.alias("there").c
    # As a value, for one person at a time: a join would read all people of the job.
    met = sa.select(there.position).where(there.job == job, there.digest == digest).limit(1)
    new = sa.case((met.scalar_subquery().is_(None), digest))
    chosen = sa.select(job, sa.cast(position, sa.Integer), new, text).select_from(rows)
    return sa.insert(people).from_select(["job", "position", "digest", "person"], chosen)


def _reject_repeated() -> sa.Executable:
    person = people.c
    repeated = sa.select(
        person.job,
        person.position,
        sa.literal_column("'rejected'", sa.Text),
        sa.literal_column("''", sa.Text),
        sa.bindparam("code", type_=sa.Text),
        sa.bindparam("reason", type_=sa.Text),
    ).where(
        person.job == sa.bindparam("the_job"), _between(person.position), person.digest.is_(None)
    )
    return sa.insert(outcomes).from_select(
        ["job", "position", "status", "url", "code", "reason"], repeated
    )


def _between(position: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return (position >= sa.bindparam("start", type_=sa.Integer)) & (
        position < sa.bindparam("stop", type_=sa.Integer)
    )


def _count_chunks() -> sa.Select[Any]:
    # One statement, so that a chunk that ends meanwhile is counted once.
    chunk = chunks.c
    numbers = {
        "done": sa.case((chunk.done, 1), else_=0),
        "in_work": sa.case((sa.and_(chunk.owner.is_not(None), sa.not_(chunk.done)), 1), else_=0),
        **{kind: sa.case((chunk.done, chunk[kind]), else_=_live(kind)) for kind in KINDS},
    }
    sums = {
        name: sa.cast(sa.func.coalesce(sa.func.sum(one), 0), sa.BigInteger)
        for name, one in numbers.items()
    }
    columns: list[sa.ColumnElement[Any]] = [sa.func.count().label("chunks")]
    columns += [one.label(name) for name, one in sums.items()]
    return sa.select(*columns).where(chunk.job == sa.bindparam("the_job"))


# Both look up as a value what belongs to one row: a planner without fresh statistics joins whole tables.


def _live(kind: str) -> sa.ColumnElement[int]:
    chunk, outcome = chunks.c, outcomes.c
    inside = (
        (outcome.job == chunk.job)
        & (outcome.position >= chunk.first)
        & (outcome.position < chunk.first + chunk.size)
    )
    count = sa.select(sa.func.count()).select_from(outcomes).where(inside, outcome.status == kind)
    return count.correlate(chunks).scalar_subquery()


def _page() -> sa.Select[Any]:
    person, outcome = people.c, outcomes.c
    same = (person.job == outcome.job) & (person.position == outcome.position)
    text = sa.select(person.person).where(same).correlate(outcomes).scalar_subquery()
    return (
        sa.select(outcomes, text.label("person"))
        .where(outcome.job == sa.bindparam("the_job"))
        .where(outcome.position > sa.bindparam("after", type_=sa.Integer))
        .order_by(outcome.position)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
