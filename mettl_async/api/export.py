"""Results of many schedules in one stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeAlias

import anyio
from attrs import frozen

from mettl_async.bulk.reading import each
from mettl_async.core.tasks import is_cancelled
from mettl_async.errors import (
    ClientClosedError,
    ConfigurationError,
    InvalidInputError,
    MettlError,
)
from mettl_async.models import CandidateResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from mettl_async.api.pager import AsyncPager
    from mettl_async.core.lifecycle import Lifecycle


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


class _Export:
    """Workers that read one schedule after another, and send what they find to one stream."""

    def __init__(
        self,
        access_keys: Iterable[str] | AsyncIterable[str],
        results_of: Callable[[str], AsyncPager[CandidateResult]],
        concurrency: int,
    ) -> None:
        self._access_keys, self._results_of = access_keys, results_of
        self._concurrency = concurrency
        self._scope = anyio.CancelScope()
        self._turn = anyio.Lock()
        self._found, self.found = anyio.create_memory_object_stream[Exported](concurrency)
        self.failure: Exception | None = None

    async def work(self) -> None:
        async with self._found, aclosing(self._each_once()) as keys:
            with self._scope:
                async with anyio.create_task_group() as group:
                    for _ in range(self._concurrency):
                        group.start_soon(self._worker, keys)

    def abandon(self) -> None:
        # These are reads: nothing is lost by cancelling them.
        self._scope.cancel()
        self.found.close()

    async def _each_once(self) -> AsyncGenerator[str]:
        seen: set[str] = set()
        async with aclosing(each(self._access_keys)) as keys:
            async for key in keys:
                if key not in seen:
                    seen.add(key)
                    yield key

    async def _worker(self, keys: AsyncGenerator[str]) -> None:
        while True:
            try:
                async with self._turn:
                    key = await anext(keys, None)
                if key is None:
                    return
                await self._read(key)
            except anyio.BrokenResourceError:
                return
            except (Exception, anyio.get_cancelled_exc_class()) as exc:
                if is_cancelled(exc):
                    raise
                # Raised to the caller when the rest has been read. A cancellation out of somebody's
                # code must not look like the end.
                self.failure = self.failure or (
                    exc
                    if isinstance(exc, Exception)
                    else ConfigurationError("cancelled from inside, by what was read")
                )

    async def _read(self, key: str) -> None:
        try:
            async with aclosing(aiter(self._results_of(key))) as results:
                async for result in results:
                    await self._found.send(ExportedResult(access_key=key, result=result))
        except MettlError as error:
            await self._found.send(FailedExport(access_key=key, error=error))


async def export_results(
    access_keys: Iterable[str] | AsyncIterable[str],
    results_of: Callable[[str], AsyncPager[CandidateResult]],
    lifecycle: Lifecycle,
    *,
    concurrency: int,
) -> AsyncGenerator[Exported]:
    """Read the results of several schedules at once; see `Results.export`.

    Raises:
        InvalidInputError: ``access_keys`` is no iterable.
        ClientClosedError: The client was closed.
        Exception: What the keys or a reading raise, when the rest has been read.
    """
    if isinstance(access_keys, (str, bytes)) or not isinstance(
        access_keys, (Iterable, AsyncIterable)
    ):
        raise InvalidInputError("access_keys", "is not a list", "pass a list of access keys")
    lifecycle.check()
    export = _Export(access_keys, results_of, concurrency)
    lifecycle.start(export.work(), export.abandon)
    try:
        async for one in export.found:
            yield one
        if export.failure is not None:
            raise export.failure
    except anyio.ClosedResourceError:
        raise ClientClosedError("the client was closed before this was read") from None
    finally:
        export.abandon()
