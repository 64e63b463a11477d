"""The first line of a table: checked, and mapped to the names that registration knows."""

from __future__ import annotations

import re
from itertools import compress
from typing import TYPE_CHECKING, Final

from mettl_async.cli.mapping import (
    COMPENSATORY_TIME,
    CONTEXT_DATA,
    EMAIL,
    FIRST_NAME,
    RECOGNISED,
    bare,
    check_dropped,
    missing,
    renamed,
)
from mettl_async.cli.problems import CommandError, MissingColumnError
from mettl_async.cli.rows import UNDECODED, Layout, not_decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

_ADDRESS: Final = re.compile(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*")


def columns_of(layout: Layout, line: int, header: Sequence[str]) -> list[str | None]:
    """The names of the columns, after mapping; None for those to leave out.

    Raises:
        CommandError: It cannot be used; names columns, but no content where there is no header.
    """
    where = f"{layout.name}:{line}"
    _check_no_address(where, header)
    for place, name in enumerate(header, 1):
        if UNDECODED.search(name):
            raise CommandError(f"{where}: the header {not_decoded(layout.encoding)}")
        if "\0" in name:
            raise CommandError(
                f"{where}: the name of column {place} holds a NUL; this is not a CSV file"
            )
        if not name.strip():
            raise CommandError(f"{where}: column {place} has no name; name it, or remove it")
        if name in header[: place - 1]:
            raise CommandError(f"{where}: two columns are named {name!r}; remove one")
    stripped = [name.strip() for name in header]
    check_dropped(where, layout.drop, stripped)
    kept = [name not in layout.drop for name in stripped]
    names = renamed(where, list(compress(header, kept)), layout.mapping)
    for name in names:
        _check_near_miss(where, name)
    for name in (EMAIL, FIRST_NAME):
        if name not in names:
            raise MissingColumnError(f"{where}: {missing(name, names)}")
    layout.note_columns(names)
    rest = iter(names)
    return [next(rest) if keep else None for keep in kept]


def _check_no_address(where: str, header: Sequence[str]) -> None:
    """Refuse somebody's data in the place of a header, before any of it is quoted."""
    for place, name in enumerate(header, 1):
        if _ADDRESS.fullmatch(name):
            raise CommandError(
                f"{where}: column {place} holds an address; the first line must name the columns"
            )


def _check_near_miss(where: str, name: str) -> None:
    """Refuse what was meant for a column of ours: it would silently become a registration field."""
    for known in (CONTEXT_DATA, COMPENSATORY_TIME):
        if name.strip() != known and bare(name) == bare(known):
            raise CommandError(f"{where}: column {name!r}: rename it to {known!r}")
    if name != name.strip() and name.strip() in RECOGNISED:
        raise CommandError(f"{where}: column {name!r}: remove the spaces around its name")
