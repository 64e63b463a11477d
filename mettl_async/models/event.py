"""The events of webhooks: a class for each, and the one table of them, `EVENTS`.

To add an event, add its class and its row in the table. Parsing, handlers, samples, `Webhooks` and the
commands derive from the table.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Final, TypeAlias

from attrs import field, frozen

from mettl_async.models._event_samples import finished_sample, graded_sample
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models._server_value import ServerValue
from mettl_async.models._wire import WHOLE, wire
from mettl_async.models.completion_mode import FinishMode
from mettl_async.models.test_status import TestStatus

__all__ = [
    "EVENTS",
    "Event",
    "EventKind",
    "SectionalScore",
    "SignedContext",
    "TestEvent",
    "TestFinished",
    "TestGraded",
    "TestResumeEnabled",
    "TestStarted",
    "UnknownEvent",
]


@frozen(kw_only=True)
class SignedContext:
    """The content of a verified ``context_data``: signed by us, for this candidate and this schedule.

    Attributes:
        own_id: Id in the caller's system, as given when it was signed.
        expires_at: Time at which it expires, aware; None if it never does.
    """

    own_id: str = field(repr=False)
    expires_at: datetime | None = None


@frozen(kw_only=True)
class TestEvent(ServerValue):
    """An event about a candidate's test; base of all known events. The repr shows no personal data.

    A property that is absent, null or not of the expected form is None, except the email and the access
    key: an event without them is an `UnknownEvent`.

    Attributes:
        access_key: Key of the schedule; ``invitation_key`` on the wire.
        email: Address of the candidate.
        assessment_id: Number of the assessment.
        candidate_instance_id: Mettl's number of the attempt; None in events made by ``reconcile``, as
            results have none.
        context_data: Text given at registration; None when there was none.
        context: Content of ``context_data``, if the receiver verified it.
        timestamp: Time of the event, aware.
        source_app: Application that the schedule names.
        name: Name of the candidate, without spaces around it.
        notification_url: [seen] URL that it was sent to.
        reconciled: Whether it was made from a result instead of a delivery.
        raw: The whole event as it came, frozen.

    Source: vendor page "Create Schedule", its section on webhooks.
    """

    __test__ = False  # its name makes pytest think it holds tests

    snake_case_on_wire: ClassVar[bool] = True
    also_read: ClassVar[tuple[str, ...]] = ("EVENT_TYPE",)

    access_key: str = field(metadata=wire("invitation_key"))
    email: str = field(repr=False)
    # [doc] camel case in graded events only.
    assessment_id: int | None = field(default=None, metadata=wire("assessment_id", "assessmentId"))
    candidate_instance_id: int | None = None
    context_data: str | None = field(default=None, repr=False)
    # Said by the receiver, so that no sender can say it.
    context: SignedContext | None = field(default=None, repr=False, metadata=wire())
    timestamp: datetime | None = field(default=None, metadata=wire("timestamp_GMT"))
    source_app: str | None = None
    name: str | None = field(default=None, repr=False)
    notification_url: str | None = field(default=None, repr=False)
    reconciled: bool = field(default=False, metadata=wire())
    raw: FrozenMap[Any] = field(default=EMPTY, repr=False, metadata=wire(WHOLE))


@frozen(kw_only=True)
class TestStarted(TestEvent):
    """A candidate has started a test."""


@frozen(kw_only=True)
class TestFinished(TestEvent):
    """A test has ended, in any way.

    Attributes:
        finish_mode: The way in which it ended.
    """

    finish_mode: FinishMode | None = None


@frozen(kw_only=True)
class TestResumeEnabled(TestEvent):
    """An administrator has allowed a candidate to resume an expired test."""


@frozen(kw_only=True)
class SectionalScore(ServerValue):
    """The score of one section; on the wire they are a JSON text within the JSON."""

    section_name: str | None = None
    section_score: float | None = None
    section_max_score: float | None = None


@frozen(kw_only=True)
class TestGraded(TestEvent):
    """A test has been graded.

    It comes again when a test is resumed and ends a second time: the later one counts [assumed]. For a
    psychometric assessment all scores must be ignored, says the vendor's flow page.

    Attributes:
        finish_mode: The way in which the test ended.
        start_time: Time at which the test started, aware.
        end_time: Time at which the test ended, aware.
        marks_scored: Marks of the candidate.
        max_marks: Marks that can be reached.
        total_attempt_time: Seconds.
        percentile: 0 to 100.
        assessment_name: Title of the assessment.
        client_id: Mettl's number of the account.
        schedule_title: Name of the schedule.
        sectional_scores: Score of each section.
        grading_type: Word such as ``NormalGrading``.
        registration_details: Registration fields by their names, as in `CandidateResult`.
        proctoring_details: [seen] None; frozen as it came.
        test_status: The whole result, with more than the API's own answers have [seen].
    """

    finish_mode: FinishMode | None = None
    start_time: datetime | None = field(default=None, metadata=wire("start_time_GMT", "start_time"))
    end_time: datetime | None = field(default=None, metadata=wire("end_time_GMT", "end_time"))
    marks_scored: float | None = None
    max_marks: float | None = None
    total_attempt_time: float | None = None
    percentile: float | None = None
    assessment_name: str | None = None
    client_id: int | None = None
    schedule_title: str | None = None
    sectional_scores: tuple[SectionalScore, ...] = ()
    grading_type: str | None = None
    registration_details: FrozenMap[str] = field(
        default=EMPTY, repr=False, metadata=wire("registrationDetails")
    )
    proctoring_details: Any = field(default=None, repr=False, metadata=wire("proctoringDetails"))
    test_status: TestStatus | None = field(default=None, metadata=wire("testStatus"))


@frozen(kw_only=True)
class UnknownEvent(ServerValue):
    """An event whose ``EVENT_TYPE`` this version does not know.

    An event of a known type without an email or an access key is one too. An attribute is None when its
    property is absent.

    Attributes:
        event_type: ``EVENT_TYPE``.
        access_key: Key of the schedule.
        email: Address of the candidate.
        candidate_instance_id: Mettl's number of the attempt.
        context_data: Text given at registration.
        context: Content of ``context_data``, if the receiver verified it.
        timestamp: Time of the event, aware.
        problem: Reason why a known type could not be read, by paths and shapes; None otherwise.
        raw: The whole event as it came, frozen.
    """

    snake_case_on_wire: ClassVar[bool] = True

    event_type: str | None = field(default=None, metadata=wire("EVENT_TYPE"))
    access_key: str | None = field(default=None, metadata=wire("invitation_key"))
    email: str | None = field(default=None, repr=False)
    candidate_instance_id: int | None = None
    context_data: str | None = field(default=None, repr=False)
    # Said by the receiver, so that no sender can say it.
    context: SignedContext | None = field(default=None, repr=False, metadata=wire())
    timestamp: datetime | None = field(default=None, metadata=wire("timestamp_GMT"))
    problem: str | None = field(default=None, metadata=wire())
    raw: FrozenMap[Any] = field(default=EMPTY, repr=False, metadata=wire(WHOLE))


Event: TypeAlias = TestEvent | UnknownEvent


@frozen(kw_only=True)
class EventKind:
    """All there is to know of a kind of event besides its class.

    Attributes:
        event_type: ``EVENT_TYPE`` on the wire.
        url_property: Property of the schedule that holds the URL it is sent to.
        sample: Makes the properties of a sample that not all events have, of arguments of `sample_event`.
    """

    event_type: str
    url_property: str
    sample: Callable[..., dict[str, Any]] = lambda **_: {}


# [doc] Source: vendor page "Create Schedule", its section on webhooks.
EVENTS: Final[dict[type[TestEvent], EventKind]] = {
    TestStarted: EventKind(
        event_type="startAssessment",
        url_property="testStartNotificationUrl",
    ),
    TestFinished: EventKind(
        event_type="finishTest",
        url_property="testFinishNotificationUrl",
        sample=finished_sample,
    ),
    TestGraded: EventKind(
        event_type="gradedAssessment",
        url_property="testGradedNotificationUrl",
        sample=graded_sample,
    ),
    TestResumeEnabled: EventKind(
        event_type="candidateTestResumed",
        url_property="testResumeEnabledForExpiredTestURL",  # [doc] URL here, Url in the others
    ),
}
