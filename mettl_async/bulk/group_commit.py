"""Writing together what waits at the same time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import anyio
from attrs import define, field

T = TypeVar("T")


@define(eq=False)
class _Group(Generic[T]):
    """Items of one commit, whether it has ended, and why it failed."""

    items: list[T] = field(factory=list)
    ended: bool = False
    failure: Exception | None = None


class GroupCommit(Generic[T]):
    """Commit the items of many tasks, one commit at a time.

    Items that are added while a commit is under way go into the next one together.

    Args:
        commit: Commits items, all or none. Called again with the same ones if the task that called it
            was cancelled while others wait, which cannot know how far it came.
    """

    def __init__(self, commit: Callable[[list[T]], Awaitable[None]]) -> None:
        self._commit = commit
        self._committing = anyio.Lock()
        self._next: _Group[T] = _Group()

    async def add(self, items: Sequence[T]) -> None:
        """Return when these items are committed.

        Raises:
            Exception: What the commit raised; then none of its items is committed.
        """
        group = self._next
        group.items += items
        async with self._committing:
            if not group.ended:
                if group is self._next:
                    self._next = _Group()
                await self._write(group)
        if group.failure is not None:
            raise group.failure

    async def _write(self, group: _Group[T]) -> None:
        with anyio.CancelScope(shield=True):
            try:
                await self._commit(group.items)
            except Exception as error:  # noqa: BLE001 - raised by every task of the group
                group.failure = error
        group.ended = True
