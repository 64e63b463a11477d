"""A server that takes so many requests a second and tells nobody."""

import time

import pytest
from starlette.responses import JSONResponse

from mettl_async import Candidate, ClientOptions, MettlClient, RetryPolicy
from mettl_async.sandbox import Sandbox
from mettl_async.sandbox.server import listening

pytestmark = pytest.mark.slow

LIMIT = 25
CANDIDATES = 8000


class Limited:
    """The sandbox behind a token bucket; what is beyond it is refused as the vendor does."""

    def __init__(self, app, headers):
        self.app, self.headers = app, headers
        self.tokens, self.last = float(LIMIT), time.monotonic()
        self.taken = self.refused = 0

    async def __call__(self, scope, receive, send):
        now = time.monotonic()
        self.tokens = min(LIMIT, self.tokens + (now - self.last) * LIMIT)
        self.last = now
        if self.tokens >= 1:
            self.tokens -= 1
            self.taken += 1
            await self.app(scope, receive, send)
            return
        self.refused += 1
        while (await receive()).get("more_body"):
            pass
        body = {"status": "ERROR", "error": {"code": "E509", "message": "limit exceeded"}}
        await JSONResponse(body, headers=self.headers)(scope, receive, send)


def people(count=CANDIDATES):
    return (Candidate(email=f"c{n}@example.org", first_name="C") for n in range(count))


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}], ids=["silent", "retry-after"])
async def test_a_bulk_run_finds_the_limit_and_wastes_little(headers):
    sandbox = Sandbox()
    limited = Limited(sandbox.app, headers)
    async with (
        listening(limited, "127.0.0.1", 0) as base_url,
        MettlClient(
            sandbox.credentials,
            base_url=base_url,
            options=ClientOptions(
                bulk_retry=RetryPolicy(max_attempts=30, backoff_cap=1.0, deadline=60.0)
            ),
        ) as mettl,
    ):
        report = await mettl.candidates.register_many(sandbox.access_key, people())
    assert len(report.registered) == CANDIDATES
    assert limited.refused > 0, "the limit was reached"
    assert limited.refused / (limited.taken + limited.refused) < 0.10


async def test_a_fixed_rate_never_reaches_the_limit():
    sandbox = Sandbox()
    limited = Limited(sandbox.app, {})
    async with (
        listening(limited, "127.0.0.1", 0) as base_url,
        MettlClient(
            sandbox.credentials,
            base_url=base_url,
            options=ClientOptions(requests_per_second=LIMIT * 0.9),
        ) as mettl,
    ):
        report = await mettl.candidates.register_many(sandbox.access_key, people(1500))
    assert len(report.registered) == 1500
    assert limited.refused == 0
