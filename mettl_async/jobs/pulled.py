"""What makes a result the same one, and how it is written; pure."""

from __future__ import annotations

import hashlib
from typing import Any

from mettl_async.codec import dumps, to_wire
from mettl_async.models import CandidateResult, ResultDetail
from mettl_async.models._fold_email import fold_email


def attempt_of(account: str, access_key: str, result: CandidateResult) -> list[Any]:
    """Return what tells one attempt at a test from all others."""
    status = result.test_status
    times = [] if status is None else [status.start_time, status.end_time]
    return [
        account,
        access_key,
        fold_email(result.email),
        *(None if one is None else one.isoformat() for one in times),
    ]


def digest_of(
    place: str, account: str, access_key: str, result: CandidateResult, detail: ResultDetail
) -> str:
    """Return what stands for a result in the table of what was pulled.

    It is another one for another place or other details, and when marks change. Percentiles do not count,
    because those change with each new candidate.
    """
    graded = result.test_status.result if result.test_status is not None else None
    marks = None
    if graded is not None:
        marks = [
            graded.total_marks,
            graded.max_marks,
            graded.candidate_credibility_index,
            graded.code_plagiarism,
            graded.performance_category,
        ]
    return _digest([place, to_wire(detail), attempt_of(account, access_key, result), marks])


def report_name(account: str, access_key: str, result: CandidateResult) -> str:
    """Return the name of a report for a store; only who knows the candidate can tell whose it is."""
    return f"{access_key}/{_digest(['report', attempt_of(account, access_key, result)])}.pdf"


def line_of(access_key: str, result: CandidateResult, report: str) -> str:
    """Write a line of a file of results."""
    line = {"access_key": access_key, "email": result.email, "report": report}
    return dumps({**line, "result": to_wire(result)})


def _digest(value: list[Any]) -> str:
    return hashlib.sha256(dumps(value).encode()).hexdigest()[:32]
