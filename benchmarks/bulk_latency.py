"""10,000 candidates through `register_many`, against the best loop over one bare `httpx.AsyncClient`.

Run ``python benchmarks/bulk_latency.py`` where mettl-async is installed with its dev extra; about
eight minutes. ``--quick`` for seconds, ``--json FILE`` for all figures.

Every answer takes 50 ms, as over a real network. Ours: candidates -> batches -> JSON -> signature ->
sent -> checked and matched outcomes in a report. Bare: the 500 requests were built and signed before
the clock starts; they are only sent, and the bodies of their answers read. Several ways to write that
loop are tried, and all are in the table. Compared with is the one with the best median: at 10 of all
of them, at 50 of those that keep one connection per worker, as we do. ``share`` is the part of the ideal, calls * latency / workers.

The line "several clients" is no single client, so it is not compared with: it shows what is won by
hand with ten connections to each of several clients.

At 50, httpx's default limits (20 kept alive) open a connection for nearly every request. On the
loopback that is free, so that way comes close to the ideal, which is itself only some 1.5 times our
speed: no bound of 4 can hold against it. Over a network each connection takes two more round trips
(TCP, TLS 1.3), so the last table has its first answer come that much later, for both sides.

Server and client are two processes on two cores; all ways run in turns, medians of rounds. Each run
opens its connections anew within its time.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import httpx
from attrs import frozen
from harness import Bound, arguments, finish, peer_server, print_table
from workload import ACCESS_KEY, BATCH, CREDENTIALS, Presigned, candidates, presign

from mettl_async import ClientOptions, MettlClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from mettl_async import Candidate
    from mettl_async.core.transports import TransportName

Mode = Literal["query", "form"]

TOTAL = 10_000
LATENCY = 0.05  # seconds; a server on another continent, or a slow one near by
ROUNDS = {10: 7, 50: 3}  # at 10 the two are close, so it takes more rounds; at 50 bare takes long
AT_LEAST = {10: 1.0, 50: 4.0}  # the bare loop's seconds over ours
HANDSHAKE = 2 * LATENCY  # the last table: TCP and TLS 1.3 take a round trip each
SETTINGS: tuple[tuple[Mode, int, float], ...] = (
    ("query", 10, 0.0),
    ("query", 50, 0.0),
    ("form", 10, 0.0),
    ("form", 50, 0.0),
    ("query", 50, HANDSHAKE),
)
TIMEOUT = 120.0  # a bare client at 50 in flight keeps some callers waiting for seconds
SHARD = 10  # connections of one client in "several clients"

OURS = "register_many"
SEVERAL = "several clients"


async def ours(
    base_url: str,
    people: Sequence[Candidate],
    mode: Mode,
    workers: int,
    *,
    transport: TransportName = "httpx",
) -> float:
    """Seconds of one run."""
    options = ClientOptions(max_concurrency=workers, post_parameters=mode, trust_env=False)
    async with MettlClient(
        CREDENTIALS, base_url=base_url, options=options, transport=transport
    ) as mettl:
        began = time.perf_counter()
        report = await mettl.candidates.register_many(ACCESS_KEY, people, concurrency=workers)
        seconds = time.perf_counter() - began
    assert len(report.registered) == len(people)  # noqa: S101 - wrong answers are worth nothing
    return seconds


@frozen
class Way:
    """A way to write the bare loop: limits of the client, prebuilt or not, workers or gather."""

    limits: Callable[[int], httpx.Limits]
    prebuilt: bool = True
    gather: bool = False
    several: bool = False


def _exact(workers: int) -> httpx.Limits:
    return httpx.Limits(max_connections=workers, max_keepalive_connections=workers)


def _default(_: int) -> httpx.Limits:
    return httpx.Limits(max_connections=100, max_keepalive_connections=20)


def _none(_: int) -> httpx.Limits:
    return httpx.Limits(max_connections=None, max_keepalive_connections=None)


WAYS = {
    "workers, post()": Way(_exact, prebuilt=False),
    "workers, send()": Way(_exact),
    "workers, send(), default limits": Way(_default),
    "workers, send(), no limits": Way(_none),
    "gather behind a semaphore, send()": Way(_exact, gather=True),
    SEVERAL: Way(lambda _: _exact(SHARD), several=True),
}


async def bare(way: Way, ready: Sequence[Presigned], workers: int) -> float:
    """Seconds of one run."""
    shards = -(-workers // SHARD) if way.several else 1
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(limits=way.limits(workers), timeout=TIMEOUT, trust_env=False)
            )
            for _ in range(shards)
        ]
        send = _sender(clients[0], ready, prebuilt=way.prebuilt)
        senders = [send, *(_sender(one, ready, prebuilt=way.prebuilt) for one in clients[1:])]
        numbers = iter(range(len(ready)))

        async def worker(send: Callable[[int], Awaitable[None]]) -> None:
            for number in numbers:  # one iterator for all workers
                await send(number)

        slots = asyncio.Semaphore(workers)

        async def one(number: int) -> None:
            async with slots:
                await send(number)

        began = time.perf_counter()
        if way.gather:
            await asyncio.gather(*(one(number) for number in numbers))
        else:
            await asyncio.gather(
                *(worker(mine) for mine, _ in zip(cycle(senders), range(workers), strict=False))
            )
        return time.perf_counter() - began


def _sender(
    client: httpx.AsyncClient, ready: Sequence[Presigned], *, prebuilt: bool
) -> Callable[[int], Awaitable[None]]:
    built = [
        client.build_request("POST", one.url, content=one.body, headers=one.headers)
        for one in (ready if prebuilt else ())
    ]

    async def send(number: int) -> None:
        if prebuilt:
            response = await client.send(built[number])
        else:
            one = ready[number]
            response = await client.post(one.url, content=one.body, headers=one.headers)
        assert response.status_code == httpx.codes.OK  # noqa: S101 - as above

    return send


async def compare(
    base_url: str, mode: Mode, workers: int, *, total: int, rounds: int
) -> dict[str, list[float]]:
    """Seconds of all ways, in turns; the order is reversed with each round."""
    people = list(candidates(total))
    ready = [
        presign(base_url, people[start : start + BATCH], mode) for start in range(0, total, BATCH)
    ]
    seconds: dict[str, list[float]] = {name: [] for name in (OURS, *WAYS)}
    for number in range(rounds):
        order = list(seconds)
        for name in reversed(order) if number % 2 else order:
            gc.collect()  # no run pays for another one's rubbish
            took = (
                await ours(base_url, people, mode, workers)
                if name == OURS
                else await bare(WAYS[name], ready, workers)
            )
            seconds[name].append(took)
    return seconds


def best_of(seconds: dict[str, list[float]], workers: int) -> str:
    """Choose the single bare client with the lowest median, of those we are compared with."""
    names = [
        name
        for name, way in WAYS.items()
        if not way.several and (workers == min(AT_LEAST) or way.limits is not _default)
    ]
    return min(names, key=lambda name: median(seconds[name]))


def ratio(theirs: Sequence[float], own: Sequence[float]) -> float:
    """How many times as long as ours; above 1 we are faster."""
    return median(a / b for a, b in zip(theirs, own, strict=True))


def rows(
    seconds: Mapping[str, Sequence[float]], *, best: str, ideal: float
) -> list[tuple[str, float, float, float]]:
    """Make a row for each way: its seconds, its share of the ideal, and its seconds in ours."""
    return [
        (
            f"{name} (best)" if name == best else name,
            median(took),
            ideal / median(took),
            ratio(took, seconds[OURS]),
        )
        for name, took in seconds.items()
    ]


def main() -> None:
    given = arguments(__doc__)
    total = 200 if given.quick else TOTAL
    bounds: list[Bound] = []
    figures: list[dict[str, Any]] = []
    for mode, workers, handshake in SETTINGS:
        rounds = 1 if given.quick else ROUNDS[workers]
        with peer_server(latency=LATENCY, handshake=handshake) as base_url:
            seconds = asyncio.run(compare(base_url, mode, workers, total=total, rounds=rounds))
        ideal = -(-total // BATCH) * LATENCY / workers
        best = best_of(seconds, workers)
        where = f"{mode}, concurrency {workers}"
        extra = f", {handshake * 1000:.0f} ms more to connect" if handshake else ""
        print_table(
            f"{total:,} candidates, {where}, {LATENCY * 1000:.0f} ms latency{extra}, medians of"
            f" {rounds} rounds",
            ("way", "seconds", "share", "seconds / ours"),
            rows(seconds, best=best, ideal=ideal),
        )
        if not handshake:
            name = f"best bare loop's seconds / ours, {where}"
            value = ratio(seconds[best], seconds[OURS])
            bounds.append(Bound(name=name, value=value, limit=AT_LEAST[workers]))
        figures.append(
            {
                "mode": mode,
                "concurrency": workers,
                "handshake": handshake,
                "ideal": ideal,
                "best": best,
                "seconds": seconds,
            }
        )
    finish(given, bounds, {"total": total, "latency": LATENCY, "runs": figures})


if __name__ == "__main__":
    main()
