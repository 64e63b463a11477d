"""Rows that repeat a person, in a file of bad rows: known again when that file is registered. Pure functions."""

import re
from typing import Final

from mettl_async.cli.reading.columns import EMAIL
from mettl_async.display import one_line
from mettl_async.models._fold_email import fold_email

_SAME: Final = "is the same as in "
_WRITTEN: Final = re.compile(
    rf"(?:line|row) [0-9]+: {EMAIL}: {_SAME}((?:line|row) [0-9]+)\b.*: (\S+)", re.DOTALL
)


def same_as(where: str) -> str:
    """Say that a row repeats the one that is there: ``line 2``."""
    return f"{EMAIL}: {_SAME}{where} (case is ignored)"


def with_address(problem: str, email: str) -> str:
    """Add the address that is repeated, so that a row whose address was corrected can be told."""
    return f"{problem}: {one_line(email)}"


def still_repeated(told: str, email: str) -> str | None:
    """Say of a row of a file of bad rows that it repeats a person of the file before; None if it does not.

    Args:
        told: What its column of problems says.
        email: The address that it has now.
    """
    found = _WRITTEN.fullmatch(told.strip())
    if found is None or fold_email(found[2]) != fold_email(email):
        return None
    return (
        f"{EMAIL}: {_SAME}{found[1]} of the file before, and was left out; remove the row, or empty "
        "its cell that says so to send it"
    )
