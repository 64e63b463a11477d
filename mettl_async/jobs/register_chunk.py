"""Run a chunk of a job that registers people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from mettl_async.bulk.outcomes import Failed, Outcome, Unknown
from mettl_async.bulk.stop_policy import stops_the_run
from mettl_async.core.retry import is_transient
from mettl_async.errors import ApiError, CallError, ClientClosedError, MettlError
from mettl_async.jobs.chunk_journal import ChunkJournal
from mettl_async.jobs.chunk_work import people_of
from mettl_async.jobs.spec import RegisterSpec
from mettl_async.jobs.work import Ending, Finished, Refused, Stopped, Work

if TYPE_CHECKING:
    import asyncio

    from mettl_async.models import Candidate


async def register_chunk(work: Work, *, unanswered: float) -> Ending:
    """Register the people of a chunk who have no settled outcome.

    Args:
        work: The chunk.
        unanswered: Seconds until it is tried again if the server answers nobody.

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
    stopped_by: MettlError | None = None
    last: MettlError | None = None
    async with aclosing(aiter(run)) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Failed | Unknown):
                last = outcome.error
                stopped_by = stopped_by or stopper(outcome)
    return ending(stopped_by, last, unanswered=unanswered, stopping=work.stopping.is_set())


def stopper(outcome: Outcome) -> MettlError | None:
    """Return what stopped the run, if an outcome tells it: for those after a stop it is their error."""
    if not isinstance(outcome, Failed):
        return None
    error = outcome.error
    if outcome.attempts == 0 or (isinstance(error, CallError) and stops_the_run(error)):
        return error
    return None


def ending(
    stopped_by: MettlError | None, last: MettlError | None, *, unanswered: float, stopping: bool
) -> Ending:
    """Decide what becomes of a chunk.

    Raises:
        ClientClosedError: That stopped the run.
    """
    if isinstance(stopped_by, ClientClosedError):
        raise stopped_by
    if isinstance(stopped_by, ApiError) and not is_transient(stopped_by):
        return Refused(str(stopped_by))
    if stopping:
        return Stopped()
    if stopped_by is not None:
        # The server answers nobody. That is no try: the whole of the job would soon have had its last.
        return Stopped(unanswered)
    return Finished("" if last is None else _named(last))


def _named(error: MettlError) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _until(stopping: asyncio.Event, people: Sequence[Candidate]) -> Iterator[Candidate]:
    for person in people:
        if stopping.is_set():
            return
        yield person
