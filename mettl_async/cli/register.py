"""``mettl register``: rows in, links out."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer
from attrs import define, field, frozen

from mettl_async.api.placeholders import check_access_key
from mettl_async.cli.check import check_file, report
from mettl_async.cli.earlier import Earlier
from mettl_async.cli.interrupt import on_interrupt
from mettl_async.cli.links import LinkFile, cells_of, check_out
from mettl_async.cli.made_up import made_up_rows
from mettl_async.cli.problems import INTERRUPTED, MISSING, WRONG, CommandError, os_reason, tell
from mettl_async.cli.progress import (
    REFRESH_EVERY,
    Tally,
    busy,
    make_display,
    rate_text,
    watching_retries,
)
from mettl_async.cli.reading import Source
from mettl_async.cli.rows import BadRow, Row
from mettl_async.cli.sandbox import load_sandbox
from mettl_async.cli.target import Target
from mettl_async.client import MettlClient
from mettl_async.config import ApiVersion, ClientOptions, Region
from mettl_async.errors import MettlError
from mettl_async.models import RegistrationOptions, RegistrationStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from mettl_async.bulk.outcomes import Outcome
    from mettl_async.models import Candidate
    from mettl_async.sandbox import Sandbox

_PASSED_OVER_AT_ONCE = 100


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
    region: Region | None
    base_url: str | None
    version: ApiVersion
    post_parameters: Literal["documented", "form", "query"]
    options: RegistrationOptions

    def rows(self) -> Iterator[Row | BadRow]:
        """Read, or make up, the rows from the beginning."""
        return self.source.rows() if self.source else made_up_rows(self.generate or 0)


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
        with busy(f"checking {job.source.name}"):
            checked = check_file(job.source)
        if job.source.note is not None:
            tell(f"mettl: {job.source.note}")
        if checked.bad_total:
            tell(report(job.source, checked))
            return WRONG
        if job.source.also_sends:
            tell(f"also sends: {job.source.also_sends}")
        total = checked.good_total
    with ExitStack() as keep:
        earlier = keep.enter_context(Earlier(job.out, key)) if job.resume else None
        links = keep.enter_context(LinkFile(job.out, overwrite=job.overwrite, earlier=earlier))
        run = _Run(job, key, links, earlier, Tally(total))
        with on_interrupt(run.interrupt):
            if earlier is not None:
                with busy(f"looking into {job.out}"):
                    run.count_earlier()
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
    """What a user wants to know at the end."""
    seconds, width = tally.seconds, len(f"{tally.total:,}")
    lines = []
    for name in ("registered", "rejected", "failed", "unknown"):
        codes: Mapping[str, int] = tally.codes.get(name, {})
        why = ", ".join(f"{code} {n:,}" for code, n in sorted(codes.items()))
        count = f"{getattr(tally, name):,}"
        lines.append(f"{name:<12}{count:>{width}}  {why}".rstrip())
    if tally.already:
        lines.append(f"{'already':<12}{tally.already:,} of them had their answer in {out} before")
    rate = "" if tally.rate is None else f" ({rate_text(tally.rate)})"
    lines.append(f"{'seconds':<12}{seconds:.1f}{rate}")
    lines.append(f"{'links':<12}{out}")
    if tally.trouble is not None:
        lines.append(f"{'stopped by' if tally.stopped else 'first error':<12}{tally.trouble}")
    if tally.interrupted:
        left = tally.total - tally.done
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
        if job.schedule or job.region or job.base_url:
            raise CommandError(
                "--sandbox has its own schedule and address; leave out --schedule, --region, --base-url"
            )
        return load_sandbox()()
    if job.schedule is None:
        raise CommandError(
            "--schedule is missing: the access key at the end of the schedule's link"
        )
    check_access_key(job.schedule)
    target = Target(region=job.region, base_url=job.base_url, version=job.version)
    return target.client(_options(job))


def _options(job: Job) -> ClientOptions:
    return ClientOptions(
        post_parameters=job.post_parameters,
        max_concurrency=max(job.concurrency, ClientOptions().max_concurrency),
        trust_env=not job.sandbox,  # a proxy would not find the way to this machine's loopback
    )


@define(eq=False)
class _Run:
    job: Job
    key: str
    links: LinkFile
    earlier: Earlier | None
    tally: Tally
    _broken: CommandError | MettlError | None = None
    _stop: bool = False
    _unwritten: int = 0
    _why_unwritten: str = ""
    # Only of candidates on their way: as many as batches and workers hold.
    _lines: dict[int, int] = field(factory=dict, repr=False)

    def interrupt(self) -> None:
        self._stop = self.tally.interrupted = True

    @property
    def problem(self) -> CommandError | MettlError | None:
        """Why the run did not come to its end, beside an interrupt and what outcomes say."""
        if not self._unwritten:
            return self._broken
        left = self.tally.total - self.tally.done
        return CommandError(
            f"{self.job.out}: cannot be written: {self._why_unwritten}; {self._unwritten:,} outcomes "
            f"are missing in it, and {left:,} of {self.tally.total:,} candidates were not sent; "
            "make room, and pass --resume to go on"
        )

    def count_earlier(self) -> None:
        """Count who has an answer already, and say it."""
        for row in self.job.rows():
            if isinstance(row, Row) and (found := self._known(row.candidate)) is not None:
                self.tally.count_already(*found)
        self.tally.started = self.tally.clock()
        already, total = self.tally.already, self.tally.total
        tell(f"{self.job.out}: {already:,} of {total:,} candidates have their answer already")

    def _known(self, candidate: Candidate) -> tuple[str, str] | None:
        return None if self.earlier is None else self.earlier.find(candidate.email)

    async def go(self, target: MettlClient | Sandbox) -> None:
        display = make_display(self.tally)
        with watching_retries() as watch:

            async def refresh() -> None:
                while True:
                    display.show(watch.waiting)
                    await asyncio.sleep(REFRESH_EVERY)

            refreshing = asyncio.create_task(refresh())
            try:
                async with self._ready(target) as client:
                    await self._register(client)
            except (CommandError, MettlError) as error:
                self._broken = error
            finally:
                refreshing.cancel()
                with suppress(asyncio.CancelledError):
                    await refreshing
                display.end()

    @asynccontextmanager
    async def _ready(self, target: MettlClient | Sandbox) -> AsyncGenerator[MettlClient, None]:
        if isinstance(target, MettlClient):
            async with target:
                yield target
            return
        async with target.serve() as server:
            tell(f"sandbox: a made-up Mettl at {server.base_url}; nothing leaves this machine")
            async with MettlClient(
                server.credentials,
                base_url=server.base_url,
                version=self.job.version,
                options=_options(self.job),
            ) as ours:
                self.tally.started = self.tally.clock()
                yield ours

    async def _register(self, client: MettlClient) -> None:
        job = self.job
        outcomes = client.candidates.register_many(
            self.key,
            self._candidates(),
            concurrency=job.concurrency,
            batch_size=job.batch_size,
            options=job.options,
        )
        async for outcome in outcomes:
            self.tally.count(outcome)
            self._write(outcome)

    async def _candidates(self) -> AsyncGenerator[Candidate, None]:
        index = passed_over = 0
        for row in self.job.rows():
            if self._stop:
                return
            if isinstance(row, BadRow):
                name = self.job.source.name if self.job.source else "row"
                raise CommandError(f"{name}:{row.line}: was changed while it was read")
            if self._known(row.candidate) is not None:
                passed_over += 1
                if passed_over % _PASSED_OVER_AT_ONCE == 0:
                    await asyncio.sleep(0)  # calls in flight want to be heard, too
                continue
            self._lines[index] = row.line
            index += 1
            yield row.candidate

    def _write(self, outcome: Outcome) -> None:
        cells = cells_of(outcome, self._lines.pop(outcome.index), self.key)
        if self._unwritten:
            self._unwritten += 1
        else:
            try:
                self.links.write(cells)
            except OSError as error:
                # Read nothing more; what is in flight finishes, and is counted.
                self._stop, self._unwritten = True, 1
                self._why_unwritten = os_reason(error)
