import copy

import pytest

SMALL = {
    "name": "Test Link Name",
    "sourceApp": "App Name",
    "access": {"type": "OpenForAll"},
    "scheduleType": "AlwaysOn",
}
WINDOW = {
    "fixedAccessOption": "SlotWise",
    "startsOnDate": "Mon, 07 Feb 2022",
    "startsOnTime": "12:00:00",
    "endsOnDate": "Fri, 11 Feb 2022",
    "endsOnTime": "18:00:00",
    "timeZone": "UTC+05:30",
    "locationTimeZone": "Asia/Kolkata",
}
FULL = {
    **SMALL,
    "access": {
        "type": "ByInvitation",
        "sendEmail": True,
        "isCandidateCrfPrefilled": True,
        "candidates": [{"name": "Name", "email": "name@email.com", "compensatory_time": 20}],
    },
    "scheduleType": "Fixed",
    "scheduleWindow": WINDOW,
    "webProctoring": {"enabled": True, "count": 10, "showRemainingCounts": True},
    "visualProctoring": {
        "mode": "PHOTO",
        "options": {"candidateScreenCapture": True, "candidateAuthorization": True},
    },
    "secureBrowser": {"enabled": True},
    "protected": "OtpOnEmail",
    "testStartNotificationUrl": "https://www.application.com/start",
    "testFinishNotificationUrl": "https://www.application.com/finish",
    "testGradedNotificationUrl": "https://www.application.com/graded",
    "testResumeEnabledForExpiredTestURL": "https://www.application.com/resume",
    "testNotificationBasicAuthHeader": "dXNlcm5hbWU6cGFzc3dvcmQ=",
    "testGradeNotification": {"enabled": True, "recipients": ["admin@email.com"]},
    "ipAccessRestriction": {
        "enabled": True,
        "type": "RANGE",
        "ranges": [{"start": "128.128.128.128", "end": "128.128.128.130"}],
    },
}


def changed(path, value):
    sc = copy.deepcopy(FULL)
    *parents, last = path.split(".")
    place = sc
    for name in parents:
        place = place[int(name) if name.isdecimal() else name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return sc


@pytest.fixture
def home(sandbox):
    return next(iter(sandbox.assessments))


@pytest.mark.parametrize("sc", [SMALL, FULL])
async def test_the_vendors_samples_are_accepted(caller, sandbox, home, sc):
    answer = await caller.create(home, sc)
    created = answer["createdSchedule"]
    schedule = sandbox.schedules[created["accessKey"]]
    assert answer["status"] == "SUCCESS"
    assert created == {
        "assessmentId": home,
        "id": schedule.id,
        "name": "Test Link Name",
        "accessKey": schedule.access_key,
        "accessUrl": f"https://api.mettl.com/authenticateKey/{schedule.access_key}",
        "status": "ACTIVE",
    }


async def test_a_name_is_unique_in_its_assessment(caller, sandbox, home, code):
    await caller.create(home, SMALL)
    answer = await caller.create(home, SMALL)
    assert answer["error"] == {"code": "E000", "message": "Please use unique title for Schedule"}
    other = sandbox.add_assessment("Other").id
    assert code(await caller.create(other, SMALL)) == "SUCCESS"
    assert code(await caller.create(999, SMALL)) == "E404"
    assert code(await caller.create("x", SMALL)) == "E404"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", None),
        ("name", " "),
        ("sourceApp", None),
        ("sourceApp", 7),
        ("access", None),
        ("access.type", None),
        ("access.type", "Open"),
        ("access.sendEmail", "true"),
        ("access.candidates", None),
        ("access.candidates", []),
        ("access.candidates", {"add": []}),
        ("access.candidates.0.email", None),
        ("access.candidates.0.email", "nobody"),
        ("access.candidates.0.name", None),
        ("access.candidates.0.compensatory_time", -1),
        ("access.candidates.0.compensatory_time", "20"),
        ("scheduleType", None),
        ("scheduleType", "Sometimes"),
        ("scheduleWindow", None),
        ("scheduleWindow.fixedAccessOption", "Daily"),
        ("scheduleWindow.startsOnDate", None),
        ("scheduleWindow.startsOnDate", "2022-02-07"),
        ("scheduleWindow.startsOnDate", "Tue, 07 Feb 2022"),
        ("scheduleWindow.startsOnDate", "Wed, 30 Feb 2022"),
        ("scheduleWindow.endsOnDate", "Fri, 11 Feu 2022"),
        ("scheduleWindow.endsOnTime", None),
        ("scheduleWindow.endsOnTime", "24:00:00"),
        ("scheduleWindow.startsOnTime", "9:00:00"),
        ("scheduleWindow.timeZone", "+05:30"),
        ("scheduleWindow.locationTimeZone", "Asia/Atlantis"),
        ("webProctoring.enabled", 1),
        ("webProctoring.count", -1),
        ("webProctoring.count", True),
        ("webProctoring", True),
        ("visualProctoring.mode", "ON"),
        ("visualProctoring.options.candidateAuthorization", "no"),
        ("secureBrowser.enabled", "yes"),
        ("protected", "NotEnabled"),
        ("testStartNotificationUrl", "www.application.com"),
        ("testResumeEnabledForExpiredTestURL", "ftp://x.org"),
        ("testNotificationBasicAuthHeader", 5),
        ("testGradeNotification.recipients", None),
        ("testGradeNotification.recipients", []),
        ("testGradeNotification.recipients", ["nobody"]),
        ("ipAccessRestriction.type", None),
        ("ipAccessRestriction.type", "SINGLE"),
        ("ipAccessRestriction.ip", "256.0.0.1"),
        ("ipAccessRestriction.ranges", None),
        ("ipAccessRestriction.ranges.0.end", None),
        ("ipAccessRestriction.ranges.0.end", "::1"),
    ],
)
async def test_a_broken_rule_is_e400_naming_the_property(caller, home, code, path, value):
    answer = await caller.create(home, changed(path, value))
    assert code(answer) == "E400"
    assert path.replace(".0", "[0]") in answer["error"]["message"] or path.endswith("type")
    assert code(await caller.create(home, SMALL)) == "SUCCESS"  # nothing took its name


async def test_one_of_the_two_time_zones_is_required(caller, home, code):
    for name in ("timeZone", "locationTimeZone"):
        sc = changed(f"scheduleWindow.{name}", None)
        assert code(await caller.create(home, {**sc, "name": name})) == "SUCCESS"
    del sc["scheduleWindow"]["timeZone"]
    assert code(await caller.create(home, {**sc, "name": "neither"})) == "E400"


async def test_an_unknown_property_is_kept(caller, home, code):
    created = await caller.create(home, {**SMALL, "allowCopyPaste": True})
    answer = await caller.edit(created["createdSchedule"]["accessKey"], {})
    assert answer["schedule"]["allowCopyPaste"] is True


async def test_an_edit_answers_the_whole_schedule(caller, sandbox, home):
    key = (await caller.create(home, FULL))["createdSchedule"]["accessKey"]
    schedule = (await caller.edit(key, {"protected": "NotEnabled"}))["schedule"]
    assert schedule["protected"] == "NotEnabled"
    assert schedule["access"] == {
        "type": "ByInvitation",
        "candidates": [{"name": "Name", "submissionDate": None, "email": "name@email.com"}],
        "sendEmail": True,
        "sendReminders": False,
        "isCandidateCrfPrefilled": True,
    }
    assert schedule["visualProctoring"]["options"]["isAudioProctoring"] is False
    assert schedule["imageProctoring"] is schedule["isCandidateAuthProctored"] is True
    assert schedule["assessmentDetails"]["id"] == home
    assert schedule["createdAt"].endswith(" GMT")
    assert "testNotificationBasicAuthHeader" not in schedule
    for name in (
        "scheduleWindow",
        "webProctoring",
        "ipAccessRestriction",
        "testStartNotificationUrl",
    ):
        assert schedule[name] == FULL[name]


async def test_candidates_are_added_and_removed_by_an_edit(caller, sandbox, home, code, asha):
    key = (await caller.create(home, FULL))["createdSchedule"]["accessKey"]
    access = {
        "type": "ByInvitation",
        "candidates": {"add": [{"name": "A", "email": "asha@example.com"}]},
    }
    await caller.edit(key, {"access": access})
    assert (await caller.register(key, [asha]))["registrationStatus"][0]["status"] == "ToBeTaken"
    access["candidates"] = {"remove": ["ASHA@example.com"]}
    answer = await caller.edit(key, {"access": access})
    assert [c["email"] for c in answer["schedule"]["access"]["candidates"]] == ["name@email.com"]
    assert sandbox.candidates.of(key)[0].status == "AccessRevoked"
    assert (await caller.register(key, [asha]))["registrationStatus"][0]["status"] == "InValid"
    assert code(await caller.edit(key, {"access": access})) == "E400"


async def test_opening_a_schedule_lets_everyone_in(caller, home, asha):
    key = (await caller.create(home, FULL))["createdSchedule"]["accessKey"]
    await caller.edit(key, {"access": {"type": "OpenForAll"}})
    assert (await caller.register(key, [asha]))["registrationStatus"][0]["status"] == "ToBeTaken"


async def test_a_refused_edit_changes_nothing(caller, sandbox, code):
    sandbox.add_schedule("Taken")
    key = sandbox.access_key
    for sc, expected in (
        ({"name": "Taken", "sourceApp": "other"}, "E000"),
        ({"name": "New", "access": {"candidates": {"add": []}}}, "E400"),
        ({"name": "New", "access": {"type": "ByInvitation", "candidates": []}}, "E400"),
        ({"name": "New", "scheduleType": "Fixed"}, "E400"),
        ({"name": "New", "protected": "Yes"}, "E400"),
    ):
        assert code(await caller.edit(key, sc)) == expected
    answer = (await caller.edit(key, {"name": "Ready schedule"}))["schedule"]
    assert (answer["name"], answer["sourceApp"]) == ("Ready schedule", "sandbox")


async def test_a_renamed_schedule_frees_its_name(caller, sandbox, home, code):
    await caller.edit(sandbox.access_key, {"name": "Renamed"})
    assert code(await caller.create(home, {**SMALL, "name": "Ready schedule"})) == "SUCCESS"
    assert code(await caller.create(home, {**SMALL, "name": "Renamed"})) == "E000"


def test_a_schedule_of_the_same_name_is_refused_by_the_helper_too(sandbox):
    with pytest.raises(ValueError, match="Ready schedule"):
        sandbox.add_schedule("Ready schedule")
