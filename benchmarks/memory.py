"""Peak memory of a million candidates through `register_many`, against that of ten thousand.

Run ``python benchmarks/memory.py`` where mettl-async is installed with its dev extra; two minutes.
``--quick`` for seconds, ``--json FILE`` for all figures.

The candidates come from a generator, the answers over sockets from a server in a process of its own, and
each outcome is dropped as it comes. Each size runs in a fresh process, which tells the highest resident
memory it ever had. What is kept for each candidate is one hash of the email (see `mettl_async.bulk.seen`),
to find duplicates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from typing import Any

# Nothing of the library up here: on Linux the peak of a new process begins with what its parent had
# when it started it, so the parent must stay small.
from harness import Bound, arguments, finish, peer_server, print_table

SIZES = (10_000, 1_000_000)
QUICK_SIZES = (500, 3_000)
CONCURRENCY = 8  # the default
MOST_MIB = 30.0
_KIB_PER_MIB = 1024
_SIZE_ARGUMENT, _SERVER_ARGUMENT = "--candidates", "--server"


def peak_mib() -> float:
    """Highest resident memory of this process so far."""
    import resource  # noqa: PLC0415 - not on Windows, where only the other benchmarks run

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_KIB_PER_MIB * (_KIB_PER_MIB if sys.platform == "darwin" else 1))


async def run(total: int, base_url: str) -> dict[str, float]:
    """One run in this process."""
    from workload import ACCESS_KEY, CREDENTIALS, candidates  # noqa: PLC0415 - see the top

    from mettl_async import ClientOptions, MettlClient, Registered  # noqa: PLC0415 - same

    options = ClientOptions(trust_env=False)
    async with MettlClient(CREDENTIALS, base_url=base_url, options=options) as mettl:
        before, began, registered = peak_mib(), time.perf_counter(), 0
        async for outcome in mettl.candidates.register_many(
            ACCESS_KEY, candidates(total), concurrency=CONCURRENCY
        ):
            registered += isinstance(outcome, Registered)
        seconds = time.perf_counter() - began
    assert registered == total  # noqa: S101 - a benchmark of wrong answers is worth nothing
    return {"candidates": total, "before_mib": before, "peak_mib": peak_mib(), "seconds": seconds}


def run_apart(total: int, base_url: str) -> dict[str, Any]:
    """One run in a fresh process."""
    done = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, __file__, _SIZE_ARGUMENT, str(total), _SERVER_ARGUMENT, base_url],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    given = arguments(__doc__)
    with peer_server() as base_url:
        rows = [run_apart(total, base_url) for total in (QUICK_SIZES if given.quick else SIZES)]
    print_table(
        f"register_many() over sockets, concurrency {CONCURRENCY}",
        ("candidates", "before MiB", "peak MiB", "candidates/s"),
        [
            (f"{r['candidates']:,}", r["before_mib"], r["peak_mib"], r["candidates"] / r["seconds"])
            for r in rows
        ],
    )
    small, large = rows
    bound = Bound(
        name=f"peak MiB of {large['candidates']:,} minus that of {small['candidates']:,}",
        value=large["peak_mib"] - small["peak_mib"],
        limit=MOST_MIB,
        at_most=True,
    )
    finish(given, [bound], {"concurrency": CONCURRENCY, "rows": rows})


def child() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(_SIZE_ARGUMENT, type=int, required=True)
    parser.add_argument(_SERVER_ARGUMENT, required=True)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(run(given.candidates, given.server))))


if __name__ == "__main__":
    child() if _SIZE_ARGUMENT in sys.argv else main()
