"""Which events of a schedule never came: results against deliveries, as a pure comparison.

The vendor does not promise that webhooks are delivered, so results have the last word.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from attrs import define, evolve, field, frozen

from mettl_async.models import (
    CandidateResult,
    CompletionMode,
    DetailedStatus,
    FinishMode,
    Schedule,
    SectionalScore,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResult,
    TestResumeEnabled,
    TestStarted,
    TestStatus,
)
from mettl_async.models._fold_email import fold_email

_Kind = TypeVar("_Kind", bound=TestEvent)
_Graded: TypeAlias = tuple[datetime | None, float | None]


@define(eq=False)
class Delivered:
    """Events that came for each candidate of one schedule: the last of each kind, and every result."""

    access_key: str
    _last: defaultdict[type[TestEvent], dict[str, datetime | None]] = field(
        factory=lambda: defaultdict(dict), init=False, repr=False
    )
    _graded: dict[str, list[_Graded]] = field(factory=dict, init=False, repr=False)

    def add(self, event: TestEvent) -> None:
        """Record an event; one of another schedule is ignored."""
        if event.access_key != self.access_key:
            return
        person, at, last = fold_email(event.email), event.timestamp, self._last[type(event)]
        if isinstance(event, TestGraded):
            self._graded.setdefault(person, []).append((event.end_time or at, event.marks_scored))
        # One that came without a time counts for every attempt.
        before = last.get(person, at)
        last[person] = None if at is None or before is None else max(at, before)

    def has(
        self, kind: type[TestEvent], person: str, at: datetime | None, slack: timedelta
    ) -> bool:
        """Tell whether an event of this kind came, not long before this time or later."""
        last = self._last[kind]
        return person in last and _covers(last[person], at, slack)

    def has_graded(
        self, person: str, at: datetime | None, marks: float | None, slack: timedelta
    ) -> bool:
        """Tell whether a result of this end of the test came, with these marks."""
        return any(
            _covers(ended, at, slack) and (marks is None or scored is None or scored == marks)
            for ended, scored in self._graded.get(person, ())
        )

    def last_end(self, person: str) -> datetime | None:
        """Give the time when the test ended last, by the events that came."""
        finished = self._last[TestFinished].get(person)
        ends = [finished, *(end for end, _ in self._graded.get(person, ()))]
        return max((end for end in ends if end is not None), default=None)


@frozen(kw_only=True)
class Reconciler:
    """Compares the results of one schedule with what was delivered.

    Attributes:
        delivered: Events that came.
        kinds: Classes of the events that are looked for.
        until: End of the time that is compared: a later event may still be on its way.
        slack: How far the time of an event may lie before that of the result [assumed].
    """

    delivered: Delivered
    kinds: tuple[type[TestEvent], ...]
    slack: timedelta
    until: datetime

    def missed(self, result: CandidateResult) -> list[TestEvent]:
        """List the events of one candidate that never came, in the order in which they happened."""
        status = result.test_status
        if status is None:
            return []
        person = fold_email(result.email)
        found: list[TestEvent] = []
        # [assumed] who was blocked at the authorisation never started.
        blocked = status.detailed_status is DetailedStatus.AUTHORIZER_BLOCKED
        began = (status.start_time is not None and not blocked) or status.is_in_progress
        if began and not self.delivered.has(TestStarted, person, status.start_time, self.slack):
            found.append(_event(TestStarted, self.delivered, result, status.start_time))
        if status.is_finished:
            if not self.delivered.has(TestFinished, person, status.end_time, self.slack):
                finished = _event(TestFinished, self.delivered, result, status.end_time)
                found.append(evolve(finished, finish_mode=_finish_mode(status)))
            marks = status.result
            if marks is not None and not self.delivered.has_graded(
                person, status.end_time, marks.total_marks, self.slack
            ):
                found.append(_graded(self.delivered, result, status, marks))
        last_end = self.delivered.last_end(person)
        if _may_be_resumed(status) and not self.delivered.has(
            TestResumeEnabled, person, last_end, self.slack
        ):
            # When it was allowed is not known: the end before it tells one resume from the next.
            ended = status.end_time or last_end or status.start_time
            found.append(_event(TestResumeEnabled, self.delivered, result, ended))
        return [
            one
            for one in found
            if isinstance(one, self.kinds)
            and (one.timestamp is None or one.timestamp <= self.until)
        ]


def described(event: TestEvent, schedule: Schedule) -> TestEvent:
    """Add the properties that only the schedule has."""
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
