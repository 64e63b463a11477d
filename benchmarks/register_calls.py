"""One `register` call of 20 candidates against a bare `httpx.AsyncClient` sending the same bytes.

Run ``python benchmarks/register_calls.py`` where mettl-async is installed with its dev extra; about
five minutes. ``--quick`` for seconds, ``--json FILE`` for all figures.

Ours: 20 candidates with 5 fields -> JSON -> signature -> sent -> typed, checked registrations. Bare:
``client.post`` of a request that was built and signed beforehand, its limits raised to the number in
flight; the body of the answer is read, nothing of it is decoded. So the bare client does far less,
and still has to be matched. Query mode is what the vendor documents; form mode is
``post_parameters="form"``.

Server and client are two processes on two cores. Both sides run in turns over several rounds, and all
figures are medians of rounds. CPU is that of the client's process. "Least served" is the number of
calls of the worker that got fewest, over the mean of all workers.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING, Literal

import httpx
from attrs import asdict, frozen
from harness import Bound, arguments, finish, peer_server, print_table
from workload import ACCESS_KEY, BATCH, CREDENTIALS, candidates, presign

from mettl_async import ClientOptions, MettlClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Mode = Literal["query", "form"]

MODES: tuple[Mode, ...] = ("query", "form")
IN_FLIGHT = (1, 10, 50, 200)
ROUNDS = 5  # odd, so that the median is a round that happened
WARM_SECONDS = {1: 0.2, 10: 0.3, 50: 0.6, 200: 1.5}  # until every worker has its connection
# Long enough that at 200 in flight each worker of ours makes about ten calls: fairness needs a count.
WINDOW_SECONDS = {1: 1.5, 10: 1.5, 50: 2.5, 200: 5.0}
TIMEOUT = 120.0  # a bare client at 200 in flight keeps some callers waiting for seconds

CPU_AT_TEN = {"query": 0.9, "form": 1.25}
RATE_WHEN_MANY = 2.2  # at 50 and 200, where the bare client's pool collapses
LEAST_SERVED = 0.8

QUICK_IN_FLIGHT = (1, 10, 50)  # a bare client takes seconds to finish its last 200 calls
QUICK_SHORTEN = 0.1


@frozen
class Sample:
    """One side in one round."""

    per_second: float
    cpu_ms: float
    least_served: float


async def measure(
    call: Callable[[], Awaitable[object]], in_flight: int, *, warm: float, seconds: float
) -> Sample:
    """Keep so many calls in flight; count those that end within the window."""
    counts = [0] * in_flight
    stopped = False

    async def worker(number: int) -> None:
        while not stopped:
            await call()
            counts[number] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(in_flight):
            group.create_task(worker(number))
        await asyncio.sleep(warm)
        before, cpu, began = list(counts), time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        served = [now - then for now, then in zip(counts, before, strict=True)]
        cpu, took = time.process_time() - cpu, time.perf_counter() - began
        stopped = True
    calls = sum(served)
    if not calls:
        return Sample(0.0, float("inf"), 0.0)
    return Sample(calls / took, 1000 * cpu / calls, min(served) * in_flight / calls)


async def compare(
    base_url: str, mode: Mode, in_flight: int, *, rounds: int, shorten: float
) -> dict[str, list[Sample]]:
    """Both sides in turns; the order changes with each round."""
    batch = list(candidates(BATCH))
    ready = presign(base_url, batch, mode)
    options = ClientOptions(max_concurrency=in_flight, post_parameters=mode, trust_env=False)
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with (
        MettlClient(CREDENTIALS, base_url=base_url, options=options) as mettl,
        httpx.AsyncClient(limits=limits, timeout=TIMEOUT, trust_env=False) as bare,
    ):

        async def ours() -> None:
            items = await mettl.candidates.register(ACCESS_KEY, batch)
            assert len(items) == BATCH  # noqa: S101 - a benchmark of wrong answers is worth nothing

        async def query() -> None:
            response = await bare.post(ready.url)
            assert response.status_code == httpx.codes.OK  # noqa: S101 - same

        async def form() -> None:
            response = await bare.post(ready.url, content=ready.body, headers=ready.headers)
            assert response.status_code == httpx.codes.OK  # noqa: S101 - same

        sides = {"ours": ours, "bare": query if mode == "query" else form}
        samples: dict[str, list[Sample]] = {name: [] for name in sides}
        for number in range(rounds):
            for name in sorted(sides, reverse=bool(number % 2)):
                sample = await measure(
                    sides[name],
                    in_flight,
                    warm=WARM_SECONDS[in_flight] * shorten,
                    seconds=WINDOW_SECONDS[in_flight] * shorten,
                )
                samples[name].append(sample)
    return samples


@frozen(kw_only=True)
class Row:
    """One line of the table: medians of rounds; a ratio is the median of the rounds' ratios."""

    mode: Mode
    in_flight: int
    ours_per_second: float
    bare_per_second: float
    rate_ratio: float
    ours_cpu_ms: float
    bare_cpu_ms: float
    cpu_ratio: float
    ours_least_served: float
    bare_least_served: float


def row(mode: Mode, in_flight: int, samples: dict[str, list[Sample]]) -> Row:
    """Make the line of one setting."""
    ours, bare = samples["ours"], samples["bare"]
    pairs = list(zip(ours, bare, strict=True))
    return Row(
        mode=mode,
        in_flight=in_flight,
        ours_per_second=median(one.per_second for one in ours),
        bare_per_second=median(one.per_second for one in bare),
        rate_ratio=median(a.per_second / max(b.per_second, 1e-9) for a, b in pairs),
        ours_cpu_ms=median(one.cpu_ms for one in ours),
        bare_cpu_ms=median(one.cpu_ms for one in bare),
        cpu_ratio=median(a.cpu_ms / b.cpu_ms for a, b in pairs),
        ours_least_served=median(one.least_served for one in ours),
        bare_least_served=median(one.least_served for one in bare),
    )


def bounds_of(one: Row) -> list[Bound]:
    """List the bounds of this line."""
    where = f"{one.mode}, {one.in_flight} in flight"
    if one.in_flight == 10:
        limit = CPU_AT_TEN[one.mode]
        name = f"CPU per call, ours / bare, {where}"
        return [Bound(name=name, value=one.cpu_ratio, limit=limit, at_most=True)]
    if one.in_flight >= 50:
        return [
            Bound(
                name=f"requests/s, ours / bare, {where}", value=one.rate_ratio, limit=RATE_WHEN_MANY
            ),
            Bound(
                name=f"least served / mean, {where}",
                value=one.ours_least_served,
                limit=LEAST_SERVED,
            ),
        ]
    return []


def main() -> None:
    given = arguments(__doc__)
    rounds, shorten = (1, QUICK_SHORTEN) if given.quick else (ROUNDS, 1.0)
    rows = []
    with peer_server() as base_url:
        for mode in MODES:
            for in_flight in QUICK_IN_FLIGHT if given.quick else IN_FLIGHT:
                samples = asyncio.run(
                    compare(base_url, mode, in_flight, rounds=rounds, shorten=shorten)
                )
                rows.append(row(mode, in_flight, samples))
    print_table(
        f"register() of {BATCH} candidates against bare httpx, medians of {rounds} rounds",
        (
            "mode", "in flight", "ours/s", "bare/s", "ratio", "ours CPU ms", "bare CPU ms", "ratio",
            "ours least served", "bare least served",
        ),
        [tuple(asdict(one).values()) for one in rows],
    )  # fmt: skip
    finish(
        given,
        [bound for one in rows for bound in bounds_of(one)],
        {"rounds": rounds, "rows": [asdict(one) for one in rows]},
    )


if __name__ == "__main__":
    main()
