"""``mettl jobs submit --sandbox``: all of it on this machine, without keys."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from mettl_async.cli import asking
from mettl_async.cli.agreeing import agree, read_and_check
from mettl_async.cli.databases import run_on_database
from mettl_async.cli.earlier import Before
from mettl_async.cli.jobs_export import Written, check_links, tell, write
from mettl_async.cli.jobs_submit import check_bad_rows_file, handed_in, shown
from mettl_async.cli.jobs_watch import follow, make_board
from mettl_async.cli.jobs_words import document
from mettl_async.cli.outfile import is_stdout
from mettl_async.cli.printing import print_json
from mettl_async.cli.problems import MISSING, WRONG, CommandError
from mettl_async.cli.same_file import check_apart
from mettl_async.cli.sandbox import load_sandbox
from mettl_async.cli.signals import exit_code, on_interrupt
from mettl_async.cli.staying import can_stay, stay
from mettl_async.cli.talk import note
from mettl_async.client import MettlClient
from mettl_async.config import ApiVersion
from mettl_async.jobs import Jobs

if TYPE_CHECKING:
    from signal import Signals

    from mettl_async.cli.job import Job
    from mettl_async.cli.jobs_submit import Submission
    from mettl_async.sandbox import Sandbox

_ACCOUNT: Final = "sandbox"
_ID: Final = "trial"
_LOOK_EVERY: Final = 0.25  # seconds


def try_out(job: Job, asked: Submission) -> int:
    """Hand people in, register them by a worker in this process, show it, and write the links.

    Args:
        job: What is read or made up, and where the links go.
        asked: Only its ``id`` and ``chunk_size`` count.

    Returns:
        The exit code.

    Raises:
        CommandError: It cannot be done.
    """
    _check(job, asked)
    asks = not job.yes and asking.can_ask()
    checked = read_and_check(job, None, ask=asks)
    if job.dry_run:
        return shown(job, checked, None)
    total = agree(job, checked, Before(), None, ask=asks)
    if total is None:
        return WRONG
    trial = Trial(job, asked, total)
    with on_interrupt(trial.interrupt):
        written = run_on_database(trial.go(load_sandbox()()))
    if trial.interrupted is not None:
        return exit_code(trial.interrupted)
    bad = checked is not None and checked.bad_total
    return written.code or (MISSING if bad else 0)


def _check(job: Job, asked: Submission) -> None:
    if (job.file is None) == (job.generate is None):
        raise CommandError("give either a FILE or --sandbox --generate N")
    if job.schedule or asked.account:
        raise CommandError(
            "--sandbox has its own schedule, account and database; leave out --schedule, --account"
        )
    if job.as_json and is_stdout(job.out):
        raise CommandError("--json and --out - both write to stdout; give another --out")
    check_bad_rows_file(job)
    if not job.dry_run:
        check_apart(job.file, [(job.out, "the links")])
        check_links(job.out, overwrite=job.overwrite)


@define(eq=False)
class Trial:
    """A sandbox, a database in a temporary folder, and a worker, for one job.

    Attributes:
        total: People.
        ended_by: The signal that asks for an end.
        interrupted: The one that came before the end.
    """

    job: Job
    asked: Submission
    total: int
    ended_by: Signals | None = field(default=None, init=False)
    interrupted: Signals | None = field(default=None, init=False)

    def interrupt(self, number: Signals) -> None:
        """Begin nothing further; what there is until now is written."""
        self.ended_by = number

    async def go(self, sandbox: Sandbox) -> Written:
        """Do all of it."""
        job, name = self.job, self.asked.id or _ID
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="mettl-jobs-")))
            server = await stack.enter_async_context(sandbox.serve())
            note(f"sandbox: a made-up Mettl at {server.base_url}; nothing leaves this machine")
            client = MettlClient(
                server.credentials,
                base_url=server.base_url,
                version=job.target.version or ApiVersion.V2,
                options=job.client_options,
            )
            await stack.enter_async_context(client)
            jobs = await stack.enter_async_context(Jobs(f"sqlite:///{folder / 'jobs.db'}"))
            people = handed_in(job, self.total)
            try:
                await jobs.register(
                    server.access_key,
                    people,
                    account=_ACCOUNT,
                    id=name,
                    options=job.options,
                    chunk_size=self.asked.chunk_size,
                )
            finally:
                people.close()
            await self._work(jobs, client, name)
            self.interrupted = self.ended_by
            written = await write(jobs, name, job.out, bom=job.bom)
            await self._tell(jobs, name, written)
            return written

    async def _work(self, jobs: Jobs, client: MettlClient, name: str) -> None:
        stop = asyncio.Event()
        worker = asyncio.create_task(
            jobs.run_worker(
                accounts={_ACCOUNT: client}, stop=stop, concurrency=self.job.concurrency
            )
        )
        board = _Silent() if self.job.as_json else make_board(trial=True)
        try:
            await follow(
                jobs,
                [name],
                board,
                stopped=lambda: self.ended_by is not None or worker.done(),
                every=_LOOK_EVERY,
            )
            if self.ended_by is not None:
                note("interrupted: calls in flight are finishing; the next signal exits at once")
        finally:
            stop.set()
            await worker

    async def _tell(self, jobs: Jobs, name: str, written: Written) -> None:
        if self.job.as_json:
            status = await jobs.status(name)
            files = {"links": str(self.job.out)}
            print_json({**document(status), "exit_code": written.code, "files": files})
            return
        tell(written, self.job.out)
        if self.ended_by is None and written.links and can_stay(self.job):
            await stay(lambda: self.ended_by is not None)


class _Silent:
    def show(self, _: Any) -> None:
        pass

    def end(self, _: Any) -> None:
        pass
