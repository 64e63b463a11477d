import pytest

from mettl_async.sandbox.lifecycle_rules import ENDINGS

EMAIL = "asha@example.com"


@pytest.fixture
async def key(sandbox, caller, asha):
    await caller.register(sandbox.access_key, [asha])
    return sandbox.access_key


async def status(caller, key):
    answer = await caller.get(f"/v2/schedules/{key}/candidates/{EMAIL}")
    return answer["candidate"]["testStatus"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("NormalSubmission", ("Completed", "Completed")),
        ("TimeExpired", ("AutoCompleted", "Completed")),
        ("Blocked", (None, "Blocked")),
        ("BrowsingToleranceExceeded", ("BrowsingToleranceExceeded", "Test Stopped")),
        ("TestExpired", ("Expired", "Disconnected")),
        ("ParentFinish", ("ParentFinished", "Completed")),
        ("ProctoredFinish", ("ProctoredFinish", "Test Stopped")),
        ("SuspiciousSoftwareFinish", ("SuspiciousSoftwareFinish", "Test Stopped")),
        ("CandidateClosed", ("CandidateClosed", "Disconnected")),
    ],
)
async def test_each_finish_mode_has_its_completion_mode(caller, sandbox, key, mode, expected):
    sandbox.candidates[key, EMAIL].finish(mode=mode)
    found = await status(caller, key)
    assert found["status"] == "Completed"
    assert (found["completionMode"], found["overallStatus"]) == expected
    if mode == "Blocked":
        assert (found["result"], found["pdfReport"]) == (None, None)
    else:
        assert found["result"]["attemptTime"] > 0
    assert len(ENDINGS) == 9


async def test_a_test_that_runs_gives_its_link_again(caller, sandbox, key, asha):
    sandbox.candidates[key, EMAIL].start()
    (item,) = (await caller.register(key, [asha]))["registrationStatus"]
    assert item["status"] == "InProgress"
    assert sandbox.owner_of(item["url"]) == EMAIL
    assert (await status(caller, key))["status"] == "InProgress"


async def test_an_expired_test_is_resumed_and_finished(caller, sandbox, key, asha):
    sandbox.candidates[key, EMAIL].start()
    sandbox.clock.advance(100)
    sandbox.candidates[key, EMAIL].finish("TestExpired")
    assert (await caller.register(key, [asha]))["registrationStatus"][0]["url"] is None
    begun = (await status(caller, key))["start_time_GMT"]
    sandbox.candidates[key, EMAIL].resume()
    waiting = await status(caller, key)
    assert (waiting["completionMode"], waiting["detailedStatus"]) == (
        "ResumeEnabled",
        "Awaiting Test-taker Resume",
    )
    assert (waiting["result"], waiting["pdfReport"], waiting["endTime"]) == (None, None, None)
    assert (await caller.register(key, [asha]))["registrationStatus"][0]["url"] is not None
    sandbox.clock.advance(3600)
    sandbox.candidates[key, EMAIL].start()
    assert (await status(caller, key))["overallStatus"] == "In-progress"
    sandbox.clock.advance(50)
    sandbox.candidates[key, EMAIL].finish()
    found = await status(caller, key)
    assert found["completionMode"] == "Completed"
    assert found["start_time_GMT"] == begun
    assert 150 <= found["result"]["attemptTime"] < 200
    assert next(iter(sandbox.assessments.values())).tests_taken == 1


async def test_steps_out_of_order_are_refused(sandbox, key):
    with pytest.raises(ValueError, match="only an expired"):
        sandbox.candidates[key, EMAIL].resume()
    with pytest.raises(ValueError, match="NormalSubmission"):
        sandbox.candidates[key, EMAIL].finish("Normal")
    sandbox.candidates[key, EMAIL].start()
    with pytest.raises(ValueError, match="InProgress"):
        sandbox.candidates[key, EMAIL].start()
    sandbox.candidates[key, EMAIL].finish()
    for step in (sandbox.candidates[EMAIL].start, sandbox.candidates[EMAIL].finish):
        with pytest.raises(ValueError, match="Completed"):
            step()
    with pytest.raises(ValueError, match="only an expired"):
        sandbox.candidates[key, EMAIL].resume()


async def test_an_expired_link_does_not_start(caller, sandbox, asha):
    await caller.register(sandbox.access_key, [asha], timeLimitInSec="60")
    sandbox.clock.advance(61)
    with pytest.raises(ValueError, match="expired"):
        sandbox.candidates[sandbox.access_key, EMAIL].start()


async def test_a_stranger_is_not_found_and_not_named(sandbox, key):
    for wanted in ("nobody@example.com", (key, "nobody@example.com"), ("nokey", EMAIL)):
        with pytest.raises(KeyError) as caught:
            sandbox.candidates[wanted]
        assert "nobody" not in str(caught.value)
        assert "asha" not in str(caught.value)


async def test_grading_takes_as_long_as_it_is_told(caller, sandbox, key):
    sandbox.pace.grade_delay = 30.0
    sandbox.candidates[key, EMAIL].finish()
    found = await status(caller, key)
    assert (found["status"], found["result"], found["pdfReport"]) == ("Completed", None, None)
    assert found["completionMode"] == "Completed"
    sandbox.clock.advance(30)
    found = await status(caller, key)
    assert found["result"] is not None
    assert found["pdfReport"] is not None


async def test_one_who_is_blocked_before_the_start_has_no_start(caller, sandbox, key):
    sandbox.candidates[key, EMAIL].finish("Blocked")
    found = await status(caller, key)
    assert (found["status"], found["detailedStatus"]) == ("Completed", "Authorizer Blocked")
    assert found["endTime"] is not None
    assert not {"start_time_GMT", "startTime"} & found.keys()
    (home, *_) = sandbox.assessments.values()
    assert home.tests_taken == 0
    await caller.delete(f"/v2/schedules/{key}/candidates/{EMAIL}")
    assert home.tests_taken == 0


async def test_one_who_is_blocked_later_keeps_the_start(caller, sandbox, key):
    sandbox.candidates[key, EMAIL].start()
    begun = (await status(caller, key))["start_time_GMT"]
    sandbox.candidates[key, EMAIL].finish("Blocked")
    assert (await status(caller, key))["start_time_GMT"] == begun
