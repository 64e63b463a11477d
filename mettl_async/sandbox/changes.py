"""Which of the things that a sandbox remembers were changed since they were last written down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Noted(Protocol):
    """Something that tells of its own changes."""

    @property
    def changes(self) -> Changes | None:
        """Where it tells of them; None if nobody wants to know."""


class Changes:
    """Notes what is to be written; ``save`` is called as soon as the step that changed it is done.

    Without a running event loop nothing is called, and what was noted waits for whoever saves next.
    """

    def __init__(self, save: Callable[[], None]) -> None:
        self._save = save
        self._called = False
        # In order: what belongs to something else comes after it.
        self.entities: dict[Noted, None] = {}
        self.deleted: set[tuple[str, str]] = set()
        self.deliveries: set[int] = set()

    def note(self, entity: Noted) -> None:
        """Note an account, an assessment, a schedule or a candidate."""
        self.entities[entity] = None
        self.soon()

    def note_deleted(self, candidate: Noted, key: tuple[str, str]) -> None:
        """Note that a candidate is gone: access key and folded email."""
        self.entities.pop(candidate, None)
        self.deleted.add(key)
        self.soon()

    def note_delivery(self, number: int) -> None:
        """Note a delivery."""
        self.deliveries.add(number)
        self.soon()

    def clear(self) -> None:
        """Forget what was noted: it is written."""
        self.entities.clear()
        self.deleted.clear()
        self.deliveries.clear()

    def soon(self) -> None:
        """Have what was changed written after this step, also what is not noted one by one."""
        if self._called:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._called = True
        # A step never awaits in its middle, so then it is whole.
        loop.call_soon(self._now)

    def _now(self) -> None:
        self._called = False
        self._save()


def noted(entity: Noted, _attribute: Any, value: Any) -> Any:
    """Note a change of an attribute; for ``on_setattr`` of attrs."""
    if entity.changes is not None:
        entity.changes.note(entity)
    return value
