"""Which events never came: the comparison of results with deliveries."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mettl_async import Candidate, MettlClient
from mettl_async.api.reconciling import Delivered, Reconciler, described
from mettl_async.codec import from_wire
from mettl_async.models import (
    CandidateResult,
    FinishMode,
    Schedule,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
)
from mettl_async.sandbox import Sandbox
from mettl_async.webhooks import WebhookReceiver, event_identity, parse_event

ALL = (TestStarted, TestFinished, TestGraded, TestResumeEnabled)
START = datetime(2027, 1, 4, 9, tzinfo=UTC)
END = datetime(2027, 1, 4, 9, 40, tzinfo=UTC)
GMT = "%a, %d %b %Y %H:%M:%S UTC"


def result(email="asha@example.org", *, marks=5.0, **status):
    wire = {
        "status": "Completed",
        "overallStatus": "Completed",
        "detailedStatus": "Test-taker Completed",
        "completionMode": "Completed",
        "start_time_GMT": START.strftime(GMT),
        "end_time_GMT": END.strftime(GMT),
        "result": {
            "totalMarks": marks,
            "maxMarks": 10.0,
            "percentile": 50.0,
            "attemptTime": 2400.0,
            "sectionMarks": [{"sectionName": "One", "totalMarks": marks, "maxMarks": 10.0}],
        },
        **status,
    }
    registration = {"Email Address": email, "First Name": "Asha ", "Last Name": "Rao"}
    data = {"email": email, "registration": registration, "testStatus": wire}
    return from_wire(CandidateResult, data, where="$")


def missed(one, *delivered, kinds=ALL, until=END + timedelta(hours=1)):
    came = Delivered("key1")
    for event in delivered:
        came.add(event)
    slack = timedelta(minutes=5)
    return Reconciler(delivered=came, kinds=kinds, slack=slack, until=until).missed(one)


def started(at=START, **fields):
    return TestStarted(
        **{"access_key": "key1", "email": "asha@example.org", "timestamp": at, **fields}
    )


def finished(at=END, **fields):
    return TestFinished(
        **{"access_key": "key1", "email": "asha@example.org", "timestamp": at, **fields}
    )


def graded(at=END, marks=5.0, **fields):
    return TestGraded(
        **{
            "access_key": "key1",
            "email": "asha@example.org",
            "end_time": at,
            "marks_scored": marks,
            **fields,
        }
    )


def test_nothing_delivered_gives_all_in_the_order_in_which_they_happened():
    found = missed(result())
    assert [type(one) for one in found] == [TestStarted, TestFinished, TestGraded]
    assert [one.timestamp for one in found] == [START, END, END]
    assert all(one.reconciled and one.access_key == "key1" for one in found)
    assert found[1].finish_mode is FinishMode.NORMAL_SUBMISSION


def test_a_graded_event_has_what_the_webhook_would_have_had():
    (one,) = missed(result(), kinds=(TestGraded,))
    assert (one.marks_scored, one.max_marks, one.percentile) == (5.0, 10.0, 50.0)
    assert (one.start_time, one.end_time) == (START, END)
    assert one.total_attempt_time == 2400.0
    assert one.name == "Asha Rao"
    assert one.registration_details["First Name"] == "Asha "
    assert [(s.section_name, s.section_score) for s in one.sectional_scores] == [("One", 5.0)]
    assert one.test_status.result.total_marks == 5.0


def test_what_was_delivered_is_not_missed():
    assert missed(result(), started(), finished(), graded()) == []


def test_the_spelling_of_the_email_does_not_matter():
    shout = {"email": " ASHA@Example.ORG "}
    assert missed(result(), started(**shout), finished(**shout), graded(**shout)) == []


def test_events_of_other_schedules_and_people_do_not_count():
    other = {"access_key": "key2"}
    stranger = {"email": "ravi@example.org"}
    found = missed(result(), started(**other), finished(**stranger), graded(**other))
    assert len(found) == 3


def test_an_event_within_the_slack_counts_and_one_of_an_earlier_attempt_does_not():
    near, before = timedelta(minutes=4), timedelta(days=1)
    assert missed(result(), started(START - near), finished(END - near), graded(END - near)) == []
    found = missed(result(), started(START - before), finished(END - before), graded(END - before))
    assert len(found) == 3


def test_an_event_without_a_time_counts():
    assert missed(result(), started(None), finished(None), graded(None)) == []


def test_a_graded_event_without_end_counts_by_its_own_time():
    assert missed(result(), graded(None, timestamp=END), kinds=(TestGraded,)) == []
    before = END - timedelta(days=1)
    assert len(missed(result(), graded(None, timestamp=before), kinds=(TestGraded,))) == 1


def test_marks_that_changed_since_are_news():
    (one,) = missed(result(marks=7.0), graded(marks=5.0), kinds=(TestGraded,))
    assert one.marks_scored == 7.0
    assert missed(result(marks=7.0), graded(marks=5.0), graded(marks=7.0), kinds=ALL[2:3]) == []
    assert missed(result(marks=7.0), graded(marks=None), kinds=(TestGraded,)) == []


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ({"status": "ToBeTaken"}, []),
        ({"status": "InProgress"}, [TestStarted]),
        ({"status": "AccessRevoked"}, []),
    ],
)
def test_what_has_not_happened_is_not_missed(status, kinds):
    data = {"email": "a@example.org", "registration": {}, "testStatus": status}
    found = missed(from_wire(CandidateResult, data, where="$"))
    assert [type(one) for one in found] == kinds


def test_a_candidate_without_any_status_gives_nothing():
    data = {"email": "a@example.org", "registration": {}, "testStatus": None}
    assert missed(from_wire(CandidateResult, data, where="$")) == []


def test_someone_blocked_is_finished_and_never_graded():
    one = result(
        overallStatus="Blocked",
        detailedStatus="Authorizer Blocked",
        completionMode=None,
        result=None,
    )
    found = missed(one)
    assert [type(event) for event in found] == [TestFinished]
    assert found[0].finish_mode is FinishMode.BLOCKED


def resumable():
    return result(
        status="InProgress",
        overallStatus="Disconnected",
        detailedStatus="Awaiting Test-taker Resume",
        completionMode="ResumeEnabled",
        result=None,
    )


def test_a_resume_is_missed_until_one_came_after_the_last_end():
    assert [type(one) for one in missed(resumable(), started(), finished())] == [TestResumeEnabled]
    resumed = TestResumeEnabled(access_key="key1", email="asha@example.org", timestamp=END)
    assert missed(resumable(), started(), finished(), resumed) == []
    early = evolve(resumed, timestamp=START - timedelta(hours=1))
    assert len(missed(resumable(), started(), finished(), early)) == 1


def test_two_resumes_are_two_events_by_the_end_before_each():
    one = from_wire(
        CandidateResult,
        {
            "email": "asha@example.org",
            "registration": {},
            "testStatus": {"status": "InProgress", "completionMode": "ResumeEnabled"},
        },
        where="$",
    )
    (first,) = missed(one, finished(), kinds=(TestResumeEnabled,))
    later = END + timedelta(minutes=50)
    (second,) = missed(one, finished(), finished(later), kinds=(TestResumeEnabled,))
    assert event_identity(first) != event_identity(second)


def test_a_resume_is_missed_without_stored_finishes_too_where_grades_were():
    resumed = TestResumeEnabled(access_key="key1", email="asha@example.org", timestamp=START)
    assert missed(resumable(), resumed, kinds=(TestResumeEnabled,)) == []
    again = missed(resumable(), resumed, graded(END), kinds=(TestResumeEnabled,))
    assert [type(one) for one in again] == [TestResumeEnabled]


def test_an_event_without_a_time_counts_beside_older_ones_in_any_order():
    old = finished(END - timedelta(days=1))
    for came in ([old, finished(None)], [finished(None), old]):
        assert missed(result(), *came, kinds=(TestFinished,)) == []


def test_what_has_just_happened_may_still_come():
    assert missed(result(), until=START - timedelta(seconds=1)) == []
    found = missed(result(), until=START)
    assert [type(one) for one in found] == [TestStarted]


async def test_missed_events_are_handled_once_and_so_are_those_that_come_late():
    hooks = {
        f"test{name}NotificationUrl": "http://hook.example/mettl"
        for name in ("Start", "Finish", "Graded")
    }
    bodies = []

    def lost(request):
        bodies.append(request.content)
        return httpx.Response(200)  # taken, and forgotten

    handled = []
    receiver = WebhookReceiver(auth=None)

    @receiver.on(TestEvent)
    async def keep(event):
        handled.append(type(event))

    sandbox = Sandbox(webhook_transport=httpx.MockTransport(lost))
    schedule = sandbox.add_schedule("With hooks", settings=hooks)
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        people = [Candidate(email="asha@example.org", first_name="Asha")]
        await mettl.candidates.register(schedule.access_key, people)
        person = sandbox.candidates["asha@example.org"]
        person.start()
        sandbox.clock.advance(600)
        person.finish()
        await sandbox.deliveries.settled()
        assert len(bodies) == 3
        assert await mettl.results.reconcile(schedule.access_key, []) == ()  # too young
        found = await mettl.results.reconcile(
            schedule.access_key, [UnknownEvent()], min_age=-timedelta(hours=1)
        )
        came = [parse_event(body) for body in bodies]
        none = await mettl.results.reconcile(schedule.access_key, came, min_age=-timedelta(hours=1))
    assert none == ()
    for event in [*found, *came]:
        await receiver.handle(event)
    assert handled == [TestStarted, TestFinished, TestGraded]
    assert found[2].assessment_name == came[2].assessment_name
    assert found[2].schedule_title == "With hooks"


def test_only_the_kinds_that_were_asked_for():
    assert [type(one) for one in missed(result(), kinds=(TestFinished,))] == [TestFinished]


def test_the_record_of_deliveries_shows_nobody():
    came = Delivered("key1")
    came.add(started())
    assert "asha" not in repr(came)


def test_the_schedule_adds_what_only_it_knows():
    schedule = from_wire(
        Schedule,
        {
            "id": 1,
            "name": "Autumn",
            "accessKey": "key1",
            "sourceApp": "acme",
            "assessmentDetails": {"id": 7, "name": "Aptitude"},
        },
        where="$",
    )
    first, _, last = (described(one, schedule) for one in missed(result()))
    assert (first.assessment_id, first.source_app) == (7, "acme")
    assert (last.assessment_name, last.schedule_title) == ("Aptitude", "Autumn")


@given(st.permutations([started(), finished(), graded(), graded(marks=4.0)]), st.integers(0, 4))
def test_each_event_is_either_delivered_or_missed_in_any_order(events, count):
    one = result()
    came = events[:count]
    found = missed(one, *came)
    kinds = {
        type(event)
        for event in came
        if not (isinstance(event, TestGraded) and event.marks_scored == 4.0)
    }
    assert {type(event) for event in found} == set(ALL[:3]) - kinds
    # What was found and is delivered then is found no more.
    assert missed(one, *came, *found) == []
