"""``mettl account``, ``mettl assessments`` and ``mettl schedules``: lists of what an account has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from mettl_async.cli.printing import cell_at, plain, print_json, print_table
from mettl_async.cli.problems import MISSING, print_stderr
from mettl_async.cli.progress import spinner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mettl_async.api.pager import AsyncPager
    from mettl_async.cli.target import Target
    from mettl_async.client import MettlClient
    from mettl_async.models import Assessment, AssessmentSort, Schedule, SortOrder

MOST_PER_PAGE: Final = 100

# Columns by name, and where their cells are in a value.
_ACCOUNT: Final = {name: name for name in ("email", "first_name", "last_name", "account_type")}
_ASSESSMENTS: Final = {
    "id": "id",
    "name": "name",
    "minutes": "duration",
    "tests_taken": "tests_taken",
    "created_at": "created_at",
}
_SCHEDULES: Final = {
    "access_key": "access_key",
    "name": "name",
    "status": "status",
    "access": "access.type",
    "created_at": "created_at",
    "assessment": "assessment_details.name",
}

T = TypeVar("T")


def account(target: Target, *, as_json: bool) -> int:
    """Show the account that the keys belong to."""
    with spinner("reading the account"):
        info = target.ask(lambda client: client.account.get())
    if as_json:
        print_json(plain(info))
    else:
        _print_rows([info], _ACCOUNT)
    return 0


def assessments(
    target: Target, *, sort: AssessmentSort, order: SortOrder, limit: int | None, as_json: bool
) -> int:
    """List the account's assessments; gives the exit code."""

    def pager(client: MettlClient) -> AsyncPager[Assessment]:
        return client.assessments.list(sort=sort, order=order, page_size=page_size(limit))

    return _list("assessments", target, pager, _ASSESSMENTS, limit=limit, as_json=as_json)


def schedules(target: Target, *, assessment: int | None, limit: int | None, as_json: bool) -> int:
    """List the schedules of the account or of one assessment; gives the exit code."""

    def pager(client: MettlClient) -> AsyncPager[Schedule]:
        if assessment is not None:
            return client.schedules.list_in_assessment(assessment)
        return client.schedules.list(page_size=page_size(limit))

    return _list("schedules", target, pager, _SCHEDULES, limit=limit, as_json=as_json)


def page_size(limit: int | None, most: int = MOST_PER_PAGE) -> int:
    """Choose the largest page size that is not larger than the limit."""
    return most if limit is None else min(most, limit)


def unread(pager: AsyncPager[Any], count: int, limit: int | None) -> int:
    """Count the server's rows that were not read: not decodable, or moved while the list was read."""
    return max(0, pager.total - count) if limit is None and pager.total is not None else 0


def report_unread(lost: int) -> int:
    """Report missing rows on stderr, if there are any; gives the exit code."""
    if not lost:
        return 0
    rows = "1 row is" if lost == 1 else f"{lost:,} rows are"
    print_stderr(f"mettl: {rows} missing: not readable, or the list changed while it was read")
    return MISSING


def _list(
    what: str,
    target: Target,
    pager_of: Callable[[MettlClient], AsyncPager[T]],
    columns: Mapping[str, str],
    *,
    limit: int | None,
    as_json: bool,
) -> int:
    async def read(client: MettlClient) -> tuple[list[T], int]:
        pager = pager_of(client)
        items = await pager.collect(limit)
        return items, unread(pager, len(items), limit)

    with spinner(f"reading {what}"):
        items, lost = target.ask(read)
    if as_json:
        print_json(plain(items))
    else:
        _print_rows(items, columns)
    return report_unread(lost)


def _print_rows(items: Iterable[object], columns: Mapping[str, str]) -> None:
    print_table(
        list(columns), [[cell_at(item, path) for path in columns.values()] for item in items]
    )
