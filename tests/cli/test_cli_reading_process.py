"""The reading commands as real processes: a terminal, Ctrl-C, a full disk, a reader that has gone."""

import asyncio
import json
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from mettl_async import Candidate, Credentials, MettlClient
from mettl_async.sandbox import Sandbox

COMMAND = (sys.executable, "-m", "mettl_async")
PIPE = asyncio.subprocess.PIPE


@pytest.fixture
async def server():
    async with Sandbox().serve() as server:
        keys = Credentials(
            public_key=server.credentials.public_key, private_key=server.credentials.private_key
        )
        async with MettlClient(keys, base_url=server.base_url) as client:
            await client.candidates.register(
                server.access_key,
                [
                    Candidate(email="asha@example.org", first_name="Asha"),
                    Candidate(email="zoë@example.org", first_name="Zoë"),
                ],
            )
        server.sandbox.candidates[server.access_key, "asha@example.org"].finish()
        yield server


def files():
    return sorted(one.name for one in Path().iterdir())


async def at_a_terminal(*arguments, env):
    """What stdout, a terminal, shows."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=env, stdout=theirs, stderr=PIPE
    )
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = await asyncio.to_thread(os.read, ours, 65_536)
        except OSError:
            break  # how a pseudo-terminal says that the other side is gone
        if not chunk:
            break
        chunks.append(chunk)
    _, err = await process.communicate()
    os.close(ours)
    return process.returncode, b"".join(chunks).decode(), err.decode()


def rows_of(shown):
    return [line.split() for line in shown.splitlines()]


async def test_a_terminal_gets_tables(server, environment):
    env = environment(server, TERM="xterm", COLUMNS="100", NO_COLOR="1")
    server.sandbox.add_schedule("\x1b]0;title\x07")
    code, shown, _ = await at_a_terminal("results", server.access_key, env=env)
    assert code == 0
    [asha] = [row for row in rows_of(shown) if row[:1] == ["asha@example.org"]]
    assert asha[1:3] == ["Test-taker", "Completed"]
    assert "/" in asha
    assert ["zoë@example.org", "Registered"] in rows_of(shown)
    _, shown, _ = await at_a_terminal("schedules", env=env)
    assert server.access_key in shown
    assert "\x1b]0;" not in shown
    _, shown, _ = await at_a_terminal("account", "--json", env=env)
    assert json.loads(shown)["email"]


@pytest.mark.slow
async def test_ctrl_c_ends_at_once_with_130_and_leaves_no_file(
    server, environment, listen_to_interrupts, asleep
):
    server.sandbox.faults.latency = 600.0
    before = server.sandbox.stats.requests
    for arguments in (
        ("results", server.access_key, "--out", "r.csv"),
        ("report", server.access_key, "asha@example.org", "--out", "r.pdf"),
    ):
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, env=environment(server), stdout=PIPE, stderr=PIPE,
            preexec_fn=listen_to_interrupts,
        )  # fmt: skip
        while server.sandbox.stats.requests == before:  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.01)
        await asleep(process)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert (process.returncode, out) == (130, b"")
        assert err == b"mettl: interrupted; nothing was written\n"
        assert files() == []
        before = server.sandbox.stats.requests


async def shell(script, env):
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, *COMMAND, env=env, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
@pytest.mark.parametrize("more", ["--json", pytest.param("", marks=pytest.mark.slow)])
async def test_a_full_disk_behind_stdout_is_one_clear_line(server, environment, more):
    script = f'"$0" "$@" results {server.access_key} {more} > /dev/full'
    code, _, err = await shell(script, environment(server))
    assert (code, err) == (2, "mettl: stdout cannot be written: No space left on device\n")


async def test_a_reader_that_has_gone_is_no_traceback(server, environment):
    script = f'"$0" "$@" results {server.access_key} | true'
    assert await shell(script, environment(server)) == (0, "", "")


@pytest.mark.slow
async def test_output_is_utf_8_whatever_the_locale(server, environment):
    env = environment(server, PYTHONIOENCODING="latin-1")
    _, out, _ = await shell(f'"$0" "$@" results {server.access_key}', env)
    assert "zoë@example.org" in out
