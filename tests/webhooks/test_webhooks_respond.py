"""Any framework: one request in, one answer out, with ``await`` and without."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from asgi_calls import PASSWORD, USERNAME, basic
from asgiref.sync import sync_to_async
from werkzeug.datastructures import Headers

from mettl_async.errors import ConfigurationError, HandlerCancelledError, InvalidInputError
from mettl_async.webhooks import (
    BasicAuth,
    ContextDataError,
    ContextSigner,
    EventDecodeError,
    HttpAnswer,
    RefusedDeliveryError,
    TestGraded,
    WebhookReceiver,
    parse_event,
    run_sync,
    sample_event,
)

WHO = {"access_key": "a1b2c3", "email": "asha.rao@example.org"}
GRADED = sample_event(TestGraded, **WHO)
RIGHT = {"Authorization": basic().decode(), "Content-Type": "application/json"}
CHALLENGE = {
    "content-type": "text/plain",
    "www-authenticate": 'Basic realm="webhooks", charset="UTF-8"',
}


def receiver_of(**given):
    auth = BasicAuth(username=USERNAME, password=PASSWORD)
    receiver, came = WebhookReceiver(**{"auth": auth, **given}), []

    @receiver.on(TestGraded)
    async def store(event):
        came.append((event, threading.current_thread(), asyncio.get_running_loop()))

    return receiver, came


async def in_parts(body, size=100):
    for start in range(0, len(body), size):
        yield body[start : start + size]


def never():
    raise AssertionError("the body was read")


async def unread():
    yield never()


class Unread:
    def read(self, _):
        never()


async def answer_of(receiver, *args, sync):
    """Call either entry, the one for sync code in a thread as a framework does."""
    if sync:
        return await asyncio.to_thread(receiver.respond_sync, *args)
    return await receiver.respond(*args)


BOTH = pytest.mark.parametrize("sync", [False, True], ids=["respond", "respond_sync"])
HEADERS = {
    "a mapping": RIGHT,
    "pairs": list(RIGHT.items()),
    "an iterator": iter(RIGHT.items()),
    "bytes": [(name.encode(), value.encode()) for name, value in RIGHT.items()],
    "of werkzeug": Headers(RIGHT),
    "capitals": {name.upper(): value for name, value in RIGHT.items()},
    "lists": {name: [value] for name, value in RIGHT.items()},
    "lists of bytes": [(name, (value.encode(),) * 2) for name, value in RIGHT.items()],
    "None": {**RIGHT, "Content-Length": None, "X-Other": 5},
}


@BOTH
async def test_an_answer_unpacks_into_status_headers_and_body(sync):
    receiver, came = receiver_of()
    for _ in range(2):
        status, headers, body = await answer_of(receiver, "POST", RIGHT, GRADED, sync=sync)
        assert (status, headers, body) == (200, {}, b"")
    assert [one[0] for one in came] == [parse_event(GRADED)]
    answer = await answer_of(receiver, "GET", RIGHT, sync=sync)
    assert answer == HttpAnswer(
        405, {"content-type": "text/plain", "allow": "POST"}, b"only POST is served"
    )


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
async def test_headers_come_as_any_framework_has_them(headers):
    receiver, came = receiver_of()
    assert (await receiver.respond("POST", headers, GRADED)).status == 200
    assert came


@pytest.mark.parametrize(
    "body",
    [GRADED, bytearray(GRADED), memoryview(GRADED), in_parts(GRADED), io.BytesIO(GRADED)],
    ids=["bytes", "bytearray", "memoryview", "parts", "file"],
)
async def test_a_body_comes_as_any_framework_has_it(body):
    receiver, came = receiver_of()
    assert (await receiver.respond("POST", RIGHT, body)).status == 200
    assert came[0][0] == parse_event(GRADED)


@BOTH
@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic eA=="}])
async def test_no_body_is_read_before_the_credentials_are_right(headers, sync):
    receiver, _ = receiver_of()
    body = Unread() if sync else unread()
    wrong = await answer_of(receiver, "POST", headers, body, sync=sync)
    assert wrong == (401, CHALLENGE, b"no credentials, or wrong ones")


CAUSES = {
    "no authorization header came": [],
    "two different authorization headers came": [
        ("authorization", basic()),
        ("authorization", b"x"),
    ],
    "the authorization header is not of Basic auth": [("authorization", "Bearer eA==")],
    "the user or the password is wrong": [("authorization", "Basic eA==")],
}


@pytest.mark.parametrize(("problem", "headers"), CAUSES.items(), ids=CAUSES)
async def test_the_log_says_which_credentials_came_and_the_answer_does_not(
    problem, headers, caplog
):
    receiver, _ = receiver_of()
    answer = await receiver.respond("POST", headers, unread())
    assert answer.body == b"no credentials, or wrong ones"
    assert [one.getMessage() for one in caplog.records] == [f"401: {problem}"]


@BOTH
async def test_a_body_is_read_within_its_bounds(sync):
    receiver, came = receiver_of(max_body=len(GRADED), read_timeout=0.05)
    for body, status in ((GRADED, 200), (GRADED + b" ", 413)):
        for given in (body, io.BytesIO(body)):
            assert (await answer_of(receiver, "POST", RIGHT, given, sync=sync)).status == status
    assert len(came) == 1

    class Slow:
        def read(self, _):
            threading.Event().wait(0.02)
            return b" "

    async def slow():
        while True:
            await anyio.sleep(0.02)
            yield b" "

    given = Slow() if sync else slow()
    assert (await answer_of(receiver, "POST", RIGHT, given, sync=sync)).status == 408


class FrameworkError(Exception):
    """What a framework raises for a client that left."""


@BOTH
@pytest.mark.parametrize("error", [FrameworkError("asha.rao@example.org"), OSError("asha.rao")])
async def test_a_client_that_leaves_gets_an_answer(error, sync, caplog):
    receiver, came = receiver_of()

    class Broken:
        def read(self, _):
            raise error

    async def broken():
        yield GRADED[:50]
        raise error

    answer = await answer_of(receiver, "POST", RIGHT, Broken() if sync else broken(), sync=sync)
    assert answer == (400, {"content-type": "text/plain"}, b"the body did not come whole")
    (line,) = [one.getMessage() for one in caplog.records]
    told = f"400: the body could not be read: {type(error).__name__} at test_webhooks_respond.py:"
    assert line.startswith(told)
    assert not came


@BOTH
async def test_what_is_no_body_is_refused(sync):
    receiver, _ = receiver_of()
    with pytest.raises(InvalidInputError, match="body: is str; give bytes"):
        await answer_of(receiver, "POST", RIGHT, GRADED.decode(), sync=sync)


@BOTH
async def test_the_peer_is_looked_at_if_networks_are_set(sync, caplog):
    receiver, _ = receiver_of(networks=["203.0.113.0/24"])
    for peer, status in (
        ("203.0.113.7", 200),
        ("203.0.113.7:443", 200),
        ("198.51.100.1", 403),
        (None, 403),
        ("", 403),
        ("testclient", 403),
    ):
        assert (await answer_of(receiver, "POST", RIGHT, GRADED, peer, sync=sync)).status == status
    unknown = "403: the address of the peer is not known, and networks are set"
    assert [one.getMessage() for one in caplog.records] == [
        "403: the peer is in no allowed network",
        unknown,
        unknown,
        "403: the peer is known by something else than an IP address",
    ]


@BOTH
async def test_a_handler_that_cancels_itself_gets_an_answer_all_the_same(sync, caplog):
    told, tries = [], []

    async def on_error(error, event):
        told.append(error)
        raise asyncio.CancelledError

    receiver = WebhookReceiver(auth=None, on_error=on_error)

    @receiver.on(TestGraded)
    async def work(event):
        tries.append(event)
        if len(tries) == 1:
            raise asyncio.CancelledError

    assert (await answer_of(receiver, "POST", {}, GRADED, sync=sync)).status == 503
    (error,) = told
    assert isinstance(error, HandlerCancelledError)
    handle, hook = [one.getMessage() for one in caplog.records]
    assert handle.startswith(
        "handle failed with HandlerCancelledError at test_webhooks_respond.py:"
    )
    assert hook.startswith("on_error failed with HandlerCancelledError")
    assert (await answer_of(receiver, "POST", {}, GRADED, sync=sync)).status == 200


async def test_a_delivery_that_is_cancelled_is_not_answered():
    receiver, begun = WebhookReceiver(auth=None), anyio.Event()

    @receiver.on(TestGraded)
    async def work(event):
        begun.set()
        await anyio.sleep_forever()

    task = asyncio.create_task(receiver.respond("POST", {}, GRADED))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- without await ----------------------------------------------------------------------------------


def test_all_threads_share_one_event_loop():
    receiver, came = receiver_of()
    bodies = [sample_event(TestGraded, access_key="k", email=f"c{n}@x.org") for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda body: receiver.respond_sync("POST", RIGHT, body), bodies * 3)
        )
    assert {answer.status for answer in answers} == {200}
    assert len(came) == 40
    assert len({loop for _, _, loop in came}) == 1
    assert threading.current_thread() not in {thread for _, thread, _ in came}


async def test_within_an_event_loop_it_says_what_to_write_instead():
    receiver, came = receiver_of()
    with pytest.raises(ConfigurationError, match=r"await receiver\.respond"):
        receiver.respond_sync("POST", RIGHT, GRADED)
    assert not came


def test_within_trio_too():
    async def call():
        receiver_of()[0].respond_sync("POST", RIGHT, GRADED)

    with pytest.raises(ConfigurationError, match=r"await receiver\.respond"):
        anyio.run(call, backend="trio")


async def test_it_works_in_a_thread_that_an_event_loop_started():
    receiver, came = receiver_of()
    call = sync_to_async(receiver.respond_sync, thread_sensitive=False)
    assert (await call("POST", RIGHT, GRADED)).status == 200
    assert (await anyio.to_thread.run_sync(receiver.respond_sync, "POST", RIGHT, GRADED))[0] == 200
    assert len(came) == 1


def test_what_the_function_raises_is_raised():
    async def failing(text):
        raise ValueError(text)

    with pytest.raises(ValueError, match="mine"):
        run_sync(failing, "mine")


# --- only verified and parsed -----------------------------------------------------------------------


def test_an_event_can_be_verified_and_parsed_only():
    receiver, came = receiver_of(context=ContextSigner(["a made up secret of the context"]))
    assert receiver.verify_and_parse(RIGHT, GRADED) == parse_event(GRADED)
    assert not came


@pytest.mark.parametrize(
    ("headers", "body", "peer", "status"),
    [
        ({}, GRADED, "203.0.113.7", 401),
        (RIGHT, GRADED + b" " * 5000, "203.0.113.7", 413),
        (RIGHT, GRADED, "198.51.100.1", 403),
        (RIGHT, GRADED, None, 403),
    ],
)
def test_what_is_not_believed_is_an_error(headers, body, peer, status):
    receiver, _ = receiver_of(networks=["203.0.113.0/24"], max_body=5000)
    with pytest.raises(RefusedDeliveryError) as caught:
        receiver.verify_and_parse(headers, body, peer)
    assert caught.value.status_code == status
    assert str(caught.value) == f"{status}: {caught.value.problem}"


def test_what_is_no_event_of_ours_is_an_error_that_holds_nothing_of_it():
    signer = ContextSigner(["a made up secret of the context"])
    receiver, _ = receiver_of(context=signer, max_age=60.0)
    others = signer.sign("applicant-7", access_key="a1b2c3", email="b@x.org")
    receiver_without_age, _ = receiver_of(context=signer)
    replayed = sample_event(TestGraded, context_data=others, **WHO)
    for error, one, body in (
        (EventDecodeError, receiver, GRADED[:-1]),
        (RefusedDeliveryError, receiver, GRADED),
        (ContextDataError, receiver_without_age, replayed),
    ):
        with pytest.raises(error) as caught:
            one.verify_and_parse(RIGHT, body)
        trace = caught.value.__traceback__.tb_next
        while trace is not None:
            shown = repr(trace.tb_frame.f_locals)
            assert WHO["email"] not in shown
            assert basic().decode() not in shown
            trace = trace.tb_next
