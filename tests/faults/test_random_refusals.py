"""A server without any limit that refuses a share of the requests by chance, as a sick node behind a balancer."""

import asyncio
import time
from random import Random

import pytest
from starlette.responses import JSONResponse

from mettl_async import Candidate, ClientOptions, MettlClient
from mettl_async.core.pacing import Pacer
from mettl_async.sandbox import Sandbox
from mettl_async.sandbox.server import listening

SHARE = 0.08
LATENCY = 0.005
REFUSALS = ((429, None), (503, None), (200, "E509"))


class Sick:
    """The sandbox, but a share of the requests comes to a node that refuses them all."""

    def __init__(self, app, seed):
        self.app, self.random = app, Random(seed)
        self.asked = self.refused = 0

    async def __call__(self, scope, receive, send):
        self.asked += 1
        if scope["type"] != "http" or self.random.random() >= SHARE:
            await self.app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(LATENCY)
        status, code = REFUSALS[self.refused % len(REFUSALS)]
        self.refused += 1
        error = {"status": "ERROR", "error": {"code": code, "message": "limit exceeded"}}
        await JSONResponse(error if code else {}, status_code=status)(scope, receive, send)


class Noted(Pacer):
    """A pacer that remembers the lowest rate it found."""

    __slots__ = ("lowest",)

    def throttled(self, *given):
        super().throttled(*given)
        self.lowest = min(getattr(self, "lowest", float("inf")), self.found or float("inf"))


async def run(count, *, adaptive, seed, transport="httpx"):
    sandbox = Sandbox()
    sandbox.faults.latency = LATENCY
    sick = Sick(sandbox.app, seed)
    people = (Candidate(email=f"c{n}@example.org", first_name="C") for n in range(count))
    async with (
        listening(sick, "127.0.0.1", 0) as base_url,
        MettlClient(
            sandbox.credentials,
            base_url=base_url,
            options=ClientOptions(adaptive=adaptive),
            transport=transport,
        ) as mettl,
    ):
        pacer = mettl._shared.admission.pacer = Noted(adaptive=adaptive)
        began = time.monotonic()
        report = await mettl.candidates.register_many(sandbox.access_key, people)
        seconds = time.monotonic() - began
    assert len(report.registered) == count
    assert sick.refused > 0
    return seconds, sick, getattr(pacer, "lowest", float("inf"))


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_refusals_by_chance_do_not_slow_a_run_down(transport):
    _, _, lowest = await run(3000, adaptive=True, seed=1, transport=transport)
    assert lowest > 10, "no rate that would have been felt"
