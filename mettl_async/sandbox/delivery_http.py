"""Sending deliveries over HTTP. Besides `in_process` the only module here that names httpx.

httpx's transports are used without its client: no redirects, no cookies, no proxies of the
environment, and no log of URLs, which may hold a token.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import httpx

from mettl_async.sandbox.deliveries import Attempt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mettl_async.sandbox.deliveries import Deliveries, Delivery

# How often new events and waits are looked at.
TICK_SECONDS: Final = 0.05
_AT_ONCE: Final = 32
# Of an answer so much is read, and not looked at, so that the connection can be used again.
_MOST_ANSWER: Final = 64 * 1024
_UNWANTED: Final = frozenset("\r\n\x00")

_log = logging.getLogger("mettl_async.sandbox")


class Deliverer:
    """Sends what is ready; one event loop at a time.

    Args:
        deliveries: The records.
        transport: What to send through, never closed here; None for sockets of our own.
        now: The sandbox's clock.
        settle: Makes happen what is due.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        *,
        transport: httpx.AsyncBaseTransport | None,
        now: Callable[[], float],
        settle: Callable[[], None],
    ) -> None:
        self._deliveries = deliveries
        self._transport = transport
        self._now = now
        self._settle = settle
        self._busy: set[int] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send in the background while the block runs; what is in flight at the end stays to be sent."""
        task = asyncio.create_task(self._send_all(skip_waits=False, until_done=False))
        try:
            yield
        finally:
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(outcome, Exception):
                raise outcome

    async def drain(self, seconds: float, skip_waits: bool) -> None:  # noqa: FBT001 - called in one place
        """Send until nothing is left to send; see `Deliveries.settled`.

        Raises:
            TimeoutError: It took longer than so many seconds.
        """
        async with asyncio.timeout(seconds):
            await self._send_all(skip_waits=skip_waits, until_done=True)

    async def _send_all(self, *, skip_waits: bool, until_done: bool) -> None:
        transport = self._transport
        sent = asyncio.Event()
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            while True:
                sent.clear()
                self._settle()
                ready = self._deliveries.ready(self._now(), skip_waits=skip_waits, busy=self._busy)
                for delivery in ready[: max(0, _AT_ONCE - len(self._busy))]:
                    if transport is None:  # only now: its TLS context is slow to make
                        transport = httpx.AsyncHTTPTransport(trust_env=False)
                        await stack.enter_async_context(transport)
                    self._busy.add(delivery.number)
                    group.create_task(self._try(delivery, transport, sent))
                done = not self._busy and (not skip_waits or self._deliveries.quiet)
                if until_done and done:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS):
                        await sent.wait()

    async def _try(
        self, delivery: Delivery, transport: httpx.AsyncBaseTransport, sent: asyncio.Event
    ) -> None:
        status = problem = None
        try:
            async with asyncio.timeout(self._deliveries.rules.timeout):
                status = await _post(delivery, transport)
        except Exception as error:  # noqa: BLE001 - any error of the receiver is its failure
            problem = type(error).__name__  # the message may hold the URL
        finally:
            self._busy.discard(delivery.number)
            sent.set()
        _log.info("webhook %d (%s): %s", delivery.number, delivery.event_type, status or problem)
        attempt = Attempt(at=self._now(), status=status, problem=problem)
        self._deliveries.attempted(delivery, attempt)


async def _post(delivery: Delivery, transport: httpx.AsyncBaseTransport) -> int:
    request = httpx.Request(
        "POST", delivery.url, headers=headers(delivery.basic_auth), content=delivery.body
    )
    response = await transport.handle_async_request(request)
    try:
        # The answer counts from its first line on; what follows is not looked at.
        with suppress(httpx.HTTPError, httpx.StreamError):  # the latter: read by a given transport
            await _skim(response)
    finally:
        await response.aclose()
    return response.status_code


async def _skim(response: httpx.Response) -> None:
    size = 0
    async with aclosing(response.aiter_raw()) as parts:  # type: ignore[type-var] # it is a generator
        async for part in parts:
            size += len(part)
            if size > _MOST_ANSWER:
                return


def headers(basic_auth: str | None) -> list[tuple[bytes, bytes]]:
    """Make the headers of a delivery; the last two only if the value is base64 of ``user:password`` [doc]."""
    made = [(b"content-type", b"application/json")]
    if basic_auth is None:
        return made
    made.append((b"authorization", b"Basic " + basic_auth.encode()))
    try:
        text = base64.b64decode(basic_auth, validate=True).decode()
    except ValueError:
        return made
    user, colon, password = text.partition(":")
    if colon and _UNWANTED.isdisjoint(text):
        made += [(b"php-auth-user", user.encode()), (b"php-auth-pw", password.encode())]
    return made
