"""Jobs as a whole: states, lists, forgetting, and what is never shown."""

from __future__ import annotations

import ast
import asyncio
import stat
import sys
import time
from pathlib import Path

import pytest
from handed_in import KEY, collected, person, registered, rows_of, some, taken
from sqlalchemy.exc import SQLAlchemyError

from mettl_async import ConfigurationError, MettlError
from mettl_async import jobs as jobs_package
from mettl_async.jobs import JobError, Jobs, JobState
from mettl_async.jobs.chunk_work import people_of
from mettl_async.jobs.database import create_tables, engine_for
from mettl_async.jobs.tables import leases, metadata
from mettl_async.sql_backend import sa

SECRETS = ("c7@example.org", "Zaphod", "Betelgeuse", "mettl.example", "hidden context")


def a_person():
    return person(
        7, first_name="Zaphod", fields={"Town": "Betelgeuse"}, context_data="hidden context"
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_states_of_a_job(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    for _ in range(2):
        assert (await jobs.pause("a")).state is JobState.PAUSED
    assert (await jobs.get("a")).ended_at is None
    for _ in range(2):
        assert (await jobs.resume("a")).state is JobState.READY
    for _ in range(2):
        job = await jobs.cancel("a")
        assert (job.state, job.ended_at is None) == (JobState.CANCELLED, False)
    for refused in (jobs.pause, jobs.resume):
        with pytest.raises(JobError, match="job a: is cancelled, and cannot become"):
            await refused("a")
    assert (await jobs.register(KEY, some(1), account="acme", id="a")).state == "cancelled"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_job_that_is_done_is_not_cancelled(jobs):
    await jobs.register(KEY, [], account="acme", id="a")
    with pytest.raises(JobError, match="is done"):
        await jobs.cancel("a")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_job_that_is_not_there_is_an_error(jobs):
    for what in (jobs.get, jobs.status, jobs.pause, jobs.resume, jobs.cancel):
        with pytest.raises(JobError, match="job b: there is none"):
            await what("b")
    with pytest.raises(JobError):
        await collected(jobs, "b")
    assert await jobs.forget("b") == 0


async def test_the_newest_jobs_come_first(jobs):
    for name in "abc":
        await jobs.register(KEY, some(1), account="acme", id=name)
    await jobs.pause("b")
    assert [one.id for one in await jobs.list()] == ["c", "b", "a"]
    assert [one.id for one in await jobs.list(most=1)] == ["c"]
    assert [one.id for one in await jobs.list(states=[JobState.PAUSED])] == ["b"]
    assert await jobs.list(states=[]) == ()


async def test_workers_that_are_alive_are_counted(jobs):
    await jobs.register(KEY, some(1), account="acme", id="a")
    rows = [("worker:1", time.time() + 60), ("worker:2", 1.0), ("leader", time.time() + 60)]
    async with jobs._engine.begin() as connection:
        for name, until in rows:
            row = {"name": name, "holder": name, "until": until}
            await connection.execute(sa.insert(leases).values(row))
    await taken(jobs)
    status = await jobs.status("a")
    assert (status.workers, status.chunks, status.chunks_in_work) == (1, 1, 1)


async def test_forgetting_leaves_no_row_of_a_job(jobs, monkeypatch):
    monkeypatch.setattr("mettl_async.jobs.forgetting._AT_ONCE", 2)
    await jobs.register(KEY, [*some(5), person(1)], account="acme", id="a")
    _, journal = await taken(jobs)
    await journal.record([registered(0), registered(4)])
    before = [len(await rows_of(jobs, table)) for table in metadata.sorted_tables]
    assert await jobs.forget("a") == 6
    assert sum(before)
    assert [len(await rows_of(jobs, table)) for table in metadata.sorted_tables] == [0] * len(
        before
    )
    assert await jobs.list() == ()
    assert (await jobs.register(KEY, some(1), account="acme", id="a")).total == 1


async def test_no_job_gets_the_number_of_one_that_was_forgotten(jobs):
    """Tickets of that one may still wait for a worker."""
    numbers = []
    for name in ("a", "b"):
        await jobs.register(KEY, [], account="acme", id=name)
        numbers.append((await jobs._row(name)).number)
        await jobs.forget(name)
    assert numbers[0] < numbers[1]


async def test_forgetting_leaves_other_jobs_alone(jobs):
    await jobs.register(KEY, some(3), account="acme", id="a")
    await jobs.register(KEY, some(2), account="acme", id="b")
    before = [await rows_of(jobs, table) for table in metadata.sorted_tables]
    await jobs.register(KEY, some(4), account="acme", id="c")
    await jobs.forget("c")
    assert [await rows_of(jobs, table) for table in metadata.sorted_tables] == before


async def test_nothing_of_a_person_is_shown(jobs, all_logs):
    await jobs.register(KEY, [a_person(), person(7)], account="acme", id="a")
    lease, journal = await taken(jobs)
    await journal.record([registered(7)])
    shown = [
        journal,
        await people_of(jobs._backend, lease),
        await jobs.get("a"),
        await jobs.status("a"),
        *await collected(jobs, "a"),
    ]
    text = "\n".join([*map(repr, shown), *map(str, shown), *all_logs])
    assert not [one for one in (*SECRETS, KEY) if one in text]


async def test_what_a_database_refuses_does_not_show_a_person(jobs):
    async with jobs._engine.begin() as connection:
        await connection.exec_driver_sql("drop table mettl_job_people")
    with pytest.raises((SQLAlchemyError, MettlError)) as raised:
        await jobs.register(KEY, [a_person()], account="acme", id="a")
    text, error = "", raised.value
    while error is not None:
        text, error = f"{text}{error}{error!r}", error.__cause__ or error.__context__
    await create_tables(jobs._backend)  # other tests use it
    assert not [one for one in SECRETS if one in text]


async def test_a_database_without_tables_says_what_to_do(tmp_path):
    async with Jobs(f"sqlite:///{tmp_path / 'other.db'}", create_tables=False) as jobs:
        with pytest.raises(ConfigurationError, match="not in the database"):
            await jobs.list()


async def test_any_number_make_the_tables_at_once(jobs, jobs_url):
    async with jobs._engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)

    async def begin():
        async with Jobs(jobs_url) as another:
            return await another.list()

    assert await asyncio.gather(*(begin() for _ in range(4))) == [()] * 4


async def test_a_file_is_its_owners_only(tmp_path):
    async with Jobs(f"sqlite:///{tmp_path / 'jobs.db'}") as jobs:
        await jobs.register(KEY, some(1), account="acme")
        assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}


async def test_an_engine_that_was_passed_in_stays_open(tmp_path):
    engine = engine_for(f"sqlite:///{tmp_path / 'jobs.db'}")
    async with Jobs(engine) as jobs:
        await jobs.register(KEY, some(1), account="acme", id="a")
    with pytest.raises(ConfigurationError, match="async with"):
        await jobs.get("a")
    async with engine.connect() as connection:
        assert (
            await connection.exec_driver_sql("select count(*) from mettl_job_people")
        ).scalar() == 1
    await engine.dispose()


@pytest.mark.parametrize("url", ["nonsense", "mysql://me:secret@host/x", "sqlite://", 7])
def test_what_is_no_such_database_is_refused(url):
    with pytest.raises(ConfigurationError) as raised:
        Jobs(url)
    assert "secret" not in str(raised.value)


def test_public_names_are_loaded_when_used():
    assert all(getattr(jobs_package, name) is not None for name in jobs_package.__all__)
    assert dir(jobs_package) == jobs_package.__all__ == sorted(jobs_package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Job2'"):
        _ = jobs_package.Job2


def test_type_checkers_are_told_of_the_same_names():
    tree = ast.parse(Path(jobs_package.__file__).read_text(encoding="utf-8"))
    (block,) = (one for one in tree.body if isinstance(one, ast.If))
    assert {alias.name for one in block.body for alias in one.names} == set(jobs_package.__all__)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(vars(jobs_package), "Jobs", raising=False)
    monkeypatch.setitem(sys.modules, "mettl_async.jobs.jobs", None)
    with pytest.raises(ImportError, match=r'pip install "mettl-async\[jobs\]"'):
        _ = jobs_package.Jobs
