"""Writing together what waits at the same time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import anyio
from attrs import define, field

from mettl_async.bulk.outcomes import JournalError

T = TypeVar("T")


@define(eq=False)
class _Group(Generic[T]):
    """Items of one commit, and why it failed."""

    items: list[T] = field(factory=list)
    failure: Exception | None = None


class GroupCommit(Generic[T]):
    """Commit the items of many tasks, one commit at a time.

    Items that are added while a commit is under way go into the next one together.
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
            if group is self._next:
                self._next = _Group()
                await self._write(group)
        if group.failure is not None:
            raise group.failure

    async def _write(self, group: _Group[T]) -> None:
        group.failure = JournalError("the journal was cancelled while it was written")
        with anyio.CancelScope(shield=True):
            try:
                await self._commit(group.items)
            except Exception as error:  # noqa: BLE001 - raised by every task of the group
                group.failure = error
            else:
                group.failure = None
