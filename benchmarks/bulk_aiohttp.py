"""10,000 candidates through `register_many` on aiohttp, against the best loop over bare aiohttp.

Run ``python benchmarks/bulk_aiohttp.py`` where mettl-async is installed with its dev extra; about eight
minutes. ``--quick`` for seconds, ``--json FILE`` for all figures.

Every answer takes 50 or 200 ms, as over a real network. Ours: candidates -> batches -> JSON -> signature
-> sent -> checked and matched outcomes in a report. Bare: the 500 requests were made and signed before
the clock starts; they are only sent, and the bodies of their answers read. Several ways to write that
loop are tried, and the one with the best median is compared with. ``share`` is the part of the ideal,
calls * latency / workers.

Server and client are two processes on two cores; all ways run in turns, medians of rounds. Each run
opens its connections anew within its time.
"""

from __future__ import annotations

import asyncio
import gc
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import aiohttp
from attrs import frozen
from bulk_latency import OURS, Mode, ours, ratio, rows
from harness import Bound, arguments, finish, peer_server, print_table
from workload import BATCH, Presigned, candidates, presign
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Sequence

TOTAL = 10_000
LATENCIES = (0.05, 0.2)
WORKERS = (10, 50)
MODES: tuple[Mode, ...] = ("query", "form")
ROUNDS = 3
AT_LEAST = 0.93  # of the requests per second of the best bare loop


@frozen
class Way:
    """A way to write the bare loop: connections per worker, a lean session or not, workers or gather."""

    limited: bool = True
    lean: bool = False
    gather: bool = False


WAYS = {
    "workers": Way(),
    "workers, no limit": Way(limited=False),
    "workers, lean session": Way(limited=False, lean=True),
    "gather behind a semaphore": Way(gather=True),
    "gather behind a semaphore, lean session": Way(limited=False, lean=True, gather=True),
}


def _session(way: Way, workers: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=workers if way.limited else 0)
    if not way.lean:
        return aiohttp.ClientSession(connector=connector)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
    )


async def bare(way: Way, ready: Sequence[tuple[URL, Presigned]], workers: int) -> float:
    """Seconds of one run."""
    async with _session(way, workers) as session:
        rest = iter(ready)
        slots = asyncio.Semaphore(workers)

        async def send(url: URL, one: Presigned) -> None:
            async with session.post(url, data=one.body, headers=one.headers) as response:
                await response.read()
                assert response.status == 200  # noqa: S101 - wrong answers are worth nothing

        async def worker() -> None:
            for url, one in rest:  # one iterator for all workers
                await send(url, one)

        async def in_turn(url: URL, one: Presigned) -> None:
            async with slots:
                await send(url, one)

        began = time.perf_counter()
        if way.gather:
            await asyncio.gather(*(in_turn(url, one) for url, one in rest))
        else:
            await asyncio.gather(*(worker() for _ in range(workers)))
        return time.perf_counter() - began


async def compare(
    base_url: str, mode: Mode, workers: int, *, total: int, rounds: int
) -> dict[str, list[float]]:
    """Seconds of all ways, in turns; the order is reversed with each round."""
    people = list(candidates(total))
    ready = []
    for start in range(0, total, BATCH):
        made = presign(base_url, people[start : start + BATCH], mode)
        ready.append((URL(made.url, encoded=True), made))
    seconds: dict[str, list[float]] = {name: [] for name in (OURS, *WAYS)}
    for number in range(rounds):
        order = list(seconds)
        for name in reversed(order) if number % 2 else order:
            gc.collect()  # no run pays for another one's rubbish
            seconds[name].append(
                await ours(base_url, people, mode, workers, transport="aiohttp")
                if name == OURS
                else await bare(WAYS[name], ready, workers)
            )
    return seconds


def best_of(seconds: dict[str, list[float]]) -> str:
    """Choose the bare way with the shortest median."""
    return min(WAYS, key=lambda name: median(seconds[name]))


def main() -> None:
    given = arguments(__doc__)
    total, rounds = (200, 1) if given.quick else (TOTAL, ROUNDS)
    bounds: list[Bound] = []
    figures: list[dict[str, Any]] = []
    for latency in LATENCIES:
        for mode, workers in ((mode, workers) for mode in MODES for workers in WORKERS):
            with peer_server(latency=latency) as base_url:
                seconds = asyncio.run(compare(base_url, mode, workers, total=total, rounds=rounds))
            ideal = -(-total // BATCH) * latency / workers
            best = best_of(seconds)
            where = f"{mode}, concurrency {workers}, {latency * 1000:.0f} ms"
            print_table(
                f"{total:,} candidates, {where}, medians of {rounds} rounds",
                ("way", "seconds", "share", "seconds / ours"),
                rows(seconds, best=best, ideal=ideal),
            )
            bounds.append(
                Bound(
                    name=f"requests/s, ours / best bare loop, {where}",
                    value=ratio(seconds[best], seconds[OURS]),
                    limit=AT_LEAST,
                )
            )
            figures.append(
                {
                    "mode": mode,
                    "concurrency": workers,
                    "latency": latency,
                    "ideal": ideal,
                    "share": ideal / median(seconds[OURS]),
                    "best": best,
                    "seconds": seconds,
                }
            )
    finish(given, bounds, {"total": total, "runs": figures})


if __name__ == "__main__":
    main()
