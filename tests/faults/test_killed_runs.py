"""The command killed at any instant, and resumed: the server's records and the journal agree."""

import asyncio
import contextlib
import csv
import io
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections import Counter

import pytest

from mettl_async.sandbox import Sandbox

pytestmark = pytest.mark.slow

CANDIDATES = 5_000
KILLS_IN_A_RUN = 10
RUNS = (
    ("links.csv", 1),
    ("links.jsonl", 2),
    ("links.csv", 3),
    ("links.jsonl", 4),
    ("links.csv", 5),
)
BATCHES = CANDIDATES // 20
COMMAND = (sys.executable, "-m", "mettl_async", "register", "p.csv", "--resume")


class Killing:
    """A sandbox in this process, and commands in processes of their own."""

    def __init__(self, server, home, out):
        self.server, self.box, self.home, self.out = server, server.sandbox, home, home / out
        self.env = {
            **os.environ,
            "METTL_PUBLIC_KEY": server.credentials.public_key,
            "METTL_PRIVATE_KEY": server.credentials.private_key,
            "METTL_BASE_URL": server.base_url,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }

    async def start(self, **more):
        return await asyncio.create_subprocess_exec(
            *COMMAND, "--schedule", self.server.access_key, "--out", self.out.name,
            cwd=self.home, env=self.env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **more,
        )  # fmt: skip

    async def finish(self, **more):
        process = await self.start(**more)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    def handled(self):
        """How often the server has registered each email."""
        return Counter({email: count for (_, email), count in self.box.stats.registrations.items()})

    async def quiet(self):
        """Wait until the server is done with what the killed process had sent."""
        while self.box.stats.in_flight:  # noqa: ASYNC110 - a server has no event for it
            await asyncio.sleep(0.005)

    def links(self):
        """Whom the journal has a link for, read without any code of the command's, and without a trace."""
        with tempfile.TemporaryDirectory() as home:
            for name in (f"{self.out.name}.journal", f"{self.out.name}.journal-wal"):
                if (self.home / name).exists():
                    shutil.copy(self.home / name, home)
            with contextlib.closing(sqlite3.connect(f"{home}/{self.out.name}.journal")) as database:
                if not database.execute("SELECT * FROM sqlite_schema").fetchall():
                    return Counter()
                urls = database.execute(
                    "SELECT url FROM mettl_journal UNION SELECT url FROM mettl_journal_added"
                ).fetchall()
        return Counter(self.box.owner_of(url) for (url,) in urls if url)

    def rows(self):
        """The rows of the file of links, which is whole or absent at any time."""
        if not self.out.exists():
            return []
        text = self.out.read_text("utf-8")
        assert text.endswith("\n")
        if self.out.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text, newline="")))
        return [json.loads(line) for line in text.splitlines()]

    def check_end(self, count):
        """Nobody twice, nobody missing, everybody with a link of their own."""
        links, rows = self.links(), self.rows()
        everybody = [f"p{number}@example.org" for number in range(count)]
        assert [row["Email Address"] for row in rows] == everybody
        assert [self.box.owner_of(row["link"]) for row in rows] == everybody
        assert links == Counter(everybody)
        assert set(self.handled()) == set(links)
        names = {self.out.name, f"{self.out.name}.journal", "p.csv"}
        assert {one.name for one in self.home.iterdir()} == names


@contextlib.asynccontextmanager
async def killing(home, out, count=CANDIDATES):
    lines = [f"p{number}@example.org,Name {number}\n" for number in range(count)]
    (home / "p.csv").write_text("Email Address,First Name\n" + "".join(lines))
    sandbox = Sandbox()
    sandbox.faults.latency, sandbox.faults.jitter = 0.01, 0.02
    async with sandbox.serve() as server:
        yield Killing(server, home, out)


async def an_instant(rng, run, process):
    """Wait for a random one: some come before the first call, most while calls are under way."""
    if rng.random() < 0.15:
        await asyncio.sleep(rng.uniform(0, 0.8))
        return
    goal = run.box.stats.requests + rng.randrange(1, 2 * BATCHES // KILLS_IN_A_RUN)
    while run.box.stats.requests < goal and process.returncode is None:  # noqa: ASYNC110 - same
        await asyncio.sleep(0.002)
    await asyncio.sleep(rng.uniform(0, 0.03))


@pytest.mark.parametrize(("out", "seed"), RUNS)
async def test_killed_at_random_instants_and_resumed_nobody_is_lost_doubled_or_sent_in_vain(
    tmp_path, out, seed
):
    rng = random.Random(seed)
    async with killing(tmp_path, out) as run:
        had, counts, midway = Counter(), Counter(), 0
        for _ in range(KILLS_IN_A_RUN):
            process = await run.start()
            await an_instant(rng, run, process)
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.communicate()
            await run.quiet()
            links = run.links()
            assert len(run.rows()) in (0, CANDIDATES)
            handled = run.handled()
            assert not links or max(links.values()) == 1
            # A link that was there before the kill is still there, and was not asked for again.
            assert had.keys() <= links.keys()
            assert all(handled[email] == counts[email] for email in had)
            # The journal never says more than the server knows, and lacks what was in flight at most.
            assert links.keys() <= handled.keys()
            midway += len(had) < len(links) < CANDIDATES
            had, counts = links, handled
        assert midway >= KILLS_IN_A_RUN // 5
        code, said, err = await run.finish()
        assert code == 0, err
        assert f"already     {len(had):,} of them had their answer before" in said
        run.check_end(CANDIDATES)
        assert all(run.handled()[email] == counts[email] for email in had)


async def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(tmp_path):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    async with killing(tmp_path, "links.csv", 1_000) as run:
        code, said, err = await run.finish(preexec_fn=small_disk)
        assert code == 2
        assert "links.csv.journal: cannot be read or written: disk I/O error" in err
        assert "pass --resume to go on" in err
        assert "Traceback" not in err
        links, known = run.links(), len(run.handled())
        assert 0 < len(links) < known < 1_000
        assert f"registered  {known:>5,}" in said
        assert f"{known - len(links):,} outcomes are not in it" in err
        assert f"{1_000 - known:,} of 1,000 candidates were not sent" in err
        counts = run.handled()
        # The disk is still full: again in order, and nothing of the journal is lost.
        code, _, err = await run.finish(preexec_fn=small_disk)
        assert code == 2
        assert run.links().keys() >= links.keys()
        assert all(run.handled()[email] == counts[email] for email in links)
        code, _, err = await run.finish()
        assert code == 0, err
        run.check_end(1_000)
        assert all(run.handled()[email] == counts[email] for email in links)


async def test_two_commands_on_one_output_are_one_too_many(tmp_path):
    async with killing(tmp_path, "links.csv", 2_000) as run:
        first = await run.start()
        while run.box.stats.requests < 20:  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.005)
        first.send_signal(signal.SIGSTOP)  # it is still there when the second one begins
        code, _, err = await run.finish()
        first.send_signal(signal.SIGCONT)
        assert code == 2
        assert f"links.csv.journal: is in use by another run (process {first.pid}, since " in err
        await first.communicate()
        assert first.returncode == 0
        run.check_end(2_000)
        assert max(run.handled().values()) == 1


async def test_ctrl_c_and_resume_finish_a_run(tmp_path):
    async with killing(tmp_path, "links.csv", 2_000) as run:
        process = await run.start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        while run.box.stats.requests < 20:  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
        assert process.returncode == 130
        assert "were not sent; --resume goes on" in out.decode()
        links = run.links()
        assert 0 < len(links) < 2_000
        rows = run.rows()
        assert Counter(row["status"] for row in rows) == {
            "registered": len(links),
            "not sent": 2_000 - len(links),
        }
        code, _, err = await run.finish()
        assert code == 0, err
        run.check_end(2_000)
        assert max(run.handled().values()) == 1
