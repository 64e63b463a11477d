"""Columns by other names: ``--map "E-mail=Email Address"``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from mettl_async.cli.problems import CommandError, MissingColumnError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EMAIL: Final = "Email Address"
FIRST_NAME: Final = "First Name"
CONTEXT_DATA: Final = "context_data"
COMPENSATORY_TIME: Final = "compensatory_time"
RECOGNISED: Final = (EMAIL, FIRST_NAME, CONTEXT_DATA, COMPENSATORY_TIME)

_HOW: Final = '--map "E-mail=Email Address"'
_ALIKE: Final = {
    EMAIL: ("email", "mail", "emailid", "candidateemail"),
    FIRST_NAME: ("first", "givenname", "forename", "name"),
}


def bare(name: str) -> str:
    """A name without what people write in many ways: case, spaces, dashes, underscores."""
    return re.sub(r"[\s_-]", "", name).casefold()


def parse_mapping(options: Sequence[str]) -> dict[str, str]:
    """Read ``COLUMN OF THE FILE=COLUMN``; the last ``=`` separates.

    Raises:
        CommandError: Of another form, a column is mapped twice, or two are mapped to one.
    """
    mapping: dict[str, str] = {}
    for option in options:
        source, target = (part.strip() for part in option.rpartition("=")[::2])
        if not source or not target:
            raise CommandError(f"--map {option!r}: write it as {_HOW}")
        if source in mapping:
            raise CommandError(f"--map: column {source!r} is mapped twice")
        if target in mapping.values():
            raise CommandError(f"--map: two columns are mapped to {target!r}")
        for known in RECOGNISED:
            if target != known and bare(target) == bare(known):
                raise CommandError(f"--map {option!r}: did you mean {known!r}?")
        mapping[source] = target
    return mapping


def renamed(where: str, header: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    """The names of a header after mapping; spaces around names do not hinder it.

    Raises:
        CommandError: A mapped column is not there, or what it is mapped to is there already.
    """
    named = [name.strip() for name in header]
    check_sources(where, mapping, named)
    result = [mapping.get(name, other) for name, other in zip(named, header, strict=True)]
    for source, target in mapping.items():
        if named.count(source) > 1:
            raise CommandError(f"{where}: --map: two columns are named {source!r}; remove one")
        if result.count(target) > 1:
            raise CommandError(f"{where}: {both(target)}")
    return result


def check_sources(where: str, mapping: Mapping[str, str], there: Iterable[str]) -> None:
    """Refuse a mapped column that is not there.

    Raises:
        MissingColumnError: Names it, and the one that is meant perhaps.
    """
    names = list(there)
    for source, target in mapping.items():
        if source not in names and target in names:
            raise MissingColumnError(
                f"{where}: --map: there is no column {source!r}, but there is {target!r}; the order "
                f'is YOURS=OURS: --map "{target}={source}"'
            )
        if source not in names:
            raise MissingColumnError(
                f"{where}: --map: there is no column {source!r}{did_you_mean(source, names)}"
            )


def parse_drop(names: Sequence[str], mapping: Mapping[str, str]) -> frozenset[str]:
    """Check the columns to leave out, by their names in the file.

    Raises:
        CommandError: It is mapped, or nobody can be registered without it.
    """
    dropped = frozenset(name.strip() for name in names)
    for name in sorted(dropped):
        if not name:
            raise CommandError("--drop: give the name of a column")
        if name in mapping:
            raise CommandError(f"--drop {name!r}: the column is mapped, too; pass one of the two")
        if name in (EMAIL, FIRST_NAME) and name not in mapping.values():
            raise CommandError(f"--drop {name!r}: nobody can be registered without it")
    return dropped


def check_dropped(where: str, dropped: Iterable[str], there: Iterable[str]) -> None:
    """Refuse to leave out a column that is not there.

    Raises:
        MissingColumnError: Names it, and the one that is meant perhaps.
    """
    names = list(there)
    for name in sorted(dropped):
        if name not in names:
            raise MissingColumnError(
                f"{where}: --drop: there is no column {name!r}{did_you_mean(name, names)}"
            )


def both(target: str) -> str:
    """Say that two columns would become one."""
    return f"--map: a column is mapped to {target!r}, which is there already; remove one of the two"


def did_you_mean(name: str, among: Sequence[str]) -> str:
    """``; did you mean 'E-mail'?`` where one is alike, else nothing."""
    by_bare = {bare(one): one for one in among}
    close = get_close_matches(bare(name), by_bare, n=1)
    return f"; did you mean {by_bare[close[0]]!r}?" if close else ""


def missing(target: str, header: Sequence[str]) -> str:
    """Say that a column is not there, and how to map the one that is meant perhaps."""
    by_bare = {bare(one): one for one in header if one not in RECOGNISED}
    close = get_close_matches(bare(target), by_bare, n=1)
    found = next((one for one in (bare(target), *_ALIKE[target], *close) if one in by_bare), None)
    said = f"there is no column {target!r}"
    if found is None:
        return f'{said}; the first line must name the columns, or pass --map "NAME={target}"'
    meant = by_bare[found].strip()
    return f'{said}; did you mean {meant!r}? rename it, or pass --map "{meant}={target}"'
