"""Who may send now: slots in FIFO order, the pace, the shared rate, and closing as an event."""

import anyio
import pytest

from mettl_async import ClientClosedError, RateLimitError
from mettl_async.core.admission import Admission
from mettl_async.core.effects import Effects
from mettl_async.core.pacing import Pacer

pytestmark = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Never:
    async def acquire(self):
        await anyio.sleep_forever()


def paused(seconds):
    pacer = Pacer()
    pacer.throttled(1000.0, 1000.0, seconds, 0.0)
    return pacer


def stopped_clock():
    return Effects(monotonic=lambda: 1000.0)


async def ended_by_closing(admission, wait):
    """What a waiting caller gets as soon as the client closes."""
    caught = []

    async def call():
        try:
            await wait()
        except ClientClosedError as error:
            caught.append(error)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            await admission.lifecycle.drain()
    return caught


def test_closing_ends_every_wait_at_once(backend):
    async def main():
        full = Admission(slots=1)
        await full.acquire_slot()
        slow = Admission(slots=1, pacer=paused(20.0), effects=stopped_clock())
        shared = Admission(slots=1, rate_limiter=Never())
        for admission, wait in (
            (full, full.acquire_slot),
            (slow, lambda: slow.wait_for_turn(60.0)),
            (shared, lambda: shared.wait_for_turn(60.0)),
        ):
            (error,) = await ended_by_closing(admission, wait)
            assert (error.sent, error.safe_to_repeat) == (False, True)
            assert "closed" in str(error)
        # A slot that is free still serves what is under way.
        full.release_slot()
        await full.acquire_slot()

    anyio.run(main, backend=backend)


def test_a_cancelled_caller_gets_no_slot_and_others_keep_their_order(backend):
    async def main():
        admission, served = Admission(slots=1), []
        await admission.acquire_slot()

        async def call(number):
            await admission.acquire_slot()
            served.append(number)
            admission.release_slot()

        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()

            async def cancelled():
                with scope:
                    await call(0)

            group.start_soon(cancelled)
            await anyio.wait_all_tasks_blocked()
            for number in (1, 2, 3):
                group.start_soon(call, number)
                await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            admission.release_slot()
        assert served == [1, 2, 3]

    anyio.run(main, backend=backend)


def test_a_wait_beyond_the_deadline_is_refused_in_words_that_say_both(backend):
    async def main():
        late = Admission(slots=1, pacer=paused(12.0), effects=stopped_clock())
        words = "rate limited: next slot in 12 s, beyond the 5 s deadline"
        with pytest.raises(RateLimitError, match=words) as caught:
            await late.wait_for_turn(5.0)
        assert caught.value.retry_after == 12.0
        shared = Admission(slots=1, rate_limiter=Never())
        with pytest.raises(RateLimitError, match=r"within the 0\.01 s deadline"):
            await shared.wait_for_turn(0.01)

    anyio.run(main, backend=backend)
