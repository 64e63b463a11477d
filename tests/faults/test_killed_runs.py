"""The command killed at any instant, and resumed: the server's records and the file of links agree."""

import asyncio
import contextlib
import csv
import io
import json
import os
import random
import resource
import signal
import sys
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
        """Whole rows with a link, read without any code of the command's."""
        content = self.out.read_bytes() if self.out.exists() else b""
        whole = content[: content.rfind(b"\n") + 1].decode()
        if self.out.suffix == ".csv":
            rows = list(csv.DictReader(io.StringIO(whole, newline="")))
        else:
            rows = [json.loads(line) for line in whole.splitlines()]
        return Counter(row["Email Address"] for row in rows if row["url"]), rows

    def check_end(self, count):
        """Nobody twice, nobody missing, everybody with a link of their own."""
        links, rows = self.links()
        assert len(rows) == len(links) == count
        assert set(links.values()) == {1}
        assert set(links) == {f"p{number}@example.org" for number in range(count)}
        assert all(self.box.owner_of(row["url"]) == row["Email Address"] for row in rows)
        assert set(self.handled()) == set(links)


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
            links, _ = run.links()
            handled = run.handled()
            assert not links or max(links.values()) == 1
            # A link that was there before the kill is still there, and was not asked for again.
            assert had.keys() <= links.keys()
            assert all(handled[email] == counts[email] for email in had)
            # The file never says more than the server knows, and lacks what was in flight at most.
            assert links.keys() <= handled.keys()
            midway += len(had) < len(links) < CANDIDATES
            had, counts = links, handled
        assert midway >= KILLS_IN_A_RUN // 5
        code, _, err = await run.finish()
        assert code == 0, err
        assert f"{len(had):,} of 5,000 candidates have their answer already" in err
        run.check_end(CANDIDATES)
        assert all(run.handled()[email] == counts[email] for email in had)


@pytest.mark.parametrize("out", ["links.csv", "links.jsonl"])
async def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(tmp_path, out):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    async with killing(tmp_path, out, 1_000) as run:
        code, _, err = await run.finish(preexec_fn=small_disk)
        assert code == 2
        assert "pass --resume to go on" in err
        links, rows = run.links()
        assert 0 < len(links) == len(rows) < 1_000
        counts = run.handled()
        # The disk is still full: again in order, and nothing of the file is lost.
        code, _, err = await run.finish(preexec_fn=small_disk)
        assert code == 2
        assert run.links()[0] == links
        assert all(run.handled()[email] == counts[email] for email in links)
        code, _, err = await run.finish()
        assert code == 0, err
        run.check_end(1_000)
        assert all(run.handled()[email] == counts[email] for email in links)


async def test_ctrl_c_and_resume_finish_a_run(tmp_path):
    async with killing(tmp_path, "links.csv", 2_000) as run:
        process = await run.start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        while run.box.stats.requests < 20:  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
        assert process.returncode == 130
        assert "were not sent; --resume goes on" in out.decode()
        links, _ = run.links()
        assert 0 < len(links) < 2_000
        code, _, err = await run.finish()
        assert code == 0, err
        run.check_end(2_000)
        assert max(run.handled().values()) == 1
