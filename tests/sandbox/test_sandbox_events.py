"""What the webhooks are told: the keys of the vendor's samples, and nothing that results deny."""

import json

import pytest

from mettl_async.sandbox.lifecycle_rules import ENDINGS

START = 1723814053.0  # Fri, 16 Aug 2024 13:14:13 UTC
EMAIL = "asha@example.com"
HOOKS = {
    "testStartNotificationUrl": "https://app.example/start",
    "testFinishNotificationUrl": "https://app.example/finish",
    "testGradedNotificationUrl": "https://app.example/graded",
    "testResumeEnabledForExpiredTestURL": "https://app.example/resume",
}
# Of the page about webhooks, with notification_url of the real payloads.
SHORT = {
    "EVENT_TYPE", "invitation_key", "assessment_id", "candidate_instance_id", "context_data",
    "timestamp_GMT", "source_app", "notification_url", "name", "email",
}  # fmt: skip
GRADED = SHORT - {"assessment_id"} | {
    "assessmentId", "finish_mode", "start_time_GMT", "end_time_GMT", "marks_scored", "max_marks",
    "total_attempt_time", "percentile", "assessment_name", "client_id", "schedule_title",
    "start_time", "end_time", "sectional_scores", "grading_type", "registrationDetails",
    "proctoringDetails", "testStatus",
}  # fmt: skip
TEST_STATUS = {
    "status", "compensatoryTime", "overallStatus", "detailedStatus", "startTime", "endTime",
    "completionMode", "result", "pdfReport", "htmlReport",
}  # fmt: skip


@pytest.fixture
def key(sandbox):
    settings = {**HOOKS, "sourceApp": "acme-ats"}
    return sandbox.add_schedule("Hooked", settings=settings).access_key


@pytest.fixture
async def person(sandbox, caller, key, asha):
    await caller.register(key, [asha])
    return sandbox.candidates[key, EMAIL]


def told(sandbox):
    return [json.loads(one.body) for one in sandbox.deliveries]


def types(sandbox):
    return [one.event_type for one in sandbox.deliveries]


async def test_the_short_events_have_the_documented_keys(sandbox, key, person):
    person.start()
    sandbox.clock.advance(8.5)
    person.finish("TestExpired")
    sandbox.clock.advance(100)
    person.resume()
    started, finished, _, resumed = told(sandbox)
    assert started.keys() == resumed.keys() == SHORT
    assert finished.keys() == SHORT | {"finish_mode"}
    assert started == {
        "EVENT_TYPE": "startAssessment",
        "invitation_key": key,
        "assessment_id": person.schedule.assessment.id,
        "candidate_instance_id": started["candidate_instance_id"],
        "context_data": None,
        "timestamp_GMT": "Fri, 16 Aug 2024 13:14:13 GMT",
        "source_app": "acme-ats",
        "notification_url": HOOKS["testStartNotificationUrl"],
        "name": "Asha ",
        "email": EMAIL,
    }
    assert (finished["EVENT_TYPE"], finished["finish_mode"]) == ("finishTest", "TestExpired")
    assert finished["timestamp_GMT"] == "Fri, 16 Aug 2024 13:14:21 GMT"
    assert resumed["EVENT_TYPE"] == "candidateTestResumed"
    assert resumed["notification_url"] == HOOKS["testResumeEnabledForExpiredTestURL"]
    assert len({one["candidate_instance_id"] for one in told(sandbox)}) == 1


async def test_the_graded_event_has_the_documented_keys(sandbox, caller, key, asha):
    extra = {"email": EMAIL, "context_data": '{"id": 7}', "compensatory_time": "20"}
    await caller.register(key, [{**asha, "Last Name": "Ré"}], optional=[extra])
    person = sandbox.candidates[EMAIL]
    person.start()
    sandbox.clock.advance(600.5)
    person.finish()
    graded = told(sandbox)[-1]
    assert graded.keys() == GRADED
    assert graded["testStatus"].keys() == TEST_STATUS
    assert (graded["name"], graded["context_data"]) == ("Asha Ré", '{"id": 7}')
    assert graded["registrationDetails"]["Last Name"] == "Ré"
    assert graded["start_time_GMT"] == "Fri, 16 Aug 2024 13:14:13 UTC"
    assert graded["start_time"] == "Fri, 16 Aug 2024 18:44:13 IST"
    assert graded["end_time_GMT"] == "Fri, 16 Aug 2024 13:24:13 UTC"
    assert graded["end_time"] == "Fri, 16 Aug 2024 18:54:13 IST"
    assert graded["total_attempt_time"] == 600
    assert graded["client_id"] == person.schedule.assessment.account.client_id > 0
    assert graded["schedule_title"] == "Hooked"
    assert isinstance(graded["sectional_scores"], str)
    scores = json.loads(graded["sectional_scores"])
    assert scores[0].keys() == {"sectionName", "sectionScore", "sectionMaxScore"}
    assert sum(one["sectionScore"] for one in scores) == graded["marks_scored"]


async def test_without_a_last_name_only_the_graded_event_has_no_space(sandbox, person):
    person.finish()
    assert [one["name"] for one in told(sandbox)] == ["Asha ", "Asha ", "Asha"]


@pytest.mark.parametrize("mode", ENDINGS)
@pytest.mark.parametrize("links_first", [True, False])
async def test_results_and_the_graded_event_agree(sandbox, caller, key, person, mode, links_first):
    sandbox.pace.links_first = links_first
    person.start()
    sandbox.clock.advance(77)
    person.finish(mode)
    path = f"/v2/schedules/{key}/candidates/{EMAIL}"
    answer = await caller.get(path, {"ir": '{"recommendation":true}', "rs": "true"})
    status = answer["candidate"]["testStatus"]
    if mode == "Blocked":
        assert types(sandbox) == ["startAssessment", "finishTest"]
        assert (status["result"], status["pdfReport"]) == (None, None)
        sandbox.clock.advance(1e6)
        assert len(sandbox.deliveries) == 2
        return
    graded = told(sandbox)[-1]
    assert graded["finish_mode"] == mode
    times = {name: status.pop(name) for name in ("start_time_GMT", "end_time_GMT")}
    assert {name: graded[name] for name in times} == times
    assert graded["testStatus"] == status
    assert graded["marks_scored"] == status["result"]["totalMarks"]
    assert graded["percentile"] == status["result"]["percentile"]
    report = await caller.client.get(graded["testStatus"]["pdfReport"])
    assert report.content.startswith(b"%PDF-")


async def test_events_come_in_the_order_of_what_happens(sandbox, person):
    sandbox.pace.grade_delay = 60
    person.start()
    person.disconnect()
    person.reconnect()
    person.finish("TestExpired")
    assert types(sandbox) == ["startAssessment", "finishTest"]
    sandbox.clock.advance(60)
    person.resume()
    person.start()
    person.finish()
    sandbox.clock.advance(60)
    assert types(sandbox)[2:] == [
        "gradedAssessment",
        "candidateTestResumed",
        "finishTest",
        "gradedAssessment",
    ]
    assert told(sandbox)[-1]["finish_mode"] == "NormalSubmission"


async def test_a_test_resumed_before_it_was_graded_is_graded_at_its_end_only(sandbox, person):
    sandbox.pace.grade_delay = 60
    person.finish("TestExpired")
    person.resume()
    sandbox.clock.advance(60)
    assert "gradedAssessment" not in types(sandbox)
    person.finish()
    sandbox.clock.advance(60)
    assert types(sandbox).count("gradedAssessment") == 1


async def test_one_who_is_deleted_before_being_graded_is_not_graded(sandbox, caller, key, person):
    sandbox.pace.grade_delay = 60
    person.finish()
    await caller.delete(f"/v2/schedules/{key}/candidates/{EMAIL}")
    sandbox.clock.advance(60)
    assert types(sandbox) == ["startAssessment", "finishTest"]
    assert person not in sandbox.candidates


async def test_one_who_is_blocked_before_the_start_has_not_started(sandbox, person):
    person.finish("Blocked")
    assert types(sandbox) == ["finishTest"]
    assert told(sandbox)[0]["candidate_instance_id"] is not None


async def test_one_who_finishes_without_a_start_has_begun_before(sandbox, person):
    person.finish()
    assert types(sandbox) == ["startAssessment", "finishTest", "gradedAssessment"]
    started, finished, graded = told(sandbox)
    assert started["timestamp_GMT"] < finished["timestamp_GMT"]
    assert graded["start_time_GMT"][:-3] == started["timestamp_GMT"][:-3]


async def test_another_attempt_has_another_number(sandbox, caller, key, asha, person):
    person.finish()
    await caller.delete(f"/v2/schedules/{key}/candidates/{EMAIL}")
    await caller.register(key, [asha])
    sandbox.candidates[EMAIL].finish()
    assert len({one["candidate_instance_id"] for one in told(sandbox)}) == 2


@pytest.mark.parametrize("only", HOOKS)
async def test_only_what_has_a_url_is_told(sandbox, caller, asha, only):
    one = sandbox.add_schedule("One", settings={only: "https://app.example/x"}).access_key
    await caller.register(one, [asha])
    person = sandbox.candidates[EMAIL]
    person.finish("TestExpired")
    person.resume()
    assert len(sandbox.deliveries) == 1
    assert sandbox.deliveries[0].url == "https://app.example/x"


async def test_a_url_that_is_edited_counts_for_what_comes(sandbox, caller, key, person):
    person.start()
    await caller.edit(key, {"testFinishNotificationUrl": "https://new.example/"})
    person.finish()
    assert sandbox.deliveries[1].url == "https://new.example/"
    assert told(sandbox)[1]["notification_url"] == "https://new.example/"


async def test_reprs_show_nobody(sandbox, person):
    person.finish()
    shown = repr([sandbox.deliveries, *sandbox.deliveries, person, sandbox.candidates])
    assert "asha" not in shown.lower()
    assert "app.example" not in shown
