"""``mettl register`` with streams that are closed, full, or read by nobody: the outcome alone decides."""

import asyncio
import contextlib
import encodings.aliases
import os
import pkgutil
import pty
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.options import ReadOptions
from mettl_async.cli.reading.source import Source
from mettl_async.sandbox import Sandbox

COMMAND = (sys.executable, "-m", "mettl_async")
PIPE = asyncio.subprocess.PIPE
ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
EACH = [
    signal.SIGTERM,
    *(pytest.param(one, marks=pytest.mark.slow) for one in ENDS if one != signal.SIGTERM),
]  # by default one is enough, for all go the same way


@pytest.fixture
async def server():
    async with Sandbox().serve() as server:
        yield server


async def shell(line, *, env, **more):
    """Run a line of the shell with the command in place of METTL."""
    line = line.replace("METTL", " ".join(COMMAND))
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", line, env=env, stdout=PIPE, stderr=PIPE, **more
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


WAYS = {
    "stdout closed": ">&-",
    "stdout full": ">/dev/full",
    "nobody reads stdout": "> >(exec sleep 0)",
    "stderr closed": "2>&-",
    "stderr full": "2>/dev/full",
    "nobody reads stderr": "2> >(exec sleep 0)",
    "stdin closed": "<&-",
    "everything closed": "<&- >&- 2>&-",
    "both full": ">/dev/full 2>&1",
}


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("nobody reads stdout", 0),
        ("both full", 1),
        *(
            pytest.param(way, code, marks=pytest.mark.slow)
            for way, code in [
                *((way, 0) for way in WAYS if way != "nobody reads stdout"),
                ("everything closed", 2),
                ("both full", 2),
            ]
        ),
    ],
)
async def test_the_exit_code_is_that_of_the_outcome(server, environment, people, read, way, code):
    people(1, "p.csv")
    server.sandbox.faults.script({0: [], 1: ["E028"], 2: ["E401"]}[code])
    options = f"p.csv --schedule {server.access_key} --out links.csv"
    # Who reads is gone before the first word.
    line = f"exec {WAYS[way]}; METTL register {options}"
    ended, out, err = await shell(line, env=environment(server))
    assert ended == code, err
    assert "Traceback" not in out + err
    assert "Exception" not in out + err
    if code != 2:  # which leaves no file: nobody was answered
        assert [row["status"] for row in read(Path("links.csv"))] == [
            ("registered", "rejected")[code]
        ]


@pytest.mark.parametrize(
    ("arguments", "way", "code"),
    [
        ("--version", ">/dev/full", 2),
        pytest.param("--version", ">&-", 0, marks=pytest.mark.slow),
        pytest.param("register --help", ">/dev/full", 2, marks=pytest.mark.slow),
    ],
)
async def test_help_that_cannot_be_shown_has_no_traceback(
    server, environment, arguments, way, code
):
    ended, out, err = await shell(f"METTL {arguments} {way}", env=environment(server))
    assert (ended, out) == (code, "")
    assert err == ("mettl: stdout cannot be written: No space left on device\n" if code else "")


@pytest.mark.slow
async def test_an_error_that_nobody_can_read_is_still_an_exit_code(server, environment):
    ended, *said = await shell(
        "METTL register no.csv --sandbox 2>/dev/full", env=environment(server)
    )
    assert (ended, *said) == (2, "", "")


@pytest.mark.slow
async def test_stdin_that_is_closed_is_an_empty_file(server, environment):
    options = f"- --schedule {server.access_key} --out links.csv"
    ended, _, err = await shell(f"METTL register {options} <&-", env=environment(server))
    assert ended == 2
    assert err.startswith("mettl: ")
    assert "empty" in err
    assert len(err.splitlines()) == 1


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the other side is a process
        await asyncio.sleep(0.01)


async def start(server, env, *more, **streams):
    given = ("register", "p.csv", "--schedule", server.access_key, "--out", "links.csv", *more)
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *given,
        env=env,
        preexec_fn=heed_signals,
        **{"stdout": PIPE, "stderr": PIPE, **streams},
    )


def heed_signals():
    for one in ENDS:
        signal.signal(one, signal.SIG_DFL)


@pytest.mark.parametrize("number", EACH)
async def test_a_signal_ends_a_run_in_order_and_resume_goes_on(
    server, environment, people, read, number
):
    server.sandbox.faults.latency = 0.05
    people(400, "p.csv")
    process = await start(server, environment(server))
    await until(lambda: server.sandbox.stats.requests >= 10)
    process.send_signal(number)
    process.send_signal(number)  # "timeout" sends two at once, and means one
    out, err = (part.decode() for part in await process.communicate())
    assert process.returncode == ENDS[number]
    rows = read(Path("links.csv"))
    done = sum(bool(row["link"]) for row in rows)
    assert 0 < done < 400
    assert f"interrupted {400 - done} of 400 were not sent; --resume goes on" in out
    assert "Traceback" not in err
    server.sandbox.faults.latency = 0
    process = await start(server, environment(server), "--resume")
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert {row["status"] for row in read(Path("links.csv"))} == {"registered"}
    assert max(server.sandbox.stats.registrations.values()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
async def test_a_second_signal_ends_at_once(server, environment, people, number):
    server.sandbox.faults.latency = 600.0
    people(20, "p.csv")
    process = await start(server, environment(server))
    await until(lambda: server.sandbox.stats.requests)
    process.send_signal(signal.SIGTERM)
    assert b"; the next signal exits at once" in await process.stderr.readline()
    process.send_signal(number)
    await process.communicate()
    assert process.returncode == ENDS[number]


@pytest.mark.parametrize("number", EACH)
async def test_a_signal_before_anything_is_sent_says_so(server, environment, number, asleep):
    os.mkfifo("p.csv")  # of which nothing comes
    process = await start(server, environment(server))
    writer = await asyncio.to_thread(os.open, "p.csv", os.O_WRONLY)
    await asleep(process)
    process.send_signal(number)
    out, err = await process.communicate()
    os.close(writer)
    assert process.returncode == ENDS[number]
    how = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert (out, err.decode()) == (b"", f"mettl: {how}; nothing was sent\n")
    assert not await asyncio.to_thread(lambda: list(Path().glob("links*")))
    assert server.sandbox.stats.requests == 0


async def test_what_nohup_ignores_stays_ignored(server, environment, people, read):
    server.sandbox.faults.latency = 0.05
    people(200, "p.csv")
    given = ("register", "p.csv", "--schedule", server.access_key, "--out", "links.csv")
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *given, env=environment(server), stdout=PIPE, stderr=PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    await until(lambda: server.sandbox.stats.requests)
    process.send_signal(signal.SIGHUP)
    await process.communicate()
    assert process.returncode == 0
    assert {row["status"] for row in read(Path("links.csv"))} == {"registered"}


@pytest.mark.slow
async def test_a_terminal_that_is_closed_ends_the_run_in_order(server, environment, people, read):
    server.sandbox.faults.latency = 0.05
    people(400, "p.csv")
    ours, theirs = pty.openpty()
    process = await start(
        server,
        environment(server, TERM="xterm"),
        *("--concurrency", "4", "--yes"),
        stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    await until(lambda: server.sandbox.stats.requests >= 10)
    os.close(ours)  # from now on, each write to it fails
    process.send_signal(signal.SIGHUP)
    assert await process.wait() == 129
    rows = read(Path("links.csv"))
    assert 0 < sum(bool(row["link"]) for row in rows) < 400
    assert len(rows) == 400


CODECS = {
    *encodings.aliases.aliases,
    *(one.name for one in pkgutil.iter_modules(encodings.__path__)),
}
NO_ENCODINGS = ["", " ", "no", "\0", "ü", "\ud800", "a" * 100_000, "../x", "locale", "undefined"]


def test_whatever_encoding_is_given_the_file_is_read_or_refused():
    path = Path("p.csv")
    path.write_bytes("Email Address,First Name\na@x.org,Åsa\n".encode())
    for name in sorted(CODECS | {name.replace("_", "-") for name in CODECS}) + NO_ENCODINGS:
        with (
            contextlib.suppress(CommandError),
            closing(Source(path, ReadOptions(encoding=name))) as source,
        ):
            assert list(source.rows())


@pytest.mark.parametrize("name", [*NO_ENCODINGS, "utf-16", "rot13", "mbcs", "hz", "cp037"])
def test_an_encoding_that_does_not_help_is_a_word_not_a_traceback(mettl, sandbox, name):
    Path("p.csv").write_bytes("Email Address,First Name\na@x.org,Åsa\n".encode())
    done = mettl("register", "p.csv", "--sandbox", "--encoding", name)
    assert isinstance(done.exception, SystemExit)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "p.csv" in done.stderr or "there is no such encoding of text" in done.stderr
