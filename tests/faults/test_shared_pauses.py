"""What a `Retry-After` may do to the calls that it was not sent to: make them wait, but not for good."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mettl_async import Candidate, ClientOptions, MettlClient, RateLimitError, Response
from mettl_async.core.effects import Effects
from mettl_async.core.pacing import SPREAD
from mettl_async.sandbox import Sandbox

FAR = format_datetime(datetime.now(UTC) + timedelta(days=400), usegmt=True)
PAST = format_datetime(datetime.now(UTC) - timedelta(days=400), usegmt=True)
PERSON = (Candidate(email="asha@example.org", first_name="Asha"),)


class Clock:
    """A clock that jumps over pauses."""

    def __init__(self):
        self.jumped = 0.0

    async def sleep(self, seconds):
        self.jumped += seconds

    def effects(self):
        return Effects(monotonic=lambda: time.monotonic() + self.jumped, sleep=self.sleep)


class Gateway:
    """A middleware that refuses as many requests as it is told to."""

    def __init__(self, value, refusals=1):
        self.value, self.refusals, self.asked = value, refusals, 0

    async def __call__(self, request, call_next):
        self.asked += 1
        if self.asked <= self.refusals:
            return Response(status_code=429, headers={"retry-after": self.value}, content=b"")
        return await call_next(request)


class Everybody:
    """A shared rate that lets all through; with it, single calls keep pauses too."""

    async def acquire(self):
        pass


def build(server, gateway, clock, limiter=None, transport="httpx", **options):
    mettl = MettlClient(
        server.credentials,
        base_url=server.base_url,
        middleware=[gateway],
        rate_limiter=limiter,
        transport=transport,
        options=ClientOptions(**options),
    )
    mettl._shared.admission.effects = clock.effects()
    return mettl


@pytest.mark.parametrize("value", ["1795772476", "86400", "1e300", pytest.param(FAR, id="a date")])
@pytest.mark.parametrize(
    ("rate", "limiter"), [(None, None), (50.0, None), (None, Everybody()), (50.0, Everybody())]
)
async def test_only_the_call_at_hand_fails_and_the_others_go_on_within_a_minute(
    value, rate, limiter
):
    gateway, clock = Gateway(value), Clock()
    async with (
        Sandbox().serve() as server,
        build(server, gateway, clock, limiter, requests_per_second=rate) as mettl,
    ):
        first = await mettl.candidates.register_many(server.access_key, PERSON)
        (failed,) = first.failed
        assert isinstance(failed.error, RateLimitError)
        assert failed.error.retry_after > 3600, "what the server said is told"
        assert clock.jumped == 0
        second = await mettl.candidates.register_many(server.access_key, PERSON)
        assert len(second.registered) == 1
        await mettl.schedules.get(server.access_key)
        assert clock.jumped <= 60 * (1 + SPREAD) + 1


@pytest.mark.parametrize(
    ("value", "told"), [("7", [7.0]), ("86400", [60.0]), ("0", []), ("soon", [])]
)
async def test_a_shared_rate_is_told_of_a_pause_and_of_no_more_than_a_minute(value, told):
    class Sharing(Everybody):
        pauses = ()

        async def pause(self, seconds):
            self.pauses += (seconds,)

    gateway, clock, sharing = Gateway(value), Clock(), Sharing()
    async with Sandbox().serve() as server, build(server, gateway, clock, sharing) as mettl:
        await mettl.candidates.register_many(server.access_key, PERSON)
    assert list(sharing.pauses) == told


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_a_single_call_with_a_rate_goes_on_within_a_minute(transport):
    gateway, clock = Gateway("1795772476"), Clock()
    async with (
        Sandbox().serve() as server,
        build(server, gateway, clock, transport=transport, requests_per_second=50.0) as mettl,
    ):
        with pytest.raises(RateLimitError):
            await mettl.schedules.get(server.access_key)
        await mettl.schedules.get(server.access_key)
        assert 59 < clock.jumped <= 60 * (1 + SPREAD)


async def test_a_server_that_goes_on_refusing_is_asked_about_once_a_minute():
    gateway, clock = Gateway("86400", refusals=5), Clock()
    async with Sandbox().serve() as server, build(server, gateway, clock) as mettl:
        for run in range(5):
            report = await mettl.candidates.register_many(server.access_key, PERSON)
            assert len(report.failed) == 1
            assert gateway.asked == run + 1
        report = await mettl.candidates.register_many(server.access_key, PERSON)
        assert len(report.registered) == 1
        assert 5 * 60 <= clock.jumped <= 5 * 60 * (1 + SPREAD) + 10


async def test_the_ceiling_is_an_option():
    gateway, clock = Gateway("86400"), Clock()
    async with (
        Sandbox().serve() as server,
        build(server, gateway, clock, max_shared_pause=5.0) as mettl,
    ):
        await mettl.candidates.register_many(server.access_key, PERSON)
        report = await mettl.candidates.register_many(server.access_key, PERSON)
        assert len(report.registered) == 1
        assert 5 <= clock.jumped <= 5 * (1 + SPREAD) + 1


@pytest.mark.parametrize(
    "value",
    ["0", "-5", "-1e300", "0.25", pytest.param(PAST, id="a date"), "soon", "", "nan", "inf", "1 2"],
)
async def test_what_names_no_time_to_come_makes_nobody_wait_for_long(value):
    gateway, clock = Gateway(value), Clock()
    async with Sandbox().serve() as server, build(server, gateway, clock) as mettl:
        report = await mettl.candidates.register_many(server.access_key, PERSON)
        assert len(report.registered) == 1
        assert gateway.asked == 2
        assert clock.jumped < 1.5
