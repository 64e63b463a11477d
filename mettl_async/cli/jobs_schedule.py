"""The commands of ``mettl jobs schedule``: their parameters only, like ``app``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from mettl_async.cli.helping import Group
from mettl_async.cli.option_fields import command
from mettl_async.cli.options import DetailOptions, JobsDb, Json

_NOTHING_CHANGED: Final = "nothing was changed"

app = typer.Typer(
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    help="Pull results and reports again and again, at set times.",
)

_Name = Annotated[str, typer.Argument(help="Name of the recurring work.", metavar="NAME")]


@command(app, "mettl jobs schedule list", interrupted="nothing was written")
def list_(*, db: JobsDb = None, as_json: Json = False) -> int:
    """List what recurs, and when it is due next."""
    from mettl_async.cli import jobs_recurring

    return jobs_recurring.show_all(db, as_json=as_json)


@command(
    app,
    'mettl jobs schedule add nightly --account acme --cron "0 2 * * *" --reports pdfs',
    'mettl jobs schedule add weekly --account acme --cron "0 6 * * 1" --timezone Asia/Kolkata',
    interrupted=_NOTHING_CHANGED,
    talks=True,
)
def add(
    name: _Name,
    *,
    cron: Annotated[
        str,
        typer.Option(
            help="When: minute, hour, day, month and day of the week, as in crontab.",
            metavar="EXPRESSION",
        ),
    ],
    account: Annotated[
        str, typer.Option(help="Account, by the name that workers have for it.", metavar="NAME")
    ],
    timezone: Annotated[
        str, typer.Option(help="Whose clocks that means, such as Asia/Kolkata.", metavar="ZONE")
    ] = "UTC",
    schedule: Annotated[
        list[str] | None,
        typer.Option(
            help="Access key of a schedule; can be repeated. By default all that the account has then.",
            metavar="KEY",
        ),
    ] = None,
    assessment: Annotated[
        int | None,
        typer.Option(help="Only schedules of this assessment, instead.", min=1, metavar="ID"),
    ] = None,
    table: Annotated[
        bool,
        typer.Option("--table/--no-table", help="Keep results in the table mettl_job_results."),
    ] = True,
    files: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the worker for results as JSON Lines, a file for each schedule.",
            metavar="FOLDER",
        ),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(help="Folder of the worker for the reports, as PDF.", metavar="FOLDER"),
    ] = None,
    detail: DetailOptions,
    db: JobsDb = None,
    as_json: Json = False,
) -> int:
    """Add recurring work, or change what has this name: results that are new are pulled, each once.

    A worker of the account does it. One run begins only when the one before is over.
    """
    from mettl_async.cli import jobs_recurring

    return jobs_recurring.add(
        db,
        name,
        cron=cron,
        timezone=timezone,
        account=account,
        source=jobs_recurring.Source(schedule, assessment),
        target=jobs_recurring.Target(table=table, files=files, reports=reports),
        detail=detail,
        as_json=as_json,
    )


@command(app, "mettl jobs schedule remove nightly", interrupted=_NOTHING_CHANGED, talks=True)
def remove(name: _Name, *, db: JobsDb = None) -> int:
    """Remove recurring work, and what it remembers to have pulled; results and reports stay."""
    from mettl_async.cli import jobs_recurring

    return jobs_recurring.remove(db, name)
