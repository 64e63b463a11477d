"""Which events of a schedule never came: results against deliveries, as a pure comparison.

Delivery of webhooks is promised by nobody (api.md section 7), so results have the last word.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from attrs import define, evolve, field, frozen

from mettl_async.models import (
    CandidateResult,
    CompletionMode,
    DetailedStatus,
    FinishMode,
    SectionalScore,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
)
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from mettl_async.models import Schedule, TestResult, TestStatus

Missed: TypeAlias = TestStarted | TestFinished | TestGraded | TestResumeEnabled
_Kind = TypeVar("_Kind", TestStarted, TestFinished, TestGraded, TestResumeEnabled)
_Graded: TypeAlias = tuple[datetime | None, float | None]


@define(eq=False)
class Delivered:
    """What came for each candidate of one schedule: the last of each kind, and every result."""

    access_key: str
    _started: dict[str, datetime | None] = field(factory=dict, init=False, repr=False)
    _finished: dict[str, datetime | None] = field(factory=dict, init=False, repr=False)
    _resumed: dict[str, datetime | None] = field(factory=dict, init=False, repr=False)
    _graded: dict[str, list[_Graded]] = field(factory=dict, init=False, repr=False)

    def add(self, event: TestEvent) -> None:
        """Take note of an event; one of another schedule is of no concern."""
        if event.access_key != self.access_key:
            return
        person = fold_email(event.email)
        match event:
            case TestGraded():
                ended = event.end_time or event.timestamp
                self._graded.setdefault(person, []).append((ended, event.marks_scored))
            case TestStarted():
                _keep_later(self._started, person, event.timestamp)
            case TestFinished():
                _keep_later(self._finished, person, event.timestamp)
            case TestResumeEnabled():
                _keep_later(self._resumed, person, event.timestamp)
            case _:
                pass

    def started(self, person: str, at: datetime | None, slack: timedelta) -> bool:
        """Whether a start came, not long before this one or later."""
        return person in self._started and _covers(self._started[person], at, slack)

    def finished(self, person: str, at: datetime | None, slack: timedelta) -> bool:
        """Whether an end came, not long before this one or later."""
        return person in self._finished and _covers(self._finished[person], at, slack)

    def graded(
        self, person: str, at: datetime | None, marks: float | None, slack: timedelta
    ) -> bool:
        """Whether a result came of this end of the test, with these marks."""
        return any(
            _covers(ended, at, slack) and (marks is None or scored is None or scored == marks)
            for ended, scored in self._graded.get(person, ())
        )

    def resumed(self, person: str, slack: timedelta) -> bool:
        """Whether a resume came since the last end that did."""
        if person not in self._resumed:
            return False
        return _covers(self._resumed[person], self.last_end(person), slack)

    def last_end(self, person: str) -> datetime | None:
        """When the test ended last, by what came."""
        ends = [self._finished.get(person), *(end for end, _ in self._graded.get(person, ()))]
        return max((end for end in ends if end is not None), default=None)


@frozen(kw_only=True)
class Reconciler:
    """Compares the results of one schedule with what was delivered.

    Attributes:
        delivered: What came.
        kinds: Which events are of interest.
        until: Nothing that happened later: its event may be on its way.
        slack: How far the time of an event may lie before that of the result [assumed].
    """

    delivered: Delivered
    kinds: tuple[type[TestEvent], ...]
    slack: timedelta
    until: datetime

    def missed(self, result: CandidateResult) -> list[Missed]:
        """The events of one candidate that never came, in the order in which they happened."""
        status = result.test_status
        if status is None:
            return []
        person = fold_email(result.email)
        found: list[Missed] = []
        # [assumed] who was blocked at the authorisation never started.
        blocked = status.detailed_status is DetailedStatus.AUTHORIZER_BLOCKED
        began = (status.start_time is not None and not blocked) or status.is_in_progress
        if began and not self.delivered.started(person, status.start_time, self.slack):
            found.append(_event(TestStarted, self.delivered, result, status.start_time))
        if status.is_finished:
            if not self.delivered.finished(person, status.end_time, self.slack):
                finished = _event(TestFinished, self.delivered, result, status.end_time)
                found.append(evolve(finished, finish_mode=_finish_mode(status)))
            marks = status.result
            if marks is not None and not self.delivered.graded(
                person, status.end_time, marks.total_marks, self.slack
            ):
                found.append(_graded(self.delivered, result, status, marks))
        if _may_be_resumed(status) and not self.delivered.resumed(person, self.slack):
            # When it was allowed is not known: the end before it tells one resume from the next.
            ended = status.end_time or self.delivered.last_end(person) or status.start_time
            found.append(_event(TestResumeEnabled, self.delivered, result, ended))
        return [
            one
            for one in found
            if isinstance(one, self.kinds)
            and (one.timestamp is None or one.timestamp <= self.until)
        ]


def described(event: Missed, schedule: Schedule) -> Missed:
    """Add what only the schedule knows."""
    details = schedule.assessment_details
    event = evolve(
        event,
        assessment_id=details.id if details else None,
        source_app=schedule.source_app,
    )
    if isinstance(event, TestGraded):
        event = evolve(
            event,
            assessment_name=details.name if details else None,
            schedule_title=schedule.name,
        )
    return event


def _keep_later(known: dict[str, datetime | None], person: str, at: datetime | None) -> None:
    # One that came without a time counts for every attempt.
    before = known.get(person, at)
    known[person] = None if at is None or before is None else max(at, before)


def _covers(delivered: datetime | None, happened: datetime | None, slack: timedelta) -> bool:
    return delivered is None or happened is None or delivered >= happened - slack


def _may_be_resumed(status: TestStatus) -> bool:
    return (
        status.completion_mode is CompletionMode.RESUME_ENABLED
        or status.detailed_status is DetailedStatus.AWAITING_TEST_TAKER_RESUME
    )


def _finish_mode(status: TestStatus) -> FinishMode | None:
    # The table has no completion mode for it.
    if status.detailed_status is DetailedStatus.AUTHORIZER_BLOCKED:
        return FinishMode.BLOCKED
    return None if status.completion_mode is None else status.completion_mode.finish_mode


def _event(
    kind: type[_Kind], delivered: Delivered, result: CandidateResult, at: datetime | None
) -> _Kind:
    names = (result.registration.get(part) for part in ("First Name", "Last Name"))
    return kind(
        access_key=delivered.access_key,
        email=result.email,
        context_data=result.context_data,
        timestamp=at,  # [assumed] an event's time is that of what happened
        name=" ".join(name.strip() for name in names if name and name.strip()) or None,
        reconciled=True,
    )


def _graded(
    delivered: Delivered, result: CandidateResult, status: TestStatus, marks: TestResult
) -> TestGraded:
    return evolve(
        _event(TestGraded, delivered, result, status.end_time),
        finish_mode=_finish_mode(status),
        start_time=status.start_time,
        end_time=status.end_time,
        marks_scored=marks.total_marks,
        max_marks=marks.max_marks,
        total_attempt_time=marks.attempt_time,
        percentile=marks.percentile,
        sectional_scores=tuple(
            SectionalScore(
                section_name=one.section_name,
                section_score=one.total_marks,
                section_max_score=one.max_marks,
            )
            for one in marks.section_marks
        ),
        registration_details=result.registration,
        test_status=status,
    )
