"""``mettl jobs schedule``: recurring work is listed, added and removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from mettl_async.cli.jobs_database import with_jobs
from mettl_async.cli.printing import plain, print_json, print_table, utc_text
from mettl_async.cli.problems import CommandError
from mettl_async.cli.talk import say
from mettl_async.jobs import FolderStore, pull_results

if TYPE_CHECKING:
    from mettl_async.models import ResultDetail

_COLUMNS: Final = ("name", "account", "cron", "time zone", "next at", "last job")


@frozen
class Source:
    """The schedules whose results are pulled: these, those of an assessment, or all."""

    access_keys: list[str] | None
    assessment: int | None


@frozen(kw_only=True)
class Target:
    """Where results and reports go."""

    table: bool
    files: Path | None
    reports: Path | None


def show_all(db: str | None, *, as_json: bool) -> int:
    """List all recurring work."""
    found = with_jobs(db, lambda jobs: jobs.schedules())
    if as_json:
        print_json([plain(one) for one in found])
        return 0
    rows = [
        (one.name, one.account, one.cron, one.timezone, utc_text(one.next_at), one.last_job or "")
        for one in found
    ]
    print_table(_COLUMNS, rows)
    return 0


def add(
    db: str | None,
    name: str,
    *,
    cron: str,
    timezone: str,
    account: str,
    source: Source,
    target: Target,
    detail: ResultDetail,
    as_json: bool,
) -> int:
    """Add recurring work, or change what has this name.

    Raises:
        CommandError: The database cannot be used.
        InvalidInputError: An option cannot work.
    """
    if source.access_keys and source.assessment is not None:
        raise CommandError("give --schedule or --assessment, not both")
    if not (target.table or target.files or target.reports):
        raise CommandError("--no-table leaves nowhere to store anything; add --files or --reports")
    what = pull_results(
        source.access_keys or None,
        assessment=source.assessment,
        table=target.table,
        # The worker may run in another folder.
        files=None if target.files is None else target.files.absolute(),
        reports=None if target.reports is None else FolderStore(target.reports.absolute()),
        detail=detail,
    )
    made = with_jobs(
        db, lambda jobs: jobs.every(cron, what, name=name, account=account, timezone=timezone)
    )
    if as_json:
        print_json(plain(made))
        return 0
    say(f"{made.name} is due next at {utc_text(made.next_at)}")
    return 0


def remove(db: str | None, name: str) -> int:
    """Remove recurring work.

    Raises:
        CommandError: There is none of this name.
    """
    if not with_jobs(db, lambda jobs: jobs.remove_schedule(name)):
        raise CommandError(
            f"there is no recurring work {name!r}; mettl jobs schedule list shows what there is"
        )
    say(f"{name} is removed; a run that has begun goes on")
    return 0
