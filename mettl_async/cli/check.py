"""The first pass over a file: every row is checked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from mettl_async.bulk.seen import SeenEmails
from mettl_async.cli.columns import EMAIL
from mettl_async.cli.problems import CommandError
from mettl_async.cli.rows import BadRow, Row
from mettl_async.models._fold_email import fold_email

if TYPE_CHECKING:
    from mettl_async.cli.reading import Source

SHOWN: Final = 20


@frozen
class Checked:
    """The result of the check: ``bad`` holds the first `SHOWN` of ``bad_total`` bad rows."""

    good_total: int
    bad_total: int
    bad: tuple[BadRow, ...]


def check_file(source: Source) -> Checked:
    """Read a whole file once, keeping about 12 bytes a row, and find the rows that cannot be sent.

    Raises:
        CommandError: The file cannot be read, its header cannot be used, or it holds nobody.
    """
    seen = SeenEmails()
    good = bad = 0
    shown: list[BadRow] = []
    repeated: dict[int, str] = {}
    for row in source.rows():
        if isinstance(row, Row) and seen.add(row.candidate.email):
            good += 1
            continue
        bad += 1
        if len(shown) == SHOWN:
            continue
        if isinstance(row, Row):
            repeated[row.line] = fold_email(row.candidate.email)
            row = BadRow(row.line, "")  # noqa: PLW2901 - its words follow below
        shown.append(row)
    if not good + bad:
        raise CommandError(f"{source.name}: holds no candidates")
    first = _first_lines(source, set(repeated.values()))
    return Checked(good, bad, tuple(_worded(one, source.unit, repeated, first) for one in shown))


def report(source: Source, checked: Checked) -> str:
    """Describe the bad rows as ``candidates.csv:17: Email Address: ...``, and count them."""
    lines = [f"{source.name}:{one.line}: {one.problem}" for one in checked.bad]
    if checked.bad_total > len(checked.bad):
        lines.append(f"... and {checked.bad_total - len(checked.bad):,} more")
    rows = "1 row" if checked.bad_total == 1 else f"{checked.bad_total:,} rows"
    total = checked.good_total + checked.bad_total
    lines.append(f"mettl: {rows} of {total:,} cannot be sent; nothing was sent")
    return "\n".join(lines)


def _worded(one: BadRow, unit: str, repeated: dict[int, str], first: dict[str, int]) -> BadRow:
    if one.line not in repeated:
        return one
    line = first[repeated[one.line]]
    return BadRow(one.line, f"{EMAIL}: is the same as in {unit} {line} (case is ignored)")


def _first_lines(source: Source, emails: set[str]) -> dict[str, int]:
    """Find the first rows with these emails; to read again is cheaper than to keep them all."""
    found: dict[str, int] = {}
    if not emails:
        return found
    for row in source.rows():
        if not isinstance(row, Row):
            continue
        key = fold_email(row.candidate.email)
        if key in emails and key not in found:
            found[key] = row.line
            if len(found) == len(emails):
                break
    return found
