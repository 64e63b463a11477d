"""``mettl account``, ``mettl assessments`` and ``mettl schedules``: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mettl_async.cli.printing import plain, utc_text
from mettl_async.cli.problems import MISSING, tell
from mettl_async.cli.progress import busy
from mettl_async.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mettl_async.api.pager import AsyncPager
    from mettl_async.cli.target import Target
    from mettl_async.client import MettlClient
    from mettl_async.models import Assessment, AssessmentSort, Schedule, SortOrder

MOST_PER_PAGE = 100


def account(target: Target, *, as_json: bool) -> int:
    """Show the account that the keys belong to."""
    with busy("reading the account"):
        info = target.ask(lambda client: client.account.get())
    if as_json:
        print_json(plain(info))
        return 0
    print_table(
        ("email", "first_name", "last_name", "account_type"),
        [(info.email, info.first_name, info.last_name, info.account_type)],
    )
    return 0


def assessments(
    target: Target,
    *,
    sort: AssessmentSort,
    order: SortOrder,
    limit: int | None,
    as_json: bool,
) -> int:
    """List the account's assessments; gives the exit code."""

    async def read(client: MettlClient) -> tuple[Sequence[Assessment], int]:
        pager = client.assessments.list(sort=sort, order=order, page_size=page_size(limit))
        items = await pager.collect(limit)
        return items, unread(pager, len(items), limit)

    with busy("reading assessments"):
        items, lost = target.ask(read)
    if as_json:
        print_json(plain(tuple(items)))
    else:
        print_table(
            ("id", "name", "minutes", "tests_taken", "created_at"),
            [
                (one.id, one.name, one.duration, one.tests_taken, _time(one.created_at))
                for one in items
            ],
        )
    return tell_unread(lost)


def schedules(target: Target, *, assessment: int | None, limit: int | None, as_json: bool) -> int:
    """List the schedules of the account or of one assessment; gives the exit code."""

    async def read(client: MettlClient) -> tuple[Sequence[Schedule], int]:
        if assessment is not None:
            return await client.schedules.list_in_assessment(assessment).collect(limit), 0
        pager = client.schedules.list(page_size=page_size(limit))
        items = await pager.collect(limit)
        return items, unread(pager, len(items), limit)

    with busy("reading schedules"):
        items, lost = target.ask(read)
    if as_json:
        print_json(plain(tuple(items)))
    else:
        print_table(
            ("access_key", "name", "status", "access", "created_at", "assessment"),
            [
                (
                    one.access_key,
                    one.name,
                    one.status,
                    one.access.type if one.access else None,
                    _time(one.created_at),
                    one.assessment_details.name if one.assessment_details else None,
                )
                for one in items
            ],
        )
    return tell_unread(lost)


def page_size(limit: int | None, most: int = MOST_PER_PAGE) -> int:
    """As large as may be, but no larger than what is wanted."""
    return most if limit is None else min(most, limit)


def unread(pager: AsyncPager[Any], count: int, limit: int | None) -> int:
    """How many rows the server has that did not come out: not readable, or moved away meanwhile."""
    return max(0, pager.total - count) if limit is None and pager.total is not None else 0


def tell_unread(lost: int) -> int:
    """Say what is missing, if anything is; gives the exit code."""
    if not lost:
        return 0
    rows = "1 row is" if lost == 1 else f"{lost:,} rows are"
    tell(f"mettl: {rows} missing: not readable, or the list changed while it was read")
    return MISSING


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
