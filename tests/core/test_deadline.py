"""A bound on time takes back its own cancellation, and nobody else's."""

import asyncio
import contextlib
import contextvars

import anyio
import pytest

from mettl_async.core.deadline import give_up_after

SOON, LATE = 0.01, 60


async def test_what_takes_too_long_is_left_and_the_code_behind_goes_on():
    done = False
    with give_up_after(SOON):
        await asyncio.sleep(LATE)
        done = True
    assert not done
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)  # and no cancellation is left over


async def test_what_is_in_time_is_left_alone():
    with give_up_after(LATE):
        await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("seconds", [0, -1])
async def test_nothing_is_begun_when_the_time_is_over_already(seconds):
    with give_up_after(seconds):
        await anyio.lowlevel.checkpoint()
        pytest.fail("went on")


async def test_what_is_raised_inside_comes_out():
    with pytest.raises(OSError, match="disk"), give_up_after(LATE):
        raise OSError("disk")


async def test_a_cancellation_from_elsewhere_passes_through():
    async def work():
        with give_up_after(LATE):
            await asyncio.sleep(LATE)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_elsewhere_passes_through_even_at_the_same_time():
    went_on = False

    async def work():
        nonlocal went_on
        with give_up_after(SOON):
            try:
                await asyncio.sleep(LATE)
            finally:
                asyncio.current_task().cancel()  # the other one, before ours was taken back
        went_on = True

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
    assert not went_on


async def test_a_scope_around_it_cancels_as_ever():
    reached = False
    with anyio.move_on_after(SOON) as scope:
        with give_up_after(LATE):
            await anyio.sleep(LATE)
        reached = True
    assert scope.cancelled_caught
    assert not reached
    assert asyncio.current_task().cancelling() == 0


async def test_scopes_inside_it_do_not_swallow_its_end():
    inside = False
    with give_up_after(SOON):
        with anyio.move_on_after(LATE):
            await anyio.sleep(LATE)
        inside = True
    assert not inside


async def test_the_inner_of_two_ends_alone():
    with give_up_after(LATE):
        with give_up_after(SOON):
            await asyncio.sleep(LATE)
        await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


async def test_the_timer_keeps_nothing_of_the_call_that_happens_to_set_it():
    session = contextvars.ContextVar("session")
    session.set("what a web framework knows of its user")
    with give_up_after(LATE) as bound:
        assert session not in bound._timer._context
    assert bound._timer.cancelled()


async def test_a_task_that_ignored_a_cancellation_before_still_goes_on_behind_a_bound():
    async def work():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(LATE)
        with give_up_after(SOON):
            await asyncio.sleep(LATE)
        return "went on"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "went on"
