"""Outcomes as they stand in their table, made outcomes again; pure."""

from __future__ import annotations

from typing import Any

from mettl_async import errors
from mettl_async.bulk.outcomes import Failed, Outcome, Registered, Rejected, Unknown
from mettl_async.bulk.progress import OPERATION
from mettl_async.error_codes import CODES
from mettl_async.errors import ApiError, CallError, CallFacts, InvalidInputError, MettlError
from mettl_async.jobs.errors import JobError
from mettl_async.jobs.person import from_text
from mettl_async.jobs.statements import NOT_SENT
from mettl_async.models import RegistrationStatus


def outcome_of(row: Any) -> Outcome:
    """Make the outcome of a row: its ``status``, ``url``, ``code``, ``reason``, ``position`` and ``person``.

    ``attempts`` is 0, because the requests were made by a worker.
    """
    index, candidate = row.position, from_text(row.person)
    match row.status:
        case "registered":
            status = RegistrationStatus(row.code)
            return Registered(
                index=index, candidate=candidate, attempts=0, url=row.url, status=status
            )
        case "rejected":
            return Rejected(
                index=index, candidate=candidate, attempts=0, reason=row.reason, code=row.code
            )
        case "failed":
            error = recorded_error(row.code, row.reason, may_have_been_handled=False)
            return Failed(index=index, candidate=candidate, attempts=0, error=error)
        case _:
            error = recorded_error(row.code, row.reason, may_have_been_handled=True)
            return Unknown(index=index, candidate=candidate, attempts=0, error=error)


def recorded_error(code: str, reason: str, *, may_have_been_handled: bool) -> MettlError:
    """Make the error of a recorded code again: an error of Mettl's, or of the class that it names."""
    facts = CallFacts(
        operation=OPERATION,
        sent=True,
        may_have_been_handled=may_have_been_handled,
        safe_to_repeat=True,
        code=code if code in CODES else None,
    )
    if code in CODES:
        return CODES[code].error(reason, facts)
    if code == NOT_SENT:
        return JobError(reason)
    if code == InvalidInputError.__name__:
        path, _, rest = reason.partition(": ")
        problem, _, fix = rest.rpartition("; ")
        return InvalidInputError(path, problem, fix)
    named = getattr(errors, code, None)
    if isinstance(named, type) and issubclass(named, CallError):
        error: CallError = named(reason, facts)
        return error
    return ApiError(f"{reason} ({code})", facts)
