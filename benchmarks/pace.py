"""How well bulk runs keep to a limit that nobody tells them, and bear refusals by chance: virtual time.

Run ``python benchmarks/pace.py`` where mettl-async is installed; a quarter of a minute, all of it CPU.
``--quick`` for seconds, ``--json FILE`` for all figures.

The pacer and the pauses between attempts are those of the library; workers, server and clock are simulated.
Eight workers, answers after 5 ms, 60 seconds, as much work as anybody can do, unless a row says otherwise.
A refused call is tried again after its backoff, as in `register_many`. Chance refuses before the limit
counts. ``goodput`` is the part of what was possible that was accepted: of the limit (which counts from a
full bucket, so that it can be a little above 1), or of what ``adaptive=False`` gets where there is none.

``before`` is the rule that was here at first. It halved the rate at a refusal within ten successes of another
one, and paused everybody. Its figures were measured with this script, and are kept for comparison.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from random import Random
from statistics import mean, median
from typing import Any, Protocol

from attrs import define, field, frozen
from harness import Bound, arguments, finish, print_table

from mettl_async import ClientOptions
from mettl_async.core.pacing import Pacer
from mettl_async.core.retry import backoff

POLICY = ClientOptions().bulk_retry
WORKERS = 8  # the default of `register_many`
LATENCY = 0.005
SECONDS = 60.0
SETTLED = 10.0  # from here on a row without a limit is measured
SEEDS = 5
RUNS = 20
CALLS = 150  # batches of 20: a run of 3,000

Limit = Callable[[float], float]


class Server(Protocol):
    """What accepts a request, or refuses it."""

    def takes(self, now: float) -> bool:
        """Accept one more request, or refuse it."""


@define
class Bucket:
    """So many a second, and a second's worth in one go."""

    limit: Limit
    tokens: float = field(init=False)
    last: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.tokens = self.limit(0.0)

    def takes(self, now: float) -> bool:
        """Take a token, if there is one."""
        limit = self.limit(now)
        self.tokens = min(limit, self.tokens + (now - self.last) * limit)
        self.last = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@define
class Sliding:
    """No more than so many in any second."""

    limit: Limit
    taken: deque[float] = field(factory=deque, init=False)

    def takes(self, now: float) -> bool:
        """Look back one second."""
        while self.taken and self.taken[0] <= now - 1:
            self.taken.popleft()
        if len(self.taken) >= self.limit(now):
            return False
        self.taken.append(now)
        return True


@define
class BySecond:
    """No more than so many between two strokes of the clock, refused ones counted too."""

    limit: Limit
    second: int = -1
    asked: int = 0

    def takes(self, now: float) -> bool:
        """Count within the second."""
        if int(now) != self.second:
            self.second, self.asked = int(now), 0
        self.asked += 1
        return self.asked <= self.limit(now)


class Unlimited:
    """Any number."""

    def takes(self, _: float) -> bool:
        """Accept it."""
        return True


def always(limit: float) -> Limit:
    return lambda _: limit


@define(eq=False)
class Process:
    """The workers of one client, of which one at a time waits for the next turn."""

    pacer: Pacer
    waiting: deque[int] = field(factory=deque)  # attempts
    asleep: bool = False
    accepted: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)


@frozen(kw_only=True)
class Scenario:
    """A row of the table.

    Attributes:
        server: Makes the server.
        possible: Requests a second on average that it accepts; None for what ``adaptive=False`` gets.
        noise: Share of requests that chance refuses.
        processes: That send to it, each with a pacer of its own.
        before: Goodput and share refused with the old rule.
        least: Bound of the goodput.
        most_refused: Bound of the share refused.
    """

    server: Callable[[], Server] = Unlimited
    possible: float | None = None
    noise: float = 0.0
    processes: int = 1
    workers: int = WORKERS
    latency: float = LATENCY
    retry_after: float | None = None
    before: tuple[float, float]
    least: float | None = None
    most_refused: float | None = None


def _limited(limit: float, *, server: Callable[[Limit], Server] = Bucket, **more: Any) -> Scenario:
    return Scenario(server=lambda: server(always(limit)), possible=limit, **more)


def _moving(possible: float, limit: Limit, **more: Any) -> Scenario:
    return Scenario(server=lambda: Bucket(limit), possible=possible, **more)


SCENARIOS = {
    "limit 25, token bucket": _limited(25, before=(1.01, 0.018), least=0.95, most_refused=0.05),
    "limit 25, sliding window": _limited(
        25, server=Sliding, before=(0.87, 0.031), least=0.95, most_refused=0.05
    ),
    "limit 25, by the second": _limited(
        25, server=BySecond, before=(0.89, 0.029), least=0.95, most_refused=0.05
    ),
    "limit 25, 50 ms": _limited(
        25, latency=0.05, before=(1.01, 0.016), least=0.95, most_refused=0.05
    ),
    "limit 25, 200 ms": _limited(
        25, latency=0.2, before=(1.01, 0.022), least=0.95, most_refused=0.05
    ),
    "limit 25, 50 workers": _limited(25, workers=50, before=(1.01, 0.029), least=0.95),
    "limit 5": _limited(5, before=(1.01, 0.074), least=0.95),
    "limit 100": _limited(100, before=(1.01, 0.004), least=0.95, most_refused=0.05),
    "limit 25, Retry-After 1": _limited(
        25, retry_after=1.0, before=(0.93, 0.011), least=0.95, most_refused=0.05
    ),
    "limit 25, Retry-After 5": _limited(25, retry_after=5.0, before=(0.59, 0.014), least=0.8),
    "limit 25, two processes": _limited(25, processes=2, before=(1.01, 0.046), least=0.95),
    "chance 5%": Scenario(noise=0.05, before=(0.02, 0.048), least=0.5),
    "chance 8%": Scenario(noise=0.08, before=(0.013, 0.081), least=0.5),
    "chance 20%": Scenario(noise=0.2, before=(0.008, 0.202), least=0.5),
    "chance 8%, 50 ms": Scenario(noise=0.08, latency=0.05, before=(0.046, 0.083), least=0.5),
    "chance 8%, 200 ms": Scenario(noise=0.08, latency=0.2, before=(0.18, 0.082), least=0.5),
    "limit 25, chance 5%": _limited(25, noise=0.05, before=(0.45, 0.059), least=0.85),
    "limit 100, chance 8%": _limited(100, noise=0.08, before=(0.064, 0.084), least=0.85),
    "limit 25, then 10": _moving(
        17.5, lambda now: 25 if now < 30 else 10, before=(1.02, 0.033), least=0.85
    ),
    "limit 10, then 25": _moving(
        17.5, lambda now: 10 if now < 30 else 25, before=(0.86, 0.03), least=0.85
    ),
    "limit 25, 10, 25": _moving(
        20, lambda now: 10 if 20 <= now < 40 else 25, before=(0.95, 0.032), least=0.85
    ),
    "limit 25, then 100": _moving(
        75, lambda now: 25 if now < 20 else 100, before=(0.85, 0.007), least=0.85
    ),
    "limit 10, then 100": _moving(
        70, lambda now: 10 if now < 20 else 100, before=(0.71, 0.008), least=0.7
    ),
}


def simulate(  # noqa: C901 - the loop of events reads best in one piece
    one: Scenario,
    *,
    seed: int,
    seconds: float = SECONDS,
    calls: float = float("inf"),
    adaptive: bool = True,
) -> tuple[float, list[Process]]:
    """Let workers send until the time or the work is over.

    Returns:
        The seconds it took, and the processes.
    """
    chance, server, numbers = Random(seed), one.server(), count()
    processes = [Process(Pacer(adaptive=adaptive)) for _ in range(one.processes)]
    events: list[tuple[float, int, str, Process, int, float]] = []

    def at(when: float, what: str, process: Process, attempt: int = 1, sent_at: float = 0) -> None:
        heapq.heappush(events, (when, next(numbers), what, process, attempt, sent_at))

    for process in processes * one.workers:
        at(0.0, "next call", process)
    now = 0.0
    while events and events[0][0] <= seconds:
        now, _, what, process, attempt, sent_at = heapq.heappop(events)
        if what == "accepted":
            process.pacer.succeeded(now, now - sent_at)
            process.accepted.append(now)
            what = "next call"
        elif what == "refused":
            process.pacer.throttled(now, sent_at, one.retry_after, chance.random())
            process.refused.append(now)
            pause = backoff(attempt, POLICY, chance.random())
            if one.retry_after is not None:
                pause = max(pause, one.retry_after + chance.random() * POLICY.backoff_base)
            at(now + pause, "next attempt", process, attempt + 1)
            continue
        elif what == "awake":
            process.asleep = False
        if what == "next call":
            if calls <= 0:
                continue
            calls, attempt = calls - 1, 1
        if what != "awake":
            process.waiting.append(attempt)
        while process.waiting and not process.asleep:
            wait = process.pacer.take(now)
            if wait > 0:
                process.asleep = True
                at(now + wait + 1e-4, "awake", process)  # an event loop is a little late
                continue
            taken = chance.random() >= one.noise and server.takes(now)
            at(
                now + one.latency * chance.uniform(0.8, 1.2),
                "accepted" if taken else "refused",
                process,
                process.waiting.popleft(),
                now,
            )
    return now, processes


def measure(one: Scenario, seed: int, seconds: float = SECONDS) -> tuple[float, float]:
    """Return the goodput, as a part of what is possible, and the share refused."""
    since = SETTLED if one.possible is None else 0.0

    def since_then(processes: list[Process]) -> tuple[int, int]:
        return (
            sum(moment >= since for process in processes for moment in process.accepted),
            sum(moment >= since for process in processes for moment in process.refused),
        )

    accepted, refused = since_then(simulate(one, seed=seed, seconds=seconds)[1])
    possible = (one.possible or 0.0) * seconds
    if one.possible is None:
        possible, _ = since_then(simulate(one, seed=seed, seconds=seconds, adaptive=False)[1])
    return accepted / possible, refused / (accepted + refused)


def runs(noise: float, seeds: int = RUNS) -> list[float]:
    """Return how many times as long as with ``adaptive=False`` runs of 3,000 take under noise alone."""
    one = Scenario(noise=noise, before=(0, 0))
    return [
        simulate(one, seed=seed, seconds=1e6, calls=CALLS)[0]
        / simulate(one, seed=seed, seconds=1e6, calls=CALLS, adaptive=False)[0]
        for seed in range(seeds)
    ]


def main() -> None:
    given = arguments(__doc__)
    seeds = 1 if given.quick else SEEDS
    rows: list[tuple[object, ...]] = []
    bounds: list[Bound] = []
    for name, one in SCENARIOS.items():
        measured = [measure(one, seed) for seed in range(seeds)]
        goodputs, shares = zip(*measured, strict=True)
        goodput, share = mean(goodputs), mean(shares)
        rows.append((name, *one.before, goodput, min(goodputs), share, max(shares)))
        if one.least is not None:
            bounds.append(Bound(name=f"goodput, {name}", value=goodput, limit=one.least))
        if one.most_refused is not None:
            bounds.append(
                Bound(name=f"refused, {name}", value=share, limit=one.most_refused, at_most=True)
            )
    print_table(
        f"{SECONDS:.0f} s, means of {seeds} seeds; before: the rule that was here at first",
        ("", "goodput before", "refused before", "goodput", "worst", "refused", "worst"),
        [(name, *(f"{figure:.3f}" for figure in figures)) for name, *figures in rows],
    )
    times = {}
    for noise, before in ((0.05, (33.5, 59.3)), (0.08, (40.5, 95.1)), (0.2, (65.1, 133.7))):
        ratios = times[noise] = runs(noise, 2 if given.quick else RUNS)
        name = f"a run of 3,000 under {noise:.0%}"
        print(
            f"{name}: {median(ratios):.2f} times the seconds of adaptive=False, worst {max(ratios):.2f}"
            f" (before: {before[0]}, {before[1]})"
        )
        bounds.append(Bound(name=f"{name}, median", value=median(ratios), limit=2, at_most=True))
        bounds.append(Bound(name=f"{name}, worst", value=max(ratios), limit=5, at_most=True))
    finish(given, bounds, {"rows": rows, "runs": times})


if __name__ == "__main__":
    main()
