"""The command in a process of its own that is ended at any instant, and the server and files it leaves."""

import asyncio
import contextlib
import csv
import io
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter

from mettl_async.sandbox import Sandbox

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
async def killing(home, out, count):
    lines = [f"p{number}@example.org,Name {number}\n" for number in range(count)]
    (home / "p.csv").write_text("Email Address,First Name\n" + "".join(lines))
    sandbox = Sandbox()
    sandbox.faults.latency, sandbox.faults.jitter = 0.01, 0.02
    async with sandbox.serve() as server:
        yield Killing(server, home, out)


async def an_instant(rng, run, process, calls):
    """Wait for a random one: some come before the first call, most while so many calls are under way."""
    if rng.random() < 0.15:
        await asyncio.sleep(rng.uniform(0, 0.8))
        return
    goal = run.box.stats.requests + rng.randrange(1, calls)
    while run.box.stats.requests < goal and process.returncode is None:  # noqa: ASYNC110 - same
        await asyncio.sleep(0.002)
    await asyncio.sleep(rng.uniform(0, 0.03))
