"""One call through the whole chain, against a scripted transport: no clock, no network, no luck."""

import asyncio
import logging
import pickle
import threading
import traceback

import anyio
import pytest
from attrs import evolve

from mettl_async import (
    ApiVersion,
    AuthenticationError,
    BadRequestError,
    ClientOptions,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    Credentials,
    MettlClient,
    MettlDecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RegistrationLimitError,
    RetryPolicy,
    ServerError,
    ServiceUnavailableError,
    TimestampError,
    TransportTimeoutError,
)
from mettl_async.api.caller import Caller
from mettl_async.api.endpoint import NOTHING, Argument, Endpoint, one
from mettl_async.core import envelope
from mettl_async.core.admission import Admission
from mettl_async.core.auth import ServerClock, SignatureAuth
from mettl_async.core.effects import Effects
from mettl_async.core.middleware import Middlewares
from mettl_async.core.pacing import Pacer
from mettl_async.core.pipeline import Pipeline, Shared
from mettl_async.core.redaction import LOGGED_FIELDS
from mettl_async.core.request import Placement, Response, RunContext
from mettl_async.core.retry import RetryQuota
from mettl_async.errors import ApiError, CallError, CallFacts

KEYS = Credentials(public_key="PUBLIC-KEY", private_key="PRIVATE-KEY")
READ = Endpoint(
    operation="x.read",
    method="GET",
    path="/x",
    placement=Placement.QUERY,
    returns=one(dict, "x"),
    repeatable=True,
)
CREATE = Endpoint(
    operation="x.create", method="POST", path="/x", placement=Placement.FORM, returns=one(dict, "x"),
    repeatable=False, arguments=(Argument("rd", str, "rd", personal=True),),
)  # fmt: skip
OK = b'{"status":"SUCCESS","x":1}'


def response(content=OK, status=200, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status_code=status, headers=names, content=content)


def refusal(code, message="No", status=200, **headers):
    return response(
        f'{{"status":"ERROR","error":{{"code":"{code}","message":"{message}"}}}}'.encode(),
        status,
        **headers,
    )


class Script:
    """A transport that plays back answers and keeps what it was asked; the last one repeats."""

    def __init__(self, *answers):
        self.answers, self.sent, self.closed = list(answers), [], 0

    async def send(self, request):
        self.sent.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = await answer()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def aclose(self):
        self.closed += 1


class World:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept, self.late = 1_000_000.0, [], 0.0

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds + self.late

    def effects(self):
        return Effects(
            wall=lambda: self.now, monotonic=lambda: self.now, sleep=self.sleep, chance=lambda: 1.0,
            new_id=lambda: "id-1",
        )  # fmt: skip


def build(
    *answers, options=None, middleware=None, auth=None, quota=500, real_time=False, limiter=None,
    pacer=None,
):  # fmt: skip
    world, script = World(), Script(*answers)
    clock = ServerClock(wall=lambda: world.now)
    shared = Shared(
        transport=script,
        base_url="https://h.example",
        quota=RetryQuota(quota),
        clock=clock,
        admission=Admission(
            slots=2,
            pacer=pacer or Pacer(),
            rate_limiter=limiter,
            effects=Effects(new_id=lambda: "id-1") if real_time else world.effects(),
        ),
    )
    pipeline = Pipeline(shared, auth or SignatureAuth(KEYS, clock), middleware or Middlewares())
    caller = Caller(
        pipeline=pipeline, shared=shared, options=options or ClientOptions(),
        base_url="https://h.example", version=ApiVersion.V2,
    )  # fmt: skip
    return caller, script, world, shared


async def perform(caller, endpoint=READ, params=None):
    return await caller.send(endpoint, {}, params or {}, lambda answer: answer.payload)


async def failure(caller, endpoint=READ, params=None):
    with pytest.raises(CallError) as caught:
        await perform(caller, endpoint, params)
    return caught.value


async def test_a_success_is_the_whole_object():
    caller, script, _, _ = build(response())
    assert await perform(caller) == {"status": "SUCCESS", "x": 1}
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal("E000"), ApiError, "E000"),
        (refusal("E028"), BadRequestError, "E028"),
        (refusal("E400"), BadRequestError, "E400"),
        (refusal("E401"), AuthenticationError, "E401"),
        (refusal("E403"), PermissionDeniedError, "E403"),
        (refusal("E404"), NotFoundError, "E404"),
        (refusal("E405"), BadRequestError, "E405"),
        (refusal("E408"), ServerError, "E408"),
        (refusal("E422"), TimestampError, "E422"),
        (refusal("E503"), ServiceUnavailableError, "E503"),
        (refusal("E504"), TimestampError, "E504"),
        (refusal("E509"), RateLimitError, "E509"),
        (refusal("E607"), RegistrationLimitError, "E607"),
        (refusal("E999", status=418), ApiError, "E999"),
        (refusal("E401", status=401), AuthenticationError, "E401"),
        (response(b"<html>", 401), AuthenticationError, None),
        (response(b"", 403), PermissionDeniedError, None),
        (response(b"nope", 404), NotFoundError, None),
        (response(b"<html>", 414), BadRequestError, None),
        (response(b"<html>", 429), RateLimitError, None),
        (response(b"<html>", 500), ServerError, None),
        (response(b"<html>", 502), ServerError, None),
        (response(b"<html>", 503), ServiceUnavailableError, None),
        (response(b"<html>", 504), ServerError, None),
        (response(b"", 302, location="https://evil.example"), ApiError, None),
        (response(b"<!DOCTYPE html><p>hi", content_type="text/html"), MettlDecodeError, None),
        (response(b""), MettlDecodeError, None),
        (response(OK[:-3]), MettlDecodeError, None),
        (response(b"\xff\xfe"), MettlDecodeError, None),
        (response(b"[1]"), MettlDecodeError, None),
        (response(b"null"), MettlDecodeError, None),
        (response(b'{"a":1}'), MettlDecodeError, None),
        (response(b'{"status":["SUCCESS"]}'), MettlDecodeError, None),
        (response(OK, 101), MettlDecodeError, None),
        (response(b'{"status":"ERROR"}'), ApiError, None),
        (response(b'{"status":"ERROR","error":"words"}'), ApiError, None),
        (response(b'{"status":"ERROR","error":{"code":7,"message":[]}}'), ApiError, None),
        (response(b'{"status":"SUCCESS","error":{"code":"E400"}}'), BadRequestError, "E400"),
    ],
)
async def test_every_bad_answer_is_a_typed_error(answer, kind, code):
    options = ClientOptions(retry=ClientOptions().retry.__class__(max_attempts=1))
    caller, script, _, _ = build(answer, options=options)
    error = await failure(caller)
    assert type(error) is kind
    assert error.code == code
    assert error.status_code == answer.status_code
    assert error.operation == "x.read"
    assert error.request_id == "id-1"
    assert error.sent
    assert error.attempts == len(script.sent)


@pytest.mark.parametrize(
    "content",
    [
        b'{"status":"success","x":1}',
        b'{"x":1}',
        b'{"status":"PARTIAL","x":1}',
    ],
)
async def test_a_success_need_not_be_spelt_out(content):
    caller, _, _, _ = build(response(content, content_type="text/html"))
    assert "x" in await perform(caller)


@pytest.mark.parametrize("length", [9, 2**20])
async def test_a_large_answer_is_read_beside_the_loop(length, monkeypatch):
    readers, read = [], envelope.read
    monkeypatch.setattr(
        envelope, "read", lambda *given: readers.append(threading.get_ident()) or read(*given)
    )

    def spoilt(_):
        raise MettlDecodeError("spoilt")

    content = b'{"status":"SUCCESS","x":"' + b"a" * length + b'"}'
    caller, *_ = build(response(content))
    readers.append(await caller.send(READ, {}, {}, lambda _: threading.get_ident()))
    assert len(readers) == 2
    assert (threading.get_ident() in readers) is (length < 2**20)
    with pytest.raises(MettlDecodeError) as caught:
        await caller.send(READ, {}, {}, spoilt)
    assert caught.value.operation == "x.read"


async def test_a_read_is_tried_again_and_signed_anew():
    lost = ConnectionLostError("x", CallFacts(sent=True))
    caller, script, world, _ = build(lost, response(b"", 503, retry_after="7"), response())
    await perform(caller)
    assert world.slept == [0.25, 7.25]
    first, _, third = (request.target for request in script.sent)
    assert b"ts=1000000&" in first
    assert b"ts=1000007&" in third
    assert first.rpartition(b"asgn=")[2] != third.rpartition(b"asgn=")[2]
    assert all(request.target.count(b"asgn=") == 1 for request in script.sent)


@pytest.mark.parametrize(
    ("first", "sends"),
    [
        (ConnectError("x", CallFacts(sent=False)), 2),
        (refusal("E509"), 2),
        (response(b"", 429), 2),
        (ConnectError("x", CallFacts(sent=True)), 1),
        (ConnectionLostError("x", CallFacts(sent=True)), 1),
        (TransportTimeoutError("x", CallFacts(sent=True)), 1),
        (response(b"<html>"), 1),
        (response(b"", 500), 1),
        (response(b"", 503), 1),
    ],
    ids=str,
)
async def test_an_unsafe_call_is_never_sent_again_once_it_may_have_been_handled(first, sends):
    caller, script, _, _ = build(first, response())
    if sends == 2:
        await perform(caller, CREATE)
    else:
        error = await failure(caller, CREATE)
        assert error.may_have_been_handled
        assert not error.safe_to_repeat
    assert len(script.sent) == sends


async def test_a_lost_first_attempt_is_remembered_when_the_second_is_refused():
    lost = ConnectionLostError("x", CallFacts(sent=True))
    caller, _, _, _ = build(lost, refusal("E401"))
    error = await failure(caller)
    assert type(error) is AuthenticationError
    assert error.attempts == 2
    assert error.may_have_been_handled


async def test_leftover_signature_parameters_never_survive():
    caller, script, _, _ = build(response())
    await perform(caller, params={"ak": "old", "ts": "1", "asgn": "old", "x": "1"})
    assert script.sent[0].target.count(b"ak=") == 1
    assert b"old" not in script.sent[0].target


async def test_a_wrong_clock_is_corrected_once_and_stays_corrected():
    date = "Fri, 02 Jan 2026 03:04:05 GMT"
    caller, script, world, shared = build(refusal("E504", date=date), response())
    await perform(caller, CREATE)
    assert b"ts=1767323045" in script.sent[1].body
    assert world.slept == []
    await perform(caller, CREATE)
    assert b"ts=1767323045" in script.sent[2].body
    assert shared.clock.now() == 1767323045


async def test_a_clock_that_cannot_be_corrected_is_an_error():
    caller, script, _, _ = build(refusal("E504", date="Fri, 02 Jan 2026 03:04:05 GMT"))
    assert type(await failure(caller)) is TimestampError
    assert len(script.sent) == 2
    caller, script, _, _ = build(refusal("E504"))
    await failure(caller)
    assert len(script.sent) == 1


async def test_retry_after_beyond_the_deadline_raises_at_once_and_says_so():
    caller, script, world, _ = build(response(b"", 429, retry_after="3600"))
    error = await failure(caller)
    assert error.retry_after == 3600
    assert len(script.sent) == 1
    assert world.slept == []


async def test_a_dead_server_costs_no_more_retries_than_the_quota():
    caller, script, _, _ = build(ConnectError("x", CallFacts(sent=False)), quota=50)
    results = await asyncio.gather(*(perform(caller) for _ in range(300)), return_exceptions=True)
    assert all(isinstance(one, ConnectError) for one in results)
    assert len(script.sent) == 300 + 10


async def test_the_deadline_bounds_a_call_that_hangs():
    async def hang():
        await anyio.sleep_forever()

    options = ClientOptions(retry=RetryPolicy(deadline=0.05))
    caller, _, _, _ = build(hang, options=options)
    error = await failure(caller)
    assert type(error) is TransportTimeoutError
    assert error.sent
    assert "in flight" in str(error)


async def test_a_call_that_never_got_a_slot_was_not_sent():
    release = anyio.Event()

    async def wait():
        await release.wait()
        return response()

    caller, _, _, _ = build(wait, options=ClientOptions(retry=RetryPolicy(deadline=0.05)))
    patient = Caller(
        pipeline=caller.pipeline, shared=caller.shared, options=ClientOptions(),
        base_url=caller.base_url, version=caller.version,
    )  # fmt: skip
    holders = [asyncio.create_task(perform(patient)) for _ in range(2)]
    await asyncio.sleep(0)
    error = await failure(caller)
    assert not error.sent
    assert error.safe_to_repeat
    release.set()
    await asyncio.gather(*holders)


async def test_slots_are_given_first_come_first_served():
    order = []
    gate = anyio.Event()

    async def note():
        await gate.wait()
        return response()

    caller, _, _, _ = build(note)

    async def one(name):
        await perform(caller)
        order.append(name)

    tasks = []
    for name in range(8):
        tasks.append(asyncio.create_task(one(name)))
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert order == sorted(order)


async def test_no_slot_is_lost_by_cancellation_or_failure():
    async def hang():
        await anyio.sleep_forever()

    caller, _script, _, _ = build(hang, hang, ValueError("a bug"), response())
    tasks = [asyncio.create_task(perform(caller)) for _ in range(2)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with pytest.raises(ValueError, match="a bug"):
        await perform(caller)
    await asyncio.gather(*(perform(caller) for _ in range(5)))


async def test_per_call_middleware_sees_a_call_once_and_per_attempt_each_request():
    seen = []

    async def outer(request, call_next):
        seen.append("call")
        answer = await call_next(request)
        seen.append(("answer", answer.status_code, answer.attempts))
        return answer

    async def inner(request, call_next):
        assert "asgn" not in request.params
        seen.append(("attempt", request.attempt))
        return await call_next(request.evolve(params={**request.params, "extra": "1"}))

    caller, script, _, _ = build(
        response(b"", 429),
        response(),
        middleware=Middlewares(per_call=[outer], per_attempt=[inner]),
    )
    await perform(caller)
    assert seen == ["call", ("attempt", 1), ("attempt", 2), ("answer", 200, 2)]
    assert b"extra=1" in script.sent[0].target


async def test_a_refusal_reaches_middleware_as_a_response():
    statuses = []

    async def watch(request, call_next):
        answer = await call_next(request)
        statuses.append(answer.status_code)
        return answer

    caller, _, _, _ = build(
        response(b"", 404), middleware=Middlewares(per_call=[watch], per_attempt=[watch])
    )
    await failure(caller)
    assert statuses == [404, 404]


async def test_a_middleware_may_answer_by_itself():
    async def cached(request, call_next):
        return response(b'{"status":"SUCCESS","x":"cached"}')

    caller, script, _, _ = build(response(), middleware=Middlewares(per_call=[cached]))
    assert (await perform(caller))["x"] == "cached"
    assert script.sent == []


def not_async(request, call_next):
    return None


async def too_few(request):
    return None


@pytest.mark.parametrize("wrong", [not_async, too_few, "text", object, 7])
def test_what_cannot_be_a_middleware_is_refused_when_the_client_is_built(wrong):
    with pytest.raises(ConfigurationError, match="async def middleware"):
        MettlClient(KEYS, middleware=[wrong])
    with pytest.raises(ConfigurationError, match="async def middleware"):
        MettlClient(auth=wrong)


async def test_a_middleware_that_forgets_to_answer_is_named():
    async def forgetful(request, call_next):
        await call_next(request)

    caller, _, _, _ = build(response(), middleware=Middlewares(per_attempt=[forgetful]))
    with pytest.raises(TypeError, match="forgetful"):
        await perform(caller)


async def test_errors_pickle_and_say_what_is_known():
    caller, _, _, _ = build(refusal("E400", "Bad field"))
    error = await failure(caller)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled one line above
    assert str(copy) == str(error)
    assert copy.facts == error.facts
    for words in ("x.read", "E400", "Bad field", "HTTP 200", "attempt 1", "id-1"):
        assert words in str(error)


async def test_candidates_data_in_the_servers_words_is_blanked():
    message = "Asha Rao (asha@x.org, born 1999) is bad; PUBLIC-KEY"
    caller, _, _, _ = build(refusal("E400", message))
    error = await failure(caller, CREATE, {"rd": '{"a":[{"First Name":"Asha Rao","dob":"1999"}]}'})
    text = "".join(traceback.format_exception(error))
    for secret in ("Asha", "asha@x.org", "1999", "PRIVATE-KEY"):
        assert secret not in text
    assert "is bad" in error.server_message


async def test_credentials_may_come_from_a_callable_and_rotate():
    keys = iter([KEYS, Credentials(public_key="SECOND", private_key="k2")])

    async def provider():
        return next(keys)

    world = World()
    auth = SignatureAuth(provider, ServerClock(wall=lambda: world.now))
    caller, script, _, _ = build(response(b"", 429), response(), auth=auth)
    await perform(caller)
    assert b"ak=PUBLIC-KEY" in script.sent[0].target
    assert b"ak=SECOND" in script.sent[1].target


async def test_another_auth_may_sign():
    async def gateway(request, call_next):
        return await call_next(request.evolve(params={**request.params, "token": "t"}))

    caller, script, _, _ = build(response(), auth=gateway)
    await perform(caller)
    assert script.sent[0].target == b"/v2/x?token=t"


async def test_a_version_that_lacks_a_method_says_so_before_sending():
    caller, script, _, _ = build(response())
    third = Caller(
        pipeline=caller.pipeline, shared=caller.shared, options=ClientOptions(),
        base_url=caller.base_url, version=ApiVersion.V3,
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="v1 and v2"):
        await perform(third)
    assert script.sent == []


async def test_a_url_that_is_too_long_is_refused_before_sending():
    caller, script, _, _ = build(response())
    with pytest.raises(ValueError, match="post_parameters='form'"):
        await perform(caller, params={"filter": "x" * 8000})
    assert script.sent == []


async def test_the_deadline_is_one_for_all_attempts():
    async def slow():
        await anyio.sleep(0.05)
        return response(b"", 500)

    options = ClientOptions(retry=RetryPolicy(max_attempts=100, backoff_base=0, deadline=0.2))
    caller, script, _, _ = build(slow, options=options, real_time=True)
    error = await failure(caller)
    assert 2 <= len(script.sent) <= 5
    assert error.attempts == len(script.sent)


async def test_success_after_retries_gives_the_quota_back():
    caller, _, _, shared = build(response(b"", 429), response(b"", 429), response(), quota=20)
    await perform(caller)
    assert shared.quota.left == 20


async def test_sent_is_said_of_any_attempt():
    lost = ConnectionLostError("x", CallFacts(sent=True))
    caller, _, _, _ = build(lost, ConnectError("x", CallFacts(sent=False)))
    error = await failure(caller)
    assert type(error) is ConnectError
    assert error.sent
    assert error.may_have_been_handled


async def test_a_middleware_that_calls_again_does_not_make_a_lost_attempt_forgotten():
    async def again(request, call_next):
        try:
            return await call_next(request)
        except CallError:
            return await call_next(request)

    lost = ConnectionLostError("x", CallFacts(sent=True))
    caller, _, _, _ = build(lost, refusal("E400"), middleware=Middlewares(per_call=[again]))
    error = await failure(caller, CREATE)
    assert error.attempts == 2
    assert not error.safe_to_repeat


async def test_a_middleware_may_change_what_came_and_it_is_read_again():
    async def broken(request, call_next):
        answer = await call_next(request)
        return (
            evolve(answer, status_code=503)
            if request.params.get("x")
            else evolve(answer, content=b"")
        )

    caller, _, _, _ = build(response(), middleware=Middlewares(per_call=[broken]))
    assert type(await failure(caller)) is MettlDecodeError
    assert type(await failure(caller, params={"x": "1"})) is ServiceUnavailableError


async def test_a_cached_refusal_is_a_fresh_error_each_time():
    kept = []

    async def cache(request, call_next):
        kept.append(await call_next(request)) if not kept else None
        return kept[0]

    caller, _, _, shared = build(refusal("E404"), middleware=Middlewares(per_call=[cache]))
    ids = iter(["a", "b"])
    object.__setattr__(shared.effects, "new_id", lambda: next(ids))
    first, second = await failure(caller), await failure(caller)
    assert first is not second
    assert (first.request_id, second.request_id) == ("a", "b")


async def test_closing_ends_a_call_that_waits_for_its_next_attempt():
    caller, script, _, shared = build(response(b"", 500))

    async def close_meanwhile(_):
        await shared.lifecycle.drain()
        await anyio.sleep_forever()

    object.__setattr__(shared.effects, "sleep", close_meanwhile)
    assert type(await failure(caller)) is ServerError
    assert len(script.sent) == 1


async def test_a_call_that_fails_while_the_client_is_being_closed_begins_no_pause():
    async def close_meanwhile():
        shared.lifecycle.closing = True
        return response(b"", 500)

    caller, script, world, shared = build(close_meanwhile)
    assert type(await failure(caller)) is ServerError
    assert len(script.sent) == 1
    assert world.slept == []


class Gate:
    """A rate limiter that lets nobody through until it is opened."""

    def __init__(self):
        self.asked, self.open = 0, asyncio.Event()

    async def acquire(self):
        self.asked += 1
        await self.open.wait()


@pytest.mark.parametrize("fixed", [None, 1000.0])
async def test_a_shared_limiter_is_asked_before_each_request_of_a_single_call(fixed):
    gate, asked = Gate(), []
    gate.open.set()

    async def note():
        asked.append(gate.asked)
        return response(b"", 500) if len(asked) == 1 else response()

    caller, script, _, _ = build(note, limiter=gate, pacer=Pacer(fixed=fixed))
    await perform(caller)
    await perform(caller)
    assert len(script.sent) == 3
    assert asked == [1, 2, 3]


async def test_single_calls_that_wait_for_their_turn_hold_no_slot():
    gate = Gate()
    caller, script, _, shared = build(response(), limiter=gate)
    waiting = [asyncio.create_task(perform(caller)) for _ in range(shared.admission.slots)]
    await anyio.wait_all_tasks_blocked()
    assert gate.asked == shared.admission.slots
    async with asyncio.timeout(30):
        await shared.admission.acquire_slot()
    assert script.sent == []
    shared.admission.release_slot()
    gate.open.set()
    await asyncio.gather(*waiting)
    assert len(script.sent) == len(waiting)


async def test_a_single_calls_turn_that_comes_after_its_deadline_is_told_at_once():
    pacer = Pacer(fixed=100.0)
    caller, script, world, _ = build(response(), pacer=pacer)
    pacer.throttled(world.now, world.now, 3600.0, 0.0)
    errors = [await failure(caller) for _ in range(2)]
    assert [type(error) for error in errors] == [RateLimitError, RateLimitError]
    assert [error.retry_after for error in errors] == [3600.0, 3600.0], "it lengthens no pause"
    assert not any(error.sent for error in errors)
    assert script.sent == world.slept == []


async def test_retries_of_a_bulk_run_neither_cost_nor_give_quota():
    lost = ConnectionLostError("x", CallFacts(sent=True))
    caller, script, _, shared = build(lost, response(), quota=5)
    shared.quota.take()
    await caller.send(READ, {}, {}, lambda answer: answer.payload, run=RunContext(30.0))
    assert len(script.sent) == 2
    assert shared.quota.left == 0


async def test_first_contact_is_no_more_patient_than_the_user():
    policy = RetryPolicy(deadline=0.5, backoff_base=1.0)
    refused = ConnectError("x", CallFacts(sent=False))
    caller, script, world, _ = build(refused, options=ClientOptions(bulk_retry=policy))
    with pytest.raises(ConnectError):
        await caller.send(READ, {}, {}, lambda answer: answer.payload, run=RunContext(30.0))
    assert len(script.sent) == 1
    assert world.slept == []


async def test_an_attempt_whose_time_is_over_already_is_not_sent():
    caller, script, world, _ = build(
        response(b"", 500), options=ClientOptions(retry=RetryPolicy(deadline=5))
    )
    world.late = 3600.0
    error = await failure(caller)
    assert type(error) is TransportTimeoutError
    assert "before it could be sent" in str(error)
    assert len(script.sent) == len(error.sent_at) == 1


async def test_first_contact_bounds_a_request_that_hangs():
    async def hang():
        await anyio.sleep_forever()

    policy = RetryPolicy(deadline=3600.0, max_attempts=1)
    caller, _, _, _ = build(hang, options=ClientOptions(bulk_retry=policy))
    async with asyncio.timeout(30):
        with pytest.raises(TransportTimeoutError, match=r"0\.05 s passed in flight") as caught:
            await caller.send(READ, {}, {}, lambda answer: answer.payload, run=RunContext(0.05))
    assert caught.value.sent


async def test_no_signed_request_goes_to_another_host():
    async def elsewhere(request, call_next):
        return await call_next(request.evolve(url="https://h.example.evil/v2/x"))

    caller, script, _, _ = build(response(), middleware=Middlewares(per_attempt=[elsewhere]))
    with pytest.raises(ConfigurationError, match="base_url only"):
        await perform(caller)
    assert script.sent == []


async def test_middleware_may_add_headers():
    async def gateway(request, call_next):
        return await call_next(request.evolve(headers={"X-Gateway-Key": "k"}))

    caller, script, _, _ = build(response(), middleware=Middlewares(per_attempt=[gateway]))
    await perform(caller)
    await perform(caller, CREATE)
    assert all(request.headers["X-Gateway-Key"] == "k" for request in script.sent)
    assert "Content-Type" in script.sent[1].headers


async def test_frames_of_a_raised_error_do_not_hold_the_signature():
    caller, _, _, _ = build(ConnectionLostError("x", CallFacts(sent=True)))
    error = await failure(caller)
    frames, trace = [], error.__traceback__
    while trace:
        frames.append(repr(trace.tb_frame.f_locals))
        trace = trace.tb_next
    assert not any("asgn=" in frame or "'asgn': '" in frame for frame in frames)


@pytest.mark.parametrize(
    "echo",
    [
        "mail asha%40x.org now",
        "signature uW7qti5KXEn0GnCYzrSnWBO2nefuT2xsI9t6FlRrkH0= is wrong",
        "key ab12c345-6789-0123-456d-78e9f0123456 is unknown",
        "a" * 100_000,
    ],
)
async def test_what_a_server_echoes_is_blanked_and_short(echo):
    caller, _, _, _ = build(refusal("E400", echo))
    error = await failure(caller)
    for secret in ("asha", "uW7qti5", "ab12c345"):
        assert secret not in str(error)
    assert len(str(error)) < 800


async def test_a_code_that_is_no_code_is_not_repeated():
    caller, _, _, _ = build(refusal("no asha@x.org"))
    error = await failure(caller)
    assert error.code is None
    assert "asha" not in str(error)


async def test_error_with_a_payload_is_partial_only_where_that_is_documented():
    body = response(b'{"status":"ERROR","x":[]}')
    caller, _, _, _ = build(body)
    assert type(await failure(caller)) is ApiError
    partial = evolve(READ, partial_success=True)
    assert (await perform(caller, partial))["x"] == []


@pytest.mark.parametrize("content", [b'{"status":"ERROR"}', b'{"status":"FAILED","message":"no"}'])
async def test_where_only_the_status_is_known_it_must_be_success(content):
    caller, _, _, _ = build(response(content))
    bare = evolve(READ, returns=NOTHING)
    assert type(await failure(caller, bare)) is ApiError
    caller, _, _, _ = build(response(b'{"status":"SUCCESS"}'))
    await perform(caller, bare)


async def test_an_email_in_the_path_is_blanked_whole():
    caller, _, _, _ = build(refusal("E404", "no o'brien@x.org and a=b,c@x.org here"))
    endpoint = evolve(READ, path="/x/{email}")
    with pytest.raises(CallError) as caught:
        await caller.send(endpoint, {"email": "o'brien@x.org"}, {}, lambda answer: answer)
    assert "o'" not in str(caught.value)


async def test_a_timestamp_never_ages_in_the_queue_for_a_slot():
    release = anyio.Event()

    async def wait():
        await release.wait()
        return response()

    caller, script, world, _ = build(wait)
    tasks = [asyncio.create_task(perform(caller)) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(script.sent) == 2  # both slots are taken, the third call waits
    world.now += 1000
    release.set()
    await asyncio.gather(*tasks)
    assert [b"ts=1001000&" in request.target for request in script.sent] == [False, False, True]


async def test_log_records_carry_nothing_but_the_allowed_fields(caplog):
    caller, _, _, _ = build(response(b"", 429), response(b"", 429), response(b"", 404))
    with caplog.at_level("DEBUG", logger="mettl_async"):
        await failure(caller, CREATE, {"rd": '{"First Name":"Asha"}'})
    plain = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
    extra = {name for record in caplog.records for name in vars(record)} - plain
    assert extra
    assert extra <= {f"mettl_{name}" for name in LOGGED_FIELDS}
    assert "Asha" not in caplog.text


@pytest.mark.parametrize("words", ["ASHA RAO was here", "asha rao, ok", "Grüße an Asha Rao"])
async def test_personal_values_are_blanked_in_any_case_and_script(words):
    caller, _, _, _ = build(refusal("E400", words))
    error = await failure(caller, CREATE, {"rd": '{"First Name":"Asha Rao"}'})
    assert "asha" not in str(error).lower()
