"""This version against an earlier one: CPU of calls, of decoding and of a bulk run, and memory.

Run ``python benchmarks/compare_versions.py --old PYTHON``, where PYTHON is the interpreter of a virtual
environment in which the earlier version is installed; ten minutes. ``--quick`` for seconds, ``--json
FILE`` for all figures. It exits with 1 when this version takes more than 1.05 times as much.

Each measurement runs in a fresh process, old and new in turns, and a ratio is taken within a turn. The
figures are medians of the turns. CPU is that of the client's process; the server has another core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

# Nothing of the library up here: a child's peak of memory begins with that of its parent.
from harness import Bound, finish, peer_server, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1.05
TURNS = 7
CALLS = 6_000
DECODED = 40
CANDIDATES = 40_000
MANY = 1_000_000
LATENCY = 0.05
ACCESS_KEY = "benchmark1"

CALL_MEASURES = ("register on httpx", "register on aiohttp")
RUN_MEASURE, MEMORY_MEASURE, DECODE_MEASURE = "register_many at 50 ms", "memory", "decode"


def people(total: int) -> Iterator[Any]:
    """Different candidates, made one by one."""
    from mettl_async import Candidate  # noqa: PLC0415 - see the top

    for number in range(total):
        yield Candidate(
            email=f"candidate.{number:07d}@example.org",
            first_name=f"Asha {number:07d}",
            fields={"Last Name": "Raghunathan", "Roll Number": f"CS/2026/{number:07d}"},
        )


async def cpu_of_calls(base_url: str, transport: str, calls: int) -> float:
    """CPU seconds of so many calls of 20 candidates, ten in flight."""
    from mettl_async import ClientOptions, Credentials, MettlClient  # noqa: PLC0415 - see the top

    batch = list(people(20))
    keys = Credentials(public_key="k" * 36, private_key="p" * 36)
    options = ClientOptions(trust_env=False)
    async with MettlClient(keys, base_url=base_url, options=options, transport=transport) as mettl:  # type: ignore[arg-type]

        async def worker(share: int) -> None:
            for _ in range(share):
                await mettl.candidates.register(ACCESS_KEY, batch)

        await asyncio.gather(*(worker(20) for _ in range(10)))
        began = time.process_time()
        await asyncio.gather(*(worker(calls // 10) for _ in range(10)))
        return time.process_time() - began


async def cost_of_a_run(base_url: str, total: int) -> tuple[float, float]:
    """CPU seconds and peak of memory in MiB of a bulk run whose outcomes are dropped."""
    import resource  # noqa: PLC0415 - not on Windows

    from mettl_async import ClientOptions, Credentials, MettlClient  # noqa: PLC0415 - see the top

    keys = Credentials(public_key="k" * 36, private_key="p" * 36)
    async with MettlClient(
        keys, base_url=base_url, options=ClientOptions(trust_env=False)
    ) as mettl:
        # Versions before RegistrationRun had a method of its own for the stream.
        stream = getattr(mettl.candidates, "stream_registrations", mettl.candidates.register_many)
        began, count = time.process_time(), 0
        async for _ in stream(ACCESS_KEY, people(total), concurrency=10):
            count += 1
        assert count == total  # noqa: S101 - a benchmark of wrong answers is worth nothing
        took = time.process_time() - began
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_of_decoding(path: Path, times: int) -> float:
    """CPU seconds of reading an answer of 100 full results so many times."""
    from mettl_async.codec import list_from_wire, loads  # noqa: PLC0415 - see the top
    from mettl_async.models import CandidateResult  # noqa: PLC0415 - same

    text = path.read_bytes()
    list_from_wire(CandidateResult, loads(text), where="$.candidates")
    began = time.process_time()
    for _ in range(times):
        list_from_wire(CandidateResult, loads(text), where="$.candidates")
    return time.process_time() - began


def measure(name: str, server: str, size: int) -> float:
    """Take one measurement in this process."""
    if name == DECODE_MEASURE:
        return cpu_of_decoding(Path(server), size)
    if name in CALL_MEASURES:
        return asyncio.run(cpu_of_calls(server, name.rpartition(" ")[2], size))
    cpu, memory = asyncio.run(cost_of_a_run(server, size))
    return memory if name == MEMORY_MEASURE else cpu


def measured_apart(python: str, name: str, server: str, size: int) -> float:
    """Take one measurement in a fresh process of an interpreter."""
    done = subprocess.run(  # noqa: S603 - this very script
        [python, __file__, "--child", name, server, str(size)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
        cwd=tempfile.gettempdir(),
    )
    return float(done.stdout)


def ratios(old: str, name: str, server: str, size: int, turns: int) -> list[tuple[float, float]]:
    """Old and new of each turn, the first one alternating."""
    found = []
    for turn in range(turns):
        pair = {}
        for python in (old, sys.executable) if turn % 2 else (sys.executable, old):
            pair[python] = measured_apart(python, name, server, size)
        found.append((pair[old], pair[sys.executable]))
    return found


def answer_of_results(folder: str) -> Path:
    """Write the answer that is decoded."""
    from decode_results import candidate  # noqa: PLC0415 - see the top

    rng = random.Random(1)
    path = Path(folder) / "results.json"
    path.write_text(json.dumps([candidate(rng, number) for number in range(100)]))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--old", required=True, metavar="PYTHON", help="interpreter of the old one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--quick", action="store_true", help="shows that it runs, proves nothing")
    given = parser.parse_args()
    shorter, turns = (250, 1) if given.quick else (1, TURNS)
    found: dict[str, list[tuple[float, float]]] = {}
    with peer_server() as server:
        for name in CALL_MEASURES:
            found[name] = ratios(given.old, name, server, CALLS // shorter, turns)
        found[MEMORY_MEASURE] = ratios(given.old, MEMORY_MEASURE, server, MANY // shorter, 1)
    with peer_server(latency=LATENCY) as server:
        found[RUN_MEASURE] = ratios(given.old, RUN_MEASURE, server, CANDIDATES // shorter, turns)
    with tempfile.TemporaryDirectory() as folder:
        path = str(answer_of_results(folder))
        found[DECODE_MEASURE] = ratios(given.old, DECODE_MEASURE, path, DECODED, turns)
    rows = [
        (
            name,
            median(before for before, _ in pairs),
            median(after for _, after in pairs),
            median(after / before for before, after in pairs),
        )
        for name, pairs in found.items()
    ]
    print_table("CPU seconds (memory: MiB)", ("what", "old", "new", "new / old"), rows)
    bounds = [Bound(name=name, value=ratio, limit=MOST, at_most=True) for name, _, _, ratio in rows]
    finish(given, bounds, {"pairs": found})


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--child":
        print(measure(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    else:
        main()
