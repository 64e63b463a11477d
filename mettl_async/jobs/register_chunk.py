"""Run a chunk of a job that registers people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import define, field

from mettl_async.bulk.outcomes import Failed, Outcome, Unknown
from mettl_async.bulk.stop_policy import stops_the_run
from mettl_async.core.retry import is_transient
from mettl_async.errors import ApiError, CallError, ClientClosedError, MettlError
from mettl_async.jobs.chunk_journal import ChunkJournal
from mettl_async.jobs.chunk_work import people_of
from mettl_async.jobs.spec import RegisterSpec
from mettl_async.jobs.work import Ending, Finished, Refused, Stopped, Work, named

if TYPE_CHECKING:
    import asyncio

    from mettl_async.models import Candidate


async def register_chunk(work: Work) -> Ending:
    """Register the people of a chunk who have no settled outcome.

    Raises:
        JournalError: The database failed, or the chunk was lost.
        ConfigurationError: Its options are of a newer version.
        ClientClosedError: The client was closed.
    """
    spec = RegisterSpec.from_text(work.chunk.spec)
    people = await people_of(work.backend, work.lease)
    run = work.client.candidates.register_many(
        spec.access_key,
        _until(work.stopping, people.candidates),
        options=spec.options,
        concurrency=work.concurrency,
        journal=ChunkJournal(work.backend, work.lease, people.positions),
    )
    answers = Answers()
    async with aclosing(aiter(run)) as outcomes:
        async for outcome in outcomes:
            answers.note(outcome)
            for one in work.observers:
                one.answered(work.chunk.account, type(outcome).__name__.lower())
    return answers.ending(stopping=work.stopping.is_set())


@define(eq=False)
class Answers:
    """What the outcomes of a run say about the chunk; pure."""

    _any: bool = field(default=False, init=False)
    _last: MettlError | None = field(default=None, init=False)
    _stopped_by: MettlError | None = field(default=None, init=False)

    def note(self, outcome: Outcome) -> None:
        """Add an outcome."""
        if not isinstance(outcome, Failed | Unknown):
            self._any = True
            return
        error = self._last = outcome.error
        refused = isinstance(error, ApiError) and not is_transient(error)
        self._any = self._any or refused
        # After a stop, what stopped the run is the error of all who were not sent.
        stops = isinstance(error, CallError) and stops_the_run(error)
        if stops or (refused and outcome.attempts == 0):
            self._stopped_by = self._stopped_by or error

    def ending(self, *, stopping: bool) -> Ending:
        """Decide what becomes of the chunk.

        Raises:
            ClientClosedError: That stopped the run.
        """
        if isinstance(self._stopped_by, ClientClosedError):
            raise self._stopped_by
        if self._stopped_by is not None:
            return Refused(str(self._stopped_by))
        if stopping:
            return Stopped()
        if self._last is None:
            return Finished()
        return Finished(named(self._last), unanswered=not self._any)


def _until(stopping: asyncio.Event, people: Sequence[Candidate]) -> Iterator[Candidate]:
    for person in people:
        if stopping.is_set():
            return
        yield person
