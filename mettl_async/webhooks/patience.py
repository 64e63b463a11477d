"""A time limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import anyio
import sniffio

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def within(seconds: float, what: Awaitable[T]) -> T:
    """Await something for so long and no longer.

    On asyncio by its own timeout, which costs a third of what `anyio.fail_after` does: two of those
    would take longer than all checks of a delivery together. Both get along with the cancel scopes
    of whoever calls, and of what is called.

    Raises:
        TimeoutError: The time was over; what was awaited is cancelled.
    """
    if sniffio.current_async_library() == "asyncio":
        async with asyncio.timeout(seconds):
            return await what
    with anyio.fail_after(seconds):
        return await what
