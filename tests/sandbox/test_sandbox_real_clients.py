"""What clients that run against the real server send, and what only a sandbox tells of a wrong signature."""

import json
from urllib.parse import quote

import httpx
import pytest

from mettl_async import Candidate, MettlClient
from mettl_async.models import Access, NewSchedule, ScheduleEdit
from mettl_async.sandbox import Sandbox, SandboxCredentials

PBTS = {"pbts": "[1336]"}
SMALL = {
    "name": "Test Link Name",
    "sourceApp": "App Name",
    "access": {"type": "OpenForAll"},
    "scheduleType": "AlwaysOn",
}
WAITING = {
    "testDate": "Thu, 01 Dec 2022",
    "testStartTime": "10:00:00",
    "testEndTime": "12:30:00",
    "reportingStartTime": "09:30:00",
    "reportingFinishTime": "10:15:00",
    "timeZone": "UTC+05:30",
    "locationTimeZone": "Asia/Kolkata",
}


@pytest.fixture
def assessment(sandbox):
    return next(iter(sandbox.assessments))


NULLS = {
    "secureBrowser": {"enabled": None},
    "scheduleWindow": None,
    "visualProctoring": {"mode": None, "options": None},
    "testGradeNotification": None,
    "ipAccessRestriction": {"enabled": None, "ranges": [{"start": "1.1.1.1", "end": "1.1.1.2"}]},
    "own": {"a": None, "b": [{"c": None}]},
}


async def test_null_is_absent_in_a_schedule(caller, sandbox, assessment):
    access = {**SMALL["access"], "candidates": None, "sendEmail": None}
    created = await caller.create(assessment, {**SMALL, **NULLS, "access": access})
    assert created["status"] == "SUCCESS"
    key = created["createdSchedule"]["accessKey"]
    read = (await caller.get(f"/v2/schedules/{key}"))["schedule"]
    assert read["secureBrowser"] == {"enabled": False}
    assert read["visualProctoring"]["mode"] == "OFF"
    assert read["ipAccessRestriction"]["enabled"] is False
    assert read["own"] == {"b": [{}]}
    assert "scheduleWindow" not in read


async def test_null_changes_nothing_in_an_edit(caller, sandbox, code):
    key = sandbox.access_key
    access = {"type": "OpenForAll", "candidates": None}
    await caller.edit(key, {"secureBrowser": {"enabled": True}})
    before = (await caller.get(f"/v2/schedules/{key}"))["schedule"]
    sc = {"scheduleWindow": None, "access": access, "secureBrowser": None, "name": None}
    assert (await caller.edit(key, sc))["schedule"] == before


@pytest.mark.parametrize("name", ["name", "sourceApp", "access", "scheduleType"])
async def test_null_where_something_is_required_is_e400(caller, assessment, code, name):
    answer = await caller.create(assessment, {**SMALL, name: None})
    assert code(answer) == "E400"
    assert answer["error"]["message"].endswith(f"sc.{name} is required")


@pytest.mark.parametrize("optional", [None, [{"context_data": None, "compensatory_time": None}]])
async def test_null_is_absent_in_optional_params(caller, sandbox, asha, optional):
    details = [asha]
    for extra in optional or ():
        extra["email"] = asha["Email Address"]
    rd = json.dumps({"registrationDetails": details, "optionalParams": optional})
    path = f"/v2/schedules/{sandbox.access_key}/candidates"
    assert (await caller.post(path, {"rd": rd}))["status"] == "SUCCESS"
    found = sandbox.candidates[asha["Email Address"]].candidate
    assert (found.context_data, found.compensatory_time) == (None, None)


async def test_null_is_no_email_of_optional_params(caller, sandbox, asha, code):
    answer = await caller.register(sandbox.access_key, [asha], optional=[{"email": None}])
    assert answer["error"]["message"].endswith("optionalParams[0].email is required")


async def test_a_waiting_room_needs_no_window(caller, sandbox, assessment):
    sc = {
        **SMALL,
        "scheduleType": "Fixed",
        "testLinkType": "SCHEDULED",
        "testLinkSettings": WAITING,
    }
    created = await caller.create(assessment, sc)
    key = created["createdSchedule"]["accessKey"]
    read = (await caller.get(f"/v2/schedules/{key}"))["schedule"]
    assert (read["testLinkType"], read["testLinkSettings"]) == ("SCHEDULED", WAITING)
    assert (await caller.edit(key, {"scheduleType": "Fixed"}))["status"] == "SUCCESS"
    room = {name: sc[name] for name in ("scheduleType", "testLinkType", "testLinkSettings")}
    assert (await caller.edit(sandbox.access_key, room))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    "change",
    [
        {"testLinkSettings": {}},
        {"testLinkSettings": None},
        {"testLinkSettings": {**WAITING, "testDate": 7}},
        {"testLinkType": "DURATION"},
        {"testLinkType": None},
        {"testLinkType": "scheduled"},
    ],
)
async def test_a_fixed_schedule_without_either_is_e400(caller, assessment, code, change):
    sc = {
        **SMALL,
        "scheduleType": "Fixed",
        "testLinkType": "SCHEDULED",
        "testLinkSettings": WAITING,
    }
    assert code(await caller.create(assessment, {**sc, **change})) == "E400"


async def test_the_spellings_of_one_client_are_taken(caller, assessment):
    window = {
        "fixedAccessOption": "Slotwise",
        "startsOnDate": "Mon, 07 Feb 2022",
        "startsOnTime": "12:00:00",
        "endsOnDate": "Fri, 11 Feb 2022",
        "endsOnTime": "18:00:00",
        "locationtimeZone": "Asia/Kolkata",
    }
    sc = {**SMALL, "scheduleType": "Fixed", "scheduleWindow": window}
    assert (await caller.create(assessment, sc))["status"] == "SUCCESS"


@pytest.mark.parametrize("form", [True, False])
async def test_a_signature_that_is_encoded_twice_is_taken_when_asked(caller, sandbox, form, code):
    params = caller.parameters("/v2/pbts/add", PBTS)
    once = params["asgn"]
    params["asgn"] = quote(once, safe="")
    answer = (await caller.send("/v2/pbts/add", params, form=form)).json()
    assert code(answer) == "E401"
    assert "encoded twice" in answer["error"]["hint"]
    sandbox.lenient_signatures = True
    assert code((await caller.send("/v2/pbts/add", params, form=form)).json()) == "SUCCESS"
    params["asgn"] = quote(("B" if once[0] == "A" else "A") + once[1:], safe="")
    assert code((await caller.send("/v2/pbts/add", params, form=form)).json()) == "E401"


async def test_a_wrong_signature_is_told_what_to_sign_without_the_keys(caller, sandbox, code):
    params = caller.parameters("/v2/pbts/add", PBTS)
    private, text = sandbox.credentials.private_key, '{"a": "b c"}'
    sent = {**params, "zz": text, "key": private}
    response = await caller.send("/v2/pbts/add", sent)
    error = response.json()["error"]
    # In the order of their names: ak, key, pbts, ts, zz.
    assert error == {
        "code": "E401",
        "message": "Authentication failed/Signature mismatch",
        "stringToSign": "POSThttps://api.mettl.com/v2/pbts/add\n<public key>\n<private key>\n[1336]\n"
        f"{params['ts']}\n{text}",
    }
    for key in (private, sandbox.credentials.public_key, params["asgn"]):
        assert key not in response.text


def test_keys_are_random_unless_given():
    keys = SandboxCredentials(public_key="p", private_key="s")
    assert Sandbox(credentials=keys).credentials == keys
    made = [Sandbox(seed=3) for _ in range(2)]
    made_keys = [box.credentials for box in made] + [box.add_account().credentials for box in made]
    assert len({one.public_key for one in made_keys} | {one.private_key for one in made_keys}) == 8


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("localhost:{port}", True),
        ("127.0.0.1", True),
        ("127.0.0.1:{port}", True),
        ("[::1]:{port}", True),
        ("box.localhost", True),
        ("Mettl:80", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False),
        ("mettl.evil.example", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("path", ["/v2/account", "/analytics/share-report?key=x"])
async def test_the_api_answers_only_to_names_of_this_machine(host, answered, path):
    sandbox = Sandbox(hosts=["mettl"])
    async with sandbox.serve() as server, httpx.AsyncClient(trust_env=False) as client:
        port = server.base_url.rpartition(":")[2]
        response = await client.get(
            server.base_url + path, headers={"host": host.format(port=port)}
        )
    if answered:
        assert response.status_code in (200, 404)
        assert sandbox.stats.requests == 1
    else:
        assert (response.status_code, response.json()["error"]["code"]) == (403, "E403")
        assert sandbox.stats.requests == 0


async def test_our_client_creates_and_edits_what_real_clients_do(sandbox, assessment):
    extra = {"exitRedirectionUrl": None}
    async with (
        sandbox.serve() as server,
        MettlClient(server.credentials, base_url=server.base_url) as mettl,
    ):
        new = NewSchedule(name="n", source_app="s", access=Access.open_for_all(), extra=extra)
        created = await mettl.schedules.create(assessment, new)
        await mettl.schedules.edit(created.access_key, ScheduleEdit(name="m"))
        person = Candidate(email="a@x.org", first_name="A")
        await mettl.candidates.register(created.access_key, [person])
    assert {call.sent_in for call in sandbox.stats.calls} == {"form"}
    assert sandbox.stats.bad_signatures == 0
