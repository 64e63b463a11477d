"""Handled once: failures, crowds, cancellations, a failing store; and no log tells of a candidate."""

import asyncio
import hashlib
import random
import re

import anyio
import anyio.lowlevel
import httpx
import pytest
from asgi_calls import PASSWORD, USERNAME, basic, call

from mettl_async import Candidate
from mettl_async.sandbox.server import listening
from mettl_async.webhooks import (
    BasicAuth,
    Claim,
    ContextSigner,
    Handled,
    MemorySeenEvents,
    TestEvent,
    TestGraded,
    TestStarted,
    UnknownEvent,
    WebhookError,
    WebhookReceiver,
    event_identity,
    parse_event,
    sample_event,
)

AUTH = BasicAuth(username=USERNAME, password=PASSWORD)
NAME, OWN_ID = "Asha Venkataraman", "applicant-7000"
WHO = {"access_key": "a1b2c3", "email": "asha.rao@example.org"}
SECRET = "a made up secret of the context"
GRADED = sample_event(TestGraded, name=NAME, **WHO)
EVENT = parse_event(GRADED)


class Failing(MemorySeenEvents):
    """A store of which some operations fail."""

    def __init__(self, *operations, **given):
        super().__init__(**given)
        self.operations = set(operations)

    async def claim(self, key):
        return await self._unless_broken("claim", super().claim(key))

    async def complete(self, claim):
        return await self._unless_broken("complete", super().complete(claim))

    async def release(self, claim):
        return await self._unless_broken("release", super().release(claim))

    async def _unless_broken(self, name, doing):
        done = await doing
        if name in self.operations:
            raise OSError(f"the database at {WHO['email']} is away")
        return done


def receiver_with(*handlers, kind=TestGraded, **given):
    receiver = WebhookReceiver(**{"auth": AUTH, **given})
    for handler in handlers:
        receiver.on(kind)(handler)
    return receiver


def shown(key):
    """What a log line has of a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


async def test_a_failed_event_comes_again_and_is_told_to_the_hook_only(all_logs):
    failures, told = [RuntimeError(f"no row for {EVENT.email}"), KeyError(EVENT.email)], []

    async def handler(event):
        if failures:
            raise failures.pop(0)

    async def on_error(error, event):
        told.append((type(error), event))
        raise ValueError(event.email)  # a hook must not decide what is answered

    receiver = receiver_with(handler, on_error=on_error)
    answers = [await call(receiver, GRADED) for _ in range(4)]
    assert [answer.status for answer in answers] == [503, 503, 200, 200]
    assert answers[0].headers[b"retry-after"].isdigit()
    assert told == [(RuntimeError, EVENT), (KeyError, EVENT)]
    key = event_identity(EVENT)
    place = r"at test_webhooks_processing\.py:\d+"
    said = re.compile(rf"handle failed with RuntimeError {place}: TestGraded {shown(key)}")
    assert any(said.search(line) for line in all_logs)
    assert not any(EVENT.email in line or key in line for line in all_logs)


async def test_what_fails_in_a_library_is_told_by_the_line_of_the_handler_too(caplog):
    async def handler(_):
        Candidate(email="", first_name="A")

    assert (await call(receiver_with(handler), GRADED)).status == 503
    place = r" at test_webhooks_processing\.py:\d+, in \w+\.py:\d+: TestGraded "
    assert re.search(rf"handle failed with \w+{place}", caplog.text), caplog.text


async def test_a_handler_that_takes_too_long_is_stopped_and_the_event_comes_again():
    ended = []

    async def handler(_):
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    receiver = receiver_with(handler, handler_timeout=0.01)
    with anyio.fail_after(5):
        assert (await call(receiver, GRADED)).status == 503
        with pytest.raises(TimeoutError):
            await receiver.handle(EVENT)
    assert ended == [True, True]


async def test_handlers_run_in_order_and_all_of_them_again_after_a_failure():
    ran, fail = [], [True, False]

    async def with_claim(event, claim):
        assert isinstance(claim, Claim)
        assert claim.key == event_identity(event)
        ran.append("with claim")

    async def first(_):
        ran.append("first")

    async def second(_):
        ran.append("second")
        if fail.pop(0):
            raise RuntimeError

    receiver = receiver_with(with_claim, first, second)
    assert (await call(receiver, GRADED)).status == 503
    assert ran == ["first", "second"]
    assert (await call(receiver, GRADED)).status == 200
    assert ran == ["first", "second", "first", "second", "with claim"]


@pytest.mark.parametrize("seed", range(3))
async def test_a_crowd_of_deliveries_is_handled_to_success_exactly_once_each(seed):
    chance = random.Random(seed)
    bodies = [sample_event(TestStarted, access_key="k", email=f"c{n}@x.org") for n in range(10)]
    running, succeeded, tries = set(), [], []

    async def handler(event):
        assert event.email not in running
        running.add(event.email)
        await anyio.sleep(chance.random() / 500)
        running.remove(event.email)
        tries.append(event.email)
        if len(tries) == 1 or chance.random() < 0.4:  # at least one
            raise RuntimeError
        succeeded.append(event.email)

    receiver = receiver_with(handler, kind=TestEvent)

    async def deliver(body):
        while (await call(receiver, body)).status != 200:
            await anyio.lowlevel.checkpoint()

    deliveries = [body for body in bodies for _ in range(20)]
    chance.shuffle(deliveries)
    async with asyncio.timeout(30):
        await asyncio.gather(*map(deliver, deliveries))
    assert sorted(succeeded) == sorted(f"c{n}@x.org" for n in range(10))
    assert len(tries) > len(succeeded)


async def test_a_busy_event_is_waited_for_a_little_and_then_refused():
    pauses, entered, go_on = [], anyio.Event(), anyio.Event()

    async def sleep(seconds):
        pauses.append(seconds)
        await anyio.lowlevel.checkpoint()

    async def handler(_):
        entered.set()
        await go_on.wait()

    receiver = receiver_with(handler, busy_wait=2.0, sleep=sleep)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        first = group.create_task(call(receiver, GRADED))
        await entered.wait()
        refused = await call(receiver, GRADED)
        assert (refused.status, b"retry-after" in refused.headers) == (503, True)
        assert sum(pauses) == pytest.approx(2.0)
        assert await receiver.handle(EVENT) is Handled.BUSY
        waiting = group.create_task(call(receiver, GRADED))
        await anyio.lowlevel.checkpoint()
        go_on.set()
    assert (first.result().status, waiting.result().status) == (200, 200)
    assert await receiver.handle(EVENT) is Handled.ALREADY_DONE


async def test_handle_says_what_became_of_an_event_and_raises_the_handlers_error():
    fail = [True, False]

    async def handler(event):
        if fail.pop(0):
            raise RuntimeError("mine")

    receiver = receiver_with(handler)
    with pytest.raises(RuntimeError, match="mine"):
        await receiver.handle(EVENT)
    assert await receiver.handle(EVENT) is Handled.HANDLED
    assert await receiver.handle(EVENT) is Handled.ALREADY_DONE
    assert (await call(receiver, GRADED)).status == 200
    assert await receiver.handle(UnknownEvent()) is Handled.NO_HANDLER
    assert fail == []


# --- the store --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "ran"), [("claim", 0), ("complete", 1)])
async def test_a_store_that_fails_makes_503_and_is_not_quoted(operation, ran, all_logs):
    runs = []

    async def handler(event):
        runs.append(event)

    receiver = receiver_with(handler, seen=Failing(operation), busy_wait=0)
    assert (await call(receiver, GRADED)).status == 503
    assert len(runs) == ran
    with pytest.raises(WebhookError) as caught:
        await receiver_with(handler, seen=Failing(operation)).handle(EVENT)
    assert EVENT.email not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert any(f"{operation} failed with OSError" in line for line in all_logs)
    assert not any(EVENT.email in line for line in all_logs)


async def test_a_claim_lost_meanwhile_makes_503_although_the_handler_succeeded(all_logs):
    now, runs = [0.0], []
    seen = MemorySeenEvents(clock=lambda: now[0])

    async def handler(_):
        runs.append(now[0])
        if len(runs) == 1:
            now[0] += 61  # the process slept, say
            assert await receiver.handle(EVENT) is Handled.HANDLED

    receiver = receiver_with(handler, seen=seen)
    assert (await call(receiver, GRADED)).status == 503
    assert any("complete failed with WebhookError" in line for line in all_logs)
    assert (await call(receiver, GRADED)).status == 200
    assert runs == [0.0, 61.0]


async def test_another_identity_makes_another_event():
    runs = []

    async def handler(event):
        runs.append(event)

    receiver = receiver_with(handler, identify=lambda event: str(event.candidate_instance_id))
    for number, email in ((1, "a@x.org"), (1, "b@x.org"), (2, "a@x.org")):
        body = sample_event(TestGraded, access_key="k", email=email, candidate_instance_id=number)
        assert (await call(receiver, body)).status == 200
    assert [event.candidate_instance_id for event in runs] == [1, 2]


async def test_an_identity_that_names_someone_is_not_logged(all_logs):
    entered, go_on = anyio.Event(), anyio.Event()

    async def handler(_):
        entered.set()
        await go_on.wait()
        raise RuntimeError

    receiver = receiver_with(handler, identify=lambda event: event.email, busy_wait=0)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(call(receiver, GRADED))
        await entered.wait()
        assert (await call(receiver, GRADED)).status == 503
        go_on.set()
    said = [line for line in all_logs if shown(EVENT.email) in line]
    assert any("busy: " in line for line in said)
    assert any("handle failed" in line for line in said)
    assert not any(EVENT.email[:8] in line for line in all_logs)


# --- who leaves, and who is cancelled ---------------------------------------------------------------


async def test_a_client_that_leaves_does_not_stop_a_handler():
    async with asyncio.timeout(10):
        entered, go_on, finished = anyio.Event(), anyio.Event(), []

        async def handler(_):
            entered.set()
            await go_on.wait()
            finished.append(True)

        receiver = receiver_with(handler)
        async with listening(receiver, "127.0.0.1", 0) as base_url:
            port = int(base_url.rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST / HTTP/1.1\r\nhost: x\r\nauthorization: {basic().decode()}\r\n"
            writer.write(f"{head}content-length: {len(GRADED)}\r\n\r\n".encode() + GRADED)
            await entered.wait()
            writer.close()
            await writer.wait_closed()
            await anyio.sleep(0.01)
            go_on.set()
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.post(base_url, content=GRADED, auth=(USERNAME, PASSWORD))
        assert answer.status_code == 200
        assert finished == [True]


@pytest.mark.parametrize("natively", [True, False])
async def test_a_cancelled_delivery_gives_the_event_back(natively):
    class Slow(MemorySeenEvents):
        async def release(self, claim):
            await anyio.sleep(0.001)  # as a database would
            return await super().release(claim)

    entered, runs = anyio.Event(), []

    async def handler(event):
        runs.append(event)
        if len(runs) == 1:
            entered.set()
            await anyio.sleep_forever()

    receiver = receiver_with(handler, seen=Slow())
    await cancelled(call(receiver, GRADED), entered, natively=natively)
    assert (await call(receiver, GRADED)).status == 200
    assert len(runs) == 2


@pytest.mark.parametrize("natively", [True, False])
async def test_what_is_cancelled_after_its_handler_succeeded_is_done_all_the_same(natively):
    entered, runs = anyio.Event(), []

    class Slow(MemorySeenEvents):
        async def complete(self, claim):
            entered.set()
            await anyio.sleep(0.01)
            return await super().complete(claim)

    async def handler(event):
        runs.append(event)

    receiver = receiver_with(handler, seen=Slow())
    await cancelled(call(receiver, GRADED), entered, natively=natively)
    assert await receiver.handle(EVENT) is Handled.ALREADY_DONE
    assert len(runs) == 1


@pytest.mark.parametrize("natively", [True, False])
async def test_a_mark_that_fails_while_cancelled_does_not_hide_the_cancellation(natively, all_logs):
    entered = anyio.Event()

    class Broken(MemorySeenEvents):
        async def complete(self, claim):
            if entered.is_set():
                raise OSError("away")
            entered.set()
            await anyio.sleep_forever()

    async def handler(event):
        pass

    outcomes = []

    async def deliver():
        try:
            await receiver_with(handler, seen=Broken()).handle(EVENT)
        except BaseException as error:
            outcomes.append(type(error))
            raise

    await cancelled(deliver(), entered, natively=natively)
    assert outcomes == [asyncio.CancelledError]
    assert any("complete failed with OSError" in line for line in all_logs)


async def cancelled(doing, entered, *, natively):
    """Cancel a call at some point, as asyncio's servers do or as a cancel scope does."""
    async with asyncio.timeout(10):
        if natively:
            task = asyncio.create_task(doing)
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return
        async with anyio.create_task_group() as group:

            async def run():
                await doing

            group.start_soon(run)
            await entered.wait()
            group.cancel_scope.cancel()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_runs_on_any_event_loop_that_anyio_knows(backend):
    runs = []

    async def handler(_):
        runs.append(True)
        with anyio.move_on_after(50):  # a scope of its own, as HTTP clients have them
            await anyio.sleep(0.001 if len(runs) > 1 else 60)

    async def deliver():
        receiver = receiver_with(handler, handler_timeout=0.02)
        return [(await call(receiver, GRADED)).status for _ in range(3)]

    assert anyio.run(deliver, backend=backend) == [503, 200, 200]
    assert len(runs) == 2


# --- logs -------------------------------------------------------------------------------------------


async def test_no_log_holds_a_secret_or_anything_of_a_candidate(all_logs):
    context = ContextSigner([SECRET]).sign(OWN_ID, **WHO)
    graded = sample_event(TestGraded, name=NAME, context_data=context, **WHO)
    replayed = sample_event(
        TestGraded,
        name=NAME,
        context_data=context,
        access_key="a1b2c3",
        email="eve.doe@example.org",
    )
    runs = []

    async def handler(event):
        runs.append(event)
        if len(runs) == 1:
            raise RuntimeError(event)

    receiver = receiver_with(
        handler, context=ContextSigner([SECRET]), networks=["127.0.0.0/8"], max_body=50_000
    )
    wrong = [
        basic(f"{USERNAME}:{PASSWORD}x"), basic()[:-2], basic("é" * 9), basic("x" * 5_000), PASSWORD.encode(),
    ]  # fmt: skip
    async with (
        listening(receiver, "127.0.0.1", 0) as base_url,
        httpx.AsyncClient(base_url=base_url, trust_env=False) as client,
    ):

        async def status(body, authorization):
            headers = {"authorization": authorization, "php-auth-pw": PASSWORD}
            return (await client.post("/hooks", content=body, headers=headers)).status_code

        assert [await status(graded, header) for header in wrong] == [401] * len(wrong)
        bodies = [graded[:-9], replayed, graded + b"," * 60_000, graded, graded, graded]
        found = [await status(body, basic()) for body in bodies]
        assert found == [400, 401, 413, 503, 200, 200]
        assert await status(sample_event(UnknownEvent, name=NAME, **WHO), basic()) == 200
    assert len(runs) == 2
    hidden = [
        PASSWORD, basic().decode()[6:], SECRET, context, OWN_ID, NAME, NAME.split()[1],
        WHO["email"], "eve.doe", event_identity(EVENT),
    ]  # fmt: skip
    ours = [line for line in all_logs if "mettl_async" in line]
    assert len(ours) >= 10
    # httpcore and httpx tell at DEBUG what the client of this test sent; nothing else may.
    for line in all_logs:
        if "'name': 'httpcore" not in line:
            assert not [text for text in hidden if text in line], line


async def test_chunks_and_early_refusals_on_a_real_socket():
    runs = []

    async def handler(event):
        runs.append(event)

    receiver = receiver_with(handler, max_body=len(GRADED), read_timeout=0.2)
    head = f"POST / HTTP/1.1\r\nhost: x\r\nauthorization: {basic().decode()}\r\n".encode()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part)
        for part in (GRADED[i : i + 99] for i in range(0, len(GRADED), 99))
    )
    async with asyncio.timeout(20), listening(receiver, "127.0.0.1", 0) as base_url:
        port = int(base_url.rpartition(":")[2])

        async def status(*sent):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for part in sent:
                writer.write(part)
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return int(line.split()[1])

        chunked = head + b"transfer-encoding: chunked\r\n\r\n"
        assert await status(chunked, chunks, b"0\r\n\r\n") == 200
        assert await status(chunked, chunks, chunks) == 413
        assert await status(chunked, chunks[:300]) == 408
        assert await status(head, b"content-length: 99999999\r\n\r\n") == 413
        assert await status(head, b"content-length: 10\r\n\r\n", b"{") == 408
        nobody = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"
        assert await status(nobody) == 401
    assert len(runs) == 1
