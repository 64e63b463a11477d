"""One rate for many processes."""

import asyncio
import logging
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import trio

from mettl_async import Candidate, ConfigurationError, MettlClient
from mettl_async.redis_limiter import ASK_AGAIN, RedisRateLimiter
from mettl_async.sandbox import Sandbox

PROGRAM = """
import asyncio, sys
from mettl_async.redis_limiter import RedisRateLimiter

class Full(Exception):
    pass

async def full(seconds):
    raise Full

async def main():
    limiter = RedisRateLimiter(sys.argv[1], requests=31, per_seconds=600, name="shared", sleep=full)
    try:
        while True:
            await limiter.acquire()
            print("sent", flush=True)
    except Full:
        await limiter.aclose()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_two_processes_share_one_rate(redis_uri):
    both = [
        subprocess.Popen(  # noqa: ASYNC220, S603 - our own interpreter, read after it ends
            [sys.executable, "-c", PROGRAM, redis_uri], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    sent = [(await asyncio.to_thread(one.communicate))[0].split() for one in both]
    assert len(sent[0]) + len(sent[1]) == 31


async def test_a_client_asks_it_before_each_request(redis_uri):
    limiter = RedisRateLimiter(redis_uri, requests=5, name="client")
    started = time.monotonic()
    async with (
        Sandbox().serve() as server,
        MettlClient(server.credentials, base_url=server.base_url, rate_limiter=limiter) as mettl,
    ):
        people = [Candidate(email=f"c{n}@example.org", first_name="C") for n in range(11)]
        report = await mettl.candidates.register_many(server.access_key, people, batch_size=1)
    await limiter.aclose()
    assert len(report.registered) == 11
    assert time.monotonic() - started >= 2.0  # a lower bound: 5, 5 and 1 in three windows


async def test_without_redis_each_process_keeps_the_rate_by_itself_and_says_so_once(caplog):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        await asyncio.sleep(seconds)

    limiter = RedisRateLimiter(
        "redis://:s3cret-pass@127.0.0.1:1/0", requests=40, name="gone", sleep=sleep
    )
    with caplog.at_level(logging.DEBUG):
        for _ in range(5):
            await limiter.acquire()
    await limiter.aclose()
    assert len(slept) >= 4
    assert all(0 < seconds <= 1 / 40 for seconds in slept)
    assert caplog.text.count("cannot be reached") == 1
    assert "s3cret-pass" not in caplog.text + repr(limiter)


async def test_a_redis_that_failed_is_left_alone_for_a_while_and_then_asked_again(
    caplog, monkeypatch
):
    now, slept, answers = [1000.0], [], [OSError(), OSError(), True, True]

    async def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    async def hit(*_):
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    clock = SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr("mettl_async.redis_limiter.time", clock)
    limiter = RedisRateLimiter(
        "redis://127.0.0.1:1/0", requests=1, per_seconds=10, name="back", sleep=sleep
    )
    monkeypatch.setattr(limiter._limiter, "hit", hit)
    left = []
    for later in (0.0, 0.0, ASK_AGAIN, ASK_AGAIN, 0.0):
        now[0] += later
        await limiter.acquire()
        left.append(len(answers))
    await limiter.aclose()
    assert left == [3, 3, 2, 1, 0]
    assert slept == [pytest.approx(10.0)], "its own rate is the same"
    assert caplog.text.count("cannot be reached") == 1
    assert caplog.text.count("can be reached again") == 1


async def test_a_clock_that_is_far_off_never_waits_longer_than_the_window(redis_uri, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        raise LookupError  # enough seen

    limiter = RedisRateLimiter(redis_uri, requests=1, per_seconds=600, name="off", sleep=sleep)
    await limiter.acquire()
    now = time.time()
    monkeypatch.setattr("mettl_async.redis_limiter.time.time", lambda: now - 7200)
    with pytest.raises(LookupError):
        await limiter.acquire()
    await limiter.aclose()
    assert slept[0] <= 600


def test_trio_is_refused():
    limiter = RedisRateLimiter("redis://127.0.0.1:1/0", requests=1)
    with pytest.raises(ConfigurationError, match="asyncio only"):
        trio.run(limiter.acquire)


@pytest.mark.parametrize(
    "arguments",
    [{"requests": 0}, {"requests": True}, {"requests": 1, "per_seconds": 0}, {"requests": "5"}],
)
def test_a_rate_that_is_none_is_refused(arguments):
    with pytest.raises(ConfigurationError, match="whole number"):
        RedisRateLimiter("redis://127.0.0.1/0", **arguments)


def test_another_address_is_refused():
    with pytest.raises(ConfigurationError, match="uri"):
        RedisRateLimiter("http://127.0.0.1/0", requests=1)


def test_a_uri_that_cannot_be_read_shows_nothing_of_its_password():
    with pytest.raises(ConfigurationError, match="uri: cannot be read") as caught:
        RedisRateLimiter("redis://:Sup3r/Secret@h:6379/0", requests=1)
    assert caught.value.__context__ is None
    assert "Sup3r" not in f"{caught.value!r}"
