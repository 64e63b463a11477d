"""The life of a registration: registered, started, finished, graded, perhaps resumed.

The steps change a `SandboxCandidate` and take the time as an argument. Source: the tables of api.md
section 7; which overall and detailed status belongs to which finish mode is [assumed].
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

if TYPE_CHECKING:
    from mettl_async.sandbox.state import Assessment, SandboxCandidate

RECONNECT_SECONDS: Final = 30 * 60.0  # [doc]
NEVER_GRADED: Final = frozenset({"Blocked"})  # [assumed]: nothing was answered
GRADED: Final = "graded"
_IST_SECONDS: Final = 5.5 * 3600
_LONGEST_MINUTES: Final = 1_000_000


@frozen
class Ending:
    """What results say of a test that ended so."""

    completion: str | None
    overall: str
    detailed: str


ENDINGS: Final = {
    "NormalSubmission": Ending("Completed", "Completed", "Test-taker Completed"),
    "TimeExpired": Ending("AutoCompleted", "Completed", "Time Over"),
    # "NA" in the table: not sent.
    "Blocked": Ending(None, "Blocked", "Authorizer Blocked"),
    "BrowsingToleranceExceeded": Ending(
        "BrowsingToleranceExceeded", "Test Stopped", "Browsing Tolerance Limit Exceeded"
    ),
    "TestExpired": Ending("Expired", "Disconnected", "Disconnected from Server"),
    "ParentFinish": Ending("ParentFinished", "Completed", "Test-taker Completed"),
    "ProctoredFinish": Ending("ProctoredFinish", "Test Stopped", "Proctor Stopped"),
    "SuspiciousSoftwareFinish": Ending(
        "SuspiciousSoftwareFinish", "Test Stopped", "Suspicious Software Detected"
    ),
    "CandidateClosed": Ending("CandidateClosed", "Disconnected", "Test Window Closed"),
}
_RESUMABLE: Final = Ending("ResumeEnabled", "Disconnected", "Awaiting Test-taker Resume")


@define(kw_only=True, eq=False)
class Pace:
    """How long grading takes; every field may be changed while the sandbox runs.

    Attributes:
        grade_delay: Seconds of the sandbox's clock after finishing until ``result`` is there.
        report_delay: The same until the reports are there, not before ``result``.
        links_first: Whether ``pdfReport`` and ``htmlReport`` are named with ``result``, and the
            reports themselves answer ``pending_status`` until they are there. Otherwise their URLs
            are null until then.
        pending_status: HTTP status of a report that is not there yet, such as 404 or 202.
    """

    grade_delay: float = 0.0
    report_delay: float = 0.0
    links_first: bool = False
    pending_status: int = 404

    def graded(self, candidate: SandboxCandidate, now: float) -> bool:
        """Tell whether the result is there."""
        return (
            candidate.finished_at is not None
            and candidate.finish_mode not in NEVER_GRADED
            and now >= candidate.finished_at + self.grade_delay
        )

    def reported(self, candidate: SandboxCandidate, now: float) -> bool:
        """Tell whether the reports are there."""
        return (
            self.graded(candidate, now)
            and candidate.finished_at is not None
            and now >= candidate.finished_at + self.report_delay
        )


def allowed_seconds(assessment: Assessment, candidate: SandboxCandidate) -> float:
    """Tell how long the whole test may take, compensatory minutes included; 0 for any time."""
    if not assessment.duration:
        return 0.0
    more = candidate.compensatory_time or "0"
    minutes = int(more[:7]) if more.isdecimal() else 0
    return 60.0 * (assessment.duration + min(minutes, _LONGEST_MINUTES))


def seconds_left(candidate: SandboxCandidate, allowed: float, now: float) -> float:
    """Tell how much of the time is left; a test goes on from the point where it stopped [doc].

    [assumed]: so time doesn't run while the connection is lost, nor between the end and a resume.
    """
    if not allowed:
        return float("inf")
    spent = candidate.seconds
    if connected(candidate) and candidate.session_at is not None:
        spent += now - candidate.session_at
    return min(allowed, max(0.0, allowed - spent))


def running(candidate: SandboxCandidate) -> bool:
    """Tell whether the candidate is at it, connected or not."""
    return candidate.status == "InProgress" and not candidate.resumable


def connected(candidate: SandboxCandidate) -> bool:
    """Tell whether the candidate is at it and connected."""
    return running(candidate) and candidate.disconnected_at is None


def why_not_start(candidate: SandboxCandidate, now: float) -> str:
    """Tell why the link starts nothing now; empty if it does.

    A link is for one time [doc]; that starting uses it up and looking at its page does not is
    [assumed]. So is that a resume opens it again however old it is.
    """
    if candidate.status == "Completed":
        return "the test is Completed and its link was used"
    if candidate.status != "ToBeTaken" and not candidate.resumable:
        return f"the test is {candidate.status}"
    if (
        candidate.started_at is None
        and candidate.expires_at is not None
        and now >= candidate.expires_at
    ):
        return "the link has expired"
    return ""


def start(candidate: SandboxCandidate, now: float) -> None:
    """Start the test, or go on with one that may be resumed.

    Raises:
        ValueError: It runs, is finished or revoked, or the link has expired.
    """
    problem = why_not_start(candidate, now)
    if problem:
        raise ValueError(f"can't be started: {problem}")
    candidate.status = "InProgress"
    candidate.resumable = False
    candidate.session_at = now
    if candidate.started_at is None:
        candidate.started_at = now


def disconnect(candidate: SandboxCandidate, now: float) -> None:
    """Lose the connection in the middle of the test.

    Raises:
        ValueError: The test doesn't run, or is disconnected.
    """
    if not connected(candidate):
        raise ValueError("only a test that runs can lose its connection")
    _stop_watch(candidate, now)
    candidate.disconnected_at = now


def reconnect(candidate: SandboxCandidate, now: float) -> None:
    """Come back within 30 minutes and go on from the point where it was lost [doc].

    Raises:
        ValueError: The connection isn't lost, or the test has expired.
    """
    if not running(candidate) or candidate.disconnected_at is None:
        raise ValueError("only a test that lost its connection can be reconnected")
    candidate.disconnected_at = None
    candidate.session_at = now


def _stop_watch(candidate: SandboxCandidate, now: float) -> None:
    session = now if candidate.session_at is None else candidate.session_at
    candidate.seconds = round(candidate.seconds + max(0.0, now - session), 3)


def finish(candidate: SandboxCandidate, mode: str, now: float, usual_seconds: float) -> None:
    """End the test; one that was never started is taken to have been, ``usual_seconds`` ago.

    Whoever is blocked at the authorisation [doc] before that never began; that results then have no
    time of a start is [assumed].

    Raises:
        ValueError: The mode is not one of `ENDINGS`, or the test is finished or revoked.
    """
    if mode not in ENDINGS:
        raise ValueError(f"{mode!r} is not a finish mode; known are {', '.join(ENDINGS)}")
    if candidate.status not in ("ToBeTaken", "InProgress"):
        raise ValueError(f"a test that is {candidate.status} can't be finished")
    if candidate.started_at is not None or mode not in NEVER_GRADED:
        if candidate.session_at is None or candidate.resumable:
            candidate.session_at = now - usual_seconds
        if candidate.started_at is None:
            candidate.started_at = candidate.session_at
    if candidate.disconnected_at is None:
        _stop_watch(candidate, now)
    candidate.disconnected_at = None
    candidate.graded_told = False
    candidate.status = "Completed"  # [assumed] for all modes; completionMode tells them apart
    candidate.finish_mode = mode
    candidate.finished_at = now
    candidate.resumable = False
    candidate.result = None


def may_resume(candidate: SandboxCandidate) -> bool:
    """Tell whether an administrator may let the candidate go on: only from ``TestExpired`` [doc]."""
    return candidate.status == "Completed" and candidate.finish_mode == "TestExpired"


def resume(candidate: SandboxCandidate) -> None:
    """Allow an expired test to go on, as an administrator does.

    Its result is gone until the next end [assumed].

    Raises:
        ValueError: The test did not end by expiring.
    """
    if not may_resume(candidate):
        raise ValueError("only an expired test can be resumed")
    candidate.status = "InProgress"  # [assumed]
    candidate.resumable = True
    candidate.finished_at = candidate.finish_mode = None


def revoke(candidate: SandboxCandidate, now: float) -> None:
    """Take away the access to a test that isn't finished.

    [assumed]: one that runs loses its connection, so its time stands still.
    """
    if candidate.status == "Completed":
        return
    if connected(candidate):
        disconnect(candidate, now)
    candidate.status = "AccessRevoked"  # [seen] as the result's status of someone removed


def admit(candidate: SandboxCandidate, now: float) -> None:
    """Give access, for the first time or again; a test that runs goes on.

    [assumed]: after a revocation there are 30 minutes to come back to it.
    """
    if candidate.status == "AccessRevoked" and candidate.disconnected_at is not None:
        candidate.disconnected_at = now
    candidate.status = "ToBeTaken" if candidate.session_at is None else "InProgress"


def due(
    candidate: SandboxCandidate, allowed: float, grade_delay: float
) -> tuple[float, str] | None:
    """Tell what happens next by itself, and when: a key of `ENDINGS`, or `GRADED`."""
    if candidate.disconnected_at is not None and running(candidate):
        return candidate.disconnected_at + RECONNECT_SECONDS, "TestExpired"
    if connected(candidate) and candidate.session_at is not None and allowed:
        return candidate.session_at + max(0.0, allowed - candidate.seconds), "TimeExpired"
    if (
        candidate.status == "Completed"
        and candidate.finished_at is not None
        and candidate.finish_mode not in NEVER_GRADED
        and not candidate.graded_told
    ):
        return candidate.finished_at + grade_delay, GRADED
    return None


def ending(candidate: SandboxCandidate, now: float) -> Ending:
    """Tell the completion mode and the two newer statuses."""
    if candidate.finish_mode is not None:
        return ENDINGS[candidate.finish_mode]
    if candidate.resumable:
        return _RESUMABLE
    if candidate.status == "InProgress":
        return Ending(None, "In-progress", "In-progress")
    if candidate.expires_at is not None and now >= candidate.expires_at:
        return Ending(None, "Not Started", "Access Expired")
    return Ending(None, "Yet to Start", "Registered")


def gmt(seconds: float, zone: str = "GMT") -> str:
    """Write a time in GMT; some places call it UTC [seen]."""
    return formatdate(seconds, usegmt=True)[:-3] + zone


def ist(seconds: float) -> str:
    """Write a time in the account's zone, which is India's here."""
    return gmt(seconds + _IST_SECONDS, "IST")
