"""How far a run is: counted as it goes, told now and then, logged at its end."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import asdict, define, field, frozen

from mettl_async.bulk.outcomes import Failed, Registered, Rejected, Unknown
from mettl_async.core.redaction import run_fields
from mettl_async.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mettl_async.bulk.outcomes import Outcome

EVERY: Final = 0.1
"""Seconds between two tellings at least."""

NOW: Final = 5.0
"""Seconds over which the present rate is taken."""

_OPERATION: Final = "candidates.register"

logger = logging.getLogger("mettl_async")


@frozen(kw_only=True)
class Progress:
    """How far a bulk run is.

    Attributes:
        read: Candidates that were read from the input and have an outcome or wait for the second pass.
        calls: Calls that have ended; one takes several requests where it was tried again.
        registered: With a link.
        rejected: Refused by the server, or repeated in the input.
        failed: Not registered for another reason.
        unknown: Whose answer was lost. It may fall: at the end of the run they are sent once more.
        in_flight: Calls under way, those that wait to be tried again among them.
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
    rate: float
    seconds: float


OnProgress = Callable[[Progress], None]


@define(eq=False)
class ProgressTracker:
    """Counts a run.

    Attributes:
        now: A monotonic clock.
        tell: Called with a `Progress`, at most every `EVERY` seconds and once at the end.
        in_flight: Calls under way.
        failure: What ``tell`` raised; then it is not called again.
    """

    now: Callable[[], float] = field(repr=False)
    tell: OnProgress | None = None
    in_flight: int = field(default=0, init=False)
    failure: Exception | None = field(default=None, init=False)
    _waiting: int = field(default=0, init=False)
    _calls: int = field(default=0, init=False)
    _requests: int = field(default=0, init=False)
    _kinds: dict[type, int] = field(init=False)
    _started: float = field(init=False)
    _told_at: float = field(init=False)
    _marks: deque[tuple[float, int]] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self._kinds = dict.fromkeys((Registered, Rejected, Failed, Unknown), 0)
        self._started = self.now()
        self._told_at = self._started
        self._marks.append((self._started, 0))

    def record_call(self, requests: int) -> None:
        """Count a call that has ended, and the requests it took."""
        self._calls += 1
        self._requests += requests

    def count(self, outcomes: Iterable[Outcome], *, waiting: int) -> None:
        """These candidates are settled, and so many wait for the second pass; tells of it."""
        kinds = self._kinds
        for one in outcomes:
            kinds[type(one)] += 1
        self._waiting = waiting
        self.report()

    def report(self, *, final: bool = False) -> None:
        """Tell how far it is, unless that was done just now; whatever that raises is kept."""
        if self.tell is None or self.failure is not None:
            return
        now = self.now()
        if not final and now - self._told_at < EVERY:
            return
        self._told_at = now
        while len(self._marks) > 1 and self._marks[0][0] < now - NOW:
            self._marks.popleft()
        progress = self.progress(now, self._marks[0])
        self._marks.append((now, self._requests))
        try:
            self.tell(progress)
        except Exception as exc:  # noqa: BLE001 - raised when the run is over, which goes on
            self.failure = exc

    def progress(self, now: float, since: tuple[float, int]) -> Progress:
        """The figures, with the rate since a time and a count of requests."""
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
            rate=(self._requests - before) / (now - began) if now > began else 0.0,
            seconds=now - self._started,
        )

    def log_end(self) -> None:
        """One record about the whole run."""
        if not logger.isEnabledFor(logging.INFO):
            return
        end = self.progress(self.now(), (self._started, 0))
        logger.info(
            "candidates.register: run of %d candidates ended after %.1f s: %d registered, %d rejected,"
            " %d failed, %d unknown; %d calls, %.1f requests/s",
            end.read, end.seconds, end.registered, end.rejected, end.failed, end.unknown, end.calls,
            end.rate,
            extra=run_fields(_OPERATION, **asdict(end)),
        )  # fmt: skip


def log_stop(error: BaseException) -> None:
    """Say that a run was stopped, and by what: its type and Mettl's code, never its words."""
    # Anybody's exception may come here, and what it calls a code may be a candidate's data.
    call = error if isinstance(error, CallError) else None
    code, status = (call.code, call.status_code) if call is not None else (None, None)
    logger.warning(
        "candidates.register: the run was stopped by %s (code %s, HTTP %s)",
        type(error).__name__, code, status,
        extra=run_fields(_OPERATION, failure=type(error).__name__, code=code, status=status),
    )  # fmt: skip
