"""Candidates on their way to an outcome: each with its history, and those that one call takes; pure."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Final, TypeVar

from attrs import define, field

from mettl_async.bulk.outcomes import NO_USABLE_LINK, Failed, Registered, Rejected, Unknown
from mettl_async.codec import candidate_details, candidate_optionals, dumps
from mettl_async.core.request import encoded_length
from mettl_async.errors import MettlError
from mettl_async.models import Candidate, NoLinkReason, ReadyLink, Registration, ensured

T = TypeVar("T")

MAX_BATCH: Final = 20
"""Candidates in one call at most [doc]. Vendor page: "Register Candidates in Schedule"."""


@define(eq=False)
class Entry:
    """One candidate, and what is known of it so far.

    Attributes:
        index: Position in the input.
        candidate: What was passed in, or what the caller's fallback returned for it.
        attempts: Requests that it took part in.
        may_be_registered: Whether one of those may have registered it although no answer said so.
        sent_at: When those requests were sent that the server may have seen.
        repeated: Whether an answer was lost, so that it is sent once more, and only once.
        without_link: The outcome of an answer that had no usable link although the candidate may take
            the test, so that it is sent once more, and only once.
        asked_about: Whether the caller's fallback was asked for other values.
    """

    index: int
    candidate: Candidate = field(repr=False)
    attempts: int = 0
    may_be_registered: bool = False
    sent_at: tuple[datetime, ...] = ()
    repeated: bool = False
    without_link: Rejected | None = None
    asked_about: bool = False

    def mend(self, candidate: Candidate) -> None:
        """Go on with other values, after a refusal: what became of those before no longer matters."""
        # A refusal is certain, even if an answer was lost before it: registering is repeatable [seen].
        self.candidate, self.may_be_registered = candidate, False
        self.repeated, self.without_link = False, None

    def record_call(
        self, attempts: int, sent_at: tuple[datetime, ...], *, may_be_registered: bool
    ) -> None:
        """Add a call that this candidate took part in."""
        self.attempts += attempts
        self.sent_at += sent_at
        self.may_be_registered = self.may_be_registered or may_be_registered

    def answered(self, answer: Registration) -> Registered | Rejected:
        """Return the outcome of an answer about this candidate."""
        link = ensured(answer)
        if isinstance(link, ReadyLink):
            return self._outcome(Registered, url=link.url, status=link.status)
        # SUCCESS is no proof of a usable link [seen]: Completed and InValid come without one.
        if link.reason is not NoLinkReason.NO_USABLE_LINK:
            return self.rejected(answer.message, str(answer.status))
        words = f"; the server says: {answer.message}" if answer.message else ""
        return self.rejected(f"the server's answer has no usable link{words}", NO_USABLE_LINK)

    def rejected(self, reason: str, code: str) -> Rejected:
        """Return the outcome of a refusal."""
        return self._outcome(Rejected, reason=reason, code=code, sent_at=self.sent_at)

    def unanswered(self, error: MettlError) -> Rejected | Failed | Unknown:
        """Return the outcome if no further answer comes.

        Returns:
            `Unknown` if a request may have registered the candidate, else `Failed`; or what the answer
            came to that had no usable link.
        """
        if self.without_link is not None:
            return self.rejected(self.without_link.reason, self.without_link.code)
        if not self.may_be_registered:
            return self._outcome(Failed, error=error)
        return self._outcome(Unknown, error=error, sent_at=self.sent_at)

    def _outcome(self, kind: Callable[..., T], **facts: object) -> T:
        return kind(index=self.index, candidate=self.candidate, attempts=self.attempts, **facts)


class Batch(tuple[Entry, ...]):  # noqa: SLOT001 - what is cached needs a place
    """Entries of one call. Their ``rd`` is written once, to be measured and to be sent."""

    @cached_property
    def rd(self) -> str:
        """The ``rd`` parameter of the call."""
        return rd_text([entry.candidate for entry in self])


def first_batch(entries: Collection[Entry], size: int, max_rd_bytes: int | None) -> Batch:
    """Return the first entries, as many as one call may have.

    Args:
        entries: At least one; the batch has at least one, however long that is.
        size: Candidates in the batch at most.
        max_rd_bytes: Bytes that the escaped ``rd`` may take; None for no bound.
    """
    batch = Batch(islice(entries, size))
    if max_rd_bytes is None or encoded_length(batch.rd) <= max_rd_bytes:
        return batch
    counts = range(1, len(batch))
    fit = bisect_right(
        counts, max_rd_bytes, key=lambda count: encoded_length(Batch(batch[:count]).rd)
    )
    return Batch(batch[: max(1, fit)])


def rd_text(candidates: Sequence[Candidate]) -> str:
    """Return the ``rd`` parameter of some candidates, as JSON."""
    whole = {"registrationDetails": candidate_details(candidates)}
    if optional := candidate_optionals(candidates):
        whole["optionalParams"] = optional
    # One text of all is written several times as fast as one of each.
    return dumps(whole)
