"""What many tasks ask of a database at once is one transaction, and nobody fails for another."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from mettl_async.sql_backend import Backend
from mettl_async.sql_batches import Batches


@pytest.fixture
async def done(tmp_path):
    """Batches that were done, and what adds to them; ``bad`` items fail."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}")
    came = []

    async def work(_, items):
        came.append(list(items))
        await asyncio.sleep(0)
        if any(item.startswith("bad") for item in items):
            raise ValueError("bad")
        return [item.upper() for item in items]

    backend = Backend(engine, "x", shared=True)
    yield came, Batches(backend=backend, work=work, key=lambda item: item[-1])
    await engine.dispose()


async def test_what_waits_goes_together_and_the_same_key_does_not(done):
    came, batches = done
    results = await asyncio.gather(*(batches.add(item) for item in ("a1", "b2", "c1", "d3", "e1")))
    assert results == ["A1", "B2", "C1", "D3", "E1"]
    assert came == [["a1", "b2", "d3"], ["c1"], ["e1"]]


async def test_only_the_one_that_is_bad_fails(done):
    _, batches = done
    items = ("a1", "bad2", "c3")
    results = await asyncio.gather(*map(batches.add, items), return_exceptions=True)
    assert (results[0], results[2]) == ("A1", "C3")
    assert isinstance(results[1], ValueError)


async def test_who_is_cancelled_takes_nobody_along(done):
    came, batches = done
    tasks = [asyncio.create_task(batches.add(item)) for item in ("a1", "b2")]
    await asyncio.sleep(0)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await tasks[1] == "B2"
    assert came == [["a1", "b2"]]


class Plain:
    """A backend without a database."""

    async def run(self, work):
        return await work(None)

    async def uncut(self, ended):
        return await ended


def test_a_loop_that_ended_is_forgotten():
    async def work(_, items):
        if items == ["never"]:
            await asyncio.sleep(60)
        return items

    async def leave():
        task = asyncio.create_task(batches.add("never"))
        await asyncio.sleep(0.01)
        assert not task.done()

    async def come():
        assert await batches.add("again") == "again"

    batches = Batches(backend=Plain(), work=work, key=str)
    asyncio.run(leave())
    asyncio.run(come())
