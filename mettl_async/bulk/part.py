"""Some candidates of a batch on their way to an outcome, and what is known of them so far; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from mettl_async.bulk.details import Entry
from mettl_async.bulk.outcomes import Failed, Outcome, Registered, Rejected, Unknown
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from mettl_async.errors import CallError, MettlError
    from mettl_async.models import Registration


@frozen
class Part:
    """Entries with the same past.

    Attributes:
        entries: At least one.
        attempts: Requests they took part in.
        handled: Whether one of those may have registered them although no answer told so.
        sent_at: When those requests were sent that the server may have seen.
        repeated: Whether they are sent once more because an answer was lost.
    """

    entries: Sequence[Entry] = field(repr=False)
    attempts: int = 0
    handled: bool = False
    sent_at: tuple[datetime, ...] = ()
    repeated: bool = False

    def after(self, attempts: int, *, handled: bool, sent_at: tuple[datetime, ...] = ()) -> Part:
        """The same entries after another call."""
        return Part(
            self.entries,
            self.attempts + attempts,
            self.handled or handled,
            self.sent_at + sent_at,
            self.repeated,
        )

    def singles(self) -> list[Part]:
        """Each entry by itself."""
        return [evolve(self, entries=(one,)) for one in self.entries]

    def unsettled(self, error: MettlError) -> list[Outcome]:
        """No answer about these: `Unknown` if a request may have gone through, else `Failed`."""
        if not self.handled:
            return [
                Failed(
                    index=one.index, candidate=one.candidate, attempts=self.attempts, error=error
                )
                for one in self.entries
            ]
        return [
            Unknown(
                index=one.index,
                candidate=one.candidate,
                attempts=self.attempts,
                error=error,
                sent_at=self.sent_at,
            )
            for one in self.entries
        ]

    def refused(self, error: CallError) -> list[Outcome]:
        """The server refused them by themselves, and no answer was lost before."""
        return [
            Rejected(
                index=one.index,
                candidate=one.candidate,
                attempts=self.attempts,
                reason=error.server_message or error.problem,
                code=error.code or f"HTTP {error.status_code}",
            )
            for one in self.entries
        ]

    def match(self, answers: Mapping[str, Registration]) -> tuple[list[Outcome], Part]:
        """Give each candidate the answer with its own email, whatever the order of the answer.

        Args:
            answers: Made by `by_email`.

        Returns:
            Outcomes of those that the answer mentions, and the part that it does not mention.
        """
        outcomes: list[Outcome] = []
        missing: list[Entry] = []
        for entry in self.entries:
            answer = answers.get(fold_email(entry.candidate.email))
            if answer is None:
                missing.append(entry)
            else:
                outcomes.append(self._settled(entry, answer))
        return outcomes, evolve(self, entries=missing)

    def _settled(self, entry: Entry, answer: Registration) -> Outcome:
        if answer.url:
            return Registered(
                index=entry.index,
                candidate=entry.candidate,
                attempts=self.attempts,
                url=answer.url,
                status=answer.status,
            )
        # SUCCESS is no proof of a usable link [seen]: Completed and InValid come without one.
        return Rejected(
            index=entry.index,
            candidate=entry.candidate,
            attempts=self.attempts,
            reason=answer.message,
            code=str(answer.status),
        )


def by_email(registrations: Iterable[Registration]) -> dict[str, Registration]:
    """The items of an answer by folded email."""
    answers: dict[str, Registration] = {}
    for one in registrations:
        key = fold_email(one.email)
        # Where an email comes twice, the answer with a link is the one that helps.
        if key not in answers or not answers[key].url:
            answers[key] = one
    return answers
