"""What an earlier run has left that a new input does not repeat: nobody's link is lost, no change taken for sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

if TYPE_CHECKING:
    from pathlib import Path

    from mettl_async.cli.reading.rows import Cells

_REASON: Final = "reason"


@frozen
class Before:
    """What is known of an earlier run, beside the answers of who is in the input.

    Attributes:
        earlier: Rows of the links file of people who have an outcome and are not in the input any more.
        differing: What to say of people with an answer whose row is another now, by folded email.
        elsewhere: How many people of the journal are neither in the input nor in `earlier`.
    """

    earlier: Sequence[Cells] = field(default=(), repr=False)
    differing: Mapping[str, str] = field(factory=dict, repr=False)
    elsewhere: int = 0

    def notes(self, links: Path) -> Iterator[tuple[str, str]]:
        """Say what the user should know, each with one word for it."""
        if count := len(self.earlier):
            stay = "their rows stay" if count > 1 else "the row stays"
            yield "earlier", f"{_people(count)} of an earlier run only; {stay} in {links}"
        if count := self.elsewhere:
            said = (
                f"{_people(count)} in the journal, but neither in this file nor in the links; to get "
                "their links, pass --resume with a file that has them"
            )
            yield "elsewhere", said
        if count := len(self.differing):
            have = "1 person has" if count == 1 else f"{count:,} people have"
            said = (
                f"{have} an answer, and other data in this file than in {links}; nothing of that "
                f"is sent, and the column {_REASON} says what was there"
            )
            yield "differing", said


def _people(count: int) -> str:
    return "1 person is" if count == 1 else f"{count:,} people are"
