"""Results of many schedules in one stream."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing, suppress
from typing import TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from attrs import frozen

from mettl_async.api.pager import AsyncPager
from mettl_async.bulk.reading import each
from mettl_async.core.lifecycle import Lifecycle
from mettl_async.core.tasks import catching
from mettl_async.errors import ClientClosedError, MettlError
from mettl_async.models import CandidateResult


@frozen(kw_only=True)
class ExportedResult:
    """One candidate's result of an export.

    Attributes:
        access_key: Of the schedule.
        result: Of the candidate.
    """

    access_key: str
    result: CandidateResult


@frozen(kw_only=True)
class FailedExport:
    """A schedule whose results could not be read, or not to the end.

    Attributes:
        access_key: Of the schedule.
        error: Why.
    """

    access_key: str
    error: MettlError


Exported: TypeAlias = ExportedResult | FailedExport


async def export_results(
    access_keys: Iterable[str] | AsyncIterable[str],
    results_of: Callable[[str], AsyncPager[CandidateResult]],
    lifecycle: Lifecycle,
    *,
    concurrency: int,
) -> AsyncGenerator[Exported]:
    """Read the results of several schedules at once; see `Results.export`.

    Raises:
        ClientClosedError: The client was closed.
        Exception: What the keys or a reading raise, when the rest has been read.
    """
    lifecycle.check()
    give, found = anyio.create_memory_object_stream[Exported](concurrency)
    scope, turn, seen = anyio.CancelScope(), anyio.Lock(), set[str]()
    # Raised when the rest has been read.
    failures: list[Exception] = []

    async def work() -> None:
        async with give, aclosing(each(access_keys)) as keys:
            with scope:
                async with anyio.create_task_group() as group:
                    for _ in range(concurrency):
                        group.start_soon(worker, keys)

    async def worker(keys: AsyncGenerator[str]) -> None:
        key: str | None = ""
        while key is not None:
            key = None
            with catching(failures.append), suppress(anyio.BrokenResourceError):
                async with turn:
                    key = await anext(keys, None)
                if key is not None and key not in seen:
                    seen.add(key)
                    await _read(key, results_of(key), give)

    def abandon() -> None:
        # These are reads: nothing is lost by cancelling them.
        scope.cancel()
        found.close()

    lifecycle.start(work(), abandon)
    try:
        async for one in found:
            yield one
        if failures:
            raise failures[0]
    except anyio.ClosedResourceError:
        raise ClientClosedError("the client was closed before this was read") from None
    finally:
        abandon()


async def _read(
    key: str, results: AsyncPager[CandidateResult], give: MemoryObjectSendStream[Exported]
) -> None:
    try:
        async with aclosing(aiter(results)) as found:
            async for result in found:
                await give.send(ExportedResult(access_key=key, result=result))
    except MettlError as error:
        await give.send(FailedExport(access_key=key, error=error))
