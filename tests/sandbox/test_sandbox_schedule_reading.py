import json

import pytest

PHOTO = {"visualProctoring": {"mode": "PHOTO", "options": {"candidateScreenCapture": True}}}
WEB = {"webProctoring": {"enabled": True, "count": 5}}


@pytest.fixture
def home(sandbox):
    number = next(iter(sandbox.assessments))
    sandbox.add_schedule("Photo", settings=PHOTO)
    sandbox.add_schedule("Web", settings=WEB)
    sandbox.add_schedule("Both", settings={**PHOTO, **WEB})
    other = list(sandbox.assessments.values())[1]
    sandbox.add_schedule("Elsewhere", assessment=other)
    return number


async def names(caller, number, wanted, version="v2"):
    params = {} if wanted is None else {"filter": json.dumps(wanted)}
    answer = await caller.get(f"/{version}/assessments/{number}/schedules", params)
    return [schedule["name"] for schedule in answer["schedules"]]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_schedules_of_an_assessment_are_filtered(either, sandbox, home, version):
    for wanted, expected in (
        (None, ["Ready schedule", "Photo", "Web", "Both"]),
        ({}, ["Ready schedule", "Photo", "Web", "Both"]),
        ({"visualProctoring": {"mode": "PHOTO"}}, ["Photo", "Both"]),
        ({"visualProctoring": {"mode": "OFF"}}, ["Ready schedule", "Web"]),
        ({"visualProctoring": {"options": {"candidateScreenCapture": True}}}, ["Photo", "Both"]),
        ({"visualProctoring": {"options": {"candidateAuthorization": True}}}, []),
        ({"webProctoring": {"enabled": True}}, ["Web", "Both"]),
        ({"webProctoring": {"enabled": False}}, ["Ready schedule", "Photo"]),
        ({"webProctoring": {"enabled": True, "count": 6}}, []),
        ({"visualProctoring": {"mode": "PHOTO"}, "webProctoring": {"enabled": True}}, ["Both"]),
    ):
        assert await names(either, home, wanted, version) == expected
    assert sandbox.stats.calls[-1].operation == "schedules.list_in_assessment"


@pytest.mark.parametrize(
    "wanted",
    [
        "x",
        "[]",
        '{"visualProctoring":{"mode":"VIDEO"}}',
        '{"webProctoring":{"count":1}}',
        '{"webProctoring":{"enabled":"true"}}',
    ],
)
async def test_a_wrong_filter_is_e400(caller, home, code, wanted):
    path = f"/v2/assessments/{home}/schedules"
    assert code(await caller.get(path, {"filter": wanted})) == "E400"


async def test_schedules_of_an_unknown_assessment_are_e404(caller, code):
    assert code(await caller.get("/v2/assessments/1/schedules")) == "E404"


async def test_only_lists_of_the_account_have_the_assessment(either, home):
    inside = (await either.get(f"/v2/assessments/{home}/schedules"))["schedules"]
    account = (await either.get("/v2/schedules", {"sort": "name", "sort_order": "asc"}))[
        "schedules"
    ]
    assert all("assessmentDetails" not in schedule for schedule in inside)
    assert [s["name"] for s in account] == ["Both", "Elsewhere", "Photo", "Ready schedule", "Web"]
    assert account[0]["assessmentDetails"]["id"] == home
    assert account[1]["assessmentDetails"]["id"] != home


async def test_the_last_schedule_comes_first(either, home):
    listed = (await either.get("/v2/schedules"))["schedules"]
    assert [s["name"] for s in listed] == ["Elsewhere", "Both", "Web", "Photo", "Ready schedule"]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_schedule_is_what_an_edit_answers(either, sandbox, home, version):
    edited = (await either.edit(sandbox.access_key, {}))["schedule"]
    answer = await either.get(f"/{version}/schedules/{sandbox.access_key}")
    assert answer == {"status": "SUCCESS", "schedule": edited}
    assert edited["accessUrl"].endswith(f"/authenticateKey/{sandbox.access_key}")
    assert sandbox.stats.calls[-1].operation == "schedules.get"


async def test_an_unknown_or_anothers_schedule_is_e404(caller, sandbox, code):
    assert code(await caller.get("/v2/schedules/nothere")) == "E404"
    caller.keys = sandbox.add_account().credentials
    for path in ("", "/candidates", "/candidates/a@x.org"):
        assert code(await caller.get(f"/v2/schedules/{sandbox.access_key}{path}")) == "E404"
    assert code(await caller.delete(f"/v2/schedules/{sandbox.access_key}/candidates/a@b")) == "E404"


async def test_most_taken_schedules_can_come_first(caller, sandbox, home):
    key = next(key for key, schedule in sandbox.schedules.items() if schedule.name == "Web")
    await caller.register(key, [{"Email Address": "a@x.org", "First Name": "A"}])
    sandbox.candidates[key, "a@x.org"].start()
    listed = (await caller.get("/v2/schedules", {"sort": "testTaken"}))["schedules"]
    assert listed[0]["name"] == "Web"
