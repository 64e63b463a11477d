import json

import httpx
import pytest
from page_markup import read

from mettl_async.sandbox import Sandbox
from mettl_async.sandbox.events import URL_PROPERTIES
from mettl_async.sandbox.pages.admin import ROWS

HOOKS = {
    "testStartNotificationUrl": "http://hooks.example/s?token=<script>",
    "testFinishNotificationUrl": "http://hooks.example/f",
    "testGradedNotificationUrl": "http://hooks.example/g",
    "testResumeEnabledForExpiredTestURL": "http://hooks.example/r",
    "testNotificationBasicAuthHeader": "dXNlcjpodW50ZXIy",
}


class Hook(httpx.AsyncBaseTransport):
    """A receiver that answers as it is told, and counts."""

    def __init__(self):
        self.status, self.events = 200, []

    async def handle_async_request(self, request):
        self.events.append(json.loads(request.content)["EVENT_TYPE"])
        return httpx.Response(self.status)


@pytest.fixture
def hook():
    return Hook()


@pytest.fixture
def sandbox(hook):
    return Sandbox(webhook_transport=hook)


@pytest.fixture
async def admin(server):
    async with httpx.AsyncClient(base_url=server.base_url, follow_redirects=True) as client:
        yield client


@pytest.fixture
async def person(wire, sandbox):
    schedule = sandbox.add_schedule("Autumn <b>drive</b>", settings=HOOKS)
    details = {"Email Address": "asha@example.com", "First Name": "Asha", "Last Name": "Rao"}
    await wire.register(schedule.access_key, [details])
    return sandbox.candidates["asha@example.com"]


def path_of(person):
    return f"/admin/schedules/{person.access_key}"


async def press(admin, path, action, **fields):
    answer = await admin.post(path, data={"action": action, **fields})
    assert [one.status_code for one in answer.history] == [303]
    return read(answer)


async def test_all_schedules_are_listed_with_their_candidates(admin, sandbox, person):
    page = read(await admin.get("/admin"))
    assert "Ready schedule" in page.text
    assert "Autumn <b>drive</b>" in page.text
    assert "1 ToBeTaken" in page.text
    assert page.all("a", href=path_of(person))
    assert page.all("a", **{"aria-current": "page"}) == [{"href": "/admin", "aria-current": "page"}]
    page = read(await admin.get("/admin", params={"q": "AUTUMN"}))
    assert "Ready schedule" not in page.text
    assert "1 schedule in all" in page.text


async def test_a_test_is_started_and_finished_from_its_schedules_page(admin, person, sandbox):
    path = path_of(person)
    page = read(await admin.get(path))
    assert "Asha Rao" in page.text
    assert "hunter2" not in page.text
    assert HOOKS["testNotificationBasicAuthHeader"] not in page.text
    assert page.buttons(path) == ["start", "finish"]
    page = await press(admin, path, "start", ecc=person.candidate.ecc)
    assert "The test was started." in page.text
    assert page.buttons(path) == ["finish"]
    page = await press(admin, path, "finish", ecc=person.candidate.ecc)
    assert "The test was finished." in page.text
    assert "NormalSubmission" in page.text
    assert page.buttons(path) == []
    links = [values["href"] for values in page.all("a")]
    (pdf,) = [link for link in links if "download-candidate-report" in link]
    assert (await admin.get(pdf)).content.startswith(b"%PDF")
    await sandbox.deliveries.settled()
    assert [one.event_type for one in sandbox.deliveries] == [
        "startAssessment",
        "finishTest",
        "gradedAssessment",
    ]


async def test_an_expired_test_is_resumed(admin, person, sandbox):
    person.start()
    person.disconnect()
    page = await press(admin, "/admin/clock", "advance", seconds="1860")
    assert "The clock was put forward." in page.text
    path = path_of(person)
    assert read(await admin.get(path)).buttons(path) == ["resume"]
    page = await press(admin, path, "resume", ecc=person.candidate.ecc)
    assert "may go on" in page.text
    assert page.buttons(path) == ["start", "finish"]
    assert sandbox.deliveries[-1].event_type == "candidateTestResumed"


async def test_a_button_that_came_too_late_says_so(admin, person):
    path, ecc = path_of(person), person.candidate.ecc
    for action in ("resume", "nothing"):
        page = await press(admin, path, action, ecc=ecc)
        assert page.said() == ["note bad"]
    assert person.status == "ToBeTaken"
    person.start()
    page = await press(admin, path, "start", ecc=ecc)
    assert page.said() == ["note bad"]


@pytest.mark.parametrize("ecc", ["", "nobody"])
async def test_someone_who_is_not_there_is_not_found(admin, person, server, ecc):
    for path, whose in ((path_of(person), ecc), (f"/admin/schedules/{server.access_key}", None)):
        fields = {"action": "start", "ecc": person.candidate.ecc if whose is None else whose}
        assert (await admin.post(path, data=fields)).status_code == 404
    assert (await admin.get("/admin/schedules/nope")).status_code == 404
    assert person.status == "ToBeTaken"


async def test_deliveries_show_what_was_tried_and_are_sent_again(admin, person, sandbox, hook):
    hook.status = 500
    sandbox.delivery_rules.max_attempts = 2
    person.start()
    await sandbox.deliveries.settled()
    page = read(await admin.get("/admin/deliveries"))
    assert "1. startAssessment" in page.text
    assert "given up" in page.text
    assert page.text.count("HTTP 500") == 2
    assert HOOKS["testStartNotificationUrl"] in page.text
    assert '"email": "asha@example.com"' in page.text
    assert "hunter2" not in page.text
    assert HOOKS["testNotificationBasicAuthHeader"] not in page.text
    hook.status = 200
    page = await press(admin, "/admin/deliveries", "redeliver", number="1")
    assert "sent once more" in page.text
    await sandbox.deliveries.settled()
    assert sandbox.deliveries[0].state == "delivered"
    assert "delivered" in read(await admin.get("/admin/deliveries?q=delivered")).text
    assert hook.events == ["startAssessment"] * 3
    assert "None." in read(await admin.get("/admin/deliveries?q=nothing")).text


@pytest.mark.parametrize("number", ["", "0", "2", "-1", "x", "9" * 30])
async def test_a_delivery_that_is_not_there_is_not_found(admin, number):
    fields = {"action": "redeliver", "number": number}
    assert (await admin.post("/admin/deliveries", data=fields)).status_code == 404


RULES = {"max_attempts": "3", "first_delay": "0.5", "timeout": "4", "duplicates": "2", "hold": "7"}


async def test_the_rules_of_delivery_are_changed_together(admin, sandbox):
    page = await press(admin, "/admin/deliveries", "rules", **RULES, reorder="on")
    assert "rules of delivery were changed" in page.text
    rules = sandbox.delivery_rules
    assert (rules.max_attempts, rules.first_delay, rules.timeout) == (3, 0.5, 4.0)
    assert (rules.duplicates, rules.reorder, rules.hold) == (2.0, True, 7.0)
    values = {one["name"]: one.get("value") for one in page.all("input") if "name" in one}
    assert RULES.items() <= values.items()
    assert page.all("input", name="reorder")[0].keys() >= {"checked"}
    await press(admin, "/admin/deliveries", "rules", **RULES)
    assert not sandbox.delivery_rules.reorder


@pytest.mark.parametrize(
    "wrong",
    [{"max_attempts": "0"}, {"timeout": "0"}, {"duplicates": "-1"}, {"hold": "nan"}, {"hold": ""}],
)
async def test_rules_out_of_range_change_nothing(admin, sandbox, wrong):
    page = await press(admin, "/admin/deliveries", "rules", **(RULES | wrong))
    assert page.said() == ["note bad"]
    assert sandbox.delivery_rules.max_attempts == 8


async def test_faults_are_switched_on_and_off(admin, sandbox):
    assert "No faults." in read(await admin.get("/admin/faults")).text
    sandbox.faults.clock_skew = 3.0
    page = await press(admin, "/admin/faults", "Slow: 2 seconds for each request")
    assert sandbox.faults.latency == 2.0
    assert "latency 2 s" in " ".join(page.text.split())
    page = await press(admin, "/admin/faults", "Refuse the next with E607")
    assert "the next 1 request" in page.text
    await press(admin, "/admin/faults", "No faults")
    assert (sandbox.faults.latency, sandbox.faults.scripted, sandbox.faults.clock_skew) == (0, 0, 3)
    assert (await admin.post("/admin/faults", data={"action": "x"})).status_code == 404


async def test_every_button_of_faults_works(admin):
    for action in read(await admin.get("/admin/faults")).buttons():
        page = await press(admin, "/admin/faults", action)
        assert "The faults were changed." in page.text


async def test_a_fault_set_here_meets_the_api(admin, wire, sandbox):
    await press(admin, "/admin/faults", "Refuse the next with E607")
    details = [{"Email Address": "a@x.org", "First Name": "A"}]
    answer = await wire.register(sandbox.access_key, details)
    assert answer["error"]["code"] == "E607"


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"action": "1 minute on"}, 60),
        ({"action": "30 minutes on"}, 1800),
        ({"action": "1 day on"}, 86400),
        ({"action": "advance", "seconds": "1.5"}, 1.5),
        ({"action": "advance", "seconds": "-1"}, 0),
        ({"action": "advance", "seconds": "1e300"}, 0),
        ({"action": "advance", "seconds": "inf"}, 0),
        ({"action": "advance", "seconds": "x"}, 0),
        ({"action": "x"}, 0),
    ],
)
async def test_the_clock_goes_forward_by_what_was_asked(admin, sandbox, fields, seconds):
    page = await press(admin, "/admin/clock", **fields)
    assert sandbox.clock.ahead == seconds
    assert page.said() == (["note"] if seconds else ["note bad"])


async def test_the_clock_stays_in_this_century(admin, sandbox):
    for _ in range(12):
        await press(admin, "/admin/clock", "advance", seconds=str(10 * 365 * 86400))
    assert sandbox.clock.now() < 4102444800


async def test_the_pace_of_grading_is_changed(admin, sandbox):
    page = await press(admin, "/admin/clock", "pace", grade_delay="60", report_delay="90.5")
    assert (sandbox.pace.grade_delay, sandbox.pace.report_delay) == (60, 90.5)
    assert page.all("input", name="grade_delay")[0]["value"] == "60"
    page = await press(admin, "/admin/clock", "pace", grade_delay="1", report_delay="")
    assert page.said() == ["note bad"]
    assert sandbox.pace.grade_delay == 60


async def test_long_lists_come_in_parts(admin, wire, sandbox):
    schedule = sandbox.add_schedule("Many")
    for first in range(0, 220, 20):
        people = [
            {"Email Address": f"c{n}@x.org", "First Name": f"C{n}"}
            for n in range(first, first + 20)
        ]
        await wire.register(schedule.access_key, people)
    path = f"/admin/schedules/{schedule.access_key}"
    page = read(await admin.get(path))
    assert len(page.all("li")) == ROWS
    assert "1 to 200 of 220" in page.text
    (onward,) = [one["href"] for one in page.all("a") if "p=" in one["href"]]
    page = read(await admin.get(onward))
    assert len(page.all("li")) == 20
    assert "201 to 220 of 220" in page.text
    for p in ("0", "99", "-1", "x", "9" * 40, "²"):
        assert (await admin.get(path, params={"p": p})).status_code == 200
    page = read(await admin.get(path, params={"q": "C219@"}))
    assert len(page.all("li")) == 1
    ecc = sandbox.candidates["c219@x.org"].candidate.ecc
    page = await press(admin, path, "start", ecc=ecc, q="c219@")
    assert len(page.all("li")) == 1


async def test_what_a_page_says_comes_from_no_address(admin):
    answer = await admin.get("/admin", params={"done": "<b>x</b>", "refused": "y", "q": '"><b>'})
    page = read(answer)
    assert page.said() == []
    assert page.all("input", type="search")[0]["value"] == '"><b>'


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/admin", "/admin/deliveries", "/admin/faults", "/admin/clock"])
async def test_another_name_for_this_machine_is_refused(admin, sandbox, host, path):
    for method in ("GET", "POST"):
        answer = await admin.request(
            method, path, headers={"host": host}, data={"action": "1 day on"}
        )
        assert answer.status_code == 403
        assert "only to this machine" in read(answer).text
    assert sandbox.clock.ahead == 0


async def test_other_loopback_names_are_served(admin, server):
    port = server.base_url.rpartition(":")[2]
    for host in (f"localhost:{port}", "mettl.localhost", f"127.0.0.1:{port}", "[::1]"):
        assert (await admin.get("/admin", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
async def test_a_form_of_another_site_changes_nothing(admin, sandbox, person, headers):
    posts = [
        ("/admin/clock", {"action": "1 day on"}),
        ("/admin/faults", {"action": "One request in ten fails"}),
        ("/admin/deliveries", {"action": "rules", **RULES}),
        (path_of(person), {"action": "start", "ecc": person.candidate.ecc}),
    ]
    for path, fields in posts:
        assert (await admin.post(path, data=fields, headers=headers)).status_code == 403
    assert sandbox.clock.ahead == 0
    assert sandbox.faults.latency == 0
    assert sandbox.delivery_rules.max_attempts == 8
    assert person.status == "ToBeTaken"


async def test_every_webhook_of_a_schedule_is_shown_by_its_event(admin, person):
    page = read(await admin.get(path_of(person)))
    for event_type, key in URL_PROPERTIES.items():
        assert f"{event_type}: {HOOKS[key]}" in page.text
