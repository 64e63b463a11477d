"""Reading an input of any length, and cutting it into batches."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import TypeVar

from mettl_async.bulk.batch import Batch, Entry, first_batch
from mettl_async.bulk.journal_record import JournalRecord, from_record
from mettl_async.bulk.outcomes import DUPLICATE_EMAIL, Outcome
from mettl_async.bulk.seen import SeenEmails
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate
from mettl_async.models._fold_email import fold_email

T = TypeVar("T")

Find = Callable[[Sequence[str]], Awaitable[Mapping[str, JournalRecord]]]
"""Finds what is recorded for folded emails."""


def check_candidate(index: int, candidate: object) -> None:
    """Refuse what is not a candidate.

    Raises:
        InvalidInputError: Not a `Candidate`.
    """
    if not isinstance(candidate, Candidate):
        raise InvalidInputError(
            f"candidates[{index}]",
            f"is a {type(candidate).__name__}",
            "pass Candidate(email=..., first_name=...) objects",
        )


def check_source(candidates: object, *, may_be_async: bool = True) -> None:
    """Refuse what is not an input of candidates.

    Raises:
        InvalidInputError: Not an iterable, or text, or a mapping.
    """
    if isinstance(candidates, (str, bytes, Mapping, Candidate)) or not isinstance(
        candidates, (Iterable, AsyncIterable) if may_be_async else Iterable
    ):
        raise InvalidInputError(
            "candidates",
            f"is a {type(candidates).__name__}",
            f"pass an iterable {'or async iterable ' if may_be_async else ''}of Candidate objects",
        )


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """Give the items of an iterable or async iterable.

    A generator, be it the input or what the input makes to be read, is closed here and not by the
    garbage collector: in the task that ran it, before the run ends.
    """
    if isinstance(items, AsyncIterable):
        source = aiter(items)
        try:
            async for item in source:
                yield item
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()
    else:
        for item in items:
            yield item


async def read_batches(
    candidates: Iterable[Candidate] | AsyncIterable[Candidate],
    *,
    size: int,
    max_rd_bytes: int | None,
    find: Find | None = None,
) -> AsyncGenerator[Batch | list[Outcome]]:
    """Cut an input into batches; each candidate lands in exactly one, or has its outcome already.

    Memory is that of three batches and of `SeenEmails`. What was read before the input raised is handed out first.

    Args:
        candidates: The input, of any length; read from one task only.
        size: Candidates in a batch at most.
        max_rd_bytes: Bytes that an escaped ``rd`` may take; None for no bound. A single candidate that is
            longer still gets a batch of its own, for the sender to refuse.
        find: Looks for recorded answers; None if there is no journal.

    Returns:
        Batches to send, and lists of outcomes that need no call: repeated emails, recorded answers.

    Raises:
        InvalidInputError: An element is not a `Candidate`.
        Exception: What the input or ``find`` raises.
    """
    seen = SeenEmails()
    waiting: list[Entry] = []
    settled: list[Outcome] = []
    index = passed_over = 0
    end: Exception | None = None
    async with aclosing(each(candidates)) as source:
        while end is None:
            chunk, end = await _chunk(source, index, size)
            index += len(chunk)
            try:
                emails = [fold_email(entry.candidate.email) for entry in chunk] if find else []
                recorded = await find(emails) if find and emails else {}
                passed_over += _sort(chunk, recorded, seen, waiting, settled)
            except Exception as exc:  # noqa: BLE001 - raised again below
                end = exc
            # Many repeated emails must not keep the few candidates between them waiting.
            while waiting and (end or len(waiting) + passed_over >= size):
                batch = first_batch(waiting, size, max_rd_bytes)
                yield batch
                del waiting[: len(batch)]
                passed_over = 0
            if settled and (end or len(settled) >= size):
                yield settled
                settled = []
    if not isinstance(end, StopAsyncIteration):
        raise end


def _sort(
    chunk: list[Entry],
    recorded: Mapping[str, JournalRecord],
    seen: SeenEmails,
    waiting: list[Entry],
    settled: list[Outcome],
) -> int:
    """Add the entries that need a call to ``waiting``, and the outcomes of the others to ``settled``.

    Returns:
        How many had a repeated email.
    """
    repeated = 0
    for entry in chunk:
        email = entry.candidate.email
        if not seen.add(email):
            reason = "the same email came earlier in this run; not sent"
            settled.append(entry.rejected(reason, DUPLICATE_EMAIL))
            repeated += 1
        elif recorded and (record := recorded.get(fold_email(email))) is not None:
            settled.append(from_record(record, entry.index, entry.candidate))
        else:
            waiting.append(entry)
    return repeated


async def _chunk(
    source: AsyncIterator[Candidate], index: int, size: int
) -> tuple[list[Entry], Exception | None]:
    """Read up to ``size`` entries, and what came instead of more: `StopAsyncIteration` at the end."""
    chunk: list[Entry] = []
    try:
        while len(chunk) < size:
            candidate = await anext(source)
            check_candidate(index + len(chunk), candidate)
            chunk.append(Entry(index + len(chunk), candidate))
    except Exception as exc:  # noqa: BLE001 - anything the input raises, raised again by the caller
        return chunk, exc
    return chunk, None
