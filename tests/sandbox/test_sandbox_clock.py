import json

import httpx
import pytest

from mettl_async.sandbox import Sandbox

START = 1723814053.0  # Fri, 16 Aug 2024 13:14:13 UTC
HOOK = "https://app.example/hook"


def test_the_clock_goes_forward_only():
    sandbox = Sandbox(clock=lambda: 1e9)
    sandbox.clock.advance(2.5)
    sandbox.clock.advance(1)
    sandbox.faults.clock_skew = 10
    assert sandbox.clock.now() == 1e9 + 13.5
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="back"):
            sandbox.clock.advance(wrong)
    assert sandbox.clock.now() == 1e9 + 13.5


async def test_what_is_due_happens_in_order_and_with_its_own_time(make_caller):
    sandbox = Sandbox(clock=lambda: START)
    sandbox.pace.grade_delay = 1200.0
    urls = ("testFinishNotificationUrl", "testGradedNotificationUrl")
    key = sandbox.add_schedule("Hooked", settings=dict.fromkeys(urls, HOOK)).access_key
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        caller = make_caller(client, "https://x.org", sandbox.credentials, sandbox.clock.now)
        people = [{"Email Address": f"{name}@x.org", "First Name": name} for name in "ab"]
        await caller.register(key, people)
    sandbox.candidates["a@x.org"].start()
    sandbox.clock.advance(600)
    sandbox.candidates["b@x.org"].start()
    sandbox.candidates["b@x.org"].disconnect()
    sandbox.clock.advance(86400)
    bodies = [json.loads(one.body) for one in sandbox.deliveries]
    assert [(body["EVENT_TYPE"], body["email"], body["timestamp_GMT"][17:]) for body in bodies] == [
        ("finishTest", "a@x.org", "13:44:13 GMT"),  # 30 minutes of test
        ("finishTest", "b@x.org", "13:54:13 GMT"),  # 10 minutes, and 30 to come back
        ("gradedAssessment", "a@x.org", "14:04:13 GMT"),
        ("gradedAssessment", "b@x.org", "14:14:13 GMT"),
    ]
    assert [body["finish_mode"] for body in bodies[:2]] == ["TimeExpired", "TestExpired"]
    assert [one.due_at - START for one in sandbox.deliveries] == [1800, 2400, 3000, 3600]


@pytest.mark.parametrize("way", ["request", "look"])
async def test_time_that_passes_by_itself_counts_too(make_caller, way):
    time = [START]
    sandbox = Sandbox(clock=lambda: time[0])
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        caller = make_caller(client, "https://x.org", sandbox.credentials, sandbox.clock.now)
        asha = {"Email Address": "asha@x.org", "First Name": "A"}
        await caller.register(sandbox.access_key, [asha])
        person = sandbox.candidates["asha@x.org"]
        person.start()
        time[0] += 1799
        assert person.status == "InProgress"
        time[0] += 1
        if way == "request":
            path = f"/v2/schedules/{sandbox.access_key}/candidates/asha@x.org"
            status = (await caller.get(path))["candidate"]["testStatus"]
            assert status["completionMode"] == "AutoCompleted"
            assert status["result"]["attemptTime"] == 1800
            assert person.candidate.status == "Completed"
        else:
            assert person.status == "Completed"
