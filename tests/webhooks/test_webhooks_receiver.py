"""The receiver over HTTP: who is believed, and what is answered."""

import json
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from asgi_calls import PASSWORD, USERNAME, basic, call, http_scope, parts
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Route

from mettl_async import ConfigurationError, InvalidInputError
from mettl_async.webhooks import (
    AllowedNetworks,
    BasicAuth,
    BasicAuthVerifier,
    ContextDataError,
    ContextSigner,
    Handled,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
    WebhookReceiver,
    parse_event,
    sample_event,
)

AUTH = BasicAuth(username=USERNAME, password=PASSWORD)
WHO = {"access_key": "a1b2c3", "email": "asha.rao@example.org"}
GRADED = sample_event(TestGraded, **WHO)
KINDS = [TestStarted, TestFinished, TestGraded, TestResumeEnabled, UnknownEvent]
SECRET = "a made up secret of the context"
NOW = 1_700_000_000.0


def receiver_of(*kinds, **given):
    """A receiver and the list of what its handler got."""
    receiver, came = WebhookReceiver(**{"auth": AUTH, **given}), []

    async def handler(event):
        came.append(event)

    for kind in kinds or (TestEvent, UnknownEvent):
        receiver.on(kind)(handler)
    return receiver, came


# --- what is answered -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_event_reaches_its_handler_once(kind):
    receiver, came = receiver_of(kind)
    body = sample_event(kind, **WHO)
    for _ in range(2):
        answer = await call(receiver, body)
        assert (answer.status, answer.body) == (200, b"")
    assert came == [parse_event(body)]
    assert type(came[0]) is kind


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "BREW"])
async def test_only_post_is_served(method):
    receiver, came = receiver_of()
    answer = await call(receiver, GRADED, method=method)
    assert (answer.status, answer.headers[b"allow"]) == (405, b"POST")
    assert not came


WRONG_CREDENTIALS = {
    "none": [],
    "wrong password": [(b"authorization", basic(f"{USERNAME}:sesame-open-u"))],
    "wrong user": [(b"authorization", basic(f"acm:{PASSWORD}"))],
    "truncated": [(b"authorization", basic()[:-3])],
    "only a scheme": [(b"authorization", b"Basic")],
    "another scheme": [(b"authorization", b"Bearer " + basic()[6:])],
    "not base64": [(b"authorization", b"Basic \xff\xfe\x00")],
    "non-ASCII": [(b"authorization", basic("acmé:sésame"))],
    "oversized": [(b"authorization", basic("a" * 1_000_000))],
    "in the vendor's other headers": [
        (b"php-auth-user", USERNAME.encode()), (b"php-auth-pw", PASSWORD.encode()),
    ],
    "two, the first is right": [(b"authorization", basic()), (b"authorization", b"x")],
    "two, the last is right": [(b"authorization", b"x"), (b"authorization", basic())],
}  # fmt: skip


@pytest.mark.parametrize("headers", WRONG_CREDENTIALS.values(), ids=WRONG_CREDENTIALS)
async def test_wrong_credentials_are_refused_before_the_body_is_read(headers):
    receiver, came = receiver_of()
    # Nothing to read: reading would wait for ever.
    with anyio.fail_after(5):
        answer = await call(receiver, messages=[], headers=headers)
    assert answer.status == 401
    assert answer.headers[b"www-authenticate"].startswith(b"Basic realm=")
    assert not came


async def test_old_and_new_credentials_are_both_accepted_during_a_rotation():
    new = BasicAuth(username=USERNAME, password="another-one")
    receiver, _ = receiver_of(auth=[new, AUTH])
    for text in (f"{USERNAME}:{PASSWORD}", f"{USERNAME}:another-one"):
        assert (
            await call(receiver, GRADED, headers=[(b"authorization", basic(text))])
        ).status == 200


async def test_without_credentials_only_when_that_was_said():
    receiver, came = receiver_of(auth=None)
    assert (await call(receiver, GRADED, headers=[])).status == 200
    assert came
    with pytest.raises(TypeError, match="auth"):
        WebhookReceiver()


@pytest.mark.parametrize(
    ("client", "status"),
    [
        (("203.0.113.7", 1), 200),
        (("::ffff:203.0.113.7", 1), 200),
        (("198.51.100.1", 1), 403),
        (("testclient", 1), 403),
        (None, 403),
    ],
)
async def test_only_peers_of_the_allowed_networks_may_deliver(client, status):
    receiver, _ = receiver_of(networks=["203.0.113.0/24"])
    claimed = [(b"authorization", basic()), (b"x-forwarded-for", b"203.0.113.7")]
    answer = await call(receiver, GRADED, client=client, headers=claimed)
    assert answer.status == status


async def test_an_empty_list_of_networks_allows_nobody():
    for networks, status in (([], 403), (AllowedNetworks([]), 403), (None, 200)):
        receiver, _ = receiver_of(networks=networks)
        assert (await call(receiver, GRADED)).status == status


async def test_ready_made_checks_are_taken_as_they_are():
    receiver, _ = receiver_of(
        auth=BasicAuthVerifier([AUTH]), networks=AllowedNetworks(["203.0.113.0/24"])
    )
    assert (await call(receiver, GRADED)).status == 200
    assert (await call(receiver, GRADED, headers=[])).status == 401
    assert (await call(receiver, GRADED, client=("198.51.100.1", 1))).status == 403


@pytest.mark.parametrize("wrong", [{"auth": 7}, {"auth": object()}, {"networks": 7}])
def test_what_are_no_checks_is_refused(wrong):
    with pytest.raises(InvalidInputError, match=f"{next(iter(wrong))}: is a "):
        WebhookReceiver(**{"auth": AUTH, **wrong})


async def test_the_order_of_the_checks():
    receiver, _ = receiver_of(networks=["203.0.113.0/24"], max_body=10)
    far = {"client": ("198.51.100.1", 1)}
    long = (b"content-length", b"11")
    nobody = {"headers": [long]}
    somebody = {"headers": [(b"authorization", basic()), long]}
    assert (await call(receiver, messages=[], method="GET", **far, **nobody)).status == 405
    assert (await call(receiver, messages=[], **far, **nobody)).status == 403
    assert (await call(receiver, messages=[], **nobody)).status == 401
    assert (await call(receiver, messages=[], **somebody)).status == 413


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"1000000000", 413), (b"9" * 5000, 413), (b"0" * 5000 + b"1", 200), (b"5", 200),
        (b"-1", 400), (b"", 400), (b"1e3", 400), ("٣".encode(), 400), (b"\xb2", 400),
    ],
)  # fmt: skip
async def test_a_lying_content_length_helps_nobody(length, status):
    receiver, _ = receiver_of()
    headers = [(b"authorization", basic()), (b"content-length", length)]
    assert (await call(receiver, GRADED, headers=headers)).status == status


async def test_a_body_counts_by_what_comes_and_not_by_what_was_said():
    receiver, came = receiver_of(max_body=len(GRADED))
    headers = [(b"authorization", basic()), (b"content-length", b"5")]
    exact = parts(*(GRADED[i : i + 100] for i in range(0, len(GRADED), 100)))
    assert (await call(receiver, messages=exact, headers=headers)).status == 200
    read = []

    def endless():
        while True:
            read.append(1)
            yield {"type": "http.request", "body": b" " * 1000, "more_body": True}

    answer = await call(receiver, messages=endless())
    assert (answer.status, answer.headers[b"connection"]) == (413, b"close")
    assert len(read) == len(GRADED) // 1000 + 1
    assert len(came) == 1


async def test_http_2_gets_no_connection_header():
    receiver, _ = receiver_of(max_body=10)
    answer = await call(receiver, GRADED, http_version="2")
    assert answer.status == 413
    assert b"connection" not in answer.headers


@pytest.mark.parametrize("first", [[], parts(b"{", b"")[:1]], ids=["nothing", "a part"])
async def test_a_body_that_does_not_come_in_time_ends_in_408(first):
    receiver, _ = receiver_of(read_timeout=0.01)
    answer = await call(receiver, messages=first)
    assert (answer.status, answer.headers[b"connection"]) == (408, b"close")


async def test_a_trickle_of_a_body_is_too_slow_as_a_whole():
    receiver, _ = receiver_of(read_timeout=0.05)

    async def receive():
        await anyio.sleep(0.005)
        return {"type": "http.request", "body": b" ", "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    with anyio.fail_after(5):
        await receiver(http_scope(), receive, send)
    assert sent[0]["status"] == 408


async def test_a_client_that_leaves_amid_its_body_is_answered_all_the_same(all_logs):
    receiver, came = receiver_of()
    gone = [*parts(GRADED[:50], b"")[:1], {"type": "http.disconnect"}]
    answer = await call(receiver, messages=gone)
    assert (answer.status, answer.headers[b"connection"]) == (400, b"close")
    assert any("400: the client left before the whole body came" in line for line in all_logs)
    assert not came


async def test_a_client_that_leaves_breaks_no_middleware():
    receiver, _ = receiver_of()

    async def through(request, call_next):
        return await call_next(request)

    app = Starlette(
        routes=[Route("/hooks", receiver)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=through)],
    )
    gone = [*parts(GRADED[:50], b"")[:1], {"type": "http.disconnect"}]
    assert (await call(app, messages=gone)).status == 400  # it raised "No response returned."


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b"null", b"<html>", GRADED[:-1]], ids=lambda body: body[:6]
)
async def test_what_is_no_event_is_refused_with_400(body):
    receiver, came = receiver_of()
    assert (await call(receiver, body)).status == 400
    assert not came


async def test_an_event_without_a_handler_is_accepted_and_not_marked():
    receiver, came = receiver_of(TestFinished)
    assert (await call(receiver, GRADED)).status == 200
    assert not came

    @receiver.on(TestGraded)
    async def graded(event):
        came.append(event)

    assert (await call(receiver, GRADED)).status == 200
    assert len(came) == 1


async def test_an_unreadable_event_of_a_known_type_is_not_lost_in_silence(all_logs):
    receiver, came = receiver_of(TestEvent)
    body = json.dumps({**json.loads(GRADED), "email": ["asha.rao@example.org"]}).encode()
    assert (await call(receiver, body)).status == 400
    problem = "$.email: expected str, got array"
    assert any("WARNING" in line and f"gradedAssessment can't be read: {problem}" in line for line in all_logs)  # fmt: skip
    assert not any("asha.rao" in line for line in all_logs)
    assert (await call(receiver, sample_event(UnknownEvent, **WHO))).status == 200
    assert not came

    receiver, came = receiver_of(UnknownEvent)
    assert (await call(receiver, body)).status == 200
    assert [event.problem for event in came] == [problem]


async def test_a_receiver_without_any_handler_accepts_nothing():
    receiver = WebhookReceiver(auth=AUTH)
    assert (await call(receiver, GRADED)).status == 503


# --- context_data -----------------------------------------------------------------------------------


def signed(**changed):
    given = {"expires_in": timedelta(seconds=60), "now": NOW, **WHO, **changed}
    return ContextSigner([SECRET]).sign("applicant-7", **given)


CONTEXTS = {
    "ours": (signed(), 200, 200),
    "none": (None, 200, 401),
    "never signed": ('{"token": "abc"}', 200, 401),
    "expired": (signed(now=NOW - 61), 401, 401),
    "of another candidate": (signed(email="b@example.org"), 401, 401),
    "of another schedule": (signed(access_key="zzz"), 401, 401),
    "of another secret": (
        ContextSigner([SECRET[::-1]]).sign("applicant-7", **WHO),
        401,
        401,
    ),
}


@pytest.mark.parametrize(("text", "wanted", "required"), CONTEXTS.values(), ids=CONTEXTS)
async def test_context_data_is_believed_only_for_its_candidate(text, wanted, required):
    for require, status in ((False, wanted), (True, required)):
        receiver, came = receiver_of(
            context=ContextSigner([SECRET]), require_context=require, clock=lambda: NOW
        )
        body = sample_event(TestGraded, context_data=text, **WHO)
        assert (await call(receiver, body)).status == status
        assert [event.context is not None for event in came] == (
            [] if status == 401 else [text == CONTEXTS["ours"][0]]
        )
        if came and came[0].context:
            assert came[0].context.own_id == "applicant-7"


async def test_a_reconciled_event_needs_a_context_that_was_valid_when_it_happened():
    receiver, came = receiver_of(
        context=ContextSigner([SECRET]), require_context=True, clock=lambda: NOW + 9e6
    )
    at = datetime.fromtimestamp(NOW + 30, UTC)
    facts = {"context_data": signed(), "timestamp": at, "reconciled": True, **WHO}
    assert await receiver.handle(TestStarted(**facts)) is Handled.HANDLED
    assert came[0].context.own_id == "applicant-7"
    for wrong in ({"context_data": None}, {"reconciled": False}, {"email": "b@example.org"}):
        with pytest.raises(ContextDataError):
            await receiver.handle(TestStarted(**{**facts, **wrong}))


# --- other scopes -----------------------------------------------------------------------------------


async def driven(scope_type, *came):
    sent, waiting = [], list(came)

    async def receive():
        return {"type": waiting.pop(0)}

    async def send(message):
        sent.append(message)

    receiver, _ = receiver_of()
    await receiver({"type": scope_type}, receive, send)
    return sent


async def test_the_lifespan_is_answered_and_a_websocket_refused():
    sent = await driven("lifespan", "lifespan.startup", "lifespan.shutdown")
    assert [one["type"] for one in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    refusal = {"type": "websocket.close", "code": 1008, "reason": ""}  # 1008: against the policy
    assert await driven("websocket", "websocket.connect") == [refusal]
    with pytest.raises(ConfigurationError, match="http and lifespan"):
        await driven("carrier-pigeon")


async def test_a_client_that_is_gone_before_the_answer_changes_nothing():
    receiver, came = receiver_of()

    async def receive():
        return parts(GRADED)[0]

    async def send(_):
        raise BrokenPipeError

    await receiver(http_scope(), receive, send)
    assert len(came) == 1
    assert (await call(receiver, GRADED)).status == 200
    assert len(came) == 1


# --- arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"max_body": 0}, "max_body"), ({"read_timeout": 0}, "read_timeout"),
        ({"handler_timeout": float("nan")}, "handler_timeout"), ({"busy_wait": -1}, "busy_wait"),
        ({"handler_timeout": 60.0}, "lease"), ({"require_context": True}, "ContextSigner"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(wrong, named):
    with pytest.raises(ConfigurationError, match=named):
        WebhookReceiver(auth=AUTH, **wrong)
    with pytest.raises(InvalidInputError):
        WebhookReceiver(auth=[])


async def test_only_events_are_handled():
    receiver, _ = receiver_of()
    with pytest.raises(InvalidInputError, match="event"):
        await receiver.handle(GRADED)
