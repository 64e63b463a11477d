"""Databases for tests: a file, and a real PostgreSQL, started from Debian's package."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

START_WITHIN = 60.0


@pytest.fixture(scope="session")
def postgres_url():
    """SQLAlchemy's URL of an empty PostgreSQL on a free port of 127.0.0.1."""
    programs = newest_postgresql()
    if programs is None:
        reason = "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not pytest's own directory: the user who runs the server can't reach it.
    home = Path(tempfile.mkdtemp(prefix="mettl-postgres-"))
    try:
        yield from running(programs, home)
    finally:
        shutil.rmtree(home)


def newest_postgresql():
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((one.parent for one in found), key=lambda one: int(one.parent.name), default=None)


def running(programs, home):
    account = make_cluster(programs, home)
    with serving(programs, home, free_port(), account) as url:
        yield url


def make_cluster(programs, home):
    """Make the files of a server; returns who must run it."""
    as_user = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    subprocess.run(  # noqa: S603 - Debian's own program
        [programs / "initdb", "-D", home / "data", "-U", "mettl", "-A", "trust", "-E", "UTF8",
         "--locale=C", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, cwd=home, **as_user,
    )  # fmt: skip
    return as_user


@contextlib.contextmanager
def serving(programs, home, port, as_user):
    """Run a server on these files; it may be run again after that."""
    with (home / "log").open("ab") as log:
        server = subprocess.Popen(  # noqa: S603 - Debian's own program
            [programs / "postgres", "-D", home / "data", "-h", "127.0.0.1", "-p", str(port),
             "-k", "", "-F", "-c", "synchronous_commit=off", "-c", "max_connections=100"],
            stdout=log, stderr=log, cwd=home, **as_user,
        )  # fmt: skip
    try:
        wait_until_ready(programs, server, port, home / "log")
        yield f"postgresql+asyncpg://mettl@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # ends open sessions, then the server
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """SQLAlchemy's URL of a file, and of a server."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'tests.sqlite3'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def engine(database_url):
    """On either database, with the pool and the waiting for locks that users get by default."""
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(programs, server, port, log):
    ask = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    gives_up_at = time.monotonic() + START_WITHIN
    while subprocess.run(ask, check=False).returncode:  # noqa: S603 - Debian's own program
        if server.poll() is not None or time.monotonic() > gives_up_at:
            pytest.fail(f"PostgreSQL did not start: {log.read_text(errors='replace')}")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def pgbouncer_port(postgres_url):
    """Port of a PgBouncer in transaction mode before the PostgreSQL, with three connections to it."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        reason = "PgBouncer is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    home = Path(tempfile.mkdtemp(prefix="mettl-pgbouncer-"))
    port, server_port = free_port(), make_url(postgres_url).port
    (home / "users.txt").write_text('"mettl" ""\n')
    (home / "pgbouncer.ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server_port} dbname=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {home}/users.txt\npool_mode = transaction\n"
        "default_pool_size = 3\nmax_client_conn = 500\n"
    )
    as_user = {}
    if os.geteuid() == 0:  # it refuses to run as root
        account = pwd.getpwnam("postgres")
        for path in (home, *home.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with (home / "log").open("wb") as log:
        pooler = subprocess.Popen(  # noqa: S603 - Debian's own program
            [program, home / "pgbouncer.ini"], stdout=log, stderr=log, cwd=home, **as_user
        )
    try:
        wait_until_open(pooler, port, home / "log")
        yield port
    finally:
        pooler.kill()
        pooler.wait()
        shutil.rmtree(home)


def wait_until_open(process, port, log):
    gives_up_at = time.monotonic() + START_WITHIN
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > gives_up_at:
            pytest.fail(f"PgBouncer did not start: {log.read_text(errors='replace')}")
        time.sleep(0.05)
