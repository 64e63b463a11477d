"""What many tasks write at the same time goes into one commit, and each learns how it went."""

import asyncio

import anyio
import pytest

from mettl_async.bulk.group_commit import GroupCommit


class Disk:
    """Commits when it is let, and raises what it is told."""

    def __init__(self):
        self.commits, self.may, self.error = [], asyncio.Event(), None

    async def __call__(self, items):
        await self.may.wait()
        if self.error is not None:
            raise self.error
        self.commits.append(list(items))


async def test_what_waits_while_a_commit_is_under_way_goes_into_the_next_one():
    disk = Disk()
    group = GroupCommit(disk)
    first = asyncio.create_task(group.add([1]))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(group.add([number])) for number in (2, 3, 4)]
    await asyncio.sleep(0.01)
    assert not any(one.done() for one in (first, *others))
    disk.may.set()
    await asyncio.gather(first, *others)
    assert disk.commits == [[1], [2, 3, 4]]


async def test_a_failure_is_raised_by_all_of_its_group_and_by_no_others():
    disk = Disk()
    disk.may.set()
    group = GroupCommit(disk)
    disk.error = OSError(28, "No space left on device")
    results = await asyncio.gather(*(group.add([1]) for _ in range(3)), return_exceptions=True)
    assert results == [disk.error] * 3
    disk.error = None
    await group.add([2])
    assert disk.commits == [[2]]


async def test_a_cancelled_task_leaves_its_commit_to_finish():
    disk = Disk()
    group = GroupCommit(disk)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(group.add, [1])
            await anyio.sleep(0.01)
            scope.cancel()
            disk.may.set()
    assert disk.commits == [[1]]


async def test_a_commit_that_was_cut_off_is_made_by_the_next_task_of_its_group():
    disk = Disk()
    group = GroupCommit(disk)
    first = asyncio.create_task(group.add([1]))
    second = asyncio.create_task(group.add([2]))
    await asyncio.sleep(0.01)
    first.cancel()  # not by a cancel scope: the loop's own, as at its end
    disk.may.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    assert disk.commits == [[1, 2]]
