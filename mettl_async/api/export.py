"""What an export of results yields."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from mettl_async.errors import MettlError
from mettl_async.models import CandidateResult


@frozen(kw_only=True)
class ExportedResult:
    """One candidate's result of an export.

    Attributes:
        access_key: Of the schedule.
        result: Of the candidate.
    """

    access_key: str
    result: CandidateResult


@frozen(kw_only=True)
class FailedExport:
    """A schedule whose results could not be read, or not to the end.

    Attributes:
        access_key: Of the schedule.
        error: Why.
    """

    access_key: str
    error: MettlError


Exported: TypeAlias = ExportedResult | FailedExport
