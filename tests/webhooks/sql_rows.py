"""What stands in a table, and time that passes by making the rows of seen events older."""

from __future__ import annotations

import sqlalchemy as sa


async def rows_of(engine, table):
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.select(table))]


async def make_older(engine, seen, seconds):
    columns = seen.table.c
    values = {"lease_until": columns.lease_until - seconds, "done_at": columns.done_at - seconds}
    async with engine.begin() as connection:
        await connection.execute(sa.update(seen.table).values(values))
