"""One run: everybody of a job is sent, recorded in the journal, and written to the file of links."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from anyio import CancelScope
from attrs import define, field, frozen

from mettl_async.bulk.file_journal import FileJournal
from mettl_async.bulk.journal_record import JournalRecord, to_record
from mettl_async.bulk.journal_table import schedule_digest
from mettl_async.bulk.outcomes import JournalError
from mettl_async.bulk.registration_run import RegistrationRun
from mettl_async.cli.earlier import Before
from mettl_async.cli.job import Job
from mettl_async.cli.links import write_links
from mettl_async.cli.outfile import (
    Stamp,
    StdoutClosedError,
    is_stdout,
    remove_unfinished,
    stamp_at,
)
from mettl_async.cli.problems import CommandError
from mettl_async.cli.progress import REFRESH_EVERY, Tally, make_display
from mettl_async.cli.talk import note
from mettl_async.client import MettlClient
from mettl_async.config import ApiVersion
from mettl_async.errors import MettlError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from signal import Signals

    from mettl_async.core.transports import TransportName
    from mettl_async.models import Candidate
    from mettl_async.sandbox import Sandbox

MANY: Final = 5_000
"""Candidates from which on a trial run gains more by aiohttp than importing it takes."""
WRITE_EVERY: Final = 30.0
"""Seconds from one writing of the links to the next while a run goes on; more where it takes long."""
_PAUSE_PER_WRITING: Final = 20  # so that it costs 5% of the time at most


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
class Run:
    """A run of the command; `go` does it, and the tally and `problem` say what came of it.

    Attributes:
        futile: Whether nobody was reached, so that there is neither a file of links nor a journal.
        changed: Whether somebody else has changed the file of links, which was then written again.
        before: What is known of an earlier run.
    """

    job: Job
    key: str
    tally: Tally
    before: Before = field(factory=Before)
    futile: bool = field(default=False, init=False)
    changed: bool = field(default=False, init=False)
    _journal: FileJournal = field(init=False)
    _registration: RegistrationRun | None = None
    _broken: CommandError | MettlError | None = None
    _unwritten: CommandError | MettlError | None = None
    _stop: bool = False
    _stamps: set[Stamp | None] = field(factory=set, init=False, repr=False)
    _kept: AsyncExitStack = field(factory=AsyncExitStack, init=False, repr=False)
    _unrecorded: dict[str, JournalRecord] = field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        self._journal = FileJournal(self.job.journal_path, overwrite=self.job.overwrite)

    def interrupt(self, number: Signals) -> None:
        """Send nobody else; calls in flight are finished."""
        self._stop = True
        self.tally.ended_by = number

    @property
    def unread(self) -> bool:
        """Whether the links were for stdout, whose reader has gone; the outcome is what it is."""
        return isinstance(self._unwritten, StdoutClosedError)

    @property
    def problem(self) -> CommandError | MettlError | None:
        """Why the run did not come to its end, beside an interrupt and what outcomes say."""
        if isinstance(self._broken, JournalError):
            left = self.tally.not_sent
            return CommandError(
                f"{self._broken}, and {left:,} of {self.tally.total:,} candidates were not sent; "
                "make room where the disk is full, and pass --resume to go on"
            )
        if self._broken is None and self._unwritten is not None and not self.unread:
            return CommandError(
                f"{self._unwritten}; all outcomes are in {self.job.journal_path}: make room where "
                "the disk is full, and pass --resume to get the links"
            )
        return self._broken

    async def go(
        self, target: MettlClient | Sandbox, at_end: Callable[[], Awaitable[None]]
    ) -> None:
        """Register everybody who has no final answer in the journal, and write the links.

        Args:
            target: Client, or sandbox to run.
            at_end: Called when all is done, while a sandbox is still there.

        Raises:
            CommandError: There are outcomes of an earlier run that nobody has said what to do with.
            JournalError: The journal cannot be used, for instance because another run uses it.
        """
        async with self._kept:
            await self._go(target)
            await at_end()

    async def _go(self, target: MettlClient | Sandbox) -> None:
        out, journal = self.job.out, self._journal
        await journal.open(schedule_digest(self.key))
        try:
            if not self.job.resume and await journal.has_answers():
                raise CommandError(
                    f"{self.job.journal_path}: has outcomes of an earlier run; pass --resume to go on with it, "
                    "--overwrite, or another --out"
                )
            remove_unfinished(out)
            was_there = out.exists()
            self._stamps = {stamp_at(out)}
            await self._run(target)
            try:
                self.futile = not was_there and await self._is_futile()
                if self.futile:
                    out.unlink(missing_ok=True)  # of the time when the run went on
                elif out.exists() or self._unrecorded or await journal.count():
                    await self._write_links()
            except (CommandError, MettlError) as error:
                self._unwritten, self.changed = error, False
        finally:
            await journal.close(delete=self.futile)

    async def _is_futile(self) -> bool:
        """Tell whether files would only be in the way: nobody was reached, as with a mistyped schedule."""
        if self._unrecorded or await self._journal.has_answers():
            return False
        return self.tally.cut_short or not await self._journal.count()

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
        if is_stdout(self.job.out):
            return
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

        job = self.job
        # Of stdout there is no file, and never was one.
        self.changed = self.changed or stamp_at(job.out) not in self._stamps
        new: list[Stamp | None] = []
        try:
            await write_links(
                job.out,
                job.cells(),
                job.columns,
                read,
                before=self.before,
                bom=job.bom,
                note=new.append,
            )
        except (CommandError, MettlError):
            raise
        except BaseException:  # cancelled, perhaps as it took its place
            self._stamps.update(new)
            raise
        self._stamps = set(new) or self._stamps

    @asynccontextmanager
    async def _ready(self, target: MettlClient | Sandbox) -> AsyncGenerator[MettlClient, None]:
        if isinstance(target, MettlClient):
            async with target:
                yield target
            return
        server = await self._kept.enter_async_context(target.serve())
        note(f"sandbox: a made-up Mettl at {server.base_url}; nothing leaves this machine")
        async with MettlClient(
            server.credentials,
            base_url=server.base_url,
            version=self.job.target.version or ApiVersion.V2,
            options=self.job.client_options,
            transport=_transport_of_trial(self.tally.total),
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
        for candidate in self.job.candidates():
            if self._stop:
                return
            yield candidate


def _transport_of_trial(total: int) -> TransportName:
    """Choose the transport to the sandbox, which no proxy is before; to Mettl one may speak SOCKS."""
    return "aiohttp" if total >= MANY and find_spec("aiohttp") else "httpx"
