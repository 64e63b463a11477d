"""Number formats of workbooks: what a cell shows of the number or the text that it stores. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from attrs import evolve, field, frozen

from mettl_async.cli.reading.rows import number_text
from mettl_async.cli.reading.workbooks.cell import TOO_LONG, Cell, Unsure
from mettl_async.cli.reading.workbooks.format_dates import show_date
from mettl_async.cli.reading.workbooks.format_section import (
    Section,
    sections_of,
    show_number,
    zeros_around,
)

_TOO_LONG: Final = 1e15
_ALL: Final = 4  # positive; negative; zero; text
_SIGNS: Final = frozenset("-(\u2212")


@frozen
class NumberFormat:
    """A format as its sections.

    Attributes:
        numbers: Sections for numbers; none at all is General.
        text: Section for text; None leaves text as it is.
        certain: False if the format as a whole cannot be understood.
        readable: The same for dates, which are not written as they are shown.
        around: For positive whole numbers: what is before, the least number of digits, what is after;
            None where there is more to it.
    """

    numbers: tuple[Section, ...]
    text: Section | None
    certain: bool = True
    readable: bool = True
    around: tuple[str, int, str] | None = field(init=False)

    @around.default
    def _around(self) -> tuple[str, int, str] | None:
        if not self.certain or any(one.condition for one in self.numbers):
            return None
        return zeros_around(self.numbers[0]) if self.numbers else ("", 1, "")

    def show(self, number: float, *, since_1904: bool = False) -> Cell:
        """Write a number as the sheet shows it, dates and times by ISO 8601.

        Args:
            number: Finite.
            since_1904: Whether the workbook counts days from 1904.
        """
        section, shown_as, certain = self._section(number)
        if section is not None and section.has("date", "elapsed", "noon"):
            return show_date(section, number, since_1904=since_1904, certain=self.readable)
        if abs(number) >= _TOO_LONG:
            return evolve(TOO_LONG, text=number_text(number))
        stored = number_text(number)
        if not self.certain or not certain:
            return Unsure(None, stored)
        if section is None:
            return stored
        text, whole = show_number(section, abs(shown_as))
        if text is None:
            return Unsure(None, stored)
        if shown_as < 0:
            text = f"-{text}"
        elif number < 0:
            whole &= bool(_SIGNS & set(section.literals))
        if section.equals or (number == 0 and section is self._zero):
            whole = True  # it stands for this one number
        text = text.strip(" ")
        return text if whole else Unsure(text, stored)

    def show_text(self, text: str) -> Cell:
        """Write a text as the sheet shows it."""
        if self.text is None:
            return text
        if not self.text.certain or not self.certain:
            return Unsure(None, text)
        shown = "".join(
            text if part.kind == "text" else part.text
            for part in self.text.parts
            if part.kind != "pad"
        )
        return shown if self.text.has("text") else Unsure(shown, text)

    @property
    def leaves_text(self) -> bool:
        """Tell whether texts are shown as they are."""
        return self.text is None or [part.kind for part in self.text.parts] == ["text"]

    @property
    def shows_dates(self) -> bool:
        """Tell whether numbers are shown as dates or times."""
        return any(one.has("date", "elapsed", "noon") for one in self.numbers)

    @property
    def _zero(self) -> Section | None:
        plain = len(self.numbers) == _ALL - 1 and not any(one.condition for one in self.numbers)
        return self.numbers[2] if plain else None

    def _section(self, number: float) -> tuple[Section | None, float, bool]:
        """Choose the section for a number, what it is given, and whether that is certain."""
        if not self.numbers:
            return None, number, True
        if any(one.condition for one in self.numbers):
            return self._by_condition(number)
        place = 1 if number < 0 else 2 if number == 0 else 0
        if place >= len(self.numbers):
            return self.numbers[0], number, True
        return self.numbers[place], abs(number), True

    def _by_condition(self, number: float) -> tuple[Section | None, float, bool]:
        *conditional, last = self.numbers
        # Whose sign is shown differs; so does what sections without a condition are for.
        certain = number >= 0 and all(one.condition for one in conditional) and bool(conditional)
        for one in self.numbers:
            if one.condition and one.condition(number):
                return one, number, certain
        return last, number, certain and not last.condition


@lru_cache(maxsize=4096)
def number_format(code: str) -> NumberFormat:
    """Parse a format code; what cannot be understood is uncertain for each number."""
    sections: Sequence[Section] = sections_of(code)
    text = None
    if len(sections) == _ALL or sections[-1].has("text"):
        *sections, text = sections
    if (
        len(sections) == 1
        and sections[0].parts
        and sections[0].certain
        and _is_general(sections[0])
    ):
        sections = []
    readable = len(sections) < _ALL and all(one.readable for one in sections)
    certain = readable and all(one.certain and not _has_fraction(one) for one in sections)
    return NumberFormat(tuple(sections), text, certain, readable)


def _has_fraction(section: Section) -> bool:
    """Tell of a slash; where it is no fraction, programs refuse the whole format."""
    return section.has("slash") and not section.has("date", "elapsed", "noon")


def _is_general(section: Section) -> bool:
    return [part.kind for part in section.parts] == ["general"] and section.condition is None
