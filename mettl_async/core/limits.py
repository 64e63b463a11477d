"""How many requests are in flight: the only queue of the client.

First come, first served: a slot that is given back goes to whoever has waited longest. The transport
never makes anyone wait, for an HTTP pool's own queue is slow and unfair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from types import TracebackType


class Slots:
    """``async with slots:`` holds one of ``total`` slots."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._semaphore: anyio.Semaphore | None = None

    async def __aenter__(self) -> None:
        # Made on first use: a client may be built before an event loop runs.
        if self._semaphore is None:
            self._semaphore = anyio.Semaphore(self.total, fast_acquire=True)
        await self._semaphore.acquire()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._semaphore is not None:
            self._semaphore.release()
