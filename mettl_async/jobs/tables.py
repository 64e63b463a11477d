"""The tables of durable jobs: what was handed in, and what came of it."""

from __future__ import annotations

from typing import Final

from sqlalchemy.dialects import postgresql

from mettl_async.sql_backend import sa

PREFIX: Final = "mettl_job"

metadata: Final = sa.MetaData()

jobs: Final = sa.Table(
    f"{PREFIX}s",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),  # register, pull
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),  # JSON: the access key, the options
    sa.Column("state", sa.Text, nullable=False),  # a JobState
    sa.Column("problem", sa.Text, nullable=False, default=""),
    sa.Column("total", sa.Integer, nullable=False, default=0),
    sa.Column("chunk_size", sa.Integer, nullable=False),
    sa.Column("submitted_at", sa.Double, nullable=False),
    sa.Column("ended_at", sa.Double),
    sqlite_autoincrement=True,  # no number twice: tickets of a job that was forgotten may still wait
)
"""One row for each job. Keys of an account are never here."""

chunks: Final = sa.Table(
    f"{PREFIX}_chunks",
    metadata,
    sa.Column("job", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),  # how often it was handed out
    sa.Column("owner", sa.Text),  # the worker that may write its outcomes
    sa.Column("tries", sa.Integer, nullable=False, default=0),  # ended with people left
    sa.Column("not_before", sa.Double, nullable=False, default=0.0),
    sa.Column("done", sa.Boolean, nullable=False, default=False),
    sa.Column("registered", sa.Integer, nullable=False, default=0),
    sa.Column("rejected", sa.Integer, nullable=False, default=0),
    sa.Column("failed", sa.Integer, nullable=False, default=0),
    sa.Column("unknown", sa.Integer, nullable=False, default=0),
    sa.Column("changed_at", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Parts of a job that one worker runs at a time; the counts are written when it is done."""

sa.Index(
    f"{PREFIX}_chunks_open",
    chunks.c.job,
    chunks.c.chunk,
    sqlite_where=sa.not_(chunks.c.done),
    postgresql_where=sa.not_(chunks.c.done),
)

people: Final = sa.Table(
    f"{PREFIX}_people",
    metadata,
    sa.Column("job", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    # Of the folded email; NULL for one that came before. Compared byte by byte whatever the locale.
    sa.Column("digest", sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")),
    sa.Column("person", sa.Text, nullable=False),  # JSON
    sa.UniqueConstraint("job", "digest"),
    sqlite_with_rowid=False,
)
"""Candidates in the order in which they were handed in."""

outcomes: Final = sa.Table(
    f"{PREFIX}_outcomes",
    metadata,
    sa.Column("job", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, nullable=False),  # registered, rejected, failed, unknown
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The last outcome of each candidate; one that is registered or rejected is never replaced."""

leases: Final = sa.Table(
    f"{PREFIX}_leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Who is alive, who leads, who submits; by the clock of the database."""

rates: Final = sa.Table(
    f"{PREFIX}_rates",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("next_turn", sa.Double, nullable=False),
    sa.Column("paused_until", sa.Double, nullable=False),
)
"""When the next request of an account may be sent, by the clock of the database."""

schedules: Final = sa.Table(
    f"{PREFIX}_schedules",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("cron", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),  # JSON: what is pulled
    sa.Column("next_at", sa.Double, nullable=False),
    sa.Column("last_job", sa.Text),
)
"""Recurring work, and when it is due."""

pulled: Final = sa.Table(
    f"{PREFIX}_pulled",
    metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("pulled_at", sa.Double, nullable=False),
)
"""What a recurring task has stored, so that it is stored once."""

results: Final = sa.Table(
    f"{PREFIX}_results",
    metadata,
    sa.Column("access_key", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, primary_key=True),  # folded
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),  # JSON
    sa.Column("report", sa.Text, nullable=False),  # the name that its report has in any store
    sa.Column("updated_at", sa.Double, nullable=False),
)
"""The newest result of each candidate that was pulled into this table."""
