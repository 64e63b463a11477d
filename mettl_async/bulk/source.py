"""Reading an input of either kind as one kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """The items of an iterable or async iterable.

    A generator is closed here and not by the garbage collector: in the task that ran it, before the
    run ends.
    """
    if isinstance(items, AsyncGenerator):
        async with aclosing(items) as source:
            async for item in source:
                yield item
    elif isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
