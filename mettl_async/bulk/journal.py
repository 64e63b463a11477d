"""What a bulk run writes down, so that after any end it can be run again and does only the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import anyio
from anyio import to_thread

from mettl_async.bulk.journal_file import JournalFile, lines_of
from mettl_async.bulk.outcomes import JournalError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from mettl_async.bulk.journal_record import JournalRecord


@runtime_checkable
class Journal(Protocol):
    """Where a run records who has a final answer, and asks who has one from an earlier run.

    The run opens it, uses it and closes it; one run at a time. Only answers that would be the same
    again [seen] are recorded: links, and the refusals in `SETTLED_CODES`. Whatever these methods raise
    ends the run in order: nothing more is read or sent, calls in flight finish, then comes `JournalError`.
    """

    async def open(self, schedule: str) -> None:
        """Begin a run.

        Args:
            schedule: Digest of the access key; what was recorded for another must not be found.
        """

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """What was recorded before this run was opened, by email; without those who have no record.

        Args:
            emails: As `fold_email` folds them; some 20 at once, from one task only.
        """

    async def record(self, settled: Sequence[JournalRecord]) -> None:
        """Keep these; when this returns, they will be found after whatever happens then.

        Called by many tasks at once, each with the answers of one batch, and also for a run that
        nobody listens to any more.
        """

    async def close(self) -> None:
        """End the run; called once for each `open` that did not raise."""


class _Together:
    """Lines that go to the disk in one step, and how that went."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.failure: OSError | None = None


class FileJournal:
    """A journal in a file of one schedule; give the same path again to go on.

    A run may end in any way at any moment, by SIGKILL, a full disk or a power cut: of what it yielded
    nothing is missing in the file, and a last line that was cut short is taken away at the next
    start. The file holds the emails and links of candidates, who can take the test with them: it is made
    for its owner only (mode 0600), and nothing deletes it but you.

    Each batch is on the disk (fsync) before its outcomes are yielded. Batches that wait for that go
    there together, in a thread, so a run is not slower for it unless the disk is slower than Mettl.
    With ``fsync=False`` only a power cut can lose records: who is missing is sent again, which is harmless
    and gives the same link [seen].

    Memory is some 20 bytes a record. Two runs cannot share a file (not held on Windows). A link is given
    as it was recorded: one that was made with a time limit may have expired.

    Args:
        path: Of the file, which is made if it is not there; its directory is not.
        fsync: Whether to wait for the disk.

    Raises:
        JournalError: At the start of the run: the file is another schedule's, no journal, in use, or
            cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = True) -> None:
        self._path, self._fsync = Path(path), fsync
        self._file: JournalFile | None = None
        self._writing = anyio.Lock()
        self._next = _Together()

    def __repr__(self) -> str:
        return f"FileJournal({str(self._path)!r}, fsync={self._fsync})"

    async def open(self, schedule: str) -> None:
        """See `Journal`; reads the whole file, some seconds for a million records."""
        if self._file is not None:
            raise JournalError(f"{self._path}: is in use by another run")
        self._next, self._writing = _Together(), anyio.Lock()

        def opened() -> JournalFile:
            return JournalFile(self._path, schedule, fsync=self._fsync)

        self._file = await to_thread.run_sync(opened)

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """See `Journal`."""
        # Without a thread: a few short lines out of the system's memory are there sooner.
        file = self._opened()
        return {email: one for email in emails if (one := file.find(email)) is not None}

    async def record(self, settled: Sequence[JournalRecord]) -> None:
        """See `Journal`."""
        self._opened()
        ours = self._next
        ours.lines.append(lines_of(settled))
        async with self._writing:
            if ours is self._next:
                self._next = _Together()
                await self._write(ours)
        if ours.failure is not None:
            raise OSError(ours.failure.errno, ours.failure.strerror) from ours.failure

    async def _write(self, together: _Together) -> None:
        file, lines = self._opened(), b"".join(together.lines)
        try:
            if self._fsync:
                await to_thread.run_sync(file.append, lines)
            else:
                file.append(lines)
        except OSError as error:
            together.failure = error

    async def close(self) -> None:
        """See `Journal`."""
        file, self._file = self._opened(), None
        file.close()

    def _opened(self) -> JournalFile:
        if self._file is None:
            raise JournalError(f"{self._path}: is not open; pass the journal to a bulk run")
        return self._file
