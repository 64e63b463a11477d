"""The ``rd`` parameter: what a call says of its candidates (api.md section 6, API 15)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from attrs import field, frozen

from mettl_async.codec import candidate_details, candidate_optionals, dumps_texts
from mettl_async.core.request import Escaped
from mettl_async.models import Candidate

if TYPE_CHECKING:
    from collections.abc import Sequence


@frozen
class Entry:
    """One candidate.

    Attributes:
        index: Position in the input.
        candidate: What was passed in.
    """

    index: int
    candidate: Candidate = field(repr=False)


class Entries(tuple[Entry, ...]):  # noqa: SLOT001 - what is cached needs a place
    """Entries to send together: their ``rd`` is written once, to be measured and to be sent."""

    @cached_property
    def rd(self) -> Escaped:
        """See `rd_text`."""
        return rd_text([one.candidate for one in self])


def rd_of(entries: Sequence[Entry]) -> Escaped:
    """The ``rd`` parameter of some entries."""
    return entries.rd if isinstance(entries, Entries) else Entries(entries).rd


def rd_length(entries: Sequence[Entry]) -> int:
    """Length of the escaped ``rd`` of a batch; that of two batches is less than their sum."""
    return len(rd_of(entries).escaped)


def rd_text(candidates: Sequence[Candidate]) -> Escaped:
    """The ``rd`` parameter of some candidates, as JSON and escaped."""
    whole = {"registrationDetails": candidate_details(candidates)}
    if optional := candidate_optionals(candidates):
        whole["optionalParams"] = optional
    # One text of all is written several times as fast as one of each.
    return Escaped.of(dumps_texts(whole))
