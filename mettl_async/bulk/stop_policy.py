"""What a failed call says about its candidates, and when a run stops; pure.

Which codes stop a run is the flag ``stops_run`` in `mettl_async.error_codes`. A journal that fails, such as on a full
disk, stops a run in `Dispatcher.fail`.
"""

from typing import Final

from attrs import define

from mettl_async.core.retry import is_transient
from mettl_async.error_codes import rule_of
from mettl_async.errors import (
    ApiError,
    CallError,
    ClientClosedError,
    NotFoundError,
    PermissionDeniedError,
)

REFUSED_ALIKE: Final = 60
"""Candidates refused in a row with one code, none registered between them, that stop a run."""

LEAST_UNANSWERED: Final = 3
"""Batches in a row without any answer that stop a run, however few workers it has."""


@define(eq=False)
class StopPolicy:
    """Decide when a run had better stop.

    Attributes:
        concurrency: Calls of the run at once.
    """

    concurrency: int
    _unanswered: int = 0
    _refused_alike: int = 0
    _last_refusal: str | None = None

    def record_success(self) -> None:
        """Note that a call succeeded."""
        self._unanswered = self._refused_alike = 0

    def record_refusal(self) -> None:
        """Note that the server refused a call, so that it is there."""
        self._unanswered = 0

    def record_rejection(self, error: CallError) -> bool:
        """Note that one candidate stays rejected; return whether to stop, as all are rejected alike."""
        # What refuses everybody, but for one candidate's own data, is about the schedule [assumed], and
        # finding that out for each candidate helps nobody.
        own = isinstance(error, ApiError) and rule_of(error).one_candidate
        alike = error.code == self._last_refusal and not own
        self._refused_alike = self._refused_alike + 1 if alike else 1
        self._last_refusal = error.code
        return self._refused_alike >= REFUSED_ALIKE

    def record_no_answer(self) -> bool:
        """Note that a call had no answer until its deadline; return whether to stop.

        A server is gone when as many calls as may be sent at once had none in a row.
        """
        self._unanswered += 1
        return self._unanswered >= max(self.concurrency, LEAST_UNANSWERED)


def may_be_one_candidates_fault(error: CallError) -> bool:
    """Return whether one candidate may have made the call fail for all, as E028 does [assumed]."""
    refused = isinstance(error, ApiError) and not is_transient(error)
    return refused and not stops_the_run(error)


def is_too_long(error: CallError) -> bool:
    """Return whether the call had too many candidates, rather than a bad one."""
    return isinstance(error, ApiError) and rule_of(error).too_long


def stops_the_run(error: CallError) -> bool:
    """Return whether every further call would fail the same way."""
    if error.code is None and isinstance(error, (PermissionDeniedError, NotFoundError)):
        return False  # it may be a firewall that dislikes one candidate's name
    if isinstance(error, ApiError):
        return rule_of(error).stops_run
    return isinstance(error, ClientClosedError)
