"""The rules of a registration's life: registered, started, finished, graded, perhaps resumed.

Functions of a candidate and the time; `lifecycle` moves tests on. The modes are those of the vendor's
page "Webhooks"; which overall and detailed status belongs to which mode is [assumed].
"""

from typing import Final

from attrs import define, frozen

from mettl_async.sandbox.state import SandboxCandidate

RECONNECT_SECONDS: Final = 30 * 60.0  # [doc]
NEVER_GRADED: Final = frozenset({"Blocked"})  # [assumed]: nothing was answered
GRADED: Final = "graded"
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
    # "NA" in the vendor's table: not sent.
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
        return self.graded(candidate, now) and now >= self.report_delay + (
            candidate.finished_at or 0.0
        )


def allowed_seconds(candidate: SandboxCandidate) -> float:
    """Return how long the whole test may take, compensatory minutes included; 0 for no limit."""
    duration = candidate.schedule.assessment.duration
    if not duration:
        return 0.0
    more = candidate.compensatory_time or "0"
    minutes = int(more[:7]) if more.isdecimal() else 0
    return 60.0 * (duration + min(minutes, _LONGEST_MINUTES))


def seconds_left(candidate: SandboxCandidate, now: float) -> float:
    """Return how much of the time is left; a test goes on from the point where it stopped [doc].

    [assumed]: so time doesn't run while the connection is lost, nor between the end and a resume.
    """
    allowed = allowed_seconds(candidate)
    if not allowed:
        return float("inf")
    spent = candidate.seconds
    if connected(candidate) and candidate.session_at is not None:
        spent += now - candidate.session_at
    return min(allowed, max(0.0, allowed - spent))


def running(candidate: SandboxCandidate) -> bool:
    """Tell whether a sitting is under way, connected or not."""
    return candidate.status == "InProgress" and not candidate.resumable


def connected(candidate: SandboxCandidate) -> bool:
    """Tell whether a sitting is under way and connected."""
    return running(candidate) and candidate.disconnected_at is None


def may_resume(candidate: SandboxCandidate) -> bool:
    """Tell whether an administrator may let the candidate go on: only from ``TestExpired`` [doc]."""
    return candidate.status == "Completed" and candidate.finish_mode == "TestExpired"


def why_not_start(candidate: SandboxCandidate, now: float) -> str:
    """Return why the link starts nothing now; empty if it does.

    A link is for one time [doc]; that starting uses it up and looking at its page does not is
    [assumed]. So is that a resume opens it again however old it is.
    """
    if candidate.status == "Completed":
        return "the test is Completed and its link was used"
    if candidate.status != "ToBeTaken" and not candidate.resumable:
        return f"the test is {candidate.status}"
    if candidate.started_at is None and _expired(candidate, now):
        return "the link has expired"
    return ""


def _expired(candidate: SandboxCandidate, now: float) -> bool:
    return candidate.expires_at is not None and now >= candidate.expires_at


def stop_watch(candidate: SandboxCandidate, now: float) -> None:
    """Add the time of the current sitting to the time spent."""
    session = now if candidate.session_at is None else candidate.session_at
    candidate.seconds = round(candidate.seconds + max(0.0, now - session), 3)


def disconnect(candidate: SandboxCandidate, now: float) -> None:
    """Lose the connection of a connected test."""
    stop_watch(candidate, now)
    candidate.disconnected_at = now


def revoke(candidate: SandboxCandidate, now: float) -> None:
    """Revoke the access to a test that isn't finished.

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


def due(candidate: SandboxCandidate, grade_delay: float) -> tuple[float, str] | None:
    """Return what happens next by itself, and when: a key of `ENDINGS`, or `GRADED`."""
    allowed = allowed_seconds(candidate)
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
    """Return the completion mode and the two newer statuses."""
    if candidate.finish_mode is not None:
        return ENDINGS[candidate.finish_mode]
    if candidate.resumable:
        return Ending("ResumeEnabled", "Disconnected", "Awaiting Test-taker Resume")
    if candidate.status == "InProgress":
        return Ending(None, "In-progress", "In-progress")
    if _expired(candidate, now):
        return Ending(None, "Not Started", "Access Expired")
    return Ending(None, "Yet to Start", "Registered")
