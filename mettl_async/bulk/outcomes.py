"""The outcome of each candidate of a bulk run, and the errors that carry outcomes."""

from collections.abc import Iterable
from datetime import datetime

from attrs import field, frozen

from mettl_async.errors import CallError, MettlError
from mettl_async.models import Candidate, RegistrationStatus

DUPLICATE_EMAIL = "DuplicateEmail"
"""`Rejected.code` of a candidate whose email came earlier in the same run, without regard to case."""

NO_USABLE_LINK = "NoUsableLink"
"""`Rejected.code` of a candidate who may take the test by the server's words, and twice got no usable link.

One client's fixture shows such an answer for a test that was completed [seen]."""


@frozen(kw_only=True)
class _Outcome:
    """Common to all outcomes.

    Attributes:
        index: Position of the candidate in the input, from 0.
        candidate: What was passed in, or what ``candidate_fallback`` made of it if that was sent.
        attempts: Requests that this candidate took part in; 0 means not sent in this run: an earlier
            one has recorded the answer in the journal, it is a duplicate, or the run was stopped.
    """

    index: int
    candidate: Candidate = field(repr=False)
    attempts: int

    @property
    def email(self) -> str:
        """Of the candidate."""
        return self.candidate.email


@frozen(kw_only=True)
class Registered(_Outcome):
    """The server gave a link.

    Attributes:
        url: The candidate's own one-time link: everyone who has it can take the test.
        status: ``ToBeTaken``, or ``InProgress`` for one who may resume.
    """

    url: str = field(repr=False)
    status: RegistrationStatus


@frozen(kw_only=True)
class Rejected(_Outcome):
    """There is no link for this candidate, and the same values get the same answer again [assumed].

    Attributes:
        reason: The server's words, or ours for a duplicate. They may name the candidate: show them to
            the caller, keep them out of logs. They are as they came; the command shows them without
            control characters.
        code: Mettl's code (``E028``), an item's status (``Completed``, ``InValid`` [seen]), ``HTTP 414``
            for a refusal without a code, `NO_USABLE_LINK`, or `DUPLICATE_EMAIL`.
        sent_at: When each request with this candidate was sent that the server may have seen, the first
            one first: by this machine's clock, in UTC.
    """

    reason: str = field(repr=False)
    code: str
    sent_at: tuple[datetime, ...] = ()


@frozen(kw_only=True)
class Failed(_Outcome):
    """Not registered, for a reason that is not the candidate's; doing it again is safe.

    Attributes:
        error: What happened; for candidates after a stop (``attempts == 0``) what stopped the run.
    """

    error: MettlError

    @property
    def sent(self) -> bool:
        """Whether the server saw this candidate (and refused)."""
        return self.attempts > 0 and isinstance(self.error, CallError) and self.error.sent


@frozen(kw_only=True)
class Unknown(_Outcome):
    """It may have been sent, and no answer about it came: perhaps registered, without a link to show.

    Registering again is harmless and gives the link [seen]; a run that was not stopped has done that
    once already.

    Attributes:
        error: How the last answer was lost, or what kept the run from asking again.
        sent_at: When each request with this candidate was sent that the server may have seen, the first
            one first: by this machine's clock, in UTC. What to ask Mettl about.
    """

    error: MettlError
    sent_at: tuple[datetime, ...] = ()


Outcome = Registered | Rejected | Failed | Unknown


def _in_input_order(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    return tuple(sorted(outcomes, key=lambda outcome: outcome.index))


@frozen
class RegistrationReport:
    """All outcomes of a run, in the order of the input: each candidate exactly once.

    Example::

        report = await mettl.candidates.register_many(ACCESS_KEY, people)
        links = {one.email: one.url for one in report.registered}
        report.raise_for_failures()
    """

    outcomes: tuple[Outcome, ...] = field(
        converter=_in_input_order, repr=lambda outcomes: f"<{len(outcomes)} outcomes>"
    )

    @property
    def registered(self) -> tuple[Registered, ...]:
        """Those with a link."""
        return tuple(one for one in self.outcomes if isinstance(one, Registered))

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Those that the server does not give a link."""
        return tuple(one for one in self.outcomes if isinstance(one, Rejected))

    @property
    def failed(self) -> tuple[Failed, ...]:
        """Those that were not registered; safe to pass in again."""
        return tuple(one for one in self.outcomes if isinstance(one, Failed))

    @property
    def unknown(self) -> tuple[Unknown, ...]:
        """Those whose answer was lost."""
        return tuple(one for one in self.outcomes if isinstance(one, Unknown))

    def raise_for_failures(self) -> None:
        """Do nothing if every candidate has a link.

        Raises:
            RegistrationFailuresError: Otherwise; it carries this report.
        """
        if len(self.registered) != len(self.outcomes):
            raise RegistrationFailuresError(self)

    def __str__(self) -> str:
        return (
            f"{len(self.registered)} of {len(self.outcomes)} candidates registered,"
            f" {len(self.rejected)} rejected, {len(self.failed)} failed,"
            f" {len(self.unknown)} unknown"
        )


class RegistrationFailuresError(MettlError):
    """Raised by ``RegistrationReport.raise_for_failures()``; the whole report is in ``.report``."""

    def __init__(self, report: RegistrationReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return str(self.report)


class RunInterruptedError(MettlError):
    """The input, the journal or a hook of ``register_many`` failed; ``__cause__`` is the original exception.

    Attributes:
        report: Outcomes of every candidate that was read before, and what could not be recorded.
    """

    def __init__(self, report: RegistrationReport, cause: Exception) -> None:
        super().__init__(report, cause)
        self.report = report

    def __str__(self) -> str:
        cause = self.args[1]
        which = "its journal failed" if isinstance(cause, JournalError) else "the run ended"
        return f"{which} with {type(cause).__name__}: {self.report}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"  # the cause's own words may be a row


class JournalError(MettlError):
    """The journal of a bulk run belongs to another schedule, or cannot be read or written.

    Attributes:
        unrecorded: Answers of the server that could not be recorded, and were therefore not yielded.
            A run that is resumed sends these candidates again, which is harmless and gives the same
            links [seen]. Empty when nothing was sent.
    """

    def __init__(self, problem: str, *, unrecorded: tuple[Outcome, ...] = ()) -> None:
        super().__init__(problem)
        self.unrecorded = unrecorded

    def __str__(self) -> str:
        count = len(self.unrecorded)
        return f"{self.args[0]}; {count} outcomes are not in it" if count else str(self.args[0])
