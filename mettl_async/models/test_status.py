"""How far a candidate's test is."""

from datetime import datetime, timedelta
from typing import Self

from attrs import field, frozen

from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import wire
from mettl_async.models.analysis import Analysis
from mettl_async.models.completion_mode import CompletionMode
from mettl_async.models.test_result import TestResult


class TestState(OpenStrEnum):
    """State of a test in one word; all are [seen], the pages have no list."""

    __test__ = False  # its name makes pytest think it holds tests

    TO_BE_TAKEN = "ToBeTaken"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    ARCHIVE = "Archive"
    ACCESS_REVOKED = "AccessRevoked"
    INVALID = "InValid"


class OverallStatus(OpenStrEnum):
    """State of a test, first column of the vendor's table."""

    YET_TO_START = "Yet to Start"
    NOT_STARTED = "Not Started"
    IN_PROGRESS = "In-progress"
    COMPLETED = "Completed"
    TEST_STOPPED = "Test Stopped"
    BLOCKED = "Blocked"
    DISCONNECTED = "Disconnected"


class DetailedStatus(OpenStrEnum):
    """State of a test, second column of the vendor's table; beside it stands the first."""

    _overall: OverallStatus | None

    MAPPED = "Mapped", OverallStatus.YET_TO_START
    INVITED = "Invited", OverallStatus.YET_TO_START
    REGISTERED = "Registered", OverallStatus.YET_TO_START
    ACCESS_EXPIRED = "Access Expired", OverallStatus.NOT_STARTED
    IN_PROGRESS = "In-progress", OverallStatus.IN_PROGRESS
    AWAITING_RESUME_PERMISSION = "Awaiting Resume Permission", OverallStatus.IN_PROGRESS
    # The table has a small c; samples and real data a capital one.
    TEST_TAKER_COMPLETED = "Test-taker Completed", OverallStatus.COMPLETED
    TIME_OVER = "Time Over", OverallStatus.COMPLETED
    MIC_MUTE_LIMIT_EXCEEDED = "Mic Mute Limit exceeded", OverallStatus.TEST_STOPPED
    BROWSING_TOLERANCE_LIMIT_EXCEEDED = (
        "Browsing Tolerance Limit Exceeded",
        OverallStatus.TEST_STOPPED,
    )
    PROCTOR_STOPPED = "Proctor Stopped", OverallStatus.TEST_STOPPED
    SUSPICIOUS_SOFTWARE_DETECTED = "Suspicious Software Detected", OverallStatus.TEST_STOPPED
    MULTIPLE_SCREEN_DETECTED = "Multiple Screen Detected", OverallStatus.TEST_STOPPED
    PROHIBITED_APPS_RUNNING = "Prohibited Apps Running", OverallStatus.TEST_STOPPED
    SCREEN_CAPTURE_DETECTED = "Screen Capture/Recording Detected", OverallStatus.TEST_STOPPED
    SCREEN_SHARING_DETECTED = "Screen Sharing/Remote Access Detected", OverallStatus.TEST_STOPPED
    AUTHORIZER_BLOCKED = "Authorizer Blocked", OverallStatus.BLOCKED
    DISCONNECTED_FROM_SERVER = "Disconnected from Server", OverallStatus.DISCONNECTED
    TEST_WINDOW_CLOSED = "Test Window Closed", OverallStatus.DISCONNECTED
    AWAITING_TEST_TAKER_RESUME = "Awaiting Test-taker Resume", OverallStatus.DISCONNECTED

    def __new__(cls, word: str, overall: OverallStatus | None = None) -> Self:  # noqa: D102 - as any enum
        member = str.__new__(cls, word)
        member._value_ = word
        member._overall = overall  # noqa: SLF001 - its own
        return member

    @property
    def overall(self) -> OverallStatus | None:
        """First column of the table's row; None for unknown words."""
        return getattr(self, "_overall", None)


_OVER = {
    OverallStatus.COMPLETED,
    OverallStatus.TEST_STOPPED,
    OverallStatus.BLOCKED,
    OverallStatus.DISCONNECTED,
}
_TROUBLE = _OVER - {OverallStatus.COMPLETED}
_SHUT_OUT = {TestState.ACCESS_REVOKED, TestState.INVALID}


@frozen(kw_only=True)
class TestStatus(ServerValue):
    """How far a candidate's test is, and its result when there is one.

    Every attribute may be None: absent, or not of the expected form. Times
    are aware. Words the library does not know are kept (``is_known`` is False). A test is at most one
    of startable, in progress and finished; it is none of them when access expired or was revoked, or
    the server's words are unknown.

    Attributes:
        status: State in one word; in every version of the API.
        overall_status: First column of the table of statuses; newer answers only.
        detailed_status: Second column.
        start_time: When it was started; the field in GMT when there is one.
        end_time: When it ended.
        last_response_time: Last sign of a candidate at work, as text, since its form is not
            documented. [seen] only while in progress.
        completion_mode: How it ended; None until then.
        compensatory_time: Extra time; None when there is none. [assumed] a number is minutes.
        result: Marks; None until graded.
        analysis: Recommendations and response styles; here whether the server puts it
            within the result [seen] or beside it [doc].
        performance_category: Such as ``Poor``; also here wherever the server puts it.
        pdf_report: Address of the report: who has it can read it, so it is not in the repr.
        html_report: The same.

    Vendor page: "Get Result of Candidate in Schedule".
    """

    __test__ = False  # its name makes pytest think it holds tests

    status: TestState | None = None
    overall_status: OverallStatus | None = None
    detailed_status: DetailedStatus | None = None
    # The zone names of the others are ambiguous.
    start_time: datetime | None = field(default=None, metadata=wire("start_time_GMT", "startTime"))
    end_time: datetime | None = field(default=None, metadata=wire("end_time_GMT", "endTime"))
    last_response_time: str | None = None
    completion_mode: CompletionMode | None = None
    compensatory_time: timedelta | None = None
    result: TestResult | None = None
    # [seen] inside the result; [doc] beside it.
    analysis: Analysis | None = field(default=None, metadata=wire("result.analysis", "analysis"))
    # [doc] inside the result; one client reads it beside it [seen].
    performance_category: str | None = field(
        default=None, metadata=wire("result.performanceCategory", "performanceCategory")
    )
    pdf_report: str | None = field(default=None, repr=False)
    html_report: str | None = field(default=None, repr=False)

    @property
    def is_startable(self) -> bool:
        """Whether the candidate may begin.

        Overall status "Yet to Start" (mapped, invited or registered; never begun); where the answer has no
        status of the table, status ``ToBeTaken``. Never with ``AccessRevoked`` or ``InValid`` [seen].
        """
        if self.status in _SHUT_OUT:
            return False
        overall = self._overall
        if overall is None:
            return self.status is TestState.TO_BE_TAKEN and not self._is_resumed
        return overall is OverallStatus.YET_TO_START

    @property
    def is_in_progress(self) -> bool:
        """Whether the candidate has begun, and may go on or is waiting to.

        "In-progress" (with or without "Awaiting Resume Permission"), or "Disconnected: Awaiting
        Test-taker Resume", where an admin has let the candidate in again. Where the answer has no status
        of the table, completion mode ``ResumeEnabled``, which says the same, or status ``InProgress``.
        """
        if self.status in _SHUT_OUT:
            return False
        if self.detailed_status is DetailedStatus.AWAITING_TEST_TAKER_RESUME:
            return True
        overall = self._overall
        if overall is None:
            return self._is_resumed or self.status is TestState.IN_PROGRESS
        return overall is OverallStatus.IN_PROGRESS or (
            overall is OverallStatus.DISCONNECTED and self._is_resumed
        )

    @property
    def is_finished(self) -> bool:
        """Whether the attempt is over; nothing more comes of it unless an admin lets it be resumed.

        "Completed", "Test Stopped" or "Blocked", and "Disconnected" (the 30 minutes to come back have
        passed, and Mettl grades what there is) unless an admin has since let the candidate in again. Where the
        answer has no status of the table, status ``Completed``. Whether it is graded is another
        question: see `result`; a blocked candidate never has one.
        """
        if self.is_in_progress:
            return False
        overall = self._overall
        if overall is None:
            return self.status is TestState.COMPLETED
        return overall in _OVER

    @property
    def needs_attention(self) -> bool:
        """Whether someone on the admin's side should look.

        "Awaiting Resume Permission" (the candidate waits for an admin); each "Test Stopped", "Blocked" and
        "Disconnected" but "Awaiting Test-taker Resume", where the admin has acted already; or a
        completion mode that means one of these. A regular end with little credibility is not among
        them: see `TestResult.candidate_credibility_index`.
        """
        if self.detailed_status is DetailedStatus.AWAITING_RESUME_PERMISSION:
            return True
        if self.is_in_progress:
            return False
        return self._overall in _TROUBLE or self.completion_mode in _TROUBLED_MODES

    @property
    def can_be_resumed(self) -> bool:
        """Whether an admin may let the candidate resume: only from completion mode ``Expired``."""
        return self.completion_mode is CompletionMode.EXPIRED

    @property
    def _overall(self) -> OverallStatus | None:
        if self.detailed_status is not None and self.detailed_status.overall is not None:
            return self.detailed_status.overall
        known = self.overall_status is not None and self.overall_status.is_known
        return self.overall_status if known else None

    @property
    def _is_resumed(self) -> bool:
        return self.completion_mode is CompletionMode.RESUME_ENABLED


_TROUBLED_MODES = {
    CompletionMode.BROWSING_TOLERANCE_EXCEEDED,
    CompletionMode.EXPIRED,
    CompletionMode.PROCTORED_FINISH,
    CompletionMode.SUSPICIOUS_SOFTWARE_FINISH,
    CompletionMode.CANDIDATE_CLOSED,
}
