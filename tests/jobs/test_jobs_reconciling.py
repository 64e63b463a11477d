"""The rule that hands out chunks: pure, and its statements on both databases."""

import time

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.jobs import reconciling, tables
from mettl_async.jobs.engine import Known, Ticket
from mettl_async.jobs.reconciling import Undone
from mettl_async.sql_backend import sa

HERE = Ticket(1, 0, 3)


@pytest.mark.parametrize(
    ("known", "live"),
    [
        pytest.param(None, False, id="the engine knows nothing: new, ended, or its rows are lost"),
        pytest.param(Known(None, "v1"), True, id="waits for somebody like us"),
        pytest.param(Known(None, "v0"), False, id="waits for another version"),
        pytest.param(Known("a", "v1"), True, id="with a worker that is alive"),
        pytest.param(Known("a", "v0"), True, id="the same, of another version"),
        pytest.param(Known("b", "v1"), False, id="with a worker that died, or never had a lease"),
    ],
)
def test_what_is_live(known, live):
    undone = [Undone("acme", HERE)]
    found = reconciling.to_hand_out(undone, {} if known is None else {HERE: known}, {"a"}, "v1")
    assert found == ([] if live else undone)


def test_a_ticket_counts_as_an_orphan_the_second_time():
    lost, running, given = Ticket(1, 0, 1), Ticket(1, 1, 1), Ticket(1, 2, 1)
    stray, seen = reconciling.orphans({lost, running, given}, {running}, ())
    assert (stray, seen) == (frozenset(), {lost, given})
    stray, seen = reconciling.orphans({lost, running, given}, {running, given}, seen)
    assert stray == seen == {lost}


@pytest.fixture(params=["file", "postgres"])
async def connection(request):
    engine = create_async_engine(request.getfixturevalue(f"jobs_{request.param}_url"))
    async with engine.connect() as connection:
        yield connection
        await connection.rollback()
    await engine.dispose()


async def put(connection, number, account, chunks, *, state="ready", **more):
    job = {
        "number": number, "id": str(number), "kind": "register", "account": account, "spec": "{}",
        "state": state, "problem": "", "total": 0, "chunk_size": 1, "submitted_at": 0.0,
    }  # fmt: skip
    await connection.execute(sa.insert(tables.jobs).values(job))
    rows = [
        {"job": number, "chunk": chunk, "first": chunk, "size": 1, "changed_at": 0.0, **more}
        for chunk in range(chunks)
    ]
    await connection.execute(sa.insert(tables.chunks), rows)


async def test_jobs_of_an_account_take_turns_within_the_window(connection):
    await put(connection, 1, "acme", 5)
    await put(connection, 2, "acme", 2)
    await put(connection, 3, "beta", 2)
    found = await reconciling.open_chunks(connection, 3)
    assert [one.ticket for one in found if one.account == "acme"] == [
        Ticket(1, 0, 0),
        Ticket(2, 0, 0),
        Ticket(1, 1, 0),
    ]
    assert [one.ticket for one in found if one.account == "beta"] == [
        Ticket(3, 0, 0),
        Ticket(3, 1, 0),
    ]


async def test_only_what_may_run_now_is_read(connection):
    await put(connection, 1, "acme", 1, state="paused")
    await put(connection, 2, "acme", 1, done=True)
    await put(connection, 3, "acme", 1, not_before=time.time() + 600)
    await put(connection, 4, "acme", 1, owner="a", attempt=7)
    assert await reconciling.open_chunks(connection, 9) == [Undone("acme", Ticket(4, 0, 7))]


async def test_a_clock_that_was_set_back_puts_no_chunk_off_for_hours(connection):
    await put(connection, 1, "acme", 1, not_before=time.time() + 86_400)
    found = await reconciling.open_chunks(connection, 9)
    assert [one.ticket for one in found] == [Ticket(1, 0, 0)]
    assert await reconciling.hand_out(connection, found) == {"acme": [Ticket(1, 0, 1)]}


async def test_a_chunk_is_handed_out_once_and_taken_from_whoever_had_it(connection):
    await put(connection, 1, "acme", 1, owner="a", attempt=7)
    await put(connection, 2, "beta", 1, done=True)
    await put(connection, 3, "beta", 1, not_before=time.time() + 600)
    found = [
        Undone("acme", Ticket(1, 0, 7)),
        Undone("beta", Ticket(2, 0, 0)),
        Undone("beta", Ticket(3, 0, 0)),
    ]
    assert await reconciling.hand_out(connection, found) == {"acme": [Ticket(1, 0, 8)]}
    assert await reconciling.hand_out(connection, found) == {}
    row = (await connection.execute(sa.select(tables.chunks).where(tables.chunks.c.job == 1))).one()
    assert (row.attempt, row.owner) == (8, None)
