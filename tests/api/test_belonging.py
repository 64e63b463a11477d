"""An answer about another person, schedule or assessment than the request named is an error."""

import asyncio
import json
import re
from contextlib import asynccontextmanager
from unicodedata import normalize
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import httpx2
import pytest
import respx

from mettl_async import (
    Candidate,
    ClientOptions,
    Credentials,
    MettlClient,
    MettlDecodeError,
    Registered,
    RetryPolicy,
    Unknown,
)
from mettl_async.models import (
    Access,
    AssessmentSettings,
    NewSchedule,
    NoLink,
    ScheduleEdit,
)

KEYS = Credentials(public_key="public", private_key="private")
LINK = "http://127.0.0.1/take-test?of="
SENT_ONCE = ClientOptions(trust_env=False, bulk_retry=RetryPolicy(max_attempts=1))
NEW = NewSchedule(name="Autumn  Drive", source_app="acme-ats", access=Access.open_for_all())


def item(email):
    return {"email": email, "status": "ToBeTaken", "message": "m", "url": f"{LINK}{email}"}


def answer_to(method, path, params):
    """What a server that knows everybody says."""
    match = re.fullmatch(r"/v2/schedules/(\w+)/candidates/(.+)", path)
    if match:
        return {"candidate": {"email": match[2], "testStatus": None}}
    if path.endswith("/candidates") and method == "GET":
        beside = f"https://api.mettl.com{path}?ak=public&asgn=secret&offset=100"
        return {"candidates": [{"email": f"{path}@x.org"}], "paging": {"next": beside}}
    if path.endswith("/candidates"):
        details = json.loads(params["rd"][0])["registrationDetails"]
        return {"registrationStatus": [item(one["Email Address"]) for one in details]}
    if match := re.fullmatch(r"/v2/schedules/(\w+)(/edit)?", path):
        return {"schedule": {"accessKey": match[1], "name": "N"}}
    if match := re.fullmatch(r"/v2/assessments/(\d+)(/settings/edit)?", path):
        return {"assessment": {"id": float(match[1]), "name": "N"}}
    if match := re.fullmatch(r"/v2/candidates/(.+)", path):
        return {"testInstances": [{"email": match[1], "accessKey": "k"}]}
    number = int(path.split("/")[3])
    if method == "GET":
        schedules = [{"accessKey": f"of{number}", "assessmentDetails": {"id": number}}]
        return {"schedules": schedules}
    name = json.loads(params["sc"][0])["name"]
    created = {"accessKey": "new", "assessmentId": number, "name": name}
    return {"createdSchedule": created}


async def serve_late(reader, writer):
    """Answer each request of a connection but the first with the answer to the one before."""
    before = None
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            length = re.search(r"(?i)content-length: (\d+)", head)
            form = (await reader.readexactly(int(length[1]))).decode() if length else ""
            parts = urlsplit(target)
            params = parse_qs(f"{parts.query}&{form}")
            own = {"status": "SUCCESS", **answer_to(method, unquote(parts.path), params)}
            body = json.dumps(before or own).encode()
            before = own
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.fixture(params=["lanes", "aiohttp", "httpx", "httpx2"])
async def late(request):
    """A client whose connection is one answer late from the second request on."""
    server = await asyncio.start_server(serve_late, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, client(request.param, url) as mettl:
        yield mettl


@asynccontextmanager
async def client(kind, url):
    if kind in {"lanes", "aiohttp"}:
        transport = "httpx" if kind == "lanes" else kind
        async with MettlClient(KEYS, base_url=url, options=SENT_ONCE, transport=transport) as mettl:
            yield mettl
        return
    made = {"httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}[kind]
    async with (
        made(trust_env=False) as http_client,
        MettlClient(KEYS, base_url=url, options=SENT_ONCE, http_client=http_client) as mettl,
    ):
        yield mettl


def person(name):
    return Candidate(email=f"{name}@x.org", first_name=name)


READS = {
    "results.get": lambda m, one: m.results.get("key1", f"{one}@x.org"),
    "schedules.get": lambda m, one: m.schedules.get(one),
    "schedules.edit": lambda m, one: m.schedules.edit(one, ScheduleEdit(name="N")),
    "assessments.get": lambda m, one: m.assessments.get(len(one)),
    "assessments.edit_settings": lambda m, one: m.assessments.edit_settings(
        len(one), AssessmentSettings(instructions="")
    ),
    "schedules.list_in_assessment": lambda m, one: m.schedules.list_in_assessment(
        len(one)
    ).collect(),
    "results.list": lambda m, one: m.results.list(one).collect(limit=1),
    "results.list_for_candidate": lambda m, one: m.results.list_for_candidate(
        f"{one}@x.org"
    ).collect(),
    "candidates.register": lambda m, one: m.candidates.register("key1", [person(one)]),
}


@pytest.mark.parametrize("operation", READS)
async def test_an_answer_that_is_late_is_nobody_elses(late, operation):
    await READS[operation](late, "asha")
    with pytest.raises(MettlDecodeError, match="belongs to another request") as caught:
        await READS[operation](late, "ravi2")
    error = caught.value
    assert (error.operation, error.attempts) == (operation, 1)
    assert error.sent and error.safe_to_repeat
    assert "asha" not in f"{error} {error!r}"
    assert "ravi" not in f"{error} {error!r}"


async def test_a_link_that_is_late_is_not_given(late):
    await late.candidates.ensure_registered("key1", person("asha"))
    with pytest.raises(MettlDecodeError, match="belongs to another request"):
        await late.candidates.ensure_registered("key1", person("ravi"))


async def test_a_creation_that_gets_anothers_answer_may_have_been_done(late):
    for number, name in ((7, "Winter"), (8, "Winter")):
        # The first on a connection: one that gave another's answer is not used again.
        first = await late.schedules.create(7, NEW)
        assert first.name == NEW.name
        other = NewSchedule(name=name, source_app="acme-ats", access=Access.open_for_all())
        with pytest.raises(MettlDecodeError, match="belongs to another request") as caught:
            await late.schedules.create(number, other)
        assert caught.value.may_have_been_handled
        assert not caught.value.safe_to_repeat


async def test_a_run_gives_nobody_the_link_of_another(late):
    people = [person(f"c{number}") for number in range(6)]
    report = await late.candidates.register_many("key1", people, concurrency=1, batch_size=1)
    assert {type(one) for one in report.outcomes} == {Registered, Unknown}
    assert all(one.url == f"{LINK}{one.email}" for one in report.registered)


async def answered(call, payload):
    with respx.mock:
        respx.route(host="api.mettl.com").respond(json={"status": "SUCCESS", **payload})
        async with (
            httpx.AsyncClient() as http_client,
            MettlClient(KEYS, http_client=http_client, options=SENT_ONCE) as mettl,
        ):
            return await call(mettl)


def https_item(email):
    return {**item(email), "url": f"https://tests.mettl.com/x?of={email}"}


async def test_items_about_others_are_left_out_of_a_registration():
    items = [https_item(f"{name}@x.org") for name in ("mina", "ravi", "asha")]
    found = await answered(
        lambda m: m.candidates.register("key1", [person("asha"), person("ravi")]),
        {"registrationStatus": items},
    )
    assert [one.email for one in found] == ["asha@x.org", "ravi@x.org"]


async def test_of_two_items_about_one_person_that_with_a_link_counts():
    items = [{**item("asha@x.org"), "url": None}, https_item("asha@x.org")]
    link = await answered(
        lambda m: m.candidates.ensure_registered("key1", person("asha")),
        {"registrationStatus": items},
    )
    assert link.url == items[1]["url"]


async def test_an_answer_without_items_says_nothing():
    link = await answered(
        lambda m: m.candidates.ensure_registered("key1", person("asha")), {"registrationStatus": []}
    )
    assert (type(link), link.status) == (NoLink, None)


@pytest.mark.parametrize("spelling", [str.upper, lambda email: normalize("NFD", email)])
async def test_another_spelling_of_the_address_is_the_same_person(spelling):
    email = "josé@x.org"
    said = spelling(email)
    assert said != email
    (one,) = await answered(
        lambda m: m.candidates.register("key1", [Candidate(email=email, first_name="J")]),
        {"registrationStatus": [https_item(said)]},
    )
    assert one.email == said
    result = await answered(lambda m: m.results.get("key1", email), {"candidate": {"email": said}})
    assert result.email == said


async def test_what_an_answer_does_not_say_is_no_error():
    created = await answered(
        lambda m: m.schedules.create(7, NEW), {"createdSchedule": {"accessKey": "new"}}
    )
    assert created.access_key == "new"
    found = await answered(
        lambda m: m.schedules.list_in_assessment(7).collect(),
        {"schedules": [{"accessKey": "a"}, {"accessKey": "b", "assessmentDetails": {}}]},
    )
    assert [one.access_key for one in found] == ["a", "b"]


@pytest.mark.parametrize("name", ["next", "previous"])
@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("https://api.mettl.com/v2/schedules/mine/candidates?ak=secret&limit=20", True),
        ("https://other.example/x/v9/schedules/MINE/candidates/", True),
        ("https://api.mettl.com/v2/schedules/other/candidates?ak=secret&limit=20", False),
        ("/schedules/other/candidates", False),
        ("https://api.mettl.com/v2/schedules/other", True),
        ("https://api.mettl.com/next/other", True),
        ("candidates", True),
        ("https://[x", True),
        (7, True),
        (None, True),
    ],
)
async def test_the_addresses_of_other_pages_are_those_of_the_list(name, address, own):
    payload = {
        "candidates": [{"email": "asha@x.org"}],
        "paging": {name: address, "totalRecords": 1},
    }
    call = answered(lambda m: m.results.list("mine").collect(limit=1), payload)
    if own:
        assert [one.email for one in await call] == ["asha@x.org"]
        return
    with pytest.raises(
        MettlDecodeError, match=f"paging.{name} is not what was asked for"
    ) as caught:
        await call
    assert "secret" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("said", [{}, {"email": None}, {"email": 7}, {"email": "ASHA@x.org"}])
async def test_a_test_of_a_candidate_need_not_say_whose_it_is(said):
    instances = [{"accessKey": "mine", **said}, {"accessKey": "other", "email": "ravi@x.org"}]
    found = await answered(
        lambda m: m.results.list_for_candidate("asha@x.org").collect(), {"testInstances": instances}
    )
    assert [one.access_key for one in found] == ["mine"]


async def test_a_created_schedule_may_be_named_in_other_letters():
    created = {"accessKey": "new", "assessmentId": "7", "name": "autumn drive "}
    assert await answered(lambda m: m.schedules.create(7, NEW), {"createdSchedule": created})


async def test_schedules_of_other_assessments_are_left_out():
    schedules = [
        {"accessKey": f"of{number}", "assessmentDetails": {"id": number}} for number in (7, 8)
    ]
    found = await answered(
        lambda m: m.schedules.list_in_assessment(7).collect(), {"schedules": schedules}
    )
    assert [one.access_key for one in found] == ["of7"]


async def test_pre_built_tests_that_nobody_asked_for():
    payload = {"pbts": [{"pbtId": 1, "added": True}, {"pbtId": 2, "added": True}]}
    found = await answered(lambda m: m.pbts.add([2, 3]), payload)
    assert [one.pbt_id for one in found] == [2]
    with pytest.raises(MettlDecodeError, match="pbt_id is not") as caught:
        await answered(lambda m: m.pbts.add([3]), payload)
    assert not caught.value.safe_to_repeat


@pytest.mark.parametrize(
    "url", [" ", "javascript:alert(1)", "http://tests.mettl.com/x", "https://x\n", None]
)
async def test_a_registration_without_a_usable_link_has_none(url):
    (one,) = await answered(
        lambda m: m.candidates.register("key1", [person("asha")]),
        {"registrationStatus": [{**item("asha@x.org"), "url": url}]},
    )
    assert one.url is None
    assert one.extra.get("url") == url


async def test_one_link_for_an_item_of_ours_and_anothers_is_nobodys():
    shared = {"url": "https://tests.mettl.com/x"}
    (one,) = await answered(
        lambda m: m.candidates.register("key1", [person("asha")]),
        {"registrationStatus": [{**item(f"{name}@x.org"), **shared} for name in ("asha", "ravi")]},
    )
    assert (one.email, one.url) == ("asha@x.org", None)
