"""Beginning a worker as `Jobs.run_worker` is asked to, and what runs beside it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from functools import partial
from typing import TYPE_CHECKING

from mettl_async.errors import ConfigurationError, InvalidInputError
from mettl_async.jobs.leases import LONGEST
from mettl_async.jobs.observing import Counting, WorkerObserver
from mettl_async.jobs.pull_chunk import pull_chunk
from mettl_async.jobs.pull_spec import PULL
from mettl_async.jobs.rate import DatabaseRate
from mettl_async.jobs.recurring import Recurring
from mettl_async.jobs.work import Pace
from mettl_async.jobs.worker import Stop, Worker
from mettl_async.models import _check

if TYPE_CHECKING:
    from mettl_async.client import MettlClient
    from mettl_async.jobs.report_store import Store
    from mettl_async.sql_backend import Backend, sa
    from mettl_async.webhooks import EventHandlers
    from mettl_async.webhooks.sql_inbox import SqlEventInbox


async def run_worker(
    backend: Backend,
    url: sa.URL,
    *,
    accounts: Mapping[str, MettlClient],
    stop: Stop | None,
    concurrency: int,
    chunks_at_once: int,
    max_tries: int,
    lease: float,
    rates: Mapping[str, float],
    stores: Mapping[str, Store],
    beside: AbstractAsyncContextManager[object],
    observers: Sequence[WorkerObserver] = (),
    pace: Pace | None = None,
) -> None:
    """See `Jobs.run_worker`; ``beside`` is entered meanwhile, and ``pace`` is for tests."""
    _check.count("concurrency", concurrency, least=1, most=1000)
    _check.count("chunks_at_once", chunks_at_once, least=1, most=100)
    _check.count("max_tries", max_tries, least=1, most=100)
    if not 1 <= lease <= LONGEST:
        raise InvalidInputError("lease", "is out of bounds", "give 1 to 3,600 seconds")
    for name, store in stores.items():
        if not callable(store):
            raise InvalidInputError(
                f"stores[{name!r}]", "cannot be called", "give an async def store(name, chunks)"
            )
    if not accounts:
        raise InvalidInputError("accounts", "names none", "give at least one, and its client")
    counting = [Counting(backend, observers, time.monotonic).step] if observers else []
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(_under(rates, accounts, backend))
        worker = Worker(
            backend=backend,
            url=url,
            clients=clients,
            concurrency=concurrency,
            at_once=min(chunks_at_once, concurrency),  # each chunk has a call in flight
            max_tries=max_tries,
            pace=pace or Pace(lease=lease),
            runners={PULL: partial(pull_chunk, stores=dict(stores))},
            further=[Recurring(backend).begin_due, *counting],
            observers=observers,
        )
        await stack.enter_async_context(beside)
        await worker.run(stop)


def beside(
    inbox: SqlEventInbox | None, handlers: EventHandlers | None
) -> AbstractAsyncContextManager[object]:
    """Give what handles the events of an inbox, if there is one.

    Raises:
        ConfigurationError: One of the two is missing.
    """
    if inbox is None and handlers is None:
        return nullcontext()
    if inbox is None or handlers is None:
        missing = "inbox" if inbox is None else "handlers"
        raise ConfigurationError(
            f"{missing}: is missing; give an inbox and the handlers of its events"
        )
    return inbox.working(handlers)


@asynccontextmanager
async def _under(
    rates: Mapping[str, float], accounts: Mapping[str, MettlClient], backend: Backend
) -> AsyncIterator[dict[str, MettlClient]]:
    """Give clients that keep the rates which all workers share, until the block ends."""
    clients = dict(accounts)
    shared: dict[str, DatabaseRate] = {}
    for account, per_second in rates.items():
        if account not in accounts:
            raise ConfigurationError(
                f"rates: names {account!a}, for which there is no client in accounts; add it there"
            )
        if accounts[account].rate_limiter is not None:
            raise ConfigurationError(
                f"rates: names {account!a}, whose client has a rate_limiter already; leave one of them out"
            )
        shared[account] = DatabaseRate(backend, account, per_second)
        clients[account] = accounts[account].with_options(rate_limiter=shared[account])
    async with AsyncExitStack() as stack:
        for rate in shared.values():
            stack.push_async_callback(rate.aclose)
        yield clients
