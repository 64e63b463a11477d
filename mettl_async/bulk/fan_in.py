"""Many sources read by a few workers, their items in one stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mettl_async.bulk.reading import each
from mettl_async.core.tasks import is_cancelled
from mettl_async.errors import ClientClosedError, ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from mettl_async.core.lifecycle import Lifecycle

K = TypeVar("K")
T = TypeVar("T")


class _FanIn(Generic[K, T]):
    def __init__(
        self,
        keys: Iterable[K] | AsyncIterable[K],
        read: Callable[[K], AsyncGenerator[T]],
        concurrency: int,
    ) -> None:
        self._keys, self._read, self._concurrency = keys, read, concurrency
        self._scope = anyio.CancelScope()
        self._send: MemoryObjectSendStream[T]
        self.items: MemoryObjectReceiveStream[T]
        self._send, self.items = anyio.create_memory_object_stream[T](concurrency)
        self.broken: Exception | None = None

    async def work(self) -> None:
        give, take = anyio.create_memory_object_stream[K](0)
        async with self._send:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._give_keys, give)
                    async with take:
                        for _ in range(self._concurrency):
                            group.start_soon(self._worker, take.clone())

    def abandon(self) -> None:
        # These are reads: nothing is lost by cancelling them.
        self._scope.cancel()
        self.items.close()

    async def _give_keys(self, give: MemoryObjectSendStream[K]) -> None:
        seen: set[K] = set()
        async with give:
            try:
                async with aclosing(each(self._keys)) as keys:
                    async for key in keys:
                        if key not in seen:
                            seen.add(key)
                            await give.send(key)
            except anyio.BrokenResourceError:
                pass
            except anyio.get_cancelled_exc_class() as exc:
                self._note_cancellation(exc)
            except Exception as exc:  # noqa: BLE001 - raised to the listener after the drain
                self.broken = exc

    def _note_cancellation(self, exc: BaseException) -> None:
        """Let our own cancellation go on; one out of somebody's code must not look like the end."""
        if is_cancelled(exc):
            raise exc
        self.broken = self.broken or ConfigurationError("cancelled from inside, by what was read")

    async def _worker(self, take: MemoryObjectReceiveStream[K]) -> None:
        async with take:
            async for key in take:
                try:
                    async with aclosing(self._read(key)) as items:
                        async for item in items:
                            await self._send.send(item)
                except anyio.BrokenResourceError:
                    return
                except anyio.get_cancelled_exc_class() as exc:
                    self._note_cancellation(exc)
                except Exception as exc:  # noqa: BLE001 - same
                    self.broken = self.broken or exc


async def fan_in(
    keys: Iterable[K] | AsyncIterable[K],
    read: Callable[[K], AsyncGenerator[T]],
    lifecycle: Lifecycle,
    *,
    concurrency: int,
) -> AsyncGenerator[T]:
    """Read ``read(key)`` for each key, some at once, and give the items as they come.

    Raises:
        InvalidInputError: ``keys`` is no list.
        Exception: What the keys or a reading raise, when the rest has been read.
    """
    if isinstance(keys, (str, bytes)) or not isinstance(keys, (Iterable, AsyncIterable)):
        raise InvalidInputError("access_keys", "is not a list", "pass a list of access keys")
    lifecycle.check()
    run = _FanIn(keys, read, concurrency)
    lifecycle.start(run.work(), run.abandon)
    try:
        async for item in run.items:
            yield item
        if run.broken is not None:
            raise run.broken
    except anyio.ClosedResourceError:
        raise ClientClosedError("the client was closed before this was read") from None
    finally:
        run.abandon()
