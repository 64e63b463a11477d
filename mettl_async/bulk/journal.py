"""What a bulk run writes down, so that after any end it can be run again and does only the rest."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from mettl_async.bulk.journal_record import JournalRecord


@runtime_checkable
class Journal(Protocol):
    """Where a run records outcomes, and finds the final ones of earlier runs.

    A run opens it, uses it and closes it; one run at a time. What its methods raise ends the run
    in order: nothing more is read or sent, calls in flight finish, and `JournalError` is raised.

    Example::

        class DictJournal:  # lost with the process
            def __init__(self) -> None:
                self.kept = {}

            async def open(self, schedule: str) -> None:
                self.schedule = schedule

            async def find(self, emails):
                found = {email: self.kept.get((self.schedule, email)) for email in emails}
                return {email: one for email, one in found.items() if one and one.final}

            async def record(self, records) -> None:
                for one in records:
                    before = self.kept.get((self.schedule, one.email))
                    if one.final or not (before and before.final):
                        self.kept[self.schedule, one.email] = one

            async def close(self) -> None: ...


        journal = DictJournal()
        await mettl.candidates.register_many(ACCESS_KEY, people, journal=journal)
    """

    async def open(self, schedule: str) -> None:
        """Begin a run.

        Args:
            schedule: Digest of the access key; what was recorded for another must not be found.
        """

    async def find(self, emails: Sequence[str]) -> Mapping[str, JournalRecord]:
        """Return what is final among the records of earlier runs, by email.

        Args:
            emails: As `fold_email` folds them; some 20 at once, from one task only.
        """

    async def record(self, records: Sequence[JournalRecord]) -> None:
        """Keep these so that they outlive any end of the process; return when that is so.

        A record that is not final must never replace a final one. Called by many tasks at once, each
        with the outcomes of one batch, and also for a run that nobody listens to any more.
        """

    async def close(self) -> None:
        """End the run; called once for each `open` that did not raise."""
