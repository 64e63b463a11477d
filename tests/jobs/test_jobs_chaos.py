"""Workers killed at any instant, frozen for longer than their lease, on a database that is restarted."""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from chaos import Chaos
from ready_databases import make_ready
from running_postgres import free_port, make_cluster, newest_postgresql, serving

from mettl_async.jobs.engine import VERSION

PEOPLE, KILLS, CHUNK = 2_000, 8, 100


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "seed"), [(1, 1), (2, 2), (3, 3)])
async def test_killed_and_frozen_workers_on_sqlite_lose_and_double_nobody(
    jobs_file_url, tmp_path, workers, seed
):
    async with Chaos(jobs_file_url, seed, kills=KILLS).serving(tmp_path) as chaos:
        await chaos.run(PEOPLE, workers=workers, chunk_size=CHUNK)


@pytest.mark.slow
async def test_workers_of_two_versions_side_by_side_lose_and_double_nobody(jobs_file_url, tmp_path):
    async with Chaos(jobs_file_url, 5, kills=4).serving(tmp_path) as chaos:
        await chaos.run(
            PEOPLE // 2, workers=2, chunk_size=CHUNK, freezes=0, versions=(VERSION, "mettl-jobs-0")
        )


@contextlib.asynccontextmanager
async def restartable_postgres():
    programs = newest_postgresql()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    home = Path(tempfile.mkdtemp(prefix="mettl-chaos-"))
    port, account = free_port(), make_cluster(programs, home)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        running = contextlib.ExitStack()
        stack.callback(running.close)
        url = running.enter_context(serving(programs, home, port, account))

        async def restart():
            await asyncio.to_thread(running.close)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(running.enter_context, serving(programs, home, port, account))

        url = url.replace("+asyncpg", "+psycopg")
        await make_ready(url)
        yield url, restart


@pytest.mark.slow
async def test_killed_and_frozen_workers_on_a_restarted_postgresql_lose_and_double_nobody(
    tmp_path,
):
    async with (
        restartable_postgres() as (url, restart),
        Chaos(url, 4, kills=KILLS).serving(tmp_path) as chaos,
    ):
        await chaos.run(PEOPLE, workers=3, chunk_size=CHUNK, restart=restart, restarts=2)
