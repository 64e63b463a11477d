import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mettl_async.sandbox import Sandbox

START = 1723814053.0
EMAIL = "asha@example.com"
MINUTES = 60.0


@pytest.fixture
async def person(sandbox, caller, asha):
    await caller.register(sandbox.access_key, [asha])
    return sandbox.candidates[EMAIL]


async def completion(caller, sandbox):
    answer = await caller.get(f"/v2/schedules/{sandbox.access_key}/candidates/{EMAIL}")
    status = answer["candidate"]["testStatus"]
    return status["completionMode"], (status["result"] or {}).get("attemptTime")


async def test_people_are_found_by_email_and_by_key(sandbox, caller, asha, person):
    assert person.email == EMAIL
    assert sandbox.candidates[sandbox.access_key, " ASHA@example.com"].candidate is person.candidate
    assert [one.email for one in sandbox.candidates] == [EMAIL]
    assert EMAIL in sandbox.candidates
    assert (sandbox.access_key, EMAIL) in sandbox.candidates
    assert person in sandbox.candidates
    for nobody in ("b@example.com", ("nokey", EMAIL), (sandbox.access_key, None), 7, ("a",)):
        assert nobody not in sandbox.candidates
    other = sandbox.add_schedule("Second").access_key
    await caller.register(other, [asha])
    with pytest.raises(KeyError, match="several") as caught:
        sandbox.candidates[EMAIL]
    assert "asha" not in str(caught.value)
    assert sandbox.candidates[other, EMAIL].access_key == other
    assert len(sandbox.candidates) == 2
    assert [one.access_key for one in sandbox.candidates.of(other)] == [other]
    with pytest.raises(KeyError):
        sandbox.candidates.of("nokey")


async def test_a_link_leads_to_its_person(sandbox, caller, asha, person):
    (item,) = (await caller.register(sandbox.access_key, [asha]))["registrationStatus"]
    assert person.link == item["url"]
    ecc = parse_qs(urlsplit(person.link).query)["ecc"][0]
    assert sandbox.person_of(ecc).candidate is person.candidate
    assert sandbox.person_of("") is None
    assert sandbox.person_of(ecc[:-1]) is None


async def test_the_view_says_what_may_be_done(sandbox, person):
    def can():
        view = person.view
        names = ("can_start", "can_finish", "can_reconnect", "can_resume")
        return [name for name in names if getattr(view, name)], view.why_not

    assert can() == (["can_start"], "")
    assert (person.view.minutes, person.view.seconds_left) == (30, 1800)
    person.start()
    assert can() == (["can_finish"], "")
    sandbox.clock.advance(60)
    assert (person.view.seconds_left, person.view.reconnect_seconds) == (1740, None)
    person.disconnect()
    sandbox.clock.advance(60)
    assert can() == (["can_reconnect"], "")
    assert (person.view.seconds_left, person.view.reconnect_seconds) == (1740, 1740)
    sandbox.clock.advance(1740)
    assert can() == (["can_resume"], person.view.why_not)
    assert "expired" in person.view.why_not
    person.resume()
    assert can() == (["can_start"], "")
    assert person.candidate.resumable
    person.start()
    person.finish()
    assert can() == ([], person.view.why_not)
    assert "used" in person.view.why_not
    assert "Asha" not in repr(person.view)


async def test_a_link_is_for_one_time(sandbox, caller, asha, person):
    person.start()
    with pytest.raises(ValueError, match="InProgress"):
        person.start()
    person.finish()
    with pytest.raises(ValueError, match="was used"):
        person.start()
    (item,) = (await caller.register(sandbox.access_key, [asha]))["registrationStatus"]
    assert item["url"] is None


async def test_a_lost_connection_comes_back_within_30_minutes(sandbox, caller, person):
    person.start()
    sandbox.clock.advance(10 * MINUTES)
    person.disconnect()
    sandbox.clock.advance(29 * MINUTES)
    person.reconnect()
    # The time stood still: 20 of 30 minutes are left.
    sandbox.clock.advance(20 * MINUTES - 1)
    assert person.status == "InProgress"
    person.finish()
    assert await completion(caller, sandbox) == ("Completed", 30 * MINUTES - 1)


async def test_it_expires_after_30_minutes_and_is_graded(sandbox, caller, person):
    person.start()
    sandbox.clock.advance(10 * MINUTES)
    person.disconnect()
    sandbox.clock.advance(30 * MINUTES)
    assert await completion(caller, sandbox) == ("Expired", 10 * MINUTES)
    with pytest.raises(ValueError, match="connection"):
        person.reconnect()
    person.resume()
    sandbox.clock.advance(24 * 60 * MINUTES)
    person.start()
    sandbox.clock.advance(20 * MINUTES)
    assert await completion(caller, sandbox) == ("AutoCompleted", 30 * MINUTES)


async def test_compensatory_minutes_are_added(sandbox, caller, asha):
    extra = {"email": EMAIL, "compensatory_time": "15"}
    await caller.register(sandbox.access_key, [asha], optional=[extra])
    person = sandbox.candidates[EMAIL]
    assert person.view.minutes == 45
    person.start()
    sandbox.clock.advance(45 * MINUTES - 1)
    assert person.status == "InProgress"
    sandbox.clock.advance(1)
    assert await completion(caller, sandbox) == ("AutoCompleted", 45 * MINUTES)


async def test_an_absurd_compensation_breaks_nothing(sandbox, caller, asha):
    extra = {"email": EMAIL, "compensatory_time": "9" * 5000}
    await caller.register(sandbox.access_key, [asha], optional=[extra])
    sandbox.candidates[EMAIL].start()
    sandbox.clock.advance(3600)
    assert sandbox.candidates[EMAIL].view.can_finish


async def test_without_a_duration_the_time_never_runs_out(sandbox, person):
    person.schedule.assessment.duration = 0
    person.start()
    sandbox.clock.advance(1e6)
    assert person.view.seconds_left is None
    assert person.view.can_finish


async def test_steps_out_of_order_are_refused(sandbox, person):
    for step in (person.disconnect, person.reconnect, person.resume):
        with pytest.raises(ValueError, match="only a"):
            step()
    person.start()
    with pytest.raises(ValueError, match="only a"):
        person.reconnect()
    person.disconnect()
    with pytest.raises(ValueError, match="only a"):
        person.disconnect()
    person.finish("ProctoredFinish")
    assert person.candidate.seconds == 0
    assert person.candidate.disconnected_at is None
    with pytest.raises(ValueError, match="only a"):
        person.disconnect()


async def test_one_whose_access_is_revoked_does_nothing(sandbox, caller, asha):
    private = sandbox.add_schedule("P", access_type="ByInvitation", invited=[EMAIL])
    await caller.register(private.access_key, [asha])
    person = sandbox.candidates[EMAIL]
    person.start()
    change = {"type": "ByInvitation", "candidates": {"remove": [EMAIL]}}
    await caller.edit(private.access_key, {"access": change})
    sandbox.clock.advance(3600)
    assert person.status == "AccessRevoked"
    assert "no longer" in person.view.why_not
    for step in (person.start, person.finish, person.disconnect):
        with pytest.raises(ValueError, match=r"AccessRevoked|only"):
            step()


async def test_an_expired_link_says_so(sandbox, caller, asha):
    await caller.register(sandbox.access_key, [asha], timeLimitInSec="60")
    sandbox.clock.advance(60)
    view = sandbox.candidates[EMAIL].view
    assert (view.can_start, view.why_not) == (False, "This link has expired.")


async def test_tests_end_by_themselves_while_it_is_served(make_caller, asha):
    time = [START]
    sandbox = Sandbox(clock=lambda: time[0])
    async with sandbox.serve() as server, httpx.AsyncClient() as client:
        caller = make_caller(client, server.base_url, server.credentials, sandbox.clock.now)
        await caller.register(server.access_key, [asha])
        candidate = sandbox.candidates[EMAIL].candidate
        sandbox.candidates[EMAIL].start()
        time[0] += 30 * MINUTES
        async with asyncio.timeout(10):
            while candidate.status != "Completed":  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.01)
    assert candidate.finish_mode == "TimeExpired"


async def test_the_first_start_counts_once(sandbox, caller, person):
    person.start()
    person.finish("TestExpired")
    person.resume()
    person.start()
    person.finish()
    answer = await caller.get(f"/v2/assessments/{person.schedule.assessment.id}")
    assert json.dumps(answer).count('"testsTaken": 1') == 1


async def test_a_resume_opens_the_link_however_old_it_is(sandbox, caller, asha):
    await caller.register(sandbox.access_key, [asha], timeLimitInSec="100")
    person = sandbox.candidates[EMAIL]
    person.start()
    person.finish("TestExpired")
    sandbox.clock.advance(101)
    person.resume()
    assert person.view.can_start
    person.start()
    assert person.status == "InProgress"
