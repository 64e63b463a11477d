"""``mettl jobs worker``: a worker in this process, until a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from attrs import frozen

from mettl_async.cli.jobs_database import with_jobs
from mettl_async.cli.option_fields import Target
from mettl_async.cli.problems import CommandError, cannot_listen, print_stderr
from mettl_async.cli.profiles import find_profile, profiles_file
from mettl_async.cli.signals import on_interrupt
from mettl_async.cli.talk import is_quiet
from mettl_async.config import ClientOptions
from mettl_async.jobs import WorkerHealth

if TYPE_CHECKING:
    from mettl_async.client import MettlClient
    from mettl_async.jobs import Jobs, WorkerObserver

_LOGGER: Final = logging.getLogger("mettl_async.jobs")
_LEAST_RATE: Final = 0.01


@frozen(kw_only=True)
class Order:
    """What a worker is asked for.

    Attributes:
        accounts: As in ``acme`` or ``acme=PROFILE``.
        env_account: Name of the account that commands use without ``--profile``.
        rates: As in ``acme=20``, requests a second.
        concurrency: Calls at once, of each account.
        chunks_at_once: Chunks at once, of each account.
        lease: Seconds until others take it for dead.
        health_host: Address of the probe.
        health_port: Port of the probe; None for none.
    """

    accounts: Sequence[str]
    env_account: str | None
    rates: Sequence[str]
    concurrency: int
    chunks_at_once: int
    lease: float
    health_host: str
    health_port: int | None


def work(db: str | None, order: Order) -> int:
    """Work until a signal comes, and end in order; gives the exit code.

    Raises:
        CommandError: An account has no keys, the database cannot be used, or the port not.
        ConfigurationError: Likewise.
    """
    clients = clients_of(order)
    rates = rates_of(order.rates, clients)
    with_jobs(db, lambda jobs: _work(jobs, order, clients, rates))
    return 0


def clients_of(order: Order) -> dict[str, MettlClient]:
    """Make a client for each account.

    Raises:
        CommandError: There is no account, one is named twice, or its profile cannot be used.
        ConfigurationError: Its keys are missing, or cannot work.
    """
    options = ClientOptions(max_concurrency=max(order.concurrency, ClientOptions().max_concurrency))
    targets: dict[str, Target] = {}
    for given in order.accounts:
        name, _, profile = given.partition("=")
        if name in targets:
            raise CommandError(f"--account {name}: is given twice")
        targets[name] = Target(profile=profile or name)
        _check_profile(name, profile or name)
    if order.env_account is not None:
        if order.env_account in targets:
            raise CommandError(f"--env-account {order.env_account}: is an --account, too")
        targets[order.env_account] = Target()
    if not targets:
        raise CommandError(
            "--account is missing: the account to work for, which is the name of a profile"
        )
    return {name: target.client(options) for name, target in targets.items()}


def rates_of(given: Sequence[str], accounts: Mapping[str, object]) -> dict[str, float]:
    """Read rates such as ``acme=20``.

    Raises:
        CommandError: One is not of this form, or of another account.
    """
    rates: dict[str, float] = {}
    for one in given:
        name, _, text = one.partition("=")
        try:
            rate = float(text)
        except ValueError:
            rate = 0.0
        if not rate >= _LEAST_RATE:
            raise CommandError(f"--rate {one}: write it as in acme=20, requests a second")
        if name not in accounts:
            raise CommandError(f"--rate {one}: this worker has no account {name!r}; add --account")
        rates[name] = rate
    return rates


def _check_profile(name: str, profile: str) -> None:
    try:
        find_profile(profile, profiles_file())
    except CommandError as error:
        if not str(error).startswith("no profile"):
            raise
        raise CommandError(
            f"{error}; or pass --env-account {name} in place of --account, for the keys in "
            "METTL_PUBLIC_KEY and METTL_PRIVATE_KEY"
        ) from None


async def _work(
    jobs: Jobs, order: Order, clients: Mapping[str, MettlClient], rates: Mapping[str, float]
) -> None:
    await jobs.list(most=1)  # else a worker would wait for a database that is none
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def end(number: signal.Signals) -> None:
        how = "Ctrl-C again" if number == signal.SIGINT else "the next signal"
        print_stderr(f"mettl: ends when calls in flight have their answers; {how} exits at once")
        stop.set()

    def signalled(number: signal.Signals) -> None:
        loop.call_soon_threadsafe(end, number)  # it may have come while a line was written

    observers: list[WorkerObserver] = [*metrics()]
    async with AsyncExitStack() as stack:
        for client in clients.values():
            await stack.enter_async_context(client)
        stack.enter_context(_logged())
        if order.health_port is not None:
            health = WorkerHealth()
            observers.append(health)
            try:
                address = health.listening(order.health_host, order.health_port)
                host, port = stack.enter_context(address)
            except OSError as error:
                asked = f"{order.health_host} port {order.health_port}"
                raise cannot_listen(asked, error, "--health-port") from None
            print_stderr(f"mettl: health at http://{host}:{port}/")
        stack.enter_context(on_interrupt(signalled))
        print_stderr(f"mettl: works for {', '.join(clients)} until Ctrl-C or SIGTERM")
        await jobs.run_worker(
            accounts=clients,
            stop=stop,
            concurrency=order.concurrency,
            chunks_at_once=order.chunks_at_once,
            lease=order.lease,
            rates=rates,
            observers=observers,
        )
    print_stderr("mettl: ended in order; what was left is handed on")


def metrics() -> list[WorkerObserver]:
    """Make what exports metrics, where OpenTelemetry is installed; without its SDK they go nowhere."""
    try:
        from mettl_async.jobs.metrics import JobMetrics  # noqa: PLC0415 - needs the extra
    except ImportError:
        return []
    return [JobMetrics()]


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print_stderr(f"mettl: {record.getMessage()}")


@contextmanager
def _logged() -> Iterator[None]:
    """Print what the worker logs, which is free of personal data; ``--verbose`` does so by itself."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        yield
        return
    handler, level = _Lines(), _LOGGER.level
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.WARNING if is_quiet() else logging.INFO)
    try:
        yield
    finally:
        _LOGGER.setLevel(level)
        _LOGGER.removeHandler(handler)
