"""``mettl register``: rows in, links out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import typer
from anyio import CancelScope
from attrs import define, field, frozen

from mettl_async.api.placeholders import check_access_key
from mettl_async.bulk.file_journal import FileJournal
from mettl_async.bulk.journal_record import JournalRecord, to_record
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.bulk.outcomes import JournalError
from mettl_async.bulk.registration_run import RegistrationRun
from mettl_async.cli.fitting import fits_in_url
from mettl_async.cli.links import check_out, journal_of, write_links
from mettl_async.cli.made_up import made_up_cells, made_up_rows
from mettl_async.cli.option_fields import MOST_PORT, Target
from mettl_async.cli.outfile import remove_unfinished
from mettl_async.cli.problems import (
    INTERRUPTED,
    MISSING,
    WRONG,
    CommandError,
    on_interrupt,
    print_stderr,
)
from mettl_async.cli.progress import REFRESH_EVERY, Tally, make_display, rate_text, spinner
from mettl_async.cli.reading.checking import check_file, report
from mettl_async.cli.reading.rows import BadRow
from mettl_async.cli.reading.source import Source
from mettl_async.cli.sandbox import load_sandbox
from mettl_async.client import MettlClient
from mettl_async.config import ClientOptions
from mettl_async.display import one_line
from mettl_async.errors import MettlError
from mettl_async.models import RegistrationOptions, RegistrationStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence

    from mettl_async.cli.reading.checking import Fits
    from mettl_async.cli.reading.rows import Cells, Row
    from mettl_async.models import Candidate
    from mettl_async.sandbox import Sandbox

WRITE_EVERY: Final = 30.0
"""Seconds from one writing of the links to the next while a run goes on; more where it takes long."""
_PAUSE_PER_WRITING: Final = 20  # so that it costs 5% of the time at most


@frozen(kw_only=True)
class Job:
    """What was asked for: a file or a number of made-up people, and a schedule or the sandbox."""

    file: Path | None
    source: Source | None
    generate: int | None
    schedule: str | None
    sandbox: bool
    out: Path
    overwrite: bool
    resume: bool
    concurrency: int
    batch_size: int
    target: Target
    post_parameters: Literal["documented", "form", "query"]
    options: RegistrationOptions

    def rows(self) -> Iterator[Row | BadRow]:
        """Read, or make up, the rows from the beginning."""
        return self.source.rows() if self.source else made_up_rows(self.generate or 0)

    def cells(self) -> Iterator[Cells | BadRow]:
        """Read, or make up, the same rows as they are in the file."""
        return self.source.cells() if self.source else made_up_cells(self.generate or 0)

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's own columns, once the rows were read."""
        return self.source.columns if self.source else tuple(next(made_up_cells(1)).own)


def register(job: Job) -> int:
    """Do the whole job; gives the exit code.

    Raises:
        CommandError: It cannot be done, or not to the end.
        MettlError: Likewise.
    """
    target = _check_target(job)
    key = job.schedule or "" if isinstance(target, MettlClient) else target.access_key
    check_out(job.out, job.file, overwrite=job.overwrite, resume=job.resume)
    total = job.generate or 0
    if job.source is not None:
        with spinner(f"checking {job.source.name}"):
            checked = check_file(job.source, _fits(job, target, key))
        if job.source.note is not None:
            print_stderr(f"mettl: {job.source.note}")
        if checked.bad_total:
            print_stderr(report(job.source, checked))
            return WRONG
        if job.source.also_sends:
            print_stderr(f"also sends: {job.source.also_sends}")
        total = checked.good_total
    run = _Run(job, key, Tally(total))
    with on_interrupt(run.interrupt):
        asyncio.run(run.go(target))
    typer.echo(summary(run.tally, job.out))
    if run.problem is not None:
        raise run.problem
    if run.tally.interrupted:
        return INTERRUPTED
    if run.tally.cut_short:
        return WRONG
    return 0 if run.tally.registered == run.tally.total else MISSING


def summary(tally: Tally, out: Path) -> str:
    """Summarize a run for the user."""
    seconds, width = tally.seconds, len(f"{tally.total:,}")
    lines = []
    for name in ("registered", "rejected", "failed", "unknown"):
        codes: Mapping[str, int] = tally.codes.get(name, {})
        why = ", ".join(f"{one_line(code)} {n:,}" for code, n in sorted(codes.items()))
        count = f"{getattr(tally, name):,}"
        lines.append(f"{name:<12}{count:>{width}}  {why}".rstrip())
    if tally.already:
        lines.append(f"{'already':<12}{tally.already:,} of them had their answer before")
    rate = "" if tally.rate is None else f" ({rate_text(tally.rate)})"
    lines.append(f"{'seconds':<12}{seconds:.1f}{rate}")
    lines.append(f"{'links':<12}{out}")
    lines.append(f"{'journal':<12}{journal_of(out)} is what --resume goes on from")
    if tally.trouble is not None:
        lines.append(f"{'stopped by' if tally.stopped else 'first error':<12}{tally.trouble}")
    if tally.interrupted:
        left = tally.not_sent
        lines.append(
            f"{'interrupted':<12}{left:,} of {tally.total:,} were not sent; --resume goes on"
        )
    if tally.uninvited:
        code = RegistrationStatus.INVALID.value
        lines.append(
            f"{code:<12}{tally.uninvited:,} of before; after inviting them, run with --overwrite"
        )
    return "\n".join(lines)


def _check_target(job: Job) -> MettlClient | Sandbox:
    """Refuse contradicting options, and make the client, or the sandbox that one will talk to."""
    if (job.file is None) == (job.generate is None):
        raise CommandError("give either a FILE or --sandbox --generate N")
    if job.generate is not None and not job.sandbox:
        raise CommandError("--generate makes people up, so it needs --sandbox")
    if job.sandbox:
        if job.schedule or job.target.region or job.target.base_url:
            raise CommandError(
                "--sandbox has its own schedule and address; leave out --schedule, --region, --base-url"
            )
        return load_sandbox()()
    if job.schedule is None:
        raise CommandError(
            "--schedule is missing: the access key at the end of the schedule's link"
        )
    check_access_key(job.schedule)
    return job.target.client(_options(job))


def _fits(job: Job, target: MettlClient | Sandbox, key: str) -> Fits | None:
    if not isinstance(target, MettlClient):
        # The longest address that the sandbox can have; it has none yet.
        target = MettlClient(
            target.credentials,
            base_url=f"http://127.0.0.1:{MOST_PORT}",
            version=job.target.version,
            options=_options(job),
        )
    return fits_in_url(target, key, job.options)


def _options(job: Job) -> ClientOptions:
    return ClientOptions(
        post_parameters=job.post_parameters,
        max_concurrency=max(job.concurrency, ClientOptions().max_concurrency),
        trust_env=not job.sandbox,  # a proxy would not find the way to this machine's loopback
    )


@frozen
class _OpenJournal:
    """A journal that the command opens and closes, because it reads it before and after the run."""

    file: FileJournal

    async def open(self, schedule: str) -> None:
        """Leave it open."""

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """See `Journal`."""
        return await self.file.find(emails)

    async def record(self, records: Sequence[JournalRecord]) -> None:
        """See `Journal`."""
        await self.file.record(records)

    async def close(self) -> None:
        """Leave it open."""


@define(eq=False)
class _Run:
    job: Job
    key: str
    tally: Tally
    _journal: FileJournal = field(init=False)
    _registration: RegistrationRun | None = None
    _broken: CommandError | MettlError | None = None
    _unwritten: CommandError | MettlError | None = None
    _stop: bool = False
    _unrecorded: dict[str, JournalRecord] = field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        self._journal = FileJournal(journal_of(self.job.out), overwrite=self.job.overwrite)

    def interrupt(self) -> None:
        self._stop = self.tally.interrupted = True

    @property
    def problem(self) -> CommandError | MettlError | None:
        """Why the run did not come to its end, beside an interrupt and what outcomes say."""
        if isinstance(self._broken, JournalError):
            left = self.tally.not_sent
            return CommandError(
                f"{self._broken}, and {left:,} of {self.tally.total:,} candidates were not sent; "
                "make room where the disk is full, and pass --resume to go on"
            )
        if self._broken is None and self._unwritten is not None:
            return CommandError(
                f"{self._unwritten}; all outcomes are in {journal_of(self.job.out)}: make room where "
                "the disk is full, and pass --resume to get the links"
            )
        return self._broken

    async def go(self, target: MettlClient | Sandbox) -> None:
        """Register everybody who has no final answer in the journal, and write the links.

        Raises:
            CommandError: There are outcomes of an earlier run that nobody has said what to do with.
            JournalError: The journal cannot be used, for instance because another run uses it.
        """
        out, journal = self.job.out, self._journal
        await journal.open(schedule_digest(self.key))
        try:
            if not self.job.resume and await journal.count():
                raise CommandError(
                    f"{journal_of(out)}: has outcomes of an earlier run; pass --resume to go on with it, "
                    "--overwrite, or another --out"
                )
            remove_unfinished(out)
            await self._run(target)
            try:
                if out.exists() or self._unrecorded or await journal.count():
                    await self._write_links()
            except (CommandError, MettlError) as error:
                self._unwritten = error
        finally:
            await journal.close()

    async def _run(self, target: MettlClient | Sandbox) -> None:
        display = make_display(self.tally)

        async def refresh() -> None:
            while True:
                run = self._registration
                display.show(None if run is None else run.progress)
                await asyncio.sleep(REFRESH_EVERY)

        # Cancelled by its scope, which waits for a thread that is writing.
        writing = CancelScope()
        shown = asyncio.create_task(refresh())
        written = asyncio.create_task(self._write_now_and_then(writing))
        try:
            async with self._ready(target) as client:
                await self._register(client)
        except (CommandError, MettlError) as error:
            self._broken = error
        finally:
            shown.cancel()
            writing.cancel()
            await asyncio.wait((shown, written))
            display.end()

    async def _write_now_and_then(self, scope: CancelScope) -> None:
        """Keep the file of links from being old; the journal alone is what counts."""
        pause = WRITE_EVERY
        with scope:
            while True:
                await asyncio.sleep(pause)
                started = self.tally.clock()
                with suppress(CommandError, MettlError):
                    await self._write_links()
                pause = max(WRITE_EVERY, _PAUSE_PER_WRITING * (self.tally.clock() - started))

    async def _write_links(self) -> None:
        async def read(emails: Sequence[str]) -> Mapping[str, JournalRecord]:
            return {**await self._journal.read(emails), **self._unrecorded}

        await write_links(self.job.out, self.job.cells(), self.job.columns, read)

    @asynccontextmanager
    async def _ready(self, target: MettlClient | Sandbox) -> AsyncGenerator[MettlClient, None]:
        if isinstance(target, MettlClient):
            async with target:
                yield target
            return
        async with target.serve() as server:
            print_stderr(
                f"sandbox: a made-up Mettl at {server.base_url}; nothing leaves this machine"
            )
            async with MettlClient(
                server.credentials,
                base_url=server.base_url,
                version=self.job.target.version,
                options=_options(self.job),
            ) as ours:
                self.tally.started = self.tally.clock()
                yield ours

    async def _register(self, client: MettlClient) -> None:
        job = self.job
        run = self._registration = client.candidates.register_many(
            self.key,
            self._candidates(),
            options=job.options,
            concurrency=job.concurrency,
            batch_size=job.batch_size,
            journal=_OpenJournal(self._journal),
        )
        try:
            async for outcome in run:
                self.tally.count(outcome)
        except JournalError as error:
            records = [to_record(one) for one in error.unrecorded]
            self._unrecorded = {one.email: one for one in records if one is not None}
            for outcome in error.unrecorded:
                self.tally.count(outcome)
            raise

    async def _candidates(self) -> AsyncGenerator[Candidate, None]:
        for row in self.job.rows():
            if self._stop:
                return
            if isinstance(row, BadRow):
                name = self.job.source.name if self.job.source else "row"
                raise CommandError(f"{name}:{row.line}: was changed while it was read")
            yield row.candidate
