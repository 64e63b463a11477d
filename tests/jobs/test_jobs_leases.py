"""Leases by the clock of the database."""

import pytest

from mettl_async.jobs import leases, tables
from mettl_async.sql_backend import Backend, sa


@pytest.fixture
async def connection(engine):
    await Backend(engine, tables.leases.name).create(tables.leases)
    async with engine.begin() as connection:
        yield connection
        await connection.execute(sa.delete(tables.leases))


async def end(connection, name, ago=0.0):
    until = tables.leases.c.until - 1000.0 - ago
    await connection.execute(
        sa.update(tables.leases).where(tables.leases.c.name == name).values(until=until)
    )


async def test_one_holder_at_a_time(connection):
    assert await leases.is_free(connection, "leader")
    assert await leases.take(connection, "leader", "a", 100)
    assert not await leases.is_free(connection, "leader")
    assert not await leases.take(connection, "leader", "b", 100)
    assert await leases.take(connection, "leader", "a", 100)
    await leases.drop(connection, "leader", "b")
    assert not await leases.take(connection, "leader", "b", 100)
    await leases.drop(connection, "leader", "a")
    assert await leases.take(connection, "leader", "b", 100)


async def test_a_lease_that_ended_is_anybodys(connection):
    assert await leases.take(connection, "leader", "a", 100)
    await end(connection, "leader")
    assert await leases.is_free(connection, "leader")
    assert await leases.take(connection, "leader", "b", 100)
    assert not await leases.take(connection, "leader", "a", 100)


async def test_alive_are_those_whose_leases_have_not_ended(connection):
    for holder in ("a", "b", "c"):
        assert await leases.take(connection, f"worker:{holder}", holder, 100)
    assert await leases.take(connection, "leader", "d", 100)
    await end(connection, "worker:b")
    assert await leases.alive(connection, "worker:") == {"a", "c"}


async def test_leases_that_ended_long_ago_are_forgotten(connection):
    assert await leases.take(connection, "worker:a", "a", 100)
    assert await leases.take(connection, "worker:b", "b", 100)
    await end(connection, "worker:a", ago=3600)
    await end(connection, "worker:b")
    await leases.forget_ended(connection)
    names = await connection.execute(sa.select(tables.leases.c.name))
    assert list(names.scalars()) == ["worker:b"]


async def test_a_clock_that_was_set_back_leaves_no_lease_for_hours(connection):
    assert await leases.take(connection, leases.WORKER + "a", "a", 5 * 3600.0)
    assert await leases.alive(connection, leases.WORKER) == set()
    assert await leases.is_free(connection, leases.WORKER + "a")
    assert await leases.take(connection, leases.WORKER + "a", "b", 60.0)
    assert await leases.alive(connection, leases.WORKER) == {"b"}
