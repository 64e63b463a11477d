"""`register` of 20 candidates on httpx and on aiohttp, against bare clients and what one writes by hand.

Run ``python benchmarks/transports.py`` where mettl-async is installed with its dev extra; about
fifteen minutes. ``--quick`` for seconds, ``--json FILE`` for all figures, ``--chart FILE`` for a PNG.

Ours: 20 candidates with 5 fields -> JSON -> signature -> sent -> typed, checked registrations. Bare:
the same bytes, made and signed beforehand, sent through one client with its limits raised to the number
in flight; the answer's body is read, nothing of it is decoded. By hand: the shortest code that does the
same work over bare aiohttp, with the quickest technique known for each step, and checks, limits or
repeats nothing. The naive loop makes, signs, sends and decodes in the way one writes it first, in
`asyncio.gather` over one `httpx.AsyncClient` as it comes. Sequential is what the existing clients do:
the same, one blocking call after the other, a connection for each.

Writing, signing and reading a batch take about as long as sending it with aiohttp, so that the work by hand
comes to 0.5 to 0.6 of bare aiohttp. 0.7 is the aim for ours, and is not reached.

Server and client are two processes on two cores. All sides run in turns over several rounds; a figure
is the median of rounds, a ratio the median of the rounds' ratios.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

import aiohttp
import httpx
import httpx2
import orjson
from attrs import asdict, frozen
from harness import Bound, arguments, finish, peer_server, print_table
from register_calls import TIMEOUT, Mode, Sample, measure
from throughput_chart import draw
from workload import (
    ACCESS_KEY,
    BATCH,
    CREDENTIALS,
    candidates,
    plain_request,
    presign,
    quick_details,
)
from yarl import URL

from mettl_async import ClientOptions, MettlClient
from mettl_async.core.request import encode_params

if TYPE_CHECKING:
    from workload import Presigned

    from mettl_async.core.transports import TransportName

MODES: tuple[Mode, ...] = ("query", "form")
IN_FLIGHT = (1, 10, 50, 200)
ROUNDS = 5  # odd, so that the median is a round that happened
WARM_SECONDS = {1: 0.1, 10: 0.2, 50: 0.4, 200: 1.0}  # until every worker has its connection
WINDOW_SECONDS = {1: 1.0, 10: 1.0, 50: 1.5, 200: 3.0}

QUICK_IN_FLIGHT = (1, 10)
QUICK_SHORTEN = 0.1

OURS_AIOHTTP, OURS_HTTPX = "mettl-async, aiohttp", "mettl-async, httpx"
AIOHTTP, HTTPX, HTTPX2 = "bare aiohttp", "bare httpx", "bare httpx2"
BY_HAND = "by hand, aiohttp"
NAIVE, SEQUENTIAL = "naive gather, httpx", "sequential, blocking"
SIDES = (OURS_AIOHTTP, BY_HAND, AIOHTTP, OURS_HTTPX, HTTPX, HTTPX2, NAIVE, SEQUENTIAL)

# (ours, theirs, in flight): the least share of their requests per second.
AT_LEAST = {
    (OURS_AIOHTTP, AIOHTTP, 10): 0.7,
    (OURS_AIOHTTP, AIOHTTP, 50): 0.7,
    (OURS_AIOHTTP, BY_HAND, 10): 0.8,
    (OURS_AIOHTTP, BY_HAND, 50): 0.8,
    (OURS_AIOHTTP, HTTPX, 50): 3.0,
    (OURS_HTTPX, HTTPX, 10): 1.0,
    (OURS_HTTPX, HTTPX, 50): 2.5,
    (OURS_HTTPX, HTTPX, 200): 2.5,
}


@frozen
class Side:
    """What is called by so many workers at once, and how many requests a call makes."""

    call: Callable[[], Awaitable[object]]
    workers: int
    requests: int = 1


class Sides:
    """All ways to send one batch; ``async with`` opens and closes their clients."""

    def __init__(self, base_url: str, mode: Mode, in_flight: int) -> None:
        self._base_url, self._mode, self._in_flight = base_url, mode, in_flight
        self._batch = list(candidates(BATCH))
        self._ready = presign(base_url, self._batch, mode)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> dict[str, Side]:
        every, ready = self._in_flight, self._ready
        limits = httpx.Limits(max_connections=every, max_keepalive_connections=every)
        limits2 = httpx2.Limits(max_connections=every, max_keepalive_connections=every)
        enter = self._stack.enter_async_context
        old = await enter(httpx.AsyncClient(limits=limits, timeout=TIMEOUT, trust_env=False))
        new = await enter(httpx2.AsyncClient(limits=limits2, timeout=TIMEOUT, trust_env=False))
        plain = await enter(httpx.AsyncClient(timeout=TIMEOUT, trust_env=False))
        session = await enter(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=every)))
        ours = {name: await enter(self._client(name)) for name in ("aiohttp", "httpx")}
        return {
            OURS_AIOHTTP: Side(partial(self._register, ours["aiohttp"]), every),
            AIOHTTP: Side(partial(_aiohttp, session, URL(ready.url, encoded=True), ready), every),
            BY_HAND: Side(partial(self._by_hand, session), every),
            OURS_HTTPX: Side(partial(self._register, ours["httpx"]), every),
            HTTPX: Side(partial(_httpx, old, ready), every),
            HTTPX2: Side(partial(_httpx, new, ready), every),
            NAIVE: Side(partial(self._gather, plain), 1, requests=every),
            SEQUENTIAL: Side(self._blocking, 1),
        }

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _client(self, transport: TransportName) -> MettlClient:
        options = ClientOptions(
            max_concurrency=self._in_flight, post_parameters=self._mode, trust_env=False
        )
        return MettlClient(
            CREDENTIALS, base_url=self._base_url, options=options, transport=transport
        )

    async def _register(self, client: MettlClient) -> None:
        items = await client.candidates.register(ACCESS_KEY, self._batch)
        assert len(items) == BATCH  # noqa: S101 - a benchmark of wrong answers is worth nothing

    async def _by_hand(self, session: aiohttp.ClientSession) -> None:
        url = f"{self._base_url}/v2/schedules/{ACCESS_KEY}/candidates"
        params = {
            "rd": orjson.dumps({"registrationDetails": quick_details(self._batch)}).decode(),
            "ak": CREDENTIALS.public_key,
            "ts": str(int(time.time())),
        }
        text = "\n".join([f"POST{url}", *(params[name] for name in sorted(params))])
        made = hmac.digest(CREDENTIALS.private_key.encode(), text.encode(), "sha256")
        params["asgn"] = b64encode(made).decode()
        encoded = encode_params(params)
        sent = (
            session.post(URL(f"{url}?{encoded.decode()}", encoded=True))
            if self._mode == "query"
            else session.post(URL(url, encoded=True), data=encoded, headers=self._ready.headers)
        )
        async with sent as response:
            answer = orjson.loads(await response.read())
        links = {one["email"]: (one["status"], one["url"]) for one in answer["registrationStatus"]}
        assert answer["status"] == "SUCCESS"  # noqa: S101 - as above
        assert len(links) == BATCH  # noqa: S101 - as above

    async def _gather(self, client: httpx.AsyncClient) -> None:
        async def one() -> None:
            made = plain_request(self._base_url, self._batch, self._mode)
            response = await client.post(made.url, content=made.body, headers=made.headers)
            _links(response.content)

        await asyncio.gather(*(one() for _ in range(self._in_flight)))

    async def _blocking(self) -> None:
        made = plain_request(self._base_url, self._batch, self._mode)
        request = Request(made.url, made.body or b"", made.headers)  # noqa: S310 - our own server
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT) as response:
            _links(response.read())
        await asyncio.sleep(0)  # lets the clock of the measurement run


def _links(content: bytes) -> None:
    items = json.loads(content)["registrationStatus"]
    assert len([one["url"] for one in items]) == BATCH  # noqa: S101 - as above


async def _httpx(client: httpx.AsyncClient | httpx2.AsyncClient, ready: Presigned) -> None:
    response = await client.post(ready.url, content=ready.body, headers=ready.headers)
    assert response.status_code == httpx.codes.OK  # noqa: S101 - as above


async def _aiohttp(session: aiohttp.ClientSession, url: URL, ready: Presigned) -> None:
    async with session.post(url, data=ready.body, headers=ready.headers) as response:
        await response.read()
        assert response.status == httpx.codes.OK  # noqa: S101 - as above


async def compare(
    base_url: str, mode: Mode, in_flight: int, *, rounds: int, shorten: float
) -> dict[str, list[Sample]]:
    """All sides in turns; the order is reversed with each round."""
    samples: dict[str, list[Sample]] = {name: [] for name in SIDES}
    async with Sides(base_url, mode, in_flight) as sides:
        for number in range(rounds):
            for name in reversed(SIDES) if number % 2 else SIDES:
                side = sides[name]
                sample = await measure(
                    side.call,
                    side.workers,
                    warm=WARM_SECONDS[in_flight] * shorten,
                    seconds=WINDOW_SECONDS[in_flight] * shorten,
                )
                samples[name].append(
                    Sample(
                        sample.per_second * side.requests,
                        sample.cpu_ms / side.requests,
                        sample.least_served,
                    )
                )
                await asyncio.sleep(0.05 * shorten)  # connections that were closed are gone
    return samples


@frozen(kw_only=True)
class Row:
    """One side in one setting."""

    mode: Mode
    in_flight: int
    side: str
    per_second: float
    cpu_ms: float
    least_served: float
    of_bare_aiohttp: float
    of_bare_httpx: float


def share(ours: list[Sample], theirs: list[Sample]) -> float:
    """Our requests per second as a share of theirs."""
    return median(a.per_second / max(b.per_second, 1e-9) for a, b in zip(ours, theirs, strict=True))


def rows_of(mode: Mode, in_flight: int, samples: dict[str, list[Sample]]) -> list[Row]:
    """Format the lines of one setting."""
    return [
        Row(
            mode=mode,
            in_flight=in_flight,
            side=side,
            per_second=median(one.per_second for one in taken),
            cpu_ms=median(one.cpu_ms for one in taken),
            least_served=median(one.least_served for one in taken),
            of_bare_aiohttp=share(taken, samples[AIOHTTP]),
            of_bare_httpx=share(taken, samples[HTTPX]),
        )
        for side, taken in samples.items()
    ]


def bounds_of(mode: Mode, in_flight: int, samples: dict[str, list[Sample]]) -> list[Bound]:
    """List the bounds of this setting."""
    return [
        Bound(
            name=f"requests/s, {ours} / {theirs}, {mode}, {in_flight} in flight",
            value=share(samples[ours], samples[theirs]),
            limit=limit,
        )
        for (ours, theirs, number), limit in AT_LEAST.items()
        if number == in_flight
    ]


def main() -> None:
    given = arguments(__doc__, chart=True)
    rounds, shorten = (1, QUICK_SHORTEN) if given.quick else (ROUNDS, 1.0)
    rows: list[Row] = []
    bounds: list[Bound] = []
    with peer_server() as base_url:
        for mode in MODES:
            for in_flight in QUICK_IN_FLIGHT if given.quick else IN_FLIGHT:
                samples = asyncio.run(
                    compare(base_url, mode, in_flight, rounds=rounds, shorten=shorten)
                )
                rows += rows_of(mode, in_flight, samples)
                bounds += bounds_of(mode, in_flight, samples)
                time.sleep(0.2 * shorten)  # the server sees that all have left
    print_table(
        f"{BATCH} candidates a request, medians of {rounds} rounds",
        (
            "mode",
            "in flight",
            "side",
            "requests/s",
            "CPU ms",
            "least served",
            "/ aiohttp",
            "/ httpx",
        ),
        [tuple(asdict(one).values()) for one in rows],
    )
    if given.chart is not None:
        bars: dict[int, dict[str, float]] = {}
        for one in rows:
            if one.mode == MODES[0]:
                bars.setdefault(one.in_flight, {})[one.side] = one.of_bare_httpx
        draw(given.chart, bars, ours=(OURS_AIOHTTP, OURS_HTTPX), unit=HTTPX)
    figures: dict[str, Any] = {"rounds": rounds, "rows": [asdict(one) for one in rows]}
    finish(given, bounds, figures)


if __name__ == "__main__":
    main()
