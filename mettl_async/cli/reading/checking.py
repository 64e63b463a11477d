"""The first pass over a file: every row is checked before anything is sent."""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from mettl_async.bulk.seen import SeenEmails
from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.columns import EMAIL
from mettl_async.cli.reading.rows import BadRow, Row
from mettl_async.cli.reading.source import Source
from mettl_async.models._fold_email import fold_email

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
    shown: list[Row | BadRow] = []
    for row in source.rows():
        if isinstance(row, Row) and seen.add(row.candidate.email):
            good += 1
            continue
        bad += 1
        if len(shown) < SHOWN:
            shown.append(row)
    if not good + bad:
        raise CommandError(f"{source.name}: holds no candidates")
    return Checked(good, bad, tuple(_explained(source, shown)))


def report(source: Source, checked: Checked) -> str:
    """Describe the bad rows as ``candidates.csv:17: Email Address: ...``, and count them."""
    lines = [f"{source.name}:{one.line}: {one.problem}" for one in checked.bad]
    if checked.bad_total > len(checked.bad):
        lines.append(f"... and {checked.bad_total - len(checked.bad):,} more")
    rows = "1 row" if checked.bad_total == 1 else f"{checked.bad_total:,} rows"
    total = checked.good_total + checked.bad_total
    lines.append(f"mettl: {rows} of {total:,} cannot be sent; nothing was sent")
    return "\n".join(lines)


def _explained(source: Source, rows: list[Row | BadRow]) -> Iterator[BadRow]:
    """Give the rows whose email came before its reason; to read again is cheaper than to keep all."""
    first = {fold_email(row.candidate.email): 0 for row in rows if isinstance(row, Row)}
    if first:
        for row in source.rows():
            if isinstance(row, Row) and not first.get(fold_email(row.candidate.email), 1):
                first[fold_email(row.candidate.email)] = row.line
                if all(first.values()):
                    break
    for row in rows:
        if isinstance(row, Row):
            line = first[fold_email(row.candidate.email)]
            problem = f"{EMAIL}: is the same as in {source.unit} {line} (case is ignored)"
            yield BadRow(row.line, problem)
        else:
            yield row
