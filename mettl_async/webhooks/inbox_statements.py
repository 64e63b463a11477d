"""The table of an inbox, and all statements on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from mettl_async.codec import dumps
from mettl_async.sql_backend import INSERTS, NOW, sa, unshown
from mettl_async.sql_batches import rows_of_json


def inbox_table(name: str) -> sa.Table:
    """Make the table: a row for each event, also when it is handled or given up."""
    table = sa.Table(
        name,
        sa.MetaData(),
        # In the order in which they came; never used again.
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("key_digest", sa.String(64), nullable=False, unique=True),
        sa.Column("candidate", sa.String(64), nullable=False),  # digest: one at a time, in order
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=True),  # null when it is handled
        sa.Column("received_at", sa.Double, nullable=False),  # all times: seconds since 1970
        # When it may be taken: at once, after a pause, or at the end of the lease of who has the token.
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("token", sa.String(32), nullable=True),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("done_at", sa.Double, nullable=True),
        sa.Column("dead_at", sa.Double, nullable=True),
        sa.Column("problem", sa.Text, nullable=True),
        sqlite_autoincrement=True,
    )
    # Of what is open only: the others may be many, and nobody looks at them.
    for part, columns in (
        ("open", [table.c.id]),
        ("candidate", [table.c.candidate, table.c.id]),
    ):
        open_ = _open(table.c)
        sa.Index(f"{name}_{part}", *columns, sqlite_where=open_, postgresql_where=open_)
    dead = table.c.dead_at.is_not(None)
    sa.Index(f"{name}_dead", table.c.id, sqlite_where=dead, postgresql_where=dead)
    return table


@frozen
class InboxStatements:
    """All statements on the table, compiled once by SQLAlchemy's cache.

    Attributes:
        lock: Lets one worker take events at a time on PostgreSQL, until its transaction ends: of an event
            that is committed just then and an earlier one, two could take one each.
    """

    add: sa.Executable
    lock: sa.Executable | None
    take: sa.Executable
    give_back: sa.Update
    try_again: sa.Update
    give_up: sa.Update
    replay: sa.Update
    waiting: sa.Executable
    forget: sa.Delete

    @classmethod
    def of(cls, table: sa.Table, dialect: str) -> InboxStatements:
        """Make them for a table."""
        row, now = table.c, sa.literal_column(NOW[dialect], sa.Double)
        mine = (
            (row.key_digest == sa.bindparam("digest"))
            & (row.token == sa.bindparam("claim_token"))
            & _open(row)
        )
        problem = sa.bindparam("new_problem", type_=sa.Text)
        free = sa.update(table).where(mine).values(token=None)
        dead = row.dead_at.is_not(None)
        return cls(
            add=_add(table, dialect, now),
            lock=None if dialect == "sqlite" else _lock(),
            take=_take(table, dialect, now),
            give_back=free.values(due_at=now, tries=row.tries - 1),
            try_again=free.values(
                due_at=now + sa.bindparam("pause", type_=sa.Double), problem=problem
            ),
            give_up=free.values(dead_at=now, problem=problem),
            replay=sa.update(table)
            .where(dead)
            .values(dead_at=None, due_at=now, tries=0, problem=None),
            waiting=sa.select(sa.func.count()).select_from(table).where(_open(row)),
            forget=sa.delete(table).where(
                row.done_at <= now - sa.bindparam("age", type_=sa.Double)
            ),
        )

    @staticmethod
    def batch(rows: Sequence[Sequence[str]]) -> str:
        """Give the parameter of `add`."""
        return dumps(rows)


def _add(table: sa.Table, dialect: str, now: sa.ColumnElement[float]) -> sa.Executable:
    rows, columns = rows_of_json(dialect, "batch", 4)
    new = sa.select(*columns, now, now, sa.literal_column("0", sa.Integer)).select_from(rows)
    insert: Any = INSERTS[dialect](table)
    names = ["key_digest", "candidate", "kind", "body", "received_at", "due_at", "tries"]
    # Without a condition SQLite would read ON as that of a join.
    insert = insert.from_select(names, new.where(sa.true()))
    added: sa.Executable = insert.on_conflict_do_nothing(index_elements=["key_digest"]).returning(
        table.c.key_digest
    )
    return added


def _lock() -> sa.Executable:
    # Compiling a statement that looks costly takes PostgreSQL a hundred times as long as doing it.
    without_jit = sa.func.set_config("jit", "off", sa.true())
    lock = sa.func.pg_advisory_xact_lock(sa.bindparam("lock", type_=sa.BigInteger))
    return sa.select(without_jit, lock)


def _take(table: sa.Table, dialect: str, now: sa.ColumnElement[float]) -> sa.Executable:
    head, other = table.alias("head"), table.alias("other")
    one, another = head.c, other.c
    # As values and not with EXISTS: a planner without fresh statistics joins the whole table for that.
    of_candidate = (another.candidate == one.candidate) & _open(another)
    oldest = sa.select(another.id).where(of_candidate).order_by(another.id).limit(1)
    taken = sa.select(sa.func.count()).where(
        of_candidate, another.token.is_not(None), another.due_at > now
    )
    free = (one.id == oldest.scalar_subquery()) & (taken.scalar_subquery() == 0)
    picked = (
        sa.select(one.id)
        .where(_open(one), one.due_at <= now, free)
        .order_by(one.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True, of=head)
        .cte("picked")
    )
    row, ids = table.c, sa.select(picked.c.id)
    # Same here: an array is looked up in the index, whatever the statistics say.
    array = sa.any_(sa.func.array(ids.scalar_subquery()))
    return (
        sa.update(table)
        .where(row.id.in_(ids) if dialect == "sqlite" else row.id == array)
        .values(
            token=sa.bindparam("new_token"),
            due_at=now + sa.bindparam("lease", type_=sa.Double),
            tries=row.tries + 1,
        )
        .returning(row.id, row.key_digest, row.kind, unshown(row.body), row.tries)
    )


def _open(row: Any) -> sa.ColumnElement[bool]:
    open_: sa.ColumnElement[bool] = row.done_at.is_(None) & row.dead_at.is_(None)
    return open_
