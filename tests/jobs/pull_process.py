"""A worker that pulls, in a process that a test kills: the database, and the address of the sandbox."""

import asyncio
import sys

from worked import OPTIONS

from mettl_async import MettlClient
from mettl_async.jobs import Jobs


async def main(url, base_url):
    """Work until it is killed."""
    async with Jobs(url) as jobs, MettlClient(base_url=base_url, options=OPTIONS) as client:
        await jobs.run_worker(accounts={"acme": client}, concurrency=4, lease=1.0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
