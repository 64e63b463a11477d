"""Every failure is one line: what failed, with what type and where, and of which event."""

import asyncio
import hashlib
import re

import anyio
import pytest
from asgi_calls import call

from mettl_async import InvalidInputError
from mettl_async.webhooks import (
    Handled,
    MemorySeenEvents,
    TestGraded,
    TestStarted,
    WebhookReceiver,
    event_identity,
    parse_event,
    processing,
    sample_event,
)

GRADED = sample_event(TestGraded, access_key="a1b2c3", email="asha.rao@example.org")
EVENT = parse_event(GRADED)
HERE = r" at test_webhooks_logs\.py:\d+"


def shown(key):
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]


KEY = shown(event_identity(EVENT))


class NotReleasing(MemorySeenEvents):
    """A store that fails when an event is released."""

    async def release(self, claim):
        raise OSError("the database is away")


async def fine(event): ...


async def failing(event):
    raise KeyError("mine")


def unnamed(event):
    raise LookupError("asha.rao@example.org")


def receiver_with(handler, **given):
    receiver = WebhookReceiver(**({"auth": None} | given))
    receiver.on(TestGraded)(handler)
    return receiver


def lines(caplog):
    return [one.getMessage() for one in caplog.records if one.name == "mettl_async.webhooks"]


async def fails_with(receiver, error, told):
    with pytest.raises(error) as caught:
        await receiver.handle(EVENT)
    assert str(caught.value) == told
    return caught.value


async def test_an_identity_that_cannot_be_told(caplog):
    receiver = receiver_with(fine, identify=unnamed)
    await fails_with(receiver, LookupError, "asha.rao@example.org")
    (line,) = lines(caplog)
    assert (await call(receiver, GRADED)).status == 503
    assert re.fullmatch(f"identify failed with LookupError{HERE}: TestGraded ", line)


async def test_a_store_that_fails_to_release(caplog):
    await fails_with(receiver_with(failing, seen=NotReleasing()), KeyError, "'mine'")
    handle, release = lines(caplog)
    assert handle.startswith("handle failed with KeyError")
    assert re.fullmatch(f"release failed with OSError{HERE}: TestGraded {KEY}", release)


async def test_an_identity_with_half_a_surrogate_pair_is_shown_too(caplog):
    receiver = receiver_with(failing, identify=lambda _: "\ud800")
    await fails_with(receiver, KeyError, "'mine'")
    assert lines(caplog)[0].endswith(f": TestGraded {shown(chr(0xD800))}")


async def test_a_kind_without_a_handler(caplog):
    receiver = receiver_with(fine)
    for _ in range(2):
        assert await receiver.handle(parse_event(sample_event(TestStarted))) is Handled.NO_HANDLER
    assert lines(caplog) == [
        (
            "no handler for TestStarted: such events are lost (this is said once); declare one with "
            "@receiver.on(TestStarted), or refuse them with strict=True"
        )
    ]


async def test_a_receiver_without_any_handler(caplog):
    assert (await call(WebhookReceiver(auth=None), GRADED)).status == 503
    assert lines(caplog) == ["503: no handler is declared at all"]


async def test_a_hook_that_fails(caplog):
    async def hook(error, event):
        raise ZeroDivisionError("asha.rao@example.org")

    assert (await call(receiver_with(failing, on_error=hook), GRADED)).status == 503
    assert lines(caplog)[-1] == "on_error failed with ZeroDivisionError"


async def test_a_hook_that_never_ends_has_as_long_as_a_handler(caplog):
    async def hook(error, event):
        await anyio.sleep_forever()

    receiver = receiver_with(failing, on_error=hook, handler_timeout=0.01)
    async with asyncio.timeout(30):  # for ever, if it were not stopped
        assert (await call(receiver, GRADED)).status == 503
    assert lines(caplog)[-1] == "on_error failed with TimeoutError"


async def test_a_store_that_never_releases_does_not_hold_up_the_handlers_error(monkeypatch):
    monkeypatch.setattr(processing, "_SETTLE_TIMEOUT", 0.01)

    class Stuck(MemorySeenEvents):
        async def release(self, claim):
            await anyio.sleep_forever()

    async with asyncio.timeout(30):  # for ever, if it were waited for
        await fails_with(receiver_with(failing, seen=Stuck()), KeyError, "'mine'")


async def test_a_store_that_never_marks_does_not_hold_up_a_cancellation(monkeypatch):
    monkeypatch.setattr(processing, "_SETTLE_TIMEOUT", 0.01)
    entered = anyio.Event()

    class Stuck(MemorySeenEvents):
        async def complete(self, claim):
            entered.set()
            await anyio.sleep_forever()

    task = asyncio.create_task(receiver_with(fine, seen=Stuck()).handle(EVENT))
    await entered.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=30)  # for ever, if it were waited for
    still_waiting = not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not still_waiting


async def test_what_is_no_event_is_refused_with_its_type():
    with pytest.raises(InvalidInputError) as caught:
        await receiver_with(fine).handle({"EVENT_TYPE": "GradedTest"})
    assert str(caught.value) == "event: is dict; pass an event"


async def test_an_event_that_someone_else_has_claimed(caplog):
    seen = MemorySeenEvents(lease=90.0)
    await seen.claim(event_identity(EVENT))
    receiver = receiver_with(fine, seen=seen, busy_wait=0)
    assert await receiver.handle(EVENT) is Handled.BUSY
    assert lines(caplog) == [
        f"busy: TestGraded {KEY} is claimed by another delivery until that ends, or its lease of 90 s"
    ]


async def test_a_store_that_is_full_of_others(caplog):
    seen = MemorySeenEvents(limit=1)
    await seen.claim("another")
    receiver = receiver_with(fine, seen=seen, busy_wait=0)
    assert (await call(receiver, GRADED)).status == 503
    assert lines(caplog) == [
        f"busy: the store has no room to claim TestGraded {KEY}: it is full of events being handled"
    ]
