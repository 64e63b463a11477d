"""What a journal keeps of one candidate; pure."""

from typing import Final

from attrs import field, frozen

from mettl_async.bulk.outcomes import Failed, Outcome, Registered, Rejected, Unknown
from mettl_async.errors import CallError, InvalidInputError, MettlError
from mettl_async.models import Candidate, RegistrationStatus
from mettl_async.models._fold_email import fold_email

FINAL_CODES: Final = frozenset({"Completed", "InValid"})
"""Refusals that do not depend on what is sent [seen]; E028 and others may pass with a mended row."""


@frozen(kw_only=True)
class JournalRecord:
    """The last outcome of one candidate.

    Attributes:
        email: The address as `fold_email` folds it.
        status: ``registered``, ``rejected``, ``failed`` or ``unknown``.
        url: The link, which is the candidate's secret; empty if there is none.
        code: Of a registered candidate ``ToBeTaken`` or ``InProgress``, else Mettl's code (``E028``), a
            status without a link (``Completed``, ``InValid`` [seen]) or the name of an error class.
        reason: Why there is no link; the server's words may name the candidate.
        final: Whether the answer would be the same again, so that the candidate need not be sent.
    """

    email: str = field(repr=False)
    status: str
    url: str = field(default="", repr=False)
    code: str = ""
    reason: str = field(default="", repr=False)
    final: bool


def to_record(outcome: Outcome) -> JournalRecord | None:
    """Make the record of an outcome; None if it says nothing new, because the candidate was not sent."""
    email = fold_email(outcome.candidate.email)
    match outcome:
        case Registered():
            code = str(outcome.status)
            return JournalRecord(
                email=email, status="registered", url=outcome.url, code=code, final=True
            )
        case Rejected(code=code, reason=reason) if outcome.attempts:
            final = code in FINAL_CODES
            return JournalRecord(
                email=email, status="rejected", code=code, reason=reason, final=final
            )
        case Failed(error=error) if outcome.attempts or isinstance(error, InvalidInputError):
            return _without_answer(email, "failed", error)
        case Unknown(error=error):
            return _without_answer(email, "unknown", error)
    return None


def _without_answer(email: str, status: str, error: MettlError) -> JournalRecord:
    reason = error.problem if isinstance(error, CallError) else str(error)
    return JournalRecord(
        email=email, status=status, code=code_of(error), reason=reason, final=False
    )


def code_of(error: MettlError) -> str:
    """Return Mettl's code, or the name of the error's class where the server said none."""
    return (error.code if isinstance(error, CallError) else None) or type(error).__name__


def from_record(record: JournalRecord, index: int, candidate: Candidate) -> Outcome:
    """Make the outcome of a final record, for the candidate of this run; ``attempts`` is 0."""
    if record.url:
        return Registered(
            index=index,
            candidate=candidate,
            attempts=0,
            url=record.url,
            status=RegistrationStatus(record.code),
        )
    return Rejected(
        index=index, candidate=candidate, attempts=0, reason=record.reason, code=record.code
    )
