"""Worker processes for the chaos tests; each is a fork of one that has imported everything.

For each line on stdin, a JSON list of the file for its words and the arguments of `main`, it starts one.
It says ``started PID``, ``begun PID`` when that one can be given chunks, and ``ended PID STATUS``.
"""

import asyncio
import gc
import json
import logging
import os
import select
import signal
import traceback
from functools import wraps

import dbos  # noqa: F401 - so that no worker has to
import psycopg  # noqa: F401 - same
from worked import OPTIONS

from mettl_async import MettlClient
from mettl_async.jobs import running
from mettl_async.jobs.database import backend_of, engine_for
from mettl_async.jobs.engine import ChunkEngine
from mettl_async.jobs.work import Pace
from mettl_async.jobs.worker import Worker

PACE = Pace(
    lease=2.0, tick=0.2, busy=0.05, idle=0.2, watch=0.2,
    first_pause=0.2, longest_pause=2.0, unanswered=0.5, finish=5.0, sweep=1.0,
)  # fmt: skip
CONCURRENCY = 8


def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def before(place, name):
    """Die when a function is called."""
    setattr(place, name, die)


def after(place, name):
    """Die when a function has done its work, before whoever called it knows."""
    whole = getattr(place, name)

    @wraps(whole)
    async def call(*args, **kwargs):
        await whole(*args, **kwargs)
        die()

    setattr(place, name, call)


PLACES = {
    "before-first-lease": lambda: before(Worker, "_say_alive"),
    "before-launch": lambda: before(ChunkEngine, "launch"),
    "before-enqueuing": lambda: before(ChunkEngine, "enqueue"),  # the leader, half done
    "after-enqueuing": lambda: after(ChunkEngine, "enqueue"),
    "while-sweeping": lambda: after(ChunkEngine, "forget"),
    "after-claim": lambda: after(running, "claim"),
    "before-end": lambda: before(running, "finish"),
    "after-end": lambda: after(running, "finish"),
}


def say_when_begun():
    whole = ChunkEngine.launch

    async def launch(engine):
        await whole(engine)
        os.write(1, f"begun {os.getpid()}\n".encode())

    ChunkEngine.launch = launch


async def main(url, base_url, place, version):
    """Work, and die at a place if one of `PLACES` is given."""
    say_when_begun()
    if place in PLACES:
        PLACES[place]()
    engine = engine_for(url)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with MettlClient(base_url=base_url, options=OPTIONS) as client:
        worker = Worker(
            backend=backend_of(engine), url=engine.url, clients={"acme": client}, pace=PACE,
            concurrency=CONCURRENCY, max_tries=50, version=version,
        )  # fmt: skip
        await worker.run(stop)
    await engine.dispose()


def worker(words, arguments):
    """Be a worker, in a process of its own."""
    os.dup2(os.open(words, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(message)s")
    try:
        asyncio.run(main(*arguments))
    except BaseException:  # noqa: BLE001 - the test reads it
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # the interpreter would take a second to tidy up


def nursery():
    """Start workers until stdin ends, then kill those that are left."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write)
    gc.freeze()
    pids, asked = set(), b""
    while True:
        ready, _, _ = select.select([0, read], [], [])
        if read in ready:
            os.read(read, 1000)
            while pids:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                pids.discard(pid)
                os.write(1, f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())
        if 0 in ready:
            more = os.read(0, 100_000)
            if not more:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                return
            *lines, asked = (asked + more).split(b"\n")
            for line in lines:
                words, *arguments = json.loads(line)
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    worker(words, arguments)
                pids.add(pid)
                os.write(1, f"started {pid}\n".encode())


if __name__ == "__main__":
    nursery()
