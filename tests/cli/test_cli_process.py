"""The command as a real process: exit codes, Ctrl-C, a full disk, a terminal, missing extras."""

import asyncio
import os
import pty
import re
import signal
import sys
from pathlib import Path

import pytest
from python_words import python_in

from mettl_async.sandbox import Sandbox

COMMAND = (sys.executable, "-m", "mettl_async")
PIPE = asyncio.subprocess.PIPE


@pytest.fixture
async def server():
    async with Sandbox().serve() as server:
        yield server


async def start(*arguments, env, **more):
    texts = [str(one) for one in arguments]
    return await asyncio.create_subprocess_exec(
        *COMMAND, *texts, env=env, stdout=PIPE, stderr=PIPE, **more
    )


async def run(*arguments, env, **more):
    process = await start(*arguments, env=env, **more)
    out, err = (part.decode() for part in await process.communicate())
    assert not python_in(out + err), out + err
    return process.returncode, out, err


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the other side is a process
        await asyncio.sleep(0.01)


def register(server, out="links.csv"):
    return ("register", "p.csv", "--schedule", server.access_key, "--out", out)


@pytest.mark.slow
async def test_keys_and_address_come_from_the_environment(server, environment, people, read):
    people(100, "p.csv")
    code, out, err = await run(*register(server), env=environment(server))
    assert (code, err) == (0, "100/100, " + err.partition(", ")[2])
    assert "registered  100" in out
    assert len(read(Path("links.csv"))) == 100
    assert server.credentials.private_key not in out + err


async def test_a_wrong_key_stops_the_run_and_points_to_mettl_sign(server, environment, people):
    people(300, "p.csv")
    env = environment(server, METTL_PRIVATE_KEY="quite-another-key")
    code, out, err = await run(*register(server), env=env)
    assert code == 2
    assert "failed      300  E401 300" in out
    assert out.count("mettl sign") == 1
    assert "links       none, and no file: nobody was registered" in out
    assert server.sandbox.stats.requests <= 8
    assert "quite-another-key" not in out + err


@pytest.mark.slow
async def test_ctrl_c_finishes_what_is_in_flight_and_counts_the_rest(
    server, environment, people, read, listen_to_interrupts
):
    server.sandbox.faults.latency = 0.2
    people(2000, "p.csv")
    process = await start(
        *register(server), env=environment(server), preexec_fn=listen_to_interrupts
    )
    await until(lambda: server.sandbox.stats.requests >= 12)
    process.send_signal(signal.SIGINT)
    out, err = (part.decode() for part in await process.communicate())
    assert process.returncode == 130
    rows = read(Path("links.csv"))
    assert {row["status"] for row in rows} == {"registered", "not sent"}
    assert len(rows) == 2000
    rows = [row for row in rows if row["link"]]
    assert {row["Email Address"] for row in rows} == {
        one.email for one in server.sandbox.candidates
    }
    assert 0 < len(rows) < 2000
    assert f"interrupted {2000 - len(rows):,} of 2,000 were not sent" in out
    assert "Ctrl-C again exits at once" in err
    assert "Traceback" not in err


@pytest.mark.slow
async def test_a_second_ctrl_c_exits_at_once(server, environment, people, listen_to_interrupts):
    server.sandbox.faults.latency = 600.0
    people(20, "p.csv")
    process = await start(
        *register(server), env=environment(server), preexec_fn=listen_to_interrupts
    )
    await until(lambda: server.sandbox.stats.requests)
    process.send_signal(signal.SIGINT)
    assert b"Ctrl-C again exits at once" in await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 130


@pytest.mark.slow
async def test_a_slow_run_says_in_plain_lines_that_calls_are_tried_again(
    server, environment, people
):
    server.sandbox.faults.script(["throttle:429"])
    server.sandbox.faults.retry_after = 3
    people(40, "p.csv")
    code, out, err = await run(*register(server), "--concurrency", 1, env=environment(server))
    assert code == 0
    assert "; retrying: 1 call waits (too many requests)" in err
    assert re.fullmatch(r"40/40, [\d.]+/s", err.splitlines()[-1])
    assert "\x1b" not in out + err
    assert "@" not in out + err


async def read_all(terminal):
    chunks = []
    while True:
        try:
            chunk = await asyncio.to_thread(os.read, terminal, 65_536)
        except OSError:
            break  # how a pseudo-terminal says that the other side is gone
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks).decode()


async def test_a_terminal_shows_a_bar_and_gets_its_cursor_back(server, environment, people):
    server.sandbox.faults.script([None, None, "throttle:429"])
    people(60, "p.csv")
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *register(server),
        *("--concurrency", "1"),
        env=environment(server, TERM="xterm", COLUMNS="80"),
        stdout=PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown, (out, _) = await asyncio.gather(read_all(ours), process.communicate())
    os.close(ours)
    assert process.returncode == 0
    assert "━" in shown
    assert "checking p.csv" in shown
    assert "60/60" in shown
    assert "retrying: 1 call waits" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "\x1b" not in out.decode()


async def test_without_the_extra_the_command_says_what_to_install(environment, server):
    program = "import sys; sys.modules[{!r}] = None; from mettl_async.__main__ import main; main()"
    for module, extra, arguments in [
        ("typer", "cli", []),
        ("rich", "cli", []),
        ("starlette", "sandbox", ["register", "--sandbox", "--generate", "1"]),
        ("uvicorn", "sandbox", ["sandbox"]),
    ]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program.format(module), *arguments,
            env=environment(server), stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert (process.returncode, out) == (2, b"")
        assert err.decode().splitlines()[-1].endswith(f'pip install "mettl-async[{extra}]"')
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("argument", "unneeded"),
    [
        ("--version", {"typer", "rich", "attrs", "httpx"}),
        ("--help", {"httpx", "sqlite3", "rich.console", "tomllib"}),
    ],
)
async def test_a_quick_answer_loads_no_more_than_it_needs(environment, server, argument, unneeded):
    program = (
        "import sys; from mettl_async.__main__ import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join(sys.modules))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, argument, env=environment(server), stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0
    assert b"mettl" in out
    assert not unneeded & set(err.decode().split())
