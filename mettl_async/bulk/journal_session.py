"""The journal of one run; what it raises becomes a `JournalError`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

import anyio

from mettl_async.bulk.journal import Journal
from mettl_async.bulk.journal_record import JournalRecord, to_record
from mettl_async.bulk.outcomes import JournalError, Outcome
from mettl_async.core.tasks import catching


class JournalSession:
    """Open a journal, record the outcomes of one run, and close it.

    Attributes:
        failure: Why it could not record, and what; None as long as it could.
    """

    def __init__(self, journal: Journal, schedule: str) -> None:
        self._journal, self._schedule = journal, schedule
        self.failure: JournalError | None = None

    async def __aenter__(self) -> Self:
        with _as_journal_error("opened"):
            await self._journal.open(self._schedule)
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True), _as_journal_error("closed"):
            await self._journal.close()

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """Return what earlier runs recorded, by folded email."""
        with _as_journal_error("read"):
            return await self._journal.find(emails)

    async def record(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Record what some outcomes say that is new.

        Returns:
            Those that may be reported: all, but for what could not be recorded.
        """
        records = [to_record(one) for one in outcomes]
        new = [record for record in records if record is not None]
        if not new:
            return outcomes
        raised: list[Exception] = []
        with catching(raised.append):
            await self._journal.record(new)
        if not raised:
            return outcomes
        # Raised by the run when all calls have ended.
        if self.failure is None:
            self.failure = _journal_error("written", raised[0])
            self.failure.__cause__ = _cause(raised[0])
        pairs = list(zip(outcomes, records, strict=True))
        self.failure.unrecorded += tuple(one for one, record in pairs if record is not None)
        return [one for one, record in pairs if record is None]


@contextmanager
def _as_journal_error(action: str) -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - a journal may be the user's own
        raise _journal_error(action, exc) from _cause(exc)


def _journal_error(action: str, exc: Exception) -> JournalError:
    if isinstance(exc, JournalError):
        return exc
    # Only the system's own words: a database repeats what it was given, links and all.
    words = exc.strerror if isinstance(exc, OSError) and exc.strerror else type(exc).__name__
    return JournalError(f"the journal cannot be {action}: {words}")


def _cause(exc: Exception) -> BaseException | None:
    return exc.__cause__ if isinstance(exc, JournalError) else exc
