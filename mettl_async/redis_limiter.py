"""One rate for many processes that share an account, kept in Redis (extra ``redis``)."""

import logging
import time
from typing import Final

import anyio
import sniffio

from mettl_async.config import require, whole
from mettl_async.core.pacing import Pacer
from mettl_async.errors import ConfigurationError

try:
    from limits import RateLimitItemPerSecond
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import MovingWindowRateLimiter
    from redis.asyncio import ConnectionPool
    from redis.exceptions import RedisError
except ImportError as error:
    raise ImportError(
        'RedisRateLimiter needs limits and redis: pip install "mettl-async[redis]"'
    ) from error

from collections.abc import Awaitable, Callable

_SCHEMES: Final = ("redis://", "rediss://", "unix://")

LEAST_WAIT: Final = 0.005
"""Seconds between two questions at least, so that a clock a little off does not make it a busy loop."""

ASK_AGAIN: Final = 30.0
"""Seconds until a Redis that failed is asked again."""

_TIMEOUT: Final = 2.0

_log = logging.getLogger("mettl_async")


def _pool_of(uri: str) -> ConnectionPool:
    try:
        return ConnectionPool.from_url(
            uri, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
        )
    except ValueError:
        pass  # its words may hold a part of the password
    raise ConfigurationError(
        "uri: cannot be read; percent-encode what is special in its password, and look at its options"
    )


class RedisRateLimiter:
    """At most ``requests`` in any ``per_seconds``, by all processes with the same ``name`` together.

    Pass it as ``MettlClient(rate_limiter=...)``. Within a process the first come is the first served.
    While Redis cannot be reached, each process keeps to the rate by itself, says so once in the log, and
    asks again every 30 seconds: a counter that is gone stops no registration, but several processes
    together may then send more. The clocks of the processes must agree to within a fraction of
    ``per_seconds``. asyncio only, and one event loop, as the client.

    Example::

        limiter = RedisRateLimiter("redis://127.0.0.1:6379/0", requests=10, name="acme")
        async with MettlClient(rate_limiter=limiter) as client:
            await client.account.get()
        await limiter.acquire()  # for what you send to Mettl by other means
        await limiter.aclose()

    Args:
        uri: Such as ``redis://127.0.0.1:6379/0``; not shown in the repr, since it may hold a password.
        requests: How many, 1 to 1,000,000.
        per_seconds: In how many seconds, 1 to 1,000,000.
        name: What is counted, such as the account's; no key or personal data.

    Raises:
        ConfigurationError: An argument cannot work, or it is used under trio.
    """

    def __init__(
        self,
        uri: str,
        *,
        requests: int,
        per_seconds: int = 1,
        name: str = "mettl",
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        if not uri.startswith(_SCHEMES):
            raise ConfigurationError("uri: must start with redis://, rediss:// or unix://")
        for option, value in (("requests", requests), ("per_seconds", per_seconds)):
            require(option, value, whole(1, 1_000_000))
        self.requests, self.per_seconds = requests, per_seconds
        self.name = name
        self._sleep = sleep
        self._own_pace = Pacer(fixed=requests / per_seconds)
        self._away_until = float("-inf")
        self._pool = _pool_of(uri)
        # Made here, so that it can be closed.
        storage = RedisStorage(
            f"async+{uri}",
            implementation="redispy",
            connection_pool=self._pool,  # type: ignore[arg-type]  # it is a parameter, but only at run time
        )
        self._limiter = MovingWindowRateLimiter(storage)
        self._item = RateLimitItemPerSecond(requests, per_seconds, namespace="mettl-async")
        self._turn = anyio.Lock(fast_acquire=True)

    def __repr__(self) -> str:
        return f"RedisRateLimiter({self.requests} per {self.per_seconds} s, name={self.name!r})"

    async def acquire(self) -> None:
        """Return when one more request may be sent.

        Raises:
            ConfigurationError: It is used under trio.
        """
        if sniffio.current_async_library() != "asyncio":
            raise ConfigurationError(
                "RedisRateLimiter runs on asyncio only; it cannot be used under trio"
            )
        async with self._turn:
            if time.monotonic() >= self._away_until:
                try:
                    await self._by_all()
                except (OSError, RedisError) as error:
                    if self._away_until == float("-inf"):
                        _log.warning(
                            "the shared rate limit cannot be reached (%s); until it can, each process "
                            "keeps it by itself",
                            type(error).__name__,
                        )
                    self._away_until = time.monotonic() + ASK_AGAIN
                else:
                    if self._away_until != float("-inf"):
                        _log.warning("the shared rate limit can be reached again")
                        self._away_until = float("-inf")
                    return
            while (seconds := self._own_pace.take(time.monotonic())) > 0:
                await self._sleep(seconds)

    async def _by_all(self) -> None:
        while not await self._limiter.hit(self._item, self.name):
            window = await self._limiter.get_window_stats(self._item, self.name)
            # No longer than the window, even where the clocks disagree.
            wait = min(self.per_seconds, window.reset_time - time.time())
            await self._sleep(max(LEAST_WAIT, wait))

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        await self._pool.aclose()
