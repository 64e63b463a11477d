"""Those who lose their registration, by a delete or a revocation, and come back."""

import pytest
from in_process import client_of

from mettl_async import Candidate
from mettl_async.sandbox import Sandbox, lifecycle_rules

START = 1723814053.0
EMAIL = "asha@example.com"
MINUTES = 60.0
ASHA = Candidate(email=EMAIL, first_name="Asha")


@pytest.fixture
async def person(sandbox, caller, asha):
    await caller.register(sandbox.access_key, [asha])
    return sandbox.candidates[EMAIL]


async def test_one_who_was_deleted_does_nothing(sandbox, caller, asha, person):
    for setting in ("testResumeEnabledForExpiredTestURL", "testStartNotificationUrl"):
        person.schedule.settings[setting] = "https://hooks.example.org/x"
    person.start()
    person.finish("TestExpired")
    await caller.delete(f"/v2/schedules/{sandbox.access_key}/candidates/{EMAIL}")
    await caller.register(sandbox.access_key, [asha])
    told = len(sandbox.deliveries)
    steps = (person.start, person.finish, person.disconnect, person.reconnect, person.resume)
    for step in steps:
        with pytest.raises(ValueError, match="was deleted"):
            step()
    assert len(sandbox.deliveries) == told
    assert person.candidate.status == "Completed"
    assert sandbox.candidates[EMAIL].status == "ToBeTaken"


@pytest.mark.parametrize("lost", [True, False])
async def test_after_a_revocation_a_test_stands_where_it_stood(sandbox, caller, asha, lost):
    private = sandbox.add_schedule("P", access_type="ByInvitation", invited=[EMAIL])
    await caller.register(private.access_key, [asha])
    person = sandbox.candidates[EMAIL]
    person.start()
    sandbox.clock.advance(MINUTES)
    if lost:
        person.disconnect()

    async def change(**who):
        access = {"type": "ByInvitation", "candidates": who}
        await caller.edit(private.access_key, {"access": access})

    await change(remove=[EMAIL])
    sandbox.clock.advance(60 * MINUTES)
    await change(add=[{"email": EMAIL, "name": "Asha"}])
    await caller.register(private.access_key, [asha])
    assert (person.status, person.view.can_reconnect) == ("InProgress", True)
    sandbox.clock.advance(29 * MINUTES)
    assert person.view.seconds_left == 29 * MINUTES
    person.reconnect()
    person.finish()
    assert person.candidate.seconds == MINUTES


async def test_a_deleted_candidate_writes_nothing_over_the_next_one(db):
    sandbox = Sandbox(db=db)
    async with client_of(sandbox) as client:
        await client.candidates.register(sandbox.access_key, [ASHA])
        old = sandbox.candidates[ASHA.email].candidate
        sandbox.candidates[ASHA.email].finish("TestExpired")
        await client.results.delete(sandbox.access_key, ASHA.email)
        await client.candidates.register(sandbox.access_key, [ASHA])
    new = sandbox.candidates[ASHA.email].candidate
    old.status = "InProgress"
    sandbox.close()
    with Sandbox(db=db) as again:
        kept = again.candidates[ASHA.email].candidate
        assert (kept.ecc, kept.status) == (new.ecc, "ToBeTaken")


async def test_one_who_was_revoked_comes_back_after_a_restart_and_expires(db):
    with Sandbox(db=db) as sandbox:
        schedule = sandbox.add_schedule("P", access_type="ByInvitation", invited=[ASHA.email])
        key = schedule.access_key
        async with client_of(sandbox) as client:
            await client.candidates.register(key, [ASHA])
            sandbox.candidates[ASHA.email].start()
        lifecycle_rules.revoke(sandbox.candidates[ASHA.email].candidate, sandbox.clock.now())
    with Sandbox(db=db) as again:
        async with client_of(again) as client:
            await client.candidates.register(key, [ASHA])
        assert again.candidates[ASHA.email].status == "InProgress"
        again.clock.advance(1801)
        assert again.candidates[ASHA.email].candidate.finish_mode == "TestExpired"
