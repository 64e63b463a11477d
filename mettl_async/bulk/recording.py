"""A journal for the length of one run: whatever it raises becomes one kind of error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import anyio

from mettl_async.bulk.journal_record import to_record
from mettl_async.bulk.outcomes import JournalError
from mettl_async.core.tasks import is_cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mettl_async.bulk.batches import Find
    from mettl_async.bulk.journal import Journal
    from mettl_async.bulk.journal_record import JournalRecord
    from mettl_async.bulk.outcomes import Outcome


class Recording:
    """What a run does with its journal; nothing, if it has none.

    Attributes:
        failure: Why it could not record, and what; None as long as it could.
    """

    def __init__(self, journal: Journal | None = None, schedule: str = "") -> None:
        self._journal, self._schedule = journal, schedule
        self.failure: JournalError | None = None

    async def __aenter__(self) -> Self:
        if self._journal is not None:
            try:
                await self._journal.open(self._schedule)
            except Exception as exc:  # noqa: BLE001 - a journal is anybody's
                raise _wrapped("opened", exc) from _cause(exc)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._journal is not None:
            with anyio.CancelScope(shield=True):
                try:
                    await self._journal.close()
                except Exception as exc:  # noqa: BLE001 - a journal is anybody's
                    raise _wrapped("closed", exc) from _cause(exc)

    @property
    def find(self) -> Find | None:
        """Gives what earlier runs recorded; None without a journal."""
        return None if self._journal is None else self._find

    async def _find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        if self._journal is None:
            return {}
        try:
            return await self._journal.find(emails)
        except Exception as exc:  # noqa: BLE001 - a journal is anybody's
            raise _wrapped("read", exc) from _cause(exc)

    async def keep(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Record those that are final; gives those that may be told of, all but what could not be."""
        if self._journal is None:
            return outcomes
        settled = [one for outcome in outcomes if (one := to_record(outcome)) is not None]
        if not settled:
            return outcomes
        try:
            await self._journal.record(settled)
        except (Exception, anyio.get_cancelled_exc_class()) as exc:
            if is_cancelled(exc):
                raise
            # A journal is anybody's; raised when all is drained.
            return self._without_record(outcomes, exc)
        return outcomes

    def _without_record(self, outcomes: list[Outcome], exc: BaseException) -> list[Outcome]:
        if self.failure is None:
            self.failure = _wrapped("written", exc)
            self.failure.__cause__ = _cause(exc)
        self.failure.unrecorded += tuple(one for one in outcomes if to_record(one) is not None)
        return [one for one in outcomes if to_record(one) is None]


def _wrapped(what: str, exc: BaseException) -> JournalError:
    if isinstance(exc, JournalError):
        return exc
    # Only the system's own words: a database repeats what it was given, links and all.
    words = exc.strerror if isinstance(exc, OSError) and exc.strerror else type(exc).__name__
    return JournalError(f"the journal cannot be {what}: {words}")


def _cause(exc: BaseException) -> BaseException | None:
    return exc.__cause__ if isinstance(exc, JournalError) else exc
