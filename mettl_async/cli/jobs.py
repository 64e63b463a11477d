"""The commands of ``mettl jobs``: their parameters only, like ``app``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from mettl_async.cli import jobs_schedule
from mettl_async.cli.helping import Group
from mettl_async.cli.job import Job
from mettl_async.cli.option_fields import MOST_PORT, Target, command
from mettl_async.cli.options import (
    Bom,
    DryRun,
    FileOptions,
    JobId,
    JobsDb,
    Json,
    Overwrite,
    RegisterOptions,
    SkipBad,
    Yes,
)
from mettl_async.cli.reading.source import opened

LINKS: Final = Path("links.csv")
_MOST_CONCURRENCY: Final = 1000
_MOST_CHUNKS: Final = 100
_LONGEST_LEASE: Final = 3600
_MOST_LISTED: Final = 10_000
_NOTHING_CHANGED: Final = "nothing was changed"
_NOTHING_WRITTEN: Final = "nothing was written"
_GOES_ON: Final = "the jobs go on"

app = typer.Typer(
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    help="Hand in bulk work that outlives its machines, and let workers do it.",
)
app.add_typer(jobs_schedule.app, name="schedule")


@command(
    app,
    "mettl jobs init --db sqlite:///jobs.db",
    "mettl jobs init --db postgresql://mettl@db.example/jobs",
    interrupted=_NOTHING_CHANGED,
    talks=True,
)
def init(*, db: JobsDb = None) -> int:
    """Make the tables of jobs in a database, unless they are there; for SQLite also its file.

    SQLite serves the workers of one machine, PostgreSQL those of many. The database will hold people and their
    links, so keep it as private as those; keys of accounts are never in it.
    """
    from mettl_async.cli import jobs_show

    return jobs_show.init(db)


@command(
    app,
    "mettl jobs submit people.csv --sandbox",
    "mettl jobs submit people.csv --dry-run",
    "mettl jobs submit people.csv --schedule ab12 --account acme --id autumn",
    talks=True,
)
def submit(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="What mettl register reads: CSV, JSON Lines, XLSX, ODS or XLS, or - for stdin.",
            metavar="FILE",
        ),
    ] = None,
    *,
    schedule: Annotated[
        str | None, typer.Option(help="Access key of the schedule.", metavar="KEY")
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            help="Account that the schedule belongs to, by the name that workers have for it.",
            metavar="NAME",
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="Id for the job, random by default. The same again is the same job: nobody is added "
            "twice, and what has ended midway goes on.",
            metavar="ID",
        ),
    ] = None,
    chunk_size: Annotated[
        int,
        typer.Option(
            help="People of one chunk, which one worker runs at a time.",
            min=1,
            max=100_000,
            metavar="N",
        ),
    ] = 1000,
    db: JobsDb = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    skip_bad: SkipBad = None,
    read: FileOptions,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="Try it here, without keys: with a sandbox, a worker, and a database that is deleted "
            "in the end; the links go to --out.",
        ),
    ] = False,
    generate: Annotated[
        int | None,
        typer.Option(help="Number of candidates to make up, with --sandbox.", min=1, metavar="N"),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="File of the links, with --sandbox.", metavar="FILE")
    ] = LINKS,
    overwrite: Overwrite = False,
    as_json: Json = False,
    options: RegisterOptions,
) -> int:
    """Hand in the people of a file: workers register them, on any machine.

    The file is read, checked and shown as by mettl register. Exit code: 0 all are handed in (with
    --sandbox: all have a link), 1 some were left out (have none), 2 nothing could be done, 130
    interrupted.
    """
    from mettl_async.cli import jobs_submit, jobs_trial

    with opened(file, read) as source:
        job = Job(
            file=file,
            source=source,
            generate=generate,
            schedule=schedule,
            sandbox=sandbox,
            out=out,
            overwrite=overwrite,
            resume=False,
            dry_run=dry_run,
            yes=yes,
            skip_bad=skip_bad,
            as_json=as_json,
            concurrency=8,
            batch_size=20,
            target=Target(),
            post_parameters="documented",
            options=options,
        )
        asked = jobs_submit.Submission(db=db, account=account, id=id_, chunk_size=chunk_size)
        if sandbox:
            return jobs_trial.try_out(job, asked)
        return jobs_submit.submit(job, asked)


@command(app, "mettl jobs list", "mettl jobs list --open --json", interrupted=_NOTHING_WRITTEN)
def list_(
    *,
    open_only: Annotated[
        bool, typer.Option("--open", help="Leave out jobs that are done or cancelled.")
    ] = False,
    limit: Annotated[
        int, typer.Option(help="Number of jobs at most.", min=1, max=_MOST_LISTED, metavar="N")
    ] = 100,
    db: JobsDb = None,
    as_json: Json = False,
) -> int:
    """List the jobs, the newest first."""
    from mettl_async.cli import jobs_show

    return jobs_show.list_jobs(db, open_only=open_only, limit=limit, as_json=as_json)


@command(
    app,
    "mettl jobs status autumn",
    "mettl jobs status autumn --json",
    interrupted=_NOTHING_WRITTEN,
)
def status(job_id: JobId, *, db: JobsDb = None, as_json: Json = False) -> int:
    """Say how far a job is, and what is wrong with it."""
    from mettl_async.cli import jobs_show

    return jobs_show.show_status(db, job_id, as_json=as_json)


@command(app, "mettl jobs watch", "mettl jobs watch autumn", interrupted=_GOES_ON)
def watch(
    job_ids: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of jobs; by default those that are not over.", metavar="ID"),
    ] = None,
    *,
    db: JobsDb = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for each change, in one line.")
    ] = False,
) -> int:
    """Show how jobs go on until they are over, or need somebody.

    A table on a terminal, lines elsewhere. Exit code: 0 all are registered, 1 some have no link, 2 a
    job was cancelled, or is paused because of a problem, 130 Ctrl-C: the jobs go on.
    """
    from mettl_async.cli import jobs_watch

    return jobs_watch.watch(db, job_ids or (), as_json=as_json)


@command(
    app,
    "mettl jobs export autumn --out links.csv",
    "mettl jobs export autumn --out - > links.csv",
    interrupted=_NOTHING_WRITTEN,
    talks=True,
)
def export(
    job_id: JobId,
    *,
    out: Annotated[
        Path,
        typer.Option(help="File to write: .csv or .jsonl, or - for CSV on stdout.", metavar="FILE"),
    ],
    bom: Bom = None,
    overwrite: Overwrite = False,
    db: JobsDb = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print how many as one JSON document, for programs.")
    ] = False,
) -> int:
    """Write the people of a job with their links, like the file of mettl register.

    It has what was sent, in the order of the input. Who has no outcome yet is left out. Exit code: 0 all
    have a link, 1 some have none, 2 nothing could be done.
    """
    from mettl_async.cli import jobs_export

    return jobs_export.export(db, job_id, out, bom=bom, overwrite=overwrite, as_json=as_json)


@command(app, "mettl jobs pause autumn", interrupted=_NOTHING_CHANGED, talks=True)
def pause(job_id: JobId, *, db: JobsDb = None, as_json: Json = False) -> int:
    """Begin nothing further of a job; calls in flight finish."""
    from mettl_async.cli import jobs_show
    from mettl_async.jobs import JobState

    return jobs_show.change(db, job_id, JobState.PAUSED, as_json=as_json)


@command(app, "mettl jobs resume autumn", interrupted=_NOTHING_CHANGED, talks=True)
def resume(job_id: JobId, *, db: JobsDb = None, as_json: Json = False) -> int:
    """Go on with a job that was paused, by somebody or because of a problem."""
    from mettl_async.cli import jobs_show
    from mettl_async.jobs import JobState

    return jobs_show.change(db, job_id, JobState.READY, as_json=as_json)


@command(app, "mettl jobs cancel autumn", interrupted=_NOTHING_CHANGED, talks=True)
def cancel(
    job_id: JobId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    db: JobsDb = None,
    as_json: Json = False,
) -> int:
    """Begin nothing further of a job, for good; outcomes until now are kept."""
    from mettl_async.cli import jobs_show

    return jobs_show.cancel(db, job_id, yes=yes, as_json=as_json)


@command(app, "mettl jobs forget autumn", interrupted=_NOTHING_CHANGED, talks=True)
def forget(
    job_id: JobId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    db: JobsDb = None,
) -> int:
    """Delete all of a job for good: its people, their links, and that there was one."""
    from mettl_async.cli import jobs_show

    return jobs_show.forget(db, job_id, yes=yes)


@command(
    app,
    "mettl jobs worker --account acme",
    "mettl jobs worker --account acme --account eu --rate acme=20",
    "mettl jobs worker --env-account acme --health-port 8080",
    interrupted="no worker was started",
    talks=True,
)
def worker(
    *,
    account: Annotated[
        list[str] | None,
        typer.Option(
            help="Account to work for: the name that jobs have, which is that of a profile; or "
            "NAME=PROFILE. Can be repeated.",
            metavar="NAME",
        ),
    ] = None,
    env_account: Annotated[
        str | None,
        typer.Option(
            help="Name that jobs have for the account of the environment: METTL_PUBLIC_KEY and "
            "METTL_PRIVATE_KEY, with METTL_REGION or METTL_BASE_URL; or the profile in METTL_PROFILE.",
            metavar="NAME",
        ),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            help="Requests a second of an account, of all workers together, as in acme=20; give each "
            "worker the same. Can be repeated.",
            metavar="NAME=N",
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            help="Calls at the same time, of each account.",
            min=1,
            max=_MOST_CONCURRENCY,
            metavar="N",
        ),
    ] = 8,
    chunks_at_once: Annotated[
        int,
        typer.Option(
            help="Chunks at the same time, of each account; they share the calls.",
            min=1,
            max=_MOST_CHUNKS,
            metavar="N",
        ),
    ] = 2,
    lease: Annotated[
        int,
        typer.Option(
            help="Seconds after which others take its work if it says nothing.",
            min=1,
            max=_LONGEST_LEASE,
            metavar="N",
        ),
    ] = 30,
    health_port: Annotated[
        int | None,
        typer.Option(
            help="Answer HTTP there: 200 if worker and database are well, else 503; 0 takes a free port.",
            min=0,
            max=MOST_PORT,
            metavar="N",
        ),
    ] = None,
    health_host: Annotated[
        str, typer.Option(help="Address for that; 0.0.0.0 lets other machines ask.", metavar="HOST")
    ] = "127.0.0.1",
    db: JobsDb = None,
) -> int:
    """Register the people of jobs until Ctrl-C, SIGTERM or SIGHUP; any number of workers may run.

    Then calls in flight have 20 seconds for their answers, and other workers go on with the rest at once. A second
    signal exits at once. Exit code: 0 ended in order, 2 it could not begin.
    """
    from mettl_async.cli import jobs_worker

    order = jobs_worker.Order(
        accounts=account or (),
        env_account=env_account,
        rates=rate or (),
        concurrency=concurrency,
        chunks_at_once=chunks_at_once,
        lease=lease,
        health_host=health_host,
        health_port=health_port,
    )
    return jobs_worker.work(db, order)
