"""How a test came to its end."""

from __future__ import annotations

from mettl_async.models._open_enum import OpenStrEnum


class FinishMode(OpenStrEnum):
    """How a test came to its end, as ``finish_mode`` of the webhooks says it."""

    TIME_EXPIRED = "TimeExpired"
    BLOCKED = "Blocked"
    BROWSING_TOLERANCE_EXCEEDED = "BrowsingToleranceExceeded"
    TEST_EXPIRED = "TestExpired"
    NORMAL_SUBMISSION = "NormalSubmission"
    PARENT_FINISH = "ParentFinish"
    PROCTORED_FINISH = "ProctoredFinish"
    SUSPICIOUS_SOFTWARE_FINISH = "SuspiciousSoftwareFinish"
    CANDIDATE_CLOSED = "CandidateClosed"

    @property
    def completion_mode(self) -> CompletionMode | None:
        """The same in results; None for ``BLOCKED``, which has none there, and for unknown words."""
        return next((row[1] for row in _TABLE if row[0] is self), None)

    @property
    def report_text(self) -> str | None:
        """What the candidate's report calls it; None for unknown words."""
        return next((row[2] for row in _TABLE if row[0] is self), None)


class CompletionMode(OpenStrEnum):
    """How a test came to its end, as ``completionMode`` of results says it."""

    AUTO_COMPLETED = "AutoCompleted"
    BROWSING_TOLERANCE_EXCEEDED = "BrowsingToleranceExceeded"
    EXPIRED = "Expired"
    COMPLETED = "Completed"
    PARENT_FINISHED = "ParentFinished"
    PROCTORED_FINISH = "ProctoredFinish"
    RESUME_ENABLED = "ResumeEnabled"
    SUSPICIOUS_SOFTWARE_FINISH = "SuspiciousSoftwareFinish"
    CANDIDATE_CLOSED = "CandidateClosed"

    @property
    def finish_mode(self) -> FinishMode | None:
        """The same in webhooks; None for ``RESUME_ENABLED``, which has none there, and unknown words."""
        return next((row[0] for row in _TABLE if row[1] is self), None)

    @property
    def report_text(self) -> str | None:
        """What the candidate's report calls it; None for unknown words."""
        return next((row[2] for row in _TABLE if row[1] is self), None)


# finish_mode, completionMode, in reports: the vendor's table, "NA" as None.
_TABLE: tuple[tuple[FinishMode | None, CompletionMode | None, str], ...] = (
    (FinishMode.TIME_EXPIRED, CompletionMode.AUTO_COMPLETED, "Auto Submit"),
    (FinishMode.BLOCKED, None, "Blocked"),
    (
        FinishMode.BROWSING_TOLERANCE_EXCEEDED,
        CompletionMode.BROWSING_TOLERANCE_EXCEEDED,
        "Browsing Tolerance Exceeded",
    ),
    (FinishMode.TEST_EXPIRED, CompletionMode.EXPIRED, "Expired"),
    (FinishMode.NORMAL_SUBMISSION, CompletionMode.COMPLETED, "Normal"),
    (FinishMode.PARENT_FINISH, CompletionMode.PARENT_FINISHED, "Normal"),
    (FinishMode.PROCTORED_FINISH, CompletionMode.PROCTORED_FINISH, "Proctored Finish"),
    (None, CompletionMode.RESUME_ENABLED, "Resume Enabled"),
    (
        FinishMode.SUSPICIOUS_SOFTWARE_FINISH,
        CompletionMode.SUSPICIOUS_SOFTWARE_FINISH,
        "Suspicious Software Finish",
    ),
    (FinishMode.CANDIDATE_CLOSED, CompletionMode.CANDIDATE_CLOSED, "Test Window Closed"),
)
