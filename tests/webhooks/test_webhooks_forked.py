"""Receivers in a process that was forked, as by gunicorn with --preload and by uWSGI."""

import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.util.concurrency import greenlet_spawn

from mettl_async.errors import ConfigurationError
from mettl_async.sql_forks import Opened
from mettl_async.webhooks.sync import _Loop

SCRIPT = """
import ctypes, logging, os, signal, sys
from sqlalchemy.ext.asyncio import create_async_engine
from mettl_async.webhooks import TestGraded, WebhookReceiver, run_sync, sample_event
from mettl_async.webhooks.sql_seen_events import SqlSeenEvents

logging.basicConfig(stream=sys.stdout, format="%(message)s")
seen = SqlSeenEvents(create_async_engine(sys.argv[1]), table=sys.argv[2])
receiver = WebhookReceiver(auth=None, seen=seen)

@receiver.on(TestGraded)
async def store(event): ...

def deliver(name):
    body = sample_event(TestGraded, email=f"{name}@x.org")
    print(name, receiver.respond_sync("POST", {}, body).status, flush=True)

def child(name, fork):
    process = fork()
    if process:
        assert os.waitpid(process, 0)[1] == 0
    else:
        signal.alarm(20)
        deliver(name)
        sys.exit()

without_hooks = ctypes.PyDLL(None).fork  # as uWSGI does
run_sync(seen.create_table)
child("a", without_hooks)
deliver("b")
child("c", os.fork)
"""

CAN_FORK = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="cannot fork"
)


def said_by(url, table):
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", SCRIPT, url, table],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


@CAN_FORK
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_child_answers_and_says_what_is_wrong(database, tmp_path, table_name, request):
    url = f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}"
    if database != "sqlite":
        url = request.getfixturevalue("postgres_url")
    lines = said_by(url, table_name)
    told = [lines.pop(number) for number, line in enumerate(lines) if "claim failed" in line]
    assert "engine: had connections open when this process was forked" in told[0]
    assert lines == ["a 200", "b 200", "c 503"]


@pytest.fixture
async def opened(engine):
    """An engine that has a connection open in its pool."""
    opened = Opened.of(engine)
    assert Opened.of(engine) is opened
    async with engine.connect() as connection:
        await connection.execute(sa.select(1))
    return opened


async def test_what_another_process_opened_is_not_used(opened, monkeypatch):
    opened.check()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="dispose of it before the fork"):
                opened.check()
    opened.check()


async def test_an_engine_that_was_disposed_of_may_be_used_in_a_child(opened, engine, monkeypatch):
    await engine.dispose()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    opened.check()


async def test_a_child_may_leave_the_pool_of_a_server_as_sqlalchemy_says(
    opened, engine, monkeypatch
):
    pool = engine.pool
    engine.sync_engine.dispose(close=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        if engine.dialect.name == "sqlite":  # what is written then may be lost
            with pytest.raises(ConfigurationError, match="before the fork"):
                opened.check()
        else:
            opened.check()
    await greenlet_spawn(pool.dispose)


async def test_a_table_that_is_created_leaves_no_connection_behind(sql_seen, engine, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)
    Opened.of(engine).check()


def test_a_lock_that_a_thread_of_the_parent_held_does_not_hold_up_a_child(monkeypatch):
    loop = _Loop()
    begun = loop.begun()
    loop._locks[os.getpid()].acquire()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert loop.begun() is not begun
    assert loop.begun() is loop.begun()
    loop._end(threading.main_thread(), 0)
