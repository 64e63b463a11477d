"""The first pass over a file: every row is checked before anything is sent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from attrs import field, frozen

from mettl_async.bulk.seen import SeenEmails
from mettl_async.cli.problems import CommandError, os_reason
from mettl_async.cli.reading.columns import EMAIL
from mettl_async.cli.reading.kept_rows import KeptRows
from mettl_async.cli.reading.repeats import same_as
from mettl_async.cli.reading.rows import BadRow, Cells, candidate_of, problem_of
from mettl_async.cli.reading.source import Source
from mettl_async.models import Candidate
from mettl_async.models._fold_email import fold_email

_SHOWN: Final = 5

Fits = Callable[[Candidate], str | None]
"""Says why a candidate cannot be sent and what to do; None where nothing keeps it."""


@frozen
class Checked:
    """The result of the check: how many rows can be sent, and those that cannot, with their reasons.

    Attributes:
        good_total: Rows that can be sent.
        bad_total: Those that cannot, with repeated ones.
        repeated_total: Those of an email that comes before.
    """

    good_total: int
    bad_total: int
    repeated_total: int
    _bad: KeptRows = field(repr=False)
    _unit: str = field(repr=False)
    _first: Mapping[str, int] = field(repr=False)

    def bad_rows(self) -> Iterator[BadRow]:
        """All bad rows in the order of the file, as often as they are needed."""
        for line, problem, own, email in self._bad:
            if not problem:
                first = self._first[fold_email(email)]
                problem = same_as(f"{self._unit} {first}")  # noqa: PLW2901 - told only now
            yield BadRow(line, problem, own, repeated=email)


def check_file(source: Source, fits: Fits | None = None) -> Checked:
    """Read a whole file once, and find the rows that cannot be sent; the others are kept by the source.

    Memory is some 17 bytes a row, and 150 for each repeated email. The rows are in temporary files.

    Args:
        source: The file.
        fits: A further check, such as for candidates that are too long for a URL.

    Raises:
        CommandError: The file cannot be read, its header cannot be used, or it holds nobody.
    """
    good, bad = KeptRows(), KeptRows()
    try:
        first, repeated = _sort(source, fits, good, bad)
    except BaseException:  # Ctrl-C too
        good.close()
        bad.close()
        raise
    source.keep(good, bad)
    return Checked(len(good), len(bad), repeated, bad, source.unit, first)


def _sort(
    source: Source, fits: Fits | None, good: KeptRows, bad: KeptRows
) -> tuple[dict[str, int], int]:
    """Read all rows into those that can be sent and the others.

    Returns:
        The repeated emails, folded, with the line of the first row of each, and how many rows repeat them.

    Raises:
        CommandError: See `check_file`.
    """
    seen = SeenEmails()
    first: dict[str, int] = {}
    repeated = 0
    for row in _wanted(source):
        try:
            if isinstance(row, BadRow):
                bad.append((row.line, row.problem, dict(row.own), row.repeated))
                repeated += row.repeated is not None
            elif (problem := _problem(source, row.known, fits)) is not None:
                bad.append((row.line, problem, row.own, None))
            elif seen.add(row.known[EMAIL]):
                good.append((row.line, row.known, row.own))
            else:
                first[fold_email(row.known[EMAIL])] = 0
                repeated += 1
                bad.append((row.line, "", row.own, row.known[EMAIL]))
        except OSError as error:
            raise CommandError(
                f"{tempfile.gettempdir()}: rows cannot be kept there: {os_reason(error)}"
            ) from None
    if not good and not bad:
        raise CommandError(f"{source.name}: names its columns, but holds no candidates")
    if first:
        for line, known, _ in good:
            email = fold_email(known[EMAIL])
            if email in first:
                first[email] = line
    return first, repeated


def _wanted(source: Source) -> Iterator[Cells | BadRow]:
    """Read the rows of those who are wanted, if not of all.

    Raises:
        CommandError: The file has no row of somebody who is wanted.
    """
    only = source.options.only
    if not only:
        yield from source.cells()
        return
    missing = set(only)
    for row in source.cells():
        # A row with wrong quotes has its cells in no certain order.
        cells = row.own.values() if isinstance(row, BadRow) else (row.known.get(EMAIL) or "",)
        found = only.intersection(map(fold_email, cells))
        missing -= found
        if found:
            yield row
    if missing:
        names = ", ".join(sorted(missing)[:_SHOWN])
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        raise CommandError(f"--only: {source.name} has no row of {names}{more}; nothing was sent")


def _problem(source: Source, known: Mapping[str, str], fits: Fits | None) -> str | None:
    problem = problem_of(source.layout, known)
    return problem if problem or fits is None else fits(candidate_of(known))
