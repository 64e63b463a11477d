"""Results of many schedules in one stream."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from mettl_async.bulk.fan_in import fan_in
from mettl_async.errors import MettlError
from mettl_async.models import CandidateResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable

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


async def export_results(
    access_keys: Iterable[str] | AsyncIterable[str],
    results_of: Callable[[str], AsyncPager[CandidateResult]],
    lifecycle: Lifecycle,
    *,
    concurrency: int,
) -> AsyncGenerator[Exported]:
    """Read the results of several schedules at once; see `Results.export`."""

    async def read(key: str) -> AsyncGenerator[Exported]:
        try:
            async with aclosing(aiter(results_of(key))) as found:
                async for result in found:
                    yield ExportedResult(access_key=key, result=result)
        except MettlError as error:
            yield FailedExport(access_key=key, error=error)

    results = fan_in(access_keys, read, lifecycle, concurrency=concurrency)
    try:
        async for one in results:
            yield one
    finally:
        await results.aclose()
