"""The commands of ``mettl``: wiring only, what they do is in the modules beside this one.

Those are imported when their command runs: ``mettl --help`` needs none of them.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from mettl_async._version import __version__
from mettl_async.bulk.batch import MAX_BATCH
from mettl_async.cli import developing, jobs, webhooks
from mettl_async.cli import profile as profile_commands
from mettl_async.cli.helping import Group
from mettl_async.cli.option_fields import command
from mettl_async.cli.options import (
    Bom,
    DetailOptions,
    DryRun,
    FileOptions,
    Json,
    Key,
    Limit,
    Overwrite,
    RegisterOptions,
    SkipBad,
    TargetOptions,
    Yes,
)
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.source import opened
from mettl_async.models import AssessmentSort, SortOrder

_MOST_CONCURRENCY: Final = 1000
_NOTHING_WRITTEN: Final = "nothing was written"

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    # Plain help: panels cut long option names, and read "[x]" as markup.
    rich_markup_mode=None,
    # Locals of a traceback hold candidates' data and keys.
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Mercer | Mettl from the command line.",
)
app.add_typer(developing.app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(profile_commands.app, name="profile")


class PostParameters(StrEnum):
    """Place of a POST's parameters; see ``ClientOptions``."""

    DOCUMENTED = "documented"
    FORM = "form"
    QUERY = "query"


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"mettl-async {__version__}")
        raise typer.Exit


@app.callback()
def mettl(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Mercer | Mettl from the command line."""


@command(
    app,
    "mettl register people.csv --dry-run",
    "mettl register people.csv --sandbox",
    "mettl register people.csv --schedule ab12 --out links.csv",
    'mettl register people.xlsx --sheet Batch1 --map "E-mail=Email Address"',
    talks=True,
)
def register(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="CSV, JSON Lines, XLSX, ODS or XLS, or - for stdin, with 'Email Address', 'First Name', and "
            "any registration field, context_data or compensatory_time (minutes).",
            metavar="FILE",
        ),
    ] = None,
    *,
    schedule: Annotated[
        str | None, typer.Option(help="Access key of the schedule.", metavar="KEY")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows with their links there: .csv or .jsonl, or - for CSV on stdout; "
            "links.csv with --sandbox. What --resume needs is in a journal beside it, "
            "links.csv.journal; with - beside the input.",
            metavar="FILE",
        ),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Keep the journal there instead.", metavar="FILE")
    ] = None,
    bom: Bom = None,
    overwrite: Overwrite = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the journal: candidates with an answer in it are not sent again. The file "
            "of --out is written anew; it may have been edited or deleted. Rows in it of people who are "
            "not in FILE any more stay.",
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    skip_bad: SkipBad = None,
    read: FileOptions,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Use a local sandbox instead of Mettl; no keys needed."),
    ] = False,
    generate: Annotated[
        int | None,
        typer.Option(help="Number of candidates to make up, with --sandbox.", min=1, metavar="N"),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(help="Calls at the same time.", min=1, max=_MOST_CONCURRENCY, metavar="N")
    ] = 8,
    batch_size: Annotated[
        int, typer.Option(help="Candidates in one call.", min=1, max=MAX_BATCH, metavar="N")
    ] = MAX_BATCH,
    target: TargetOptions,
    post_parameters: Annotated[
        PostParameters,
        typer.Option(help="Place of candidates' data; query puts it into URLs, which logs keep."),
    ] = PostParameters.DOCUMENTED,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON document, for programs.")
    ] = False,
    options: RegisterOptions,
) -> int:
    """Register the people of a file in a schedule, and get a file of their links.

    Keys come from --profile, or METTL_PUBLIC_KEY and METTL_PRIVATE_KEY. All rows are checked before
    anything is sent; on a terminal you see how they were read, and are asked. Exit code: 0 all
    registered, 1 some have no link, 2 nothing could be done or not to the end (wrong key or schedule,
    server gone), 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP: ended in order, and --resume goes on.
    """
    from mettl_async.cli import register as registering
    from mettl_async.cli.ending import Ending
    from mettl_async.cli.job import Job

    ending = Ending(as_json)
    with ending.printed():
        if out is None and not sandbox and not dry_run:
            raise CommandError("--out is missing: where to write the links, such as links.csv")
        with opened(file, read) as source:
            job = Job(
                file=file,
                source=source,
                generate=generate,
                schedule=schedule,
                sandbox=sandbox,
                out=out or registering.LINKS,
                journal=journal,
                bom=bom,
                overwrite=overwrite,
                resume=resume,
                dry_run=dry_run,
                yes=yes,
                skip_bad=skip_bad,
                concurrency=concurrency,
                batch_size=batch_size,
                target=target,
                post_parameters=post_parameters.value,
                options=options,
                as_json=as_json,
            )
            return registering.register(job, ending)


@command(
    app,
    "mettl account",
    interrupted=_NOTHING_WRITTEN,
    talks=True,
)
def account(
    *,
    as_json: Json = False,
    target: TargetOptions,
) -> int:
    """Show the account that the keys belong to."""
    from mettl_async.cli import queries

    return queries.account(target, as_json=as_json)


@command(
    app,
    "mettl assessments --limit 10",
    "mettl assessments --sort name --order asc --json",
    interrupted=_NOTHING_WRITTEN,
    talks=True,
)
def assessments(
    *,
    limit: Limit = None,
    sort: Annotated[AssessmentSort, typer.Option(help="Sort key.")] = AssessmentSort.CREATED_AT,
    order: Annotated[SortOrder, typer.Option(help="Sort order.")] = SortOrder.DESC,
    as_json: Json = False,
    target: TargetOptions,
) -> int:
    """List the account's assessments."""
    from mettl_async.cli import queries

    return queries.show_list(
        target,
        lambda client: client.assessments.list(sort=sort, order=order),
        "assessments",
        limit=limit,
        as_json=as_json,
    )


@command(
    app,
    "mettl schedules",
    "mettl schedules --assessment 1234 --json",
    interrupted=_NOTHING_WRITTEN,
    talks=True,
)
def schedules(
    *,
    assessment: Annotated[
        int | None,
        typer.Option(help="Show only schedules of this assessment.", min=1, metavar="ID"),
    ] = None,
    limit: Limit = None,
    as_json: Json = False,
    target: TargetOptions,
) -> int:
    """List the schedules of the account, or of one assessment, with their access keys."""
    from mettl_async.cli import queries

    return queries.show_list(
        target,
        lambda client: (
            client.schedules.list()
            if assessment is None
            else client.schedules.list_in_assessment(assessment)
        ),
        "schedules",
        limit=limit,
        as_json=as_json,
    )


@command(
    app,
    "mettl results ab12",
    "mettl results ab12 --out results.csv",
    interrupted=_NOTHING_WRITTEN,
    talks=True,
)
def results(
    key: Key,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write: .csv, a row for each candidate, or .jsonl, all data.",
            metavar="FILE",
        ),
    ] = None,
    bom: Bom = None,
    overwrite: Overwrite = False,
    detail: DetailOptions,
    limit: Limit = None,
    as_json: Json = False,
    target: TargetOptions,
) -> int:
    """Read how the candidates of a schedule did.

    Without --out: a table on a terminal, CSV elsewhere. Answers and evaluations are in .jsonl and
    --json only. Marks of a psychometric assessment mean nothing: ignore them. Exit code: 0
    all read, 1 some rows are missing, 2 nothing could be done, 130 interrupted.
    """
    from mettl_async.cli import queries

    return queries.results(
        target,
        key,
        out=out,
        bom=bom,
        overwrite=overwrite,
        detail=detail,
        limit=limit,
        as_json=as_json,
    )


@command(
    app,
    "mettl report ab12 asha@example.com --out asha.pdf",
    interrupted=_NOTHING_WRITTEN,
    talks=True,
)
def report(
    key: Key,
    email: Annotated[str, typer.Argument(help="Email of the candidate.", metavar="EMAIL")],
    *,
    out: Annotated[
        Path, typer.Option(help="File to write the PDF to, such as asha.pdf.", metavar="FILE")
    ],
    overwrite: Overwrite = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for the report.", min=1, metavar="N")
    ] = 300.0,
    target: TargetOptions,
) -> int:
    """Save the PDF report of a candidate who has finished.

    Exit code: 0 saved, 1 there is none (yet), 2 nothing could be done, 130 interrupted.
    """
    from mettl_async.cli import queries

    return queries.report(target, key, email, out, overwrite=overwrite, timeout=timeout)
