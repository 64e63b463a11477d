"""What a failed call says about its candidates, and when a run had better stop; pure."""

from __future__ import annotations

from typing import Final

from attrs import define

from mettl_async.codes import meaning_of
from mettl_async.core.retry import is_transient
from mettl_async.errors import (
    ApiError,
    CallError,
    CallFacts,
    ClientClosedError,
    MettlDecodeError,
    MettlError,
    NotFoundError,
    PermissionDeniedError,
)

REFUSED_ALIKE: Final = 60
"""Candidates refused in a row with one code, none registered between them, that stop a run."""

LEAST_FRUITLESS: Final = 3
"""Batches in a row without any answer that stop a run, however few workers it has."""


@define(eq=False)
class StopPolicy:
    """Notices when going on is no use.

    Attributes:
        concurrency: Calls of the run at once.
    """

    concurrency: int
    _fruitless: int = 0
    _refused_alike: int = 0
    _last_refusal: str | None = None

    def went_through(self) -> None:
        """A call succeeded."""
        self._fruitless = self._refused_alike = 0

    def was_refused(self, error: CallError, *, alone: bool) -> bool:
        """The server refused candidates; gives whether to stop, as it refuses everybody alike."""
        self._fruitless = 0
        return alone and self.record_rejection(error)

    def record_rejection(self, error: CallError) -> bool:
        """One candidate stays refused; gives whether to stop."""
        # What refuses everybody, but for one candidate's own data, is about the schedule [assumed], and
        # finding that out for each candidate helps nobody.
        own = isinstance(error, ApiError) and meaning_of(error).one_candidate
        alike = error.code == self._last_refusal and not own
        self._refused_alike = self._refused_alike + 1 if alike else 1
        self._last_refusal = error.code
        return self._refused_alike >= REFUSED_ALIKE

    def was_lost(self) -> bool:
        """A call used up all its patience without an answer; gives whether to stop.

        A server is gone when as many calls as may be sent at once came to that in a row.
        """
        self._fruitless += 1
        return self._fruitless >= max(self.concurrency, LEAST_FRUITLESS)


def is_call_wide(error: CallError) -> bool:
    """Whether one candidate may have made the call fail for all, as E028 does [assumed, from what clients do]."""
    refused = isinstance(error, ApiError) and not is_transient(error)
    return refused and not stops_the_run(error)


def is_too_long(error: CallError) -> bool:
    """Whether the call had too many candidates, rather than a bad one."""
    return isinstance(error, ApiError) and meaning_of(error).too_long


def stops_the_run(error: CallError) -> bool:
    """Whether every further call would fail the same way."""
    if error.code is None and isinstance(error, (PermissionDeniedError, NotFoundError)):
        return False  # it may be a firewall that dislikes one candidate's name
    if isinstance(error, ApiError):
        return meaning_of(error).stops_run
    return isinstance(error, ClientClosedError)


def unexpected(exc: BaseException) -> MettlError:
    """What to tell of candidates whose call ended with something that is no `MettlError`."""
    # Only its type: the exception itself is raised at the end of the run, unwrapped.
    return CallError(
        f"{type(exc).__name__} was raised while sending",
        CallFacts(operation="candidates.register", sent=True, may_have_been_handled=True),
    )


def not_mentioned() -> MettlError:
    """What to tell of candidates whom an answer leaves out."""
    return MettlDecodeError(
        "the server's answer does not mention this candidate",
        CallFacts(operation="candidates.register", sent=True, safe_to_repeat=True),
    )
