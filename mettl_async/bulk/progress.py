"""The progress of a run: counted as it goes, reported now and then, logged at its end."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from attrs import asdict, frozen

from mettl_async.bulk.outcomes import Failed, Outcome, Registered, Rejected, Unknown
from mettl_async.core.redaction import run_fields
from mettl_async.core.request import RunContext
from mettl_async.errors import CallError

EVERY: Final = 0.1
"""Seconds between two calls of ``on_progress`` at least."""

RATE_WINDOW: Final = 5.0
"""Seconds over which the rate is taken."""

OPERATION: Final = "candidates.register"
"""The calls of a run, in logs and errors."""

logger = logging.getLogger("mettl_async")


@frozen(kw_only=True)
class Progress:
    """The progress of a bulk run.

    Attributes:
        read: Candidates that were read from the input and have an outcome or wait for the second pass.
        calls: Calls that have ended; one takes several requests where it was tried again.
        registered: With a link.
        rejected: Refused by the server, or repeated in the input.
        failed: Not registered for another reason.
        unknown: Candidates whose answer was lost, or had no usable link. It may fall: they are sent once
            more at the end of the run.
        in_flight: Calls under way, with those that wait for a retry.
        retrying: Calls that wait for a retry.
        retry_reason: Name of the error's class for which the latest of them waits; None without any.
        rate: Requests per second, over the last seconds.
        seconds: Since the start of the run.
    """

    read: int
    calls: int
    registered: int
    rejected: int
    failed: int
    unknown: int
    in_flight: int
    retrying: int = 0
    retry_reason: str | None = None
    rate: float
    seconds: float


OnProgress = Callable[[Progress], None]


class ProgressTracker:
    """Count what a run has done, and call the user's ``on_progress``.

    Attributes:
        in_flight: Calls under way.
        failure: What ``on_progress`` raised; then it is not called again.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        on_progress: OnProgress | None = None,
        context: RunContext | None = None,
    ) -> None:
        self._now, self._on_progress, self._context = monotonic, on_progress, context
        self.in_flight = 0
        self.failure: Exception | None = None
        self._waiting = self._calls = self._requests = 0
        self._kinds: dict[type, int] = dict.fromkeys((Registered, Rejected, Failed, Unknown), 0)
        self._started = self._reported_at = monotonic()
        self._marks = deque([(self._started, 0)])  # times, and requests until then

    def record_call(self, requests: int) -> None:
        """Count a call that has ended, and the requests it took."""
        self._calls += 1
        self._requests += requests

    def count(self, outcomes: Iterable[Outcome], *, waiting: int) -> None:
        """Count settled candidates, with those that wait for the second pass, and report."""
        for one in outcomes:
            self._kinds[type(one)] += 1
        self._waiting = waiting
        self.report()

    def report(self, *, final: bool = False) -> None:
        """Call ``on_progress``, unless that was done just now; what it raises is kept."""
        if self._on_progress is None or self.failure is not None:
            return
        now = self._now()
        if not final and now - self._reported_at < EVERY:
            return
        self._reported_at = now
        try:
            self._on_progress(self.current())
        except Exception as exc:  # noqa: BLE001 - raised when the run is over, which goes on
            self.failure = exc

    def current(self) -> Progress:
        """Make the figures of this moment."""
        now = self._now()
        while len(self._marks) > 1 and self._marks[0][0] < now - RATE_WINDOW:
            self._marks.popleft()
        progress = self._progress(now, self._marks[0])
        self._marks.append((now, self._requests))
        return progress

    def log_end(self) -> None:
        """Log one record about the whole run."""
        if not logger.isEnabledFor(logging.INFO):
            return
        end = asdict(self._progress(self._now(), (self._started, 0)))
        logger.info(
            "candidates.register: run of %(read)d candidates ended after %(seconds).1f s:"
            " %(registered)d registered, %(rejected)d rejected, %(failed)d failed, %(unknown)d unknown;"
            " %(calls)d calls, %(rate).1f requests/s",
            end,
            extra=run_fields(OPERATION, **end),
        )

    def _progress(self, now: float, since: tuple[float, int]) -> Progress:
        """Make the figures, with the rate since a time and a count of requests."""
        began, before = since
        kinds = self._kinds
        return Progress(
            read=sum(kinds.values()) + self._waiting,
            calls=self._calls,
            registered=kinds[Registered],
            rejected=kinds[Rejected],
            failed=kinds[Failed],
            unknown=kinds[Unknown] + self._waiting,
            in_flight=self.in_flight,
            retrying=self._context.retrying if self._context else 0,
            retry_reason=self._context.retry_reason if self._context else None,
            rate=(self._requests - before) / (now - began) if now > began else 0.0,
            seconds=now - self._started,
        )


def log_stop(error: BaseException) -> None:
    """Log that a run was stopped, and by what: its type and Mettl's code, never its words."""
    # Anybody's exception may come here, and what it calls a code may be a candidate's data.
    call = error if isinstance(error, CallError) else None
    code, status = (call.code, call.status_code) if call is not None else (None, None)
    logger.warning(
        "candidates.register: the run was stopped by %s (code %s, HTTP %s)",
        type(error).__name__, code, status,
        extra=run_fields(OPERATION, failure=type(error).__name__, code=code, status=status),
    )  # fmt: skip
