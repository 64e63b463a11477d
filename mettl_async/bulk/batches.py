"""Cutting an input of any length into calls of at most 20 candidates.

A batch is also cut early where its URL would grow too long. Each candidate is encoded once, and lands
in exactly one batch.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import field, frozen

from mettl_async.bulk.source import each
from mettl_async.codec import candidate_detail, candidate_optional, dumps
from mettl_async.core.request import encoded_length
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mettl_async.bulk.seen import SeenEmails

MAX_BATCH = 20
"""Candidates in one call at most: api.md section 6, API 15 [doc]."""

_OPEN, _MIDDLE, _CLOSE = '{"registrationDetails":[', '],"optionalParams":[', "]}"
_FRAME = encoded_length(_OPEN + _MIDDLE + _CLOSE)
_COMMA = encoded_length(",")


@frozen
class Entry:
    """One candidate, encoded.

    Attributes:
        index: Position in the input.
        candidate: What was passed in.
        detail: JSON of its ``registrationDetails`` item.
        optional: JSON of its ``optionalParams`` item, or empty.
        weight: Bytes that it adds to an encoded ``rd``.
    """

    index: int
    candidate: Candidate = field(repr=False)
    detail: str = field(repr=False)
    optional: str = field(repr=False)
    weight: int


def entry(index: int, candidate: Candidate, *, weighed: bool = True) -> Entry:
    """Encode a candidate for its place in a batch; without its weight where no length is counted.

    Raises:
        InvalidInputError: Not a `Candidate`.
    """
    if not isinstance(candidate, Candidate):
        raise InvalidInputError(
            f"candidates[{index}]",
            f"is a {type(candidate).__name__}",
            "pass Candidate(email=..., first_name=...) objects",
        )
    detail = dumps(candidate_detail(candidate))
    extra = candidate_optional(candidate)
    optional = dumps(extra) if extra else ""
    weight = 0
    if weighed:
        weight = encoded_length(detail) + _COMMA
        weight += encoded_length(optional) + _COMMA if optional else 0
    return Entry(index, candidate, detail, optional, weight)


def rd_text(entries: Sequence[Entry]) -> str:
    """The ``rd`` parameter of a batch: api.md section 6, API 15."""
    details = ",".join([one.detail for one in entries])
    optional = ",".join([one.optional for one in entries if one.optional])
    return f"{_OPEN}{details}{_MIDDLE + optional if optional else ''}{_CLOSE}"


def rd_length(entries: Sequence[Entry]) -> int:
    """Length of the encoded ``rd``, at most a few bytes too high."""
    return _FRAME + sum(one.weight for one in entries)


@frozen
class Batch:
    """Entries to send together, and duplicates met on the way that are not sent at all."""

    entries: tuple[Entry, ...]
    duplicates: tuple[Entry, ...] = ()


async def cut(
    candidates: Iterable[Candidate] | AsyncIterable[Candidate],
    *,
    size: int,
    room: int | None,
    seen: SeenEmails,
) -> AsyncGenerator[Batch]:
    """Cut an input into batches.

    Holds no more than one batch. What was read before the input raised is handed out first.

    Args:
        candidates: The input, of any length; read from one task only.
        size: Candidates per batch at most.
        room: Bytes that an encoded ``rd`` may take; None for no bound. A single candidate that is
            longer still gets a batch of its own, for the sender to refuse.
        seen: Emails met so far; a second one goes into `Batch.duplicates`.

    Raises:
        InvalidInputError: An element is not a `Candidate`.
        Exception: Whatever the input raises.
    """
    entries: list[Entry] = []
    duplicates: list[Entry] = []
    length, index = _FRAME, 0
    broken: Exception | None = None
    async with aclosing(each(candidates)) as source:
        while broken is None:
            try:
                one = entry(index, await anext(source), weighed=room is not None)
            except StopAsyncIteration:
                break
            except Exception as exc:  # noqa: BLE001 - anything the input raises, raised again below
                broken = exc
                break
            index += 1
            if not seen.add(one.candidate.email):
                duplicates.append(one)
            elif entries and room is not None and length + one.weight > room:
                yield Batch(tuple(entries), tuple(duplicates))
                entries, duplicates, length = [one], [], _FRAME + one.weight
            else:
                entries.append(one)
                length += one.weight
            if len(entries) + len(duplicates) >= size:
                yield Batch(tuple(entries), tuple(duplicates))
                entries, duplicates, length = [], [], _FRAME
    if entries or duplicates:
        yield Batch(tuple(entries), tuple(duplicates))
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
