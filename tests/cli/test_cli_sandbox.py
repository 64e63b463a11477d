"""``mettl sandbox``: what it prints is enough to use it."""

import asyncio
import re
import signal
import socket
import sys

PIPE = asyncio.subprocess.PIPE


async def test_what_it_prints_is_enough_to_register(environment, people, listen_to_interrupts):
    class Nobody:
        base_url = ""

        class credentials:  # noqa: N801 - stands for an attribute
            public_key = private_key = ""

    env = environment(Nobody)
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mettl_async", "sandbox", "--port", "0",
        env=env, stdout=PIPE, stderr=PIPE, preexec_fn=listen_to_interrupts,
    )  # fmt: skip
    said = ""
    while "mettl register" not in said:
        line = (await server.stdout.readline()).decode()
        assert line, (await server.stderr.read()).decode()
        said += line
    exports = dict(re.findall(r"^export (METTL_\w+)=(\S+)$", said, re.MULTILINE))
    assert set(exports) == {"METTL_PUBLIC_KEY", "METTL_PRIVATE_KEY", "METTL_BASE_URL"}
    people(3, "people.csv")
    command = said.splitlines()[-1].split()
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mettl_async", *command[1:],
        env={**env, **exports}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    out, err = await client.communicate()
    assert client.returncode == 0, err
    assert b"registered  3" in out
    server.send_signal(signal.SIGINT)
    _, err = await server.communicate()
    assert (server.returncode, err) == (0, b"")


def test_an_address_in_use_is_one_clear_line_and_2(mettl):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = mettl("sandbox", "--port", taken.getsockname()[1])
    assert done.exit_code == 2
    assert "cannot listen on 127.0.0.1 port" in done.stderr
    assert done.stderr.endswith("; pass another --port, or stop what listens there\n")
    assert len(done.stderr.splitlines()) == 1


def test_its_options_reach_the_sandbox(mettl, monkeypatch):
    made = []
    monkeypatch.setattr("mettl_async.sandbox.run", lambda *_, sandbox, **__: made.append(sandbox))
    flags = ("--keys", "pub:pri", "--allow-host", "a", "--allow-host", "b", "--lenient-signatures")
    assert mettl("sandbox", *flags).exit_code == 0
    assert mettl("sandbox").exit_code == 0
    asked, usual = made
    assert (asked.credentials.public_key, asked.credentials.private_key) == ("pub", "pri")
    assert (asked.lenient_signatures, usual.lenient_signatures) == (True, False)
    assert usual.credentials != asked.credentials
    assert mettl("sandbox", "--keys", "pub").exit_code == 2
