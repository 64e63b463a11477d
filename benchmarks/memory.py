"""Peak memory of a million candidates through `stream_registrations`, against that of ten thousand.

Run ``python benchmarks/memory.py`` where mettl-async is installed with its dev extra; three minutes.
``--quick`` for seconds, ``--json FILE`` for all figures.

The candidates come from a generator, the answers from the sandbox's stub in the same process (through
an injected ``httpx.AsyncClient``), and each outcome is dropped as it comes. Each size runs in a fresh
process, which tells the highest resident memory it ever had. What is kept for each candidate is one
hash of the email (see `mettl_async.bulk.seen`), to find duplicates.
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
from harness import Bound, arguments, finish, print_table

SIZES = (10_000, 1_000_000)
QUICK_SIZES = (500, 3_000)
CONCURRENCY = 8  # the default
MOST_MIB = 30.0
_KIB_PER_MIB = 1024
_SIZE_ARGUMENT = "--candidates"


def peak_mib() -> float:
    """Highest resident memory of this process so far."""
    import resource  # noqa: PLC0415 - not on Windows, where only the other benchmarks run

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_KIB_PER_MIB * (_KIB_PER_MIB if sys.platform == "darwin" else 1))


async def run(total: int) -> dict[str, float]:
    """One run in this process."""
    import httpx  # noqa: PLC0415 - see the top
    from workload import candidates  # noqa: PLC0415 - same

    from mettl_async import MettlClient, Registered  # noqa: PLC0415 - same
    from mettl_async.sandbox import Sandbox  # noqa: PLC0415 - same

    sandbox = Sandbox()
    async with (
        httpx.AsyncClient(transport=sandbox.transport(stub=True), trust_env=False) as client,
        MettlClient(sandbox.credentials, base_url="http://127.0.0.1", http_client=client) as mettl,
    ):
        before, began, registered = peak_mib(), time.perf_counter(), 0
        async for outcome in mettl.candidates.stream_registrations(
            sandbox.access_key, candidates(total), concurrency=CONCURRENCY
        ):
            registered += isinstance(outcome, Registered)
        seconds = time.perf_counter() - began
    assert registered == total  # noqa: S101 - a benchmark of wrong answers is worth nothing
    return {"candidates": total, "before_mib": before, "peak_mib": peak_mib(), "seconds": seconds}


def run_apart(total: int) -> dict[str, Any]:
    """One run in a fresh process."""
    done = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, __file__, _SIZE_ARGUMENT, str(total)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    given = arguments(__doc__)
    rows = [run_apart(total) for total in (QUICK_SIZES if given.quick else SIZES)]
    print_table(
        f"stream_registrations() against the sandbox's stub, concurrency {CONCURRENCY}",
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
    print(json.dumps(asyncio.run(run(parser.parse_args().candidates))))


if __name__ == "__main__":
    child() if _SIZE_ARGUMENT in sys.argv else main()
