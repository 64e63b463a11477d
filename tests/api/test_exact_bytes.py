"""The exact bytes of each request, seen by respx through an injected client."""

import json
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
import respx

from mettl_async import Candidate, ClientOptions, Credentials, MettlClient, MettlDecodeError
from mettl_async.core.auth import ServerClock, SignatureAuth
from mettl_async.models import (
    Access,
    AccessEdit,
    AssessmentSettings,
    Favicon,
    InvitedCandidate,
    Level,
    Logo,
    NewAssessment,
    NewSchedule,
    NewSection,
    NewSkill,
    RegistrationOptions,
    ResultDetail,
    ResultSort,
    ScheduleEdit,
    ScheduleFilter,
    SortOrder,
    WebProctoring,
    WhiteLabel,
)

KEYS = Credentials(
    public_key="ab12c345-6789-0123-456d-78e9f0123456",
    private_key="zy98x765-4321-0987-654w-32v1u0987654",
)
ASHA = Candidate(email="name@email.com", first_name="Name")
REGISTERED = {
    "status": "SUCCESS",
    "registrationStatus": [
        {
            "email": "name@email.com",
            "status": "ToBeTaken",
            "message": "Candidate ('name@email.com') successfully registered for the test",
            "url": "https://tests.mettl.com/v2/take-test?ecc=x",
        }
    ],
}


@pytest.fixture
async def mettl(request):
    """A client at the moment of the vendor's examples."""
    auth = SignatureAuth(KEYS, ServerClock(wall=lambda: 1635976200.9))
    options = ClientOptions(post_parameters=getattr(request, "param", "documented"))
    async with httpx.AsyncClient() as http_client:
        async with MettlClient(auth=auth, http_client=http_client, options=options) as client:
            yield client


def sent(route):
    (call,) = route.calls
    raw = call.request.url.raw_path.decode().partition("?")
    body = call.request.content.decode()
    return raw[0], dict(parse_qsl(raw[2])), dict(parse_qsl(body)), call.request


@respx.mock
async def test_register_sends_the_vendors_example_to_the_byte(mettl):
    route = respx.post(host="api.mettl.com").respond(json=REGISTERED)
    (one,) = await mettl.candidates.register(
        "0x0x0x0x0x",
        [ASHA],
        options=RegistrationOptions(
            allow_missing_mandatory_registration_fields=True,
            time_limit_in_sec=86400,
            show_custom_instructions=True,
        ),
    )
    path, query, body, request = sent(route)
    assert path == "/v2/schedules/0x0x0x0x0x/candidates"
    assert query == {}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert json.loads(body.pop("rd")) == {
        "registrationDetails": [{"Email Address": "name@email.com", "First Name": "Name"}]
    }
    signature = body.pop("asgn")
    assert body == {
        "ak": KEYS.public_key,
        "ts": "1635976200",
        "allowMissingMandatoryRegistrationFields": "true",
        "timeLimitInSec": "86400",
        "showCustomInstructions": "true",
    }
    assert len(signature) == 44
    escaped = signature.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert f"asgn={escaped}" in request.content.decode()
    assert one.url == "https://tests.mettl.com/v2/take-test?ecc=x"


@respx.mock
async def test_options_at_their_defaults_are_not_sent(mettl):
    route = respx.post(host="api.mettl.com").respond(json=REGISTERED)
    await mettl.candidates.register("0x0x0x0x0x", [ASHA])
    assert set(sent(route)[2]) == {"ak", "ts", "asgn", "rd"}


@respx.mock
async def test_add_pbts_signs_as_printed_and_goes_in_the_body(mettl):
    route = respx.post("https://api.mettl.com/v2/pbts/add").respond(
        json={"status": "ERROR", "pbts": [{"pbtId": 1336, "added": False, "message": "no"}]}
    )
    (one,) = await mettl.pbts.add([1336, 1255, 1176])
    assert not one.added
    _, query, _, request = sent(route)
    assert query == {}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    # The vendor's own signature for these values: vectors.json, add-pbts.
    assert request.content == (
        b"pbts=%5B1336%2C1255%2C1176%5D&ak=ab12c345-6789-0123-456d-78e9f0123456&ts=1635976200"
        b"&asgn=Cbb5V47%2FzJB9VZ2NY3uQGbeIDXV1tblw2QGjZdHZGmA%3D"
    )


@respx.mock
async def test_create_sends_sc_in_the_body(mettl):
    route = respx.post("https://api.mettl.com/v2/assessments/999999/schedules").respond(
        json={
            "status": "SUCCESS",
            "createdSchedule": {
                "assessmentId": 999999,
                "id": 10000,
                "name": "Test Link Name",
                "accessKey": "0x0x0x0x0x",
                "accessUrl": "https://tests.mettl.com/authenticateKey/0x0x0x0x0x",
                "status": "ACTIVE",
            },
        }
    )
    created = await mettl.schedules.create(
        999999,
        NewSchedule(name="Test Link Name", source_app="App Name", access=Access.open_for_all()),
    )
    _, query, body, request = sent(route)
    assert query == {}
    assert json.loads(body["sc"]) == {
        "name": "Test Link Name",
        "sourceApp": "App Name",
        "access": {"type": "OpenForAll"},
        "scheduleType": "AlwaysOn",
    }
    assert b'", "' not in unquote(request.content.decode()).encode()  # minified
    assert (created.id, created.access_key, created.status) == (10000, "0x0x0x0x0x", "ACTIVE")


@respx.mock
async def test_edit_sends_add_and_remove_in_the_body(mettl):
    route = respx.post(host="api.mettl.com").respond(
        json={"status": "SUCCESS", "schedule": {"accessKey": "0x0x0x0x0x", "name": "N"}}
    )
    schedule = await mettl.schedules.edit(
        "0x0x0x0x0x",
        ScheduleEdit(
            access=AccessEdit.by_invitation(
                add=[InvitedCandidate(email="a@x.org", name="A")], remove=["b@x.org"]
            )
        ),
    )
    path, query, body, _ = sent(route)
    assert (path, query) == ("/v2/schedules/0x0x0x0x0x/edit", {})
    assert json.loads(body["sc"])["access"]["candidates"] == {
        "add": [{"name": "A", "email": "a@x.org"}],
        "remove": ["b@x.org"],
    }
    assert schedule.name == "N"


@respx.mock
@pytest.mark.parametrize("mettl", ["query"], indirect=True)
async def test_query_mode_sends_every_post_in_the_url(mettl):
    route = respx.post(host="api.mettl.com").respond(json=REGISTERED)
    await mettl.candidates.register("0x0x0x0x0x", [ASHA])
    _, query, body, request = sent(route)
    assert body == {}
    assert request.headers["content-length"] == "0"
    assert set(query) == {"ak", "ts", "asgn", "rd"}


@respx.mock
@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"status": "SUCCESS"}, "createdSchedule"),
        ({"status": "SUCCESS", "createdSchedule": None}, "createdSchedule"),
        ({"status": "SUCCESS", "createdSchedule": []}, "createdSchedule"),
        ({"status": "SUCCESS", "createdSchedule": {"id": 1}}, "accessKey"),
    ],
)
async def test_a_success_without_what_was_asked_for_is_a_decode_error(mettl, payload, words):
    respx.post(host="api.mettl.com").respond(json=payload)
    with pytest.raises(MettlDecodeError, match=words) as caught:
        await mettl.schedules.create(
            1, NewSchedule(name="n", source_app="a", access=Access.open_for_all())
        )
    assert (caught.value.operation, caught.value.attempts) == ("schedules.create", 1)
    assert caught.value.may_have_been_handled
    assert not caught.value.safe_to_repeat


SUCCESS = {"status": "SUCCESS"}
SCHEDULE = {**SUCCESS, "schedule": {"accessKey": "0x0x0x0x0x", "name": "N"}}
RESULT = {**SUCCESS, "candidate": {"email": "a+b?@x.org", "testStatus": None}}
READS = [
    # call, answer, method, raw path, parameters besides ak, ts, asgn
    (lambda m: m.account.get(), {**SUCCESS, "accountInfo": {}}, "GET", "/v2/account", {}),
    (lambda m: m.pbts.list().collect(), {**SUCCESS, "pbts": []}, "GET", "/v2/pbts", {}),
    (
        lambda m: m.assessments.list(page_size=7).collect(),
        {**SUCCESS, "assessments": [], "paging": {"next": None, "totalRecords": "0"}},
        "GET",
        "/v2/assessments",
        {"limit": "7", "offset": "0", "sort": "createdAt", "sort_order": "desc"},
    ),
    (
        lambda m: m.assessments.get(7),
        {**SUCCESS, "assessment": {"id": "7"}},
        "GET",
        "/v2/assessments/7",
        {},
    ),
    (
        lambda m: m.schedules.list_in_assessment(
            7, filter=ScheduleFilter(web_proctoring=WebProctoring(enabled=True))
        ).collect(),
        {**SUCCESS, "schedules": []},
        "GET",
        "/v2/assessments/7/schedules",
        {"filter": '{"webProctoring":{"enabled":true}}'},
    ),
    (
        lambda m: m.schedules.list().collect(),
        {**SUCCESS, "schedules": []},
        "GET",
        "/v2/schedules",
        {"limit": "100", "offset": "0"},
    ),
    (lambda m: m.schedules.get("0X0x0x0x0x"), SCHEDULE, "GET", "/v2/schedules/0X0x0x0x0x", {}),
    (
        lambda m: m.results.list("abc", sort=ResultSort.NAME, order=SortOrder.ASC).collect(),
        {**SUCCESS, "candidates": []},
        "GET",
        "/v2/schedules/abc/candidates",
        {"limit": "50", "offset": "0", "sort": "name", "sort_order": "asc"},
    ),
    (
        lambda m: m.results.get(
            "abc",
            "a+b?@x.org",
            detail=ResultDetail(
                recommendation=True,
                response_style=True,
                essay_answers=True,
                question_responses=True,
                evaluation=True,
            ),
        ),
        RESULT,
        "GET",
        "/v2/schedules/abc/candidates/a+b%3F@x.org",
        {"ir": '{"recommendation":true}', "rs": "true", "qr": "true", "cr": "true", "em": "true"},
    ),
    (
        lambda m: m.results.list_for_candidate("a@x.org", essay_answers=True).collect(),
        {**SUCCESS, "testInstances": []},
        "GET",
        "/v2/candidates/a@x.org",
        {"qr": "true"},
    ),
    (
        lambda m: m.with_options(version="v3").results.list_for_candidate("a@x.org").collect(),
        {**SUCCESS, "testInstances": []},
        "GET",
        "/v3/candidates/a@x.org",
        {"limit": "100", "offset": "0"},
    ),
    (
        lambda m: m.results.delete("abc", "a@x.org"),
        SUCCESS,
        "DELETE",
        "/v2/schedules/abc/candidates/a@x.org",
        {},
    ),
    (
        lambda m: m.assessments.edit_settings(7, AssessmentSettings(allow_copy_paste=True)),
        {**SUCCESS, "assessment": {"id": 7}},
        "POST",
        "/v2/assessments/7/settings/edit",
        {"as": '{"allowCopyPaste":true}'},
    ),
    (
        lambda m: m.request("PUT", "/x/{y}", {"b": "c d"}, path_values={"y": "z/?"}),
        SUCCESS,
        "PUT",
        "/v2/x/z%2F%3F",
        {"b": "c d"},
    ),
]


@respx.mock
@pytest.mark.parametrize(("call", "answer", "method", "path", "params"), READS)
async def test_each_read_asks_for_exactly_this(mettl, call, answer, method, path, params):
    route = respx.route(host="api.mettl.com").respond(json=answer)
    await call(mettl)
    found, query, body, request = sent(route)
    assert (request.method, found) == (method, path)
    sent_there, nothing = (body, query) if method == "POST" else (query, body)
    assert nothing == {}
    signature = sent_there.pop("asgn")
    assert len(signature) == 44
    assert sent_there == {"ak": KEYS.public_key, "ts": "1635976200", **params}


@respx.mock
async def test_create_assessment_sends_its_json_in_the_body(mettl):
    route = respx.post("https://api.mettl.com/v2/assessments").respond(
        json={**SUCCESS, "assessmentId": "12"}
    )
    skill = NewSkill(name="Python", level=Level.EASY, question_count=2)
    created = await mettl.assessments.create(
        NewAssessment(name="A", duration=30, sections=[NewSection(name="S", skills=[skill])])
    )
    _, query, body, _ = sent(route)
    assert query == {}
    assert json.loads(body["assessments"]) == {
        "name": "A",
        "duration": 30,
        "sections": [
            {"name": "S", "skills": [{"name": "Python", "level": "EASY", "questionCount": 2}]}
        ],
    }
    assert created.assessment_id == 12


@respx.mock
async def test_a_logo_is_a_part_of_its_own_and_not_signed(mettl):
    route = respx.post(host="api.mettl.com").respond(json=SUCCESS)
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
    await mettl.account.update_logo(Logo(content=png, filename="l.png"))
    path, query, _, request = sent_raw(route)
    assert path == "/v2/account/upload-logo"
    assert query == {}
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    parts = request.content.split(f"--{boundary}\r\n".encode())
    named = b'Content-Disposition: form-data; name="%s"\r\n'
    for part, name in zip(parts[1:4], (b"ak", b"ts", b"asgn"), strict=True):
        assert part.startswith(named % name)
    assert request.content.endswith(
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="logo"; filename="l.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        + png
        + f"\r\n--{boundary}--\r\n".encode()
    )
    assert len(parts) == 5


@respx.mock
async def test_a_white_label_without_files_is_a_form_and_with_files_multipart(mettl):
    route = respx.post("https://api.mettl.com/v2/account/update-white-labeling").respond(
        json=SUCCESS
    )
    white = WhiteLabel(button_color="#a1b2c3", support_numbers=["+91-1"])
    await mettl.account.update_white_label(white)
    _, query, body, _ = sent(route)
    assert query == {}
    assert (json.loads(body["wl"]), json.loads(body["sn"])) == (
        {"buttonColor": "a1b2c3"},
        ["+91-1"],
    )
    png = b"\x89PNG\r\n\x1a\n" + bytes(8)
    await mettl.account.update_white_label(white, favicon=Favicon(content=png, filename="f.png"))
    _, query, _, request = sent_raw(route)
    assert query == {}
    for name in ("ak", "ts", "asgn", "wl", "sn"):
        assert f'name="{name}"\r\n'.encode() in request.content
    assert b'name="fav"; filename="f.png"' in request.content


def sent_raw(route):
    request = route.calls.last.request
    raw = request.url.raw_path.decode().partition("?")
    return raw[0], dict(parse_qsl(raw[2])), request.content, request
