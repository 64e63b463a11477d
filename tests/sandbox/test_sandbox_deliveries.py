"""How webhooks are sent: order, repeats, doubles and what a receiver sees."""

import asyncio
import base64
import json
import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mettl_async.sandbox import DeliveryRules, Sandbox
from mettl_async.sandbox.server import listening

START = 1723814053.0
KEYS = (
    "testStartNotificationUrl",
    "testFinishNotificationUrl",
    "testGradedNotificationUrl",
    "testResumeEnabledForExpiredTestURL",
)
ALL = ["startAssessment", "finishTest", "gradedAssessment"]


class Receiver:
    """Answers with the statuses of a script, then 200; keeps what came."""

    def __init__(self):
        self.got, self.script, self.entered = [], [], asyncio.Event()
        self.app = Starlette(routes=[Route("/hook", self.hook, methods=["POST"])])

    async def hook(self, request):
        self.got.append((json.loads(await request.body()), dict(request.headers)))
        self.entered.set()
        step = self.script.pop(0) if self.script else 200
        if step == "raise":
            raise RuntimeError("asha@example.com")
        if step == "hang":
            await asyncio.Event().wait()
        if step == "redirect":
            return RedirectResponse("/hook", status_code=307)
        return Response(b"x" * 100_000, status_code=step)

    def types(self, email=None):
        return [body["EVENT_TYPE"] for body, _ in self.got if email in (None, body["email"])]


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def sandbox(receiver):
    return Sandbox(clock=lambda: START, webhook_transport=httpx.ASGITransport(receiver.app))


async def hooked(sandbox, make_caller, emails=("asha@example.com",), *, url=None, auth=None):
    """Register people in a schedule with all webhooks; gives its key."""
    settings = dict.fromkeys(KEYS, url or "https://app.example/hook")
    if auth is not None:
        settings["testNotificationBasicAuthHeader"] = auth
    key = sandbox.add_schedule("Hooked", settings=settings).access_key
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        caller = make_caller(client, "https://x.org", sandbox.credentials, sandbox.clock.now)
        await caller.register(key, [{"Email Address": e, "First Name": "A"} for e in emails])
    return key


@pytest.fixture
async def person(sandbox, make_caller):
    await hooked(sandbox, make_caller)
    return sandbox.candidates["asha@example.com"]


def states(sandbox):
    return [one.state for one in sandbox.deliveries]


async def test_they_arrive_in_order_and_once(sandbox, receiver, person):
    person.finish()
    assert states(sandbox) == ["pending"] * 3
    await sandbox.deliveries.settled()
    assert receiver.types() == ALL
    assert states(sandbox) == ["delivered"] * 3
    assert [[a.status for a in one.attempts] for one in sandbox.deliveries] == [[200]] * 3
    await sandbox.deliveries.settled()
    assert len(receiver.got) == 3
    _, headers = receiver.got[0]
    assert headers["content-type"] == "application/json"
    assert {"authorization", "php-auth-user", "php-auth-pw"}.isdisjoint(headers)


async def test_what_is_not_a_success_is_tried_again_in_order(sandbox, receiver, person):
    receiver.script = [500, "redirect", 404, "raise", 204]
    person.finish()
    await sandbox.deliveries.settled()
    assert receiver.types() == ["startAssessment"] * 5 + ALL[1:]
    first = sandbox.deliveries[0]
    assert [a.status or a.problem for a in first.attempts] == [500, 307, 404, "RuntimeError", 204]
    assert states(sandbox) == ["delivered"] * 3


async def test_the_waits_grow_by_the_sandboxs_clock(sandbox, receiver, person):
    sandbox.delivery_rules = DeliveryRules(max_attempts=4, first_delay=2.0)
    receiver.script = [500] * 4
    person.start()
    waits, tries = [], 0
    while states(sandbox) == ["pending"]:
        await sandbox.deliveries.settled(skip_waits=False)
        assert len(receiver.got) == tries + 1
        tries += 1
        waits.append(sandbox.deliveries[0].due_at - sandbox.clock.now())
        sandbox.clock.advance(max(0.0, waits[-1] - 0.5))
        await sandbox.deliveries.settled(skip_waits=False)
        assert len(receiver.got) == tries  # half a second early
        sandbox.clock.advance(0.5)
    assert waits[:3] == [2, 4, 8]
    assert states(sandbox) == ["given up"]


async def test_settled_skips_waits_and_leaves_the_clock_alone(sandbox, receiver, person):
    receiver.script = [500] * 4
    person.start()
    before = sandbox.clock.now()
    await sandbox.deliveries.settled()
    assert sandbox.clock.now() == before
    assert states(sandbox) == ["delivered"]


async def test_one_that_is_given_up_lets_the_next_through_and_comes_again_when_asked(
    sandbox, receiver, person
):
    receiver.script = [503] * 8
    person.finish()
    await sandbox.deliveries.settled()
    assert states(sandbox) == ["given up", "delivered", "delivered"]
    assert len(sandbox.deliveries[0].attempts) == 8
    receiver.got.clear()
    receiver.script = [503]
    assert sandbox.deliveries.redeliver(1).state == "pending"
    await sandbox.deliveries.settled()
    assert receiver.types() == ["startAssessment"] * 2
    assert (states(sandbox), len(sandbox.deliveries)) == (["delivered"] * 3, 3)
    assert len(sandbox.deliveries[0].attempts) == 10
    sandbox.deliveries.redeliver(2)
    sandbox.deliveries.redeliver(2)
    await sandbox.deliveries.settled()
    assert receiver.types() == ["startAssessment"] * 2 + ["finishTest"]
    for wrong in (0, -1, 4):
        with pytest.raises(KeyError):
            sandbox.deliveries.redeliver(wrong)


async def test_one_candidates_trouble_is_not_anothers(sandbox, receiver, make_caller):
    await hooked(sandbox, make_caller, ("a@x.org", "b@x.org"))
    receiver.script = [500]
    sandbox.candidates["a@x.org"].finish()
    sandbox.candidates["b@x.org"].finish()
    await sandbox.deliveries.settled(skip_waits=False)
    assert receiver.types("a@x.org") == ["startAssessment"]
    assert receiver.types("b@x.org") == ALL
    sandbox.clock.advance(1)
    await sandbox.deliveries.settled(skip_waits=False)
    assert receiver.types("a@x.org") == ["startAssessment", *ALL]


@pytest.mark.parametrize(("duplicates", "expected"), [(0.0, 3), (1.0, 6), (2.0, 9)])
async def test_doubles_come_when_asked_for(sandbox, receiver, person, duplicates, expected):
    sandbox.delivery_rules.duplicates = duplicates
    person.finish()
    await sandbox.deliveries.settled()
    assert len(receiver.got) == expected
    copies = int(duplicates) + 1
    assert receiver.types() == [kind for kind in ALL for _ in range(copies)]
    assert len({json.dumps(body) for body, _ in receiver.got}) == 3
    assert sum(one.duplicate_of is None for one in sandbox.deliveries) == 3


async def test_a_share_of_doubles_is_a_share(sandbox, make_caller):
    people = [f"p{number}@x.org" for number in range(20)]
    await hooked(sandbox, make_caller, people)
    sandbox.delivery_rules.duplicates = 0.5
    for one in sandbox.candidates:
        one.finish()
    doubles = sum(one.duplicate_of is not None for one in sandbox.deliveries)
    assert 15 < doubles < 45


async def test_the_order_is_turned_when_asked_for(sandbox, receiver, person):
    sandbox.delivery_rules.reorder = True
    person.finish()
    assert states(sandbox) == ["held"] * 3
    await sandbox.deliveries.settled(skip_waits=False)
    assert receiver.got == []
    sandbox.clock.advance(sandbox.delivery_rules.hold)
    await sandbox.deliveries.settled(skip_waits=False)
    assert receiver.types() == ALL[::-1]


async def test_settled_lets_go_what_is_held(sandbox, receiver, person):
    sandbox.delivery_rules = DeliveryRules(reorder=True, duplicates=1)
    person.finish()
    receiver.script = [500]
    await sandbox.deliveries.settled()
    assert (
        receiver.types() == ["gradedAssessment"] * 3 + ["finishTest"] * 2 + ["startAssessment"] * 2
    )


def pair(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("auth", "user", "password"),
    [
        ("dXNlcm5hbWU6cGFzc3dvcmQ=", "username", "password"),  # of the vendor's page
        (pair("ü", "a:b:ß"), "ü", "a:b:ß"),
        (pair("", ""), "", ""),
        ("not base64", None, None),
        (base64.b64encode(b"nocolon").decode(), None, None),
        (base64.b64encode(b"\xff:\xff").decode(), None, None),
        (pair("a\r\nx-evil: 1", "b"), None, None),
    ],
)
async def test_credentials_come_in_three_headers(
    sandbox, receiver, make_caller, auth, user, password
):
    await hooked(sandbox, make_caller, auth=auth)
    sandbox.candidates["asha@example.com"].start()
    await sandbox.deliveries.settled()
    _, headers = receiver.got[0]
    assert headers["authorization"] == f"Basic {auth}"
    found = [headers.get(name) for name in ("php-auth-user", "php-auth-pw")]
    assert [one and one.encode("latin-1").decode() for one in found] == [user, password]
    assert "x-evil" not in headers
    assert auth not in repr(sandbox.deliveries[0])


async def test_a_slow_receiver_costs_no_more_than_the_timeout(sandbox, receiver, person):
    sandbox.delivery_rules = DeliveryRules(timeout=0.05, max_attempts=2)
    receiver.script = ["hang"]
    person.start()
    await sandbox.deliveries.settled()
    assert [a.problem for a in sandbox.deliveries[0].attempts] == ["TimeoutError", None]


async def test_settled_takes_no_longer_than_it_may(sandbox, receiver, person):
    receiver.script = ["hang"]
    person.start()
    with pytest.raises(TimeoutError):
        await sandbox.deliveries.settled(timeout=0.05)
    assert (states(sandbox), sandbox.deliveries[0].attempts) == (["pending"], ())
    await sandbox.deliveries.settled()
    assert states(sandbox) == ["delivered"]


async def test_logs_show_neither_people_nor_urls_nor_secrets(
    sandbox, receiver, make_caller, caplog
):
    caplog.set_level(logging.DEBUG)
    await hooked(
        sandbox, make_caller, url="https://app.example/hook?token=tok123", auth=pair("u", "pw123")
    )
    receiver.script = ["raise", 500]
    sandbox.candidates["asha@example.com"].finish()
    await sandbox.deliveries.settled()
    said = [r.getMessage() for r in caplog.records if r.name.startswith(("mettl", "http"))]
    said = "\n".join(line for line in said if "x.org" not in line)  # the registration, by httpx
    assert "webhook 1 (startAssessment): RuntimeError" in said
    for secret in ("asha", "tok123", "pw123", pair("u", "pw123"), "app.example"):
        assert secret not in said


@pytest.mark.parametrize("url", ["http://", "https://[", "ftp://x", "http://a b/", "http:///x"])
async def test_a_url_that_is_none_is_given_up(make_caller, url):
    sandbox = Sandbox(clock=lambda: START)
    await hooked(sandbox, make_caller, url=url)
    sandbox.candidates["asha@example.com"].start()
    await sandbox.deliveries.settled()
    assert states(sandbox) == ["given up"]


async def test_nobody_at_the_other_end_is_given_up(make_caller):
    sandbox = Sandbox(clock=lambda: START)
    async with listening(Receiver().app, "127.0.0.1", 0) as url:
        pass
    await hooked(sandbox, make_caller, url=f"{url}/hook")
    sandbox.candidates["asha@example.com"].start()
    await sandbox.deliveries.settled()
    assert states(sandbox) == ["given up"]
    assert {a.problem for a in sandbox.deliveries[0].attempts} == {"ConnectError"}


async def test_over_a_socket_they_go_out_while_it_is_served(receiver, make_caller):
    sandbox = Sandbox()
    async with listening(receiver.app, "127.0.0.1", 0) as url, sandbox.serve() as server:
        key = sandbox.add_schedule("H", settings=dict.fromkeys(KEYS, f"{url}/hook")).access_key
        async with httpx.AsyncClient() as client:
            caller = make_caller(client, server.base_url, server.credentials)
            people = [{"Email Address": f"p{n}@x.org", "First Name": "P"} for n in range(40)]
            for some in (people[:20], people[20:]):
                await caller.register(key, some)
            receiver.script = [500, 200, 500]
            sandbox.delivery_rules.first_delay = 0.01
            for one in sandbox.candidates:
                one.finish()
            async with asyncio.timeout(20):
                while not all(one.state == "delivered" for one in sandbox.deliveries):  # noqa: ASYNC110 - as users look
                    await asyncio.sleep(0.01)
            report = await client.get(receiver.got[-1][0]["testStatus"]["htmlReport"])
            assert "Score" in report.text
    # More than a pool has connections, and every answer longer than is read of it.
    assert len(receiver.got) == 122
    for number in range(40):
        kinds = receiver.types(f"p{number}@x.org")
        assert list(dict.fromkeys(kinds)) == ALL


async def test_settled_works_beside_a_sandbox_that_is_served(receiver, make_caller):
    sandbox = Sandbox()
    sandbox.delivery_rules.first_delay = 3600.0
    async with listening(receiver.app, "127.0.0.1", 0) as url, sandbox.serve():
        await hooked(sandbox, make_caller, url=f"{url}/hook")
        receiver.script = [500, 500]
        sandbox.candidates["asha@example.com"].finish()
        await sandbox.deliveries.settled()
        assert receiver.types() == ["startAssessment"] * 3 + ALL[1:]


async def test_what_is_on_its_way_at_the_end_stays_to_be_sent(receiver, make_caller):
    sandbox = Sandbox()
    receiver.script = ["hang"]
    async with listening(receiver.app, "127.0.0.1", 0) as url:
        async with sandbox.serve():
            await hooked(sandbox, make_caller, url=f"{url}/hook")
            sandbox.candidates["asha@example.com"].finish()
            await asyncio.wait_for(receiver.entered.wait(), 10)
        assert states(sandbox) == ["pending"] * 3
        await sandbox.deliveries.settled()
    assert receiver.types() == ["startAssessment", *ALL]


async def test_another_event_loop_may_go_on(sandbox, receiver, person):
    person.start()
    await sandbox.deliveries.settled()
    person.finish()
    await asyncio.to_thread(asyncio.run, sandbox.deliveries.settled())
    assert receiver.types() == ALL


def test_rules_are_checked():
    for wrong in (
        {"max_attempts": 0},
        {"max_attempts": 1001},
        {"first_delay": -1},
        {"timeout": 0},
        {"duplicates": -0.5},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DeliveryRules(**wrong)
    rules = DeliveryRules()
    with pytest.raises(ValueError, match="max_attempts"):
        rules.max_attempts = 1100
