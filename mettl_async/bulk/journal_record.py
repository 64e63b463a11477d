"""Answers that need not be asked for again, as a journal keeps them; pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from mettl_async.bulk.outcomes import Outcome, Registered, Rejected
from mettl_async.models import RegistrationStatus
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from mettl_async.models import Candidate

SETTLED_CODES: Final = frozenset({"Completed", "InValid"})
"""Refusals that do not depend on what is sent [seen]; E028 and others may pass with a mended row."""


@frozen(kw_only=True)
class JournalRecord:
    """One candidate's final answer.

    Attributes:
        email: The address as `fold_email` folds it, which is what a journal looks for.
        status: ``ToBeTaken`` or ``InProgress`` with a link, ``Completed`` or ``InValid`` [seen]
            without one.
        url: The link, which is the candidate's secret; None if there is none.
        reason: The server's words where there is no link; they may name the candidate.
    """

    email: str = field(repr=False)
    status: str
    url: str | None = field(default=None, repr=False)
    reason: str = field(default="", repr=False)


def to_record(outcome: Outcome) -> JournalRecord | None:
    """What is worth recording of an outcome; None where the next run may get another one."""
    match outcome:
        case Registered():
            return JournalRecord(
                email=fold_email(outcome.candidate.email),
                status=str(outcome.status),
                url=outcome.url,
            )
        case Rejected() if is_settled_code(outcome.code):
            return JournalRecord(
                email=fold_email(outcome.candidate.email),
                status=outcome.code,
                reason=outcome.reason,
            )
    return None


def is_settled_code(code: str) -> bool:
    """Whether a refusal with this code is the same however often, and with whatever row, one asks."""
    return code in SETTLED_CODES


def from_record(settled: JournalRecord, index: int, candidate: Candidate) -> Outcome:
    """The outcome that was recorded, for the candidate of this run; ``attempts`` is 0."""
    if settled.url:
        return Registered(
            index=index,
            candidate=candidate,
            attempts=0,
            url=settled.url,
            status=RegistrationStatus(settled.status),
        )
    return Rejected(
        index=index, candidate=candidate, attempts=0, reason=settled.reason, code=settled.status
    )


def schedule_digest(access_key: str) -> str:
    """What a journal knows its schedule by: 64 hex digits that do not tell the access key."""
    return hashlib.sha256(f"mettl-async journal {access_key}".encode()).hexdigest()
