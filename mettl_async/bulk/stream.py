"""The two ways to run a bulk registration: as a stream of outcomes, or as one report."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING

import anyio

from mettl_async.bulk.batches import MAX_BATCH, check_source
from mettl_async.bulk.journal import Journal
from mettl_async.bulk.progress import ProgressTracker
from mettl_async.bulk.recording import Recording
from mettl_async.bulk.run import Run
from mettl_async.errors import ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable

    from mettl_async.bulk.fallback import CandidateFallback
    from mettl_async.bulk.outcomes import Outcome
    from mettl_async.bulk.progress import OnProgress
    from mettl_async.bulk.run import Send
    from mettl_async.core.lifecycle import Lifecycle
    from mettl_async.models import Candidate


def check_bounds(*, concurrency: int, most: int, batch_size: int) -> None:
    """Refuse a concurrency or batch size out of bounds.

    Raises:
        InvalidInputError: Not a whole number, or out of bounds.
    """
    if not _whole(concurrency, most):
        raise InvalidInputError(
            "concurrency",
            f"must be a whole number from 1 to {most}",
            "raise ClientOptions(max_concurrency=...) for more",
        )
    if not _whole(batch_size, MAX_BATCH):
        raise InvalidInputError(
            "batch_size",
            f"must be a whole number from 1 to {MAX_BATCH}",
            f"Mettl takes {MAX_BATCH} candidates in one call at most",
        )


def check_journal(journal: object) -> None:
    """Refuse what is no journal, such as the path of one.

    Raises:
        InvalidInputError: It is none.
    """
    if journal is not None and (isinstance(journal, type) or not isinstance(journal, Journal)):
        what = f"the class {journal.__name__}" if isinstance(journal, type) else None
        raise InvalidInputError(
            "journal",
            f"is {what or f'a {type(journal).__name__}'}",
            'pass FileJournal("registrations.journal"), or what has the methods of Journal',
        )


def check_hooks(**hooks: object) -> None:
    """Refuse hooks that cannot be called.

    Raises:
        InvalidInputError: One of them.
    """
    for name, hook in hooks.items():
        if hook is not None and not callable(hook):
            raise InvalidInputError(name, f"is a {type(hook).__name__}", "pass a function")
    if inspect.iscoroutinefunction(hooks.get("on_progress")):
        raise InvalidInputError("on_progress", "is async", "pass a plain function, which is quick")


def _whole(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


async def outcomes_of(
    candidates: Iterable[Candidate] | AsyncIterable[Candidate],
    send: Send,
    lifecycle: Lifecycle,
    *,
    concurrency: int,
    batch_size: int,
    room: int | None,
    journal: Journal | None = None,
    schedule: str = "",
    candidate_fallback: CandidateFallback | None = None,
    on_progress: OnProgress | None = None,
) -> AsyncGenerator[Outcome]:
    """Start a run and yield its outcomes, as batches finish.

    The workers belong to the client, not to this generator: a listener who leaves early stops the
    reading, and what is in flight still finishes, and is recorded (closing the client waits for it).

    Raises:
        JournalError: The journal cannot be used, or no longer.
        Exception: What the input or a hook raised, after everything read before it was reported.
    """
    check_source(candidates)
    lifecycle.check()
    run = Run(
        candidates,
        send,
        concurrency=concurrency,
        batch_size=batch_size,
        room=room,
        recording=Recording(journal, schedule),
        tracker=ProgressTracker(time.monotonic, on_progress),
        fallback=candidate_fallback,
    )
    lifecycle.start(run.work(), run.abandon)
    try:
        async for outcomes in run.outcomes:
            for outcome in outcomes:
                yield outcome
        if run.broken is not None:
            raise run.broken
        if not run.finished:
            raise ConfigurationError("the event loop cancelled this run before it was finished")
    except anyio.ClosedResourceError:
        raise ConfigurationError("the client was closed before this run was finished") from None
    finally:
        run.abandon()
