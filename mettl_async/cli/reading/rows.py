"""Rows: candidates made of cells, for every format.

Messages name lines and columns, never a cell's content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.characters import REPLACEMENT, clean_name
from mettl_async.cli.reading.columns import (
    COMPENSATORY_TIME,
    CONTEXT_DATA,
    EMAIL,
    FIRST_NAME,
    TOLD,
    UNDECODED,
    Layout,
    columns_of,
    normalized,
    results_in,
)
from mettl_async.cli.reading.people import (
    address_problem,
    is_plain_name,
    is_unremarkable,
    name_problem,
    text_problem,
)
from mettl_async.cli.reading.repeats import still_repeated
from mettl_async.cli.reading.workbooks.sheet import column_name
from mettl_async.cli.safe_cells import unguard
from mettl_async.errors import InvalidInputError
from mettl_async.models import Candidate

CSV_SUFFIXES: Final = (".csv",)
JSON_SUFFIXES: Final = (".jsonl", ".ndjson", ".json-lines")

_COLUMNS: Final = {
    "candidate.email": EMAIL,
    "candidate.first_name": FIRST_NAME,
    "candidate.context_data": CONTEXT_DATA,
    "candidate.compensatory_time": COMPENSATORY_TIME,
}
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_MINUTES: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


@frozen
class Cells:
    """A row as it was read, before a candidate is made of it.

    Attributes:
        line: Where the row begins, counted from 1.
        known: Texts of what is sent, by the names that registration knows.
        own: Everything in it by the names of the input's own columns, as text or as JSON has it.
        told: What an earlier run has said of it: in a file of links why there is none, in one of bad rows
            what is wrong.
    """

    line: int
    known: Mapping[str, str] = field(repr=False)
    own: Mapping[str, Any] = field(repr=False)
    told: str = field(default="", repr=False)


@frozen
class Row:
    """A candidate; ``line`` is where the row begins, counted from 1."""

    line: int
    candidate: Candidate = field(repr=False)


@frozen
class BadRow:
    """A row that cannot be sent, and the reason.

    Attributes:
        line: Where the row begins, counted from 1.
        problem: The reason, without personal data.
        own: What could be read of it, by the input's own columns; cells beyond them as ``column 4``.
        rest_is_apart: Whether the further lines of it are rows of their own.
        repeated: The address, where the row repeats another one.
    """

    line: int
    problem: str
    own: Mapping[str, Any] = field(factory=dict, eq=False, repr=False)
    rest_is_apart: bool = field(default=False, eq=False, repr=False, kw_only=True)
    repeated: str | None = field(default=None, eq=False, repr=False, kw_only=True)


class CellError(Exception):
    """A problem of one cell, with its column."""


def is_json_lines(path: Path, option: str = "--out") -> bool:
    """Tell the format of an output, which an option names, from the extension.

    Raises:
        CommandError: Neither CSV nor JSON Lines.
    """
    suffix = path.suffix.lower()
    if suffix not in CSV_SUFFIXES + JSON_SUFFIXES:
        raise CommandError(
            f"{option} {path}: is neither CSV (.csv) nor JSON Lines ({', '.join(JSON_SUFFIXES)}) by its "
            "name; give it one of these endings"
        )
    return suffix in JSON_SUFFIXES


def number_text(number: float) -> str:
    """Format a finite number; whole ones without ``.0``."""
    if number != int(number):
        return format(number, ".15g")  # more digits than a spreadsheet has are noise
    return str(int(number))


def unnamed(place: int, *, within: bool = False) -> str:
    """Say that a row has content where the header has none; ``within`` it, a letter names the column."""
    column = f"{place} ({column_name(place - 1)})"
    way = f"pass --drop {column_name(place - 1)} to leave it out" if within else "remove it"
    return f"has a cell in column {column}, which has no name; name the column, or {way}"


@define(eq=False)
class Table:
    """The columns of a table, of which `row` makes cells.

    Attributes:
        file: Name of the file, for messages.
        header: The input's own names of the columns; empty for those without one.
        names: Those after mapping; None for what is not sent.
        results: Columns that an earlier run has added, which are not the person's.
        width: Columns of the header, with those at its end that have no name.
        dropped: Places of columns without a name that are left out by their letter.
        needed: Cells that a row has at least; of shorter ones it is not clear which are missing.
    """

    file: str
    header: tuple[str, ...]
    names: tuple[str | None, ...] = field(repr=False)
    results: frozenset[str] = field(repr=False)
    width: int = field(repr=False)
    dropped: frozenset[int] = field(default=frozenset(), repr=False)
    needed: int = field(init=False)
    _plain: bool = field(init=False, repr=False)
    _email: int = field(init=False, repr=False)
    _told: int | None = field(init=False, repr=False)
    _begun: bool = field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.needed = max((i for i, name in enumerate(self.header, 1) if name), default=0)
        self._email = self.names.index(EMAIL)
        self._told = next((self.header.index(one) for one in TOLD if one in self.results), None)
        self._plain = self.names == self.header and not self.results and all(self.header)

    @classmethod
    def of(cls, layout: Layout, line: int, header: Iterable[str]) -> Table:
        """Check a header, and name the columns.

        Raises:
            CommandError: It cannot be used.
        """
        cleaned = tuple(map(clean_name, header))
        width = len(cleaned)
        while cleaned and not cleaned[-1]:
            cleaned = cleaned[:-1]
        results = results_in(cleaned, layout)
        if results:
            cleaned = tuple(map(unguard, cleaned))
        names = columns_of(layout, line, cleaned)
        found, pairs = layout.findings, list(zip(cleaned, names, strict=True))
        found.header_line, found.columns = line, tuple(filter(None, cleaned))
        found.sent = {own: name for own, name in pairs if name is not None}
        found.left_out = tuple(own for own, name in pairs if own and name is None)
        found.results = tuple(own for own in cleaned if own in results)
        dropped = frozenset(
            place
            for place, name in enumerate(cleaned)
            if not name and column_name(place) in layout.drop - set(cleaned)
        )
        return cls(layout.name, cleaned, tuple(names), results, width, dropped)

    def row(self, line: int, texts: Sequence[str]) -> Cells | BadRow | None:
        """Put the texts of a row under the columns; None if all that is sent is blank.

        Args:
            line: Where the row begins.
            texts: Some may be missing at the end; more than columns must be blank.

        Raises:
            CommandError: In the first row, a column without a name has content.
        """
        if len(texts) > self._email and "@" not in texts[self._email] and self._is_header(texts):
            return BadRow(line, "repeats the header; is it from another file?", self.own(texts))
        if self._plain and len(texts) == len(self.header):
            self._begun = True
            known = dict(zip(self.header, texts, strict=True))
            return Cells(line, known, known)
        own = dict(self._named(texts))
        if (place := self._unnamed(texts)) is not None:
            problem = unnamed(place, within=place <= len(self.header))
            if not self._begun:
                raise CommandError(f"{self.file}:{line}: {problem}")
            return BadRow(line, problem, self.own(texts))
        self._begun = True
        if self.results:
            texts = [unguard(text) for text in texts]
            own = {name: text for name, text in self._named(texts) if name not in self.results}
        known = {
            name: text
            for name, text in zip_longest(self.names, texts[: len(self.names)], fillvalue="")
            if name is not None
        }
        if not any(map(str.strip, known.values())):
            return None
        told = "" if self._told is None else "".join(texts[self._told : self._told + 1])
        return told_of(Cells(line, known, own, told))

    def _is_header(self, texts: Sequence[str]) -> bool:
        return tuple(map(clean_name, texts[: len(self.header)])) == self.header

    def own(self, texts: Sequence[str]) -> dict[str, str]:
        """Put the texts of a bad row under the file's own columns, and what is too much under numbers.

        Columns of which the row has no cell are not there, so that a row stays as short as it is.
        """
        own = dict(self._named(texts))
        for name in self.header[len(texts) :]:
            own.pop(name, None)
        if not self.results:
            return own
        return {name: unguard(text) for name, text in own.items() if name not in self.results}

    def _named(self, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
        for place, (name, text) in enumerate(zip_longest(self.header, texts, fillvalue=""), 1):
            if name or text.strip():
                yield name or f"column {place}", text

    def _unnamed(self, texts: Sequence[str]) -> int | None:
        names = zip_longest(self.header[: len(texts)], texts, fillvalue="")
        return next(
            (
                i
                for i, (name, text) in enumerate(names, 1)
                if not name and text.strip() and i - 1 not in self.dropped
            ),
            None,
        )


def told_of(cells: Cells) -> Cells | BadRow:
    """Refuse a row of a file of bad rows that still repeats a person of the file before."""
    email = cells.known.get(EMAIL, "")
    if not cells.told or (problem := still_repeated(cells.told, email)) is None:
        return cells
    return BadRow(cells.line, problem, cells.own, repeated=email)


def row_of(layout: Layout, cells: Cells) -> Row | BadRow:
    """Make a candidate of the cells, if it is a plausible person.

    Blank cells of optional columns are left out, spaces around emails are dropped.
    """
    problem = problem_of(layout, cells.known)
    if problem is None:
        try:
            return Row(cells.line, candidate_of(cells.known))
        except InvalidInputError as error:
            problem = _explain(error, cells.known)
    return BadRow(cells.line, problem, cells.own)


def problem_of(layout: Layout, known: Mapping[str, str]) -> str | None:
    """Say what keeps cells from being sent, with the column and the fix; None for nothing."""
    email, name = known.get(EMAIL, "").strip(), known.get(FIRST_NAME, "")
    plain = is_unremarkable("".join(known.values()))
    if not plain:
        for column, cell in known.items():
            if UNDECODED.search(cell):
                return f"{column}: {layout.not_decoded}"
            if _NO_TEXT.search(cell):
                return f"{column}: holds a NUL or half of a character (a lone surrogate); remove it"
    if (problem := address_problem(email)) is not None:
        return f"{EMAIL}: {problem}"
    if not (plain and is_plain_name(name)) and (problem := name_problem(name)) is not None:
        return f"{FIRST_NAME}: {problem}"
    if COMPENSATORY_TIME in known:
        minutes = known[COMPENSATORY_TIME].strip()
        if minutes and not _MINUTES.fullmatch(minutes):
            return f"{COMPENSATORY_TIME}: is not a whole number of minutes"
    return None if plain else _problem_of_field(known)


def _problem_of_field(known: Mapping[str, str]) -> str | None:
    for column, cell in known.items():
        if column in (EMAIL, FIRST_NAME, COMPENSATORY_TIME) or not cell.strip():
            continue
        if column == CONTEXT_DATA:  # which programs read, whatever it is
            problem = text_problem(REPLACEMENT) if REPLACEMENT in cell else None
        else:
            problem = text_problem(cell, is_name="name" in normalized(column))
        if problem is not None:
            return f"{column}: {problem}"
    return None


def candidate_of(known: Mapping[str, str]) -> Candidate:
    """Make a candidate of cells in which `problem_of` finds nothing.

    Raises:
        InvalidInputError: A cell cannot be sent nevertheless.
    """
    present = {name: cell for name, cell in known.items() if cell and not cell.isspace()}
    minutes = present.pop(COMPENSATORY_TIME, None)
    return Candidate(
        email=present.pop(EMAIL, "").strip(),
        first_name=present.pop(FIRST_NAME, ""),
        context_data=present.pop(CONTEXT_DATA, None),
        compensatory_time=None if minutes is None else int(minutes),
        fields=present,
    )


def _explain(error: InvalidInputError, cells: Mapping[str, str]) -> str:
    shown = error.field.removeprefix("candidate.fields[").removesuffix("]")
    column = next((name for name in cells if ascii(name) == shown), shown)
    return f"{_COLUMNS.get(error.field, column)}: {error.problem}; {error.fix}"
