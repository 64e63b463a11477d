"""Reading an input of either kind as one kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """The items of an iterable or async iterable.

    A generator, be it the input or what the input makes to be read, is closed here and not by the
    garbage collector: in the task that ran it, before the run ends.
    """
    if isinstance(items, AsyncIterable):
        source = aiter(items)
        try:
            async for item in source:
                yield item
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()
    else:
        for item in items:
            yield item
