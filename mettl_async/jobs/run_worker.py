"""Beginning a worker as `Jobs.run_worker` is asked to, and what runs beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from mettl_async.errors import ConfigurationError, InvalidInputError
from mettl_async.jobs.rate import DatabaseRate
from mettl_async.jobs.work import Pace
from mettl_async.jobs.worker import Stop, Worker
from mettl_async.models import _check

if TYPE_CHECKING:
    from mettl_async.client import MettlClient
    from mettl_async.sql_backend import Backend, sa

_LONGEST_LEASE: Final = 3600.0


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
    pace: Pace | None = None,
) -> None:
    """See `Jobs.run_worker`; ``pace`` is for tests."""
    _check.count("concurrency", concurrency, least=1, most=1000)
    _check.count("chunks_at_once", chunks_at_once, least=1, most=100)
    _check.count("max_tries", max_tries, least=1, most=100)
    if not 1 <= lease <= _LONGEST_LEASE:
        raise InvalidInputError("lease", "is out of bounds", "give 1 to 3,600 seconds")
    if not accounts:
        raise InvalidInputError("accounts", "names none", "give at least one, and its client")
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(_under(rates, accounts, backend))
        worker = Worker(
            backend=backend,
            url=url,
            clients=clients,
            concurrency=concurrency,
            at_once=chunks_at_once,
            max_tries=max_tries,
            pace=pace or Pace(lease=lease),
        )
        await worker.run(stop)


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
