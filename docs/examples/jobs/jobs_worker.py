"""A worker of jobs in a process of its own, until Ctrl-C or SIGTERM: ``python jobs_worker.py``.

Run any number of them: with SQLite on one machine, with PostgreSQL on many. The environment has the keys of
the account, and the URL of the database in METTL_JOBS_DB; without it the file jobs.db.
"""

import asyncio
import os
import signal

from mettl_async import MettlClient
from mettl_async.jobs import Jobs


async def main(database: str) -> None:
    """Work until it is told to stop, and then hand on what is left."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):  # on Windows: signal.signal(one, ...)
        loop.add_signal_handler(one, stop.set)
    async with Jobs(database) as jobs, MettlClient() as client:
        await jobs.run_worker(accounts={"acme": client}, stop=stop, rates={"acme": 20.0})


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("METTL_JOBS_DB", "sqlite:///jobs.db")))
