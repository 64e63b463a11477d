"""Metrics of workers for OpenTelemetry (extra ``otel``).

::

    from mettl_async.jobs.metrics import JobMetrics

    await jobs.run_worker(accounts={"acme": client}, observers=[JobMetrics()])

========================  =========================================================================
metric
========================  =========================================================================
``mettl.jobs.chunks``     gauge, chunks that are not done, by account
``mettl.jobs.oldest``     gauge, seconds since the oldest job with such chunks was handed in, by account
``mettl.jobs.workers``    gauge, workers that are alive
``mettl.jobs.outcomes``   counter, candidates by account and outcome, each time that they are tried
========================  =========================================================================

The gauges are of the whole database, and only the worker that leads exports them: take the maximum over all
workers. Everything that is exported stands in this module: beside figures it is names of accounts and the
four kinds of outcomes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mettl_async._version import __version__
from mettl_async.jobs.observing import COUNT_EVERY, Backlog, WorkerObserver
from mettl_async.jobs.statements import KINDS

try:
    from opentelemetry import metrics
except ImportError as error:
    raise ImportError('metrics need opentelemetry-api: pip install "mettl-async[otel]"') from error

SCOPE: Final = "mettl_async.jobs"
"""Name of the meter."""
ACCOUNT: Final = "mettl.account"
OUTCOME: Final = "mettl.outcome"

_OTHER: Final = "_OTHER"
_FRESH: Final = 3 * COUNT_EVERY  # seconds; after that another worker leads


class JobMetrics(WorkerObserver):
    """Export what a worker does, and what there is to do in the whole database.

    Args:
        meter_provider: The global one by default, also when it is set later.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        *,
        meter_provider: metrics.MeterProvider | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._backlogs: Mapping[str, Backlog] = {}
        self._seen: set[str] = set()
        self._workers = 0
        self._counted_at: float | None = None
        meter = metrics.get_meter(SCOPE, __version__, meter_provider)
        self._outcomes = meter.create_counter(
            "mettl.jobs.outcomes",
            unit="{candidate}",
            description="Candidates by what became of them, each time that they are tried.",
        )
        meter.create_observable_gauge(
            "mettl.jobs.chunks",
            callbacks=[lambda _: self._each(lambda one: one.chunks)],
            unit="{chunk}",
            description="Chunks of ready jobs that are not done.",
        )
        meter.create_observable_gauge(
            "mettl.jobs.oldest",
            callbacks=[lambda _: self._each(lambda one: one.oldest)],
            unit="s",
            description="Age of the oldest ready job with chunks that are not done.",
        )
        meter.create_observable_gauge(
            "mettl.jobs.workers",
            callbacks=[lambda _: self._alive()],
            unit="{worker}",
            description="Workers that are alive.",
        )

    def answered(self, account: str, outcome: str) -> None:
        """See `WorkerObserver`."""
        kind = outcome if outcome in KINDS else _OTHER
        self._outcomes.add(1, {ACCOUNT: account, OUTCOME: kind})

    def counted(self, backlogs: Mapping[str, Backlog], workers: int) -> None:
        """See `WorkerObserver`."""
        self._seen.update(backlogs)
        self._backlogs, self._workers = dict(backlogs), workers
        self._counted_at = self._clock()

    def _is_fresh(self) -> bool:
        return self._counted_at is not None and self._clock() - self._counted_at < _FRESH

    def _each(self, figure: Callable[[Backlog], float]) -> Iterable[metrics.Observation]:
        if not self._is_fresh():
            return
        none = Backlog(chunks=0, oldest=0.0)
        # An account whose work is done is 0, not absent: alerts would keep its last figure.
        for account in sorted(self._seen):
            yield metrics.Observation(figure(self._backlogs.get(account, none)), {ACCOUNT: account})

    def _alive(self) -> Iterable[metrics.Observation]:
        if self._is_fresh():
            yield metrics.Observation(self._workers)
