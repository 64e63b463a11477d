"""Cutting an input of any length into calls of at most 20 candidates.

A batch is also cut early where its URL would grow too long. Each candidate lands in exactly one batch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import frozen

from mettl_async.bulk.details import Entries, Entry, rd_length
from mettl_async.bulk.journal_record import JournalRecord, from_record
from mettl_async.bulk.outcomes import Outcome
from mettl_async.bulk.source import each
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from mettl_async.bulk.seen import SeenEmails

Find = Callable[[Sequence[str]], Awaitable[Mapping[str, JournalRecord]]]
"""Gives what is recorded of these folded emails."""

MAX_BATCH = 20
"""Candidates in one call at most: api.md section 6, API 15 [doc]."""


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


@frozen
class Batch:
    """Entries to send together, and what was met on the way that is not sent at all.

    Attributes:
        entries: To send; may be empty.
        duplicates: Their emails came before.
        known: Outcomes that an earlier run has recorded.
    """

    entries: Entries
    duplicates: tuple[Entry, ...] = ()
    known: tuple[Outcome, ...] = ()


async def cut(
    candidates: Iterable[Candidate] | AsyncIterable[Candidate],
    *,
    size: int,
    room: int | None,
    seen: SeenEmails,
    find: Find | None = None,
) -> AsyncGenerator[Batch]:
    """Cut an input into batches.

    Holds no more than three batches. What was read before the input raised is handed out first.

    Args:
        candidates: The input, of any length; read from one task only.
        size: Candidates per batch at most.
        room: Bytes that an encoded ``rd`` may take; None for no bound. A single candidate that is
            longer still gets a batch of its own, for the sender to refuse.
        seen: Emails met so far; a second one goes into `Batch.duplicates`.
        find: Whose answers are recorded; they go into `Batch.known`, in batches of their own, so that
            those who are left fill their batches. None for nobody's.

    Raises:
        InvalidInputError: An element is not a `Candidate`.
        Exception: Whatever the input or ``find`` raises.
    """
    entries: list[Entry] = []
    duplicates: list[Entry] = []
    known: list[Outcome] = []
    recorded: dict[int, JournalRecord] = {}
    index = 0
    broken: Exception | None = None
    items = each(candidates) if find is None else _looked_up(candidates, find, size, recorded)
    async with aclosing(items) as source:
        while broken is None:
            try:
                candidate = await anext(source)
                settled = recorded.pop(index, None) if recorded else None
                check_candidate(index, candidate)
            except StopAsyncIteration:
                break
            except Exception as exc:  # noqa: BLE001 - anything the input raises, raised again below
                broken = exc
                break
            one = Entry(index, candidate)
            index += 1
            if not seen.add(candidate.email):
                duplicates.append(one)
            elif settled is not None:
                known.append(from_record(settled, one.index, candidate))
            else:
                entries.append(one)
            if len(entries) + len(duplicates) >= size:
                fit = _that_fit(entries, room)
                yield Batch(fit, tuple(duplicates))
                entries, duplicates = entries[len(fit) :], []
            if len(known) >= size:
                yield Batch(Entries(), (), tuple(known))
                known = []
    while entries or duplicates or known:
        fit = _that_fit(entries, room)
        yield Batch(fit, tuple(duplicates), tuple(known))
        entries, duplicates, known = entries[len(fit) :], [], []
    if broken is not None:
        raise broken


def _that_fit(entries: Sequence[Entry], room: int | None) -> Entries:
    """The first ones, as many as a call may have: all, if their ``rd`` is short enough, or at least one."""
    every = Entries(entries)
    if room is None or not entries or rd_length(every) <= room:
        return every
    counts = range(1, len(entries))
    count = max(1, bisect_right(counts, room, key=lambda count: rd_length(entries[:count])))
    return Entries(entries[:count])


async def _looked_up(
    candidates: Iterable[Candidate] | AsyncIterable[Candidate],
    find: Find,
    size: int,
    recorded: dict[int, JournalRecord],
) -> AsyncGenerator[Candidate]:
    """The candidates, with what is recorded of them put into ``recorded`` by their places."""
    index = 0
    broken: Exception | None = None
    async with aclosing(each(candidates)) as source:
        while broken is None:
            chunk: list[Candidate] = []
            try:
                while len(chunk) < size:
                    candidate = await anext(source)
                    check_candidate(index + len(chunk), candidate)
                    chunk.append(candidate)
            except StopAsyncIteration:
                if not chunk:
                    return
            except Exception as exc:  # noqa: BLE001 - raised again when what came before is out
                broken = exc
            keys = [fold_email(one.email) for one in chunk]
            found = await find(keys) if keys else {}
            recorded.update(
                {place: found[key] for place, key in enumerate(keys, index) if key in found}
            )
            index += len(chunk)
            for candidate in chunk:
                yield candidate
    if broken is not None:
        raise broken


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
