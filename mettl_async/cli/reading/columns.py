"""The columns of an input: checked, and mapped to the names that registration knows."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from attrs import define, field, frozen

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.characters import REPLACEMENT, clean_name
from mettl_async.cli.reading.workbooks.sheet import column_name

UTF_8: Final = "utf-8-sig"  # with or without a BOM
EMAIL: Final = "Email Address"
FIRST_NAME: Final = "First Name"
CONTEXT_DATA: Final = "context_data"
COMPENSATORY_TIME: Final = "compensatory_time"
RECOGNISED: Final = (EMAIL, FIRST_NAME, CONTEXT_DATA, COMPENSATORY_TIME)
_MISREAD_MARK: Final = "\u00ef\u00bb\u00bf"  # the mark of UTF-8, read as Windows-1252 or Latin-1
# What errors="surrogateescape" makes of bytes that are not of the encoding.
UNDECODED: Final = re.compile("[\udc80-\udcff]")

# Names of columns that are near to "First Name", and hold something else.
_FAMILY: Final = frozenset({"lastname", "familyname", "surname"})
_TOGETHER: Final = re.compile(r"[,;\t|]")  # in what is really the names of several columns
_HOW: Final = '--map "E-mail=Email Address"'
_ADDRESS: Final = re.compile(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*")
# Columns of files of links that are always there, and that may be: of today, and of version 0.1.
_RESULTS: Final = (frozenset({"status", "link", "code", "reason"}), frozenset[str]())
_RESULTS_BEFORE: Final = (
    frozenset({"status", "url", "code", "reason"}),
    frozenset({"attempts", "line", "schedule"}),
)
# The column of a file of bad rows that says why; the first where the input has one of the second's name.
PROBLEMS: Final = ("problem 2", "problem")
TOLD: Final = (*PROBLEMS, "reason")
"""Columns of an earlier run that say something of the row."""
_ALIKE: Final = {
    EMAIL: ("email", "mail", "emailid", "candidateemail"),
    FIRST_NAME: ("first", "givenname", "forename", "name"),
}


class Format(StrEnum):
    """The format of an input."""

    CSV = "csv"
    JSONL = "jsonl"
    XLSX = "xlsx"
    XLS = "xls"
    ODS = "ods"

    @property
    def is_workbook(self) -> bool:
        """Tell whether it holds sheets."""
        return self in {Format.XLSX, Format.XLS, Format.ODS}


class HiddenRows(StrEnum):
    """What becomes of the rows that a sheet does not show."""

    SEND = "send"
    SKIP = "skip"


class MergedCells(StrEnum):
    """What becomes of merged cells: their value counts for each row of them."""

    FILL = "fill"


class Numbers(StrEnum):
    """Which text a number becomes whose cell does not show what is stored."""

    SHOWN = "shown"
    STORED = "stored"


@define(eq=False)
class Findings:
    """What the user is told of how a file was read, once its rows were read.

    Attributes:
        header_line: Line or row of the header; None where each row names its columns.
        sheet: Name of the sheet; None where there are none.
        columns: All columns of the header that have a name, in their order.
        sent: The file's own columns that are sent, and as what.
        left_out: The others.
        results: Those of them that an earlier run has added.
        notes: Remarks in whole sentences without a full stop, such as on rows that are left out.
    """

    header_line: int | None = None
    sheet: str | None = None
    columns: tuple[str, ...] = ()
    sent: dict[str, str] = field(factory=dict)
    left_out: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    notes: list[str] = field(factory=list)


@frozen(kw_only=True)
class Layout:
    """What every format's reader must know.

    Attributes:
        name: Name of the file, for messages.
        mapping: New names of columns, by their names in the file.
        drop: Columns to leave out, by their names in the file.
        format: Format of the file.
        encoding: Encoding of the file; no matter for XLSX.
        delimiter: Of CSV.
        header_row: The line or row that names the columns; None for the first one with content.
        padded: Whether the file ends with Ctrl-Z, as files of DOS do.
        findings: Filled as the file is read.
    """

    name: str
    mapping: Mapping[str, str] = field(factory=dict)
    drop: frozenset[str] = frozenset()
    format: Format = Format.CSV
    encoding: str = UTF_8
    delimiter: str = ","
    header_row: int | None = None
    padded: bool = False
    findings: Findings = field(factory=Findings, eq=False)

    @property
    def not_decoded(self) -> str:
        """The problem of bytes that are not text, and what to do."""
        if self.encoding == UTF_8:
            return "is not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8), or pass --encoding"
        return f"is not {self.encoding}; pass another --encoding"


HEADER_WITHIN: Final = 20
"""How many rows may be above a header that is found for the user to confirm."""


def needed_names(layout: Layout) -> frozenset[str]:
    """Name the columns that a file must have, by its own names."""
    mapping = layout.mapping
    return frozenset({EMAIL, FIRST_NAME} - set(mapping.values()) | mapping.keys())


def normalized(name: str) -> str:
    """Take from a name what people write in many ways: case, spaces, dashes, underscores."""
    return re.sub(r"[\s_-]", "", name).casefold()


def parse_mapping(options: Iterable[str]) -> dict[str, str]:
    """Read ``COLUMN OF THE FILE=COLUMN`` of each option; the last ``=`` separates.

    Raises:
        CommandError: An option has another form, a column is mapped twice, or two are mapped to one.
    """
    mapping: dict[str, str] = {}
    for option in options:
        source, target = map(clean_name, option.rpartition("=")[::2])
        if not source or not target:
            raise CommandError(f"--map {option!r}: write it as {_HOW}")
        if source in mapping:
            raise CommandError(f"--map: column {source!r} is mapped twice")
        if target in mapping.values():
            raise CommandError(f"--map: two columns are mapped to {target!r}")
        for known in RECOGNISED:
            if target != known and normalized(target) == normalized(known):
                raise CommandError(f"--map {option!r}: did you mean {known!r}?")
        mapping[source] = target
    return mapping


def check_drop(dropped: Iterable[str], mapping: Mapping[str, str]) -> None:
    """Check the columns to leave out, by their names in the file.

    Raises:
        CommandError: A column is mapped, or no candidate can be registered without it.
    """
    for name in sorted(dropped):
        if not name:
            raise CommandError("--drop: give the name of a column")
        if name in mapping:
            raise CommandError(f"--drop {name!r}: the column is mapped, too; pass one of the two")
        if name in (EMAIL, FIRST_NAME) and name not in mapping.values():
            raise CommandError(f"--drop {name!r}: nobody can be registered without it")


def columns_of(layout: Layout, line: int, header: Sequence[str]) -> list[str | None]:
    """Name the columns of a table after mapping; None for those to leave out, or without a name.

    Args:
        layout: What was asked for.
        line: Where the header is.
        header: The names by `clean_name`.

    Raises:
        CommandError: The header cannot be used; names columns, but no content where there is no header.
    """
    where = f"{layout.name}:{line}"
    _check_names(layout, where, header)
    letters = (column_name(place) for place, name in enumerate(header) if not name)
    check_options(layout, where, [*header, *letters])
    left_out = layout.drop | results_in(header, layout)
    columns = [
        None if not name or name in left_out else layout.mapping.get(name, name) for name in header
    ]
    names = [name for name in columns if name is not None]
    for target in layout.mapping.values():
        if names.count(target) > 1:
            raise CommandError(f"{where}: {mapped_twice(target)}")
    for name in names:
        _check_near_miss(where, name)
    lacking = [name for name in (EMAIL, FIRST_NAME) if name not in names]
    if lacking:
        raise CommandError(f"{where}: {missing(lacking, names)}")
    return columns


def results_in(names: Collection[str], layout: Layout) -> frozenset[str]:
    """Tell which columns an earlier run has added: to a file of links, or to one of bad rows."""
    there = frozenset(names)
    added = [one for one in PROBLEMS if one in there and one not in layout.mapping][:1]
    for results in (_RESULTS, _RESULTS_BEFORE):
        if there >= results[0] and not there & results[0] & layout.mapping.keys():
            return (there & (results[0] | results[1])).union(added)
    return frozenset(added)


def check_options(layout: Layout, where: str, there: Iterable[str]) -> None:
    """Refuse a mapped or dropped column that is not there.

    Raises:
        CommandError: Names it, and the column that is perhaps meant.
    """
    names = list(there)
    for source, target in layout.mapping.items():
        if source not in names and target in names:
            raise CommandError(
                f"{where}: --map: there is no column {source!r}, but there is {target!r}; the order "
                f'is YOURS=OURS: --map "{target}={source}"'
            )
    for option, wanted in (("--map", layout.mapping), ("--drop", sorted(layout.drop))):
        for name in wanted:
            if name not in names:
                raise CommandError(
                    f"{where}: {option}: there is no column {name!r}{did_you_mean(name, names)}"
                )


def mapped_twice(target: str) -> str:
    """Say that two columns would become one."""
    return f"--map: a column is mapped to {target!r}, which is there already; remove one of the two"


def did_you_mean(name: str, among: Iterable[str]) -> str:
    """Suggest a similar name: ``; did you mean 'E-mail'?``, or nothing."""
    found = _similar(name, among)
    return "" if found is None else f"; did you mean {found!r}?"


def _similar(name: str, among: Iterable[str]) -> str | None:
    by_normalized = {normalized(one): one for one in among}
    close = get_close_matches(normalized(name), by_normalized, n=1)
    alike = (normalized(name), *_ALIKE.get(name, ()), *close)
    return next((by_normalized[one] for one in alike if one in by_normalized), None)


def _check_names(layout: Layout, where: str, header: Sequence[str]) -> None:
    for place, name in enumerate(header, 1):
        # A candidate's data in the place of a header: refused before any of it is quoted.
        if _ADDRESS.fullmatch(name):
            raise CommandError(
                f"{where}: column {place} holds an address; the first line must name the columns"
            )
    for place, name in enumerate(header, 1):
        if UNDECODED.search(name):
            raise CommandError(f"{where}: the header {layout.not_decoded}")
        if name.startswith(_MISREAD_MARK):
            raise CommandError(
                f"{where}: was UTF-8, but another program has read it in another encoding and saved it so, "
                "with wrong letters; export it again, as CSV UTF-8 or XLSX"
            )
        if "\0" in name:
            raise CommandError(
                f"{where}: the name of column {place} holds a NUL; this is not a CSV file"
            )
        if name.startswith("'"):
            raise CommandError(
                f"{where}: the name of column {place} begins with an apostrophe; remove it, and write "
                'double quotes (") where cells are in single ones'
            )
        if REPLACEMENT in name:
            raise CommandError(
                f"{where}: the name of column {place} has lost letters (U+FFFD); name it anew"
            )
        if name and name in header[: place - 1]:
            raise CommandError(f"{where}: two columns are named {name!r}; remove one")


def _check_near_miss(where: str, name: str) -> None:
    """Refuse a misspelt name of ours, which would silently become a registration field."""
    for known in (CONTEXT_DATA, COMPENSATORY_TIME):
        if name != known and normalized(name) == normalized(known):
            raise CommandError(
                f'{where}: column {name!r}: rename it to {known!r}, or pass --map "{name}={known}"'
            )


def missing(targets: Sequence[str], header: Sequence[str], *, in_json: bool = False) -> str:
    """Say that columns are not there, and which ones are perhaps meant.

    Args:
        targets: One or both of those that are needed.
        header: The names that are there.
        in_json: Whether each line names its columns.
    """
    target = targets[0]
    said = f"there is no column {target!r}"
    together = next(
        (
            one
            for one in header
            if target in one and (_TOGETHER.search(one) or (EMAIL in one and FIRST_NAME in one))
        ),
        None,
    )
    if together is not None:
        return (
            f"{said}, but one named {together!r}; the columns must be told apart by one delimiter: "
            "export the file again, as CSV UTF-8 or XLSX"
        )
    found = [_meant(one, header) for one in targets]
    if found[0] is None:
        where = "each line must name it" if in_json else "the first line must name the columns"
        return f'{said}; {where}, or pass --map "NAME={target}"'
    pairs = [(one, meant) for one, meant in zip(targets, found, strict=True) if meant is not None]
    maps = " ".join(f'--map "{meant}={one}"' for one, meant in pairs)
    if len(pairs) == 1:
        return f"{said}; did you mean {found[0]!r}? rename it, or pass {maps}"
    wanted, meant = (" and ".join(map(repr, names)) for names in zip(*pairs, strict=True))
    return f"there are no columns {wanted}; did you mean {meant}? rename them, or pass {maps}"


def _meant(target: str, header: Sequence[str]) -> str | None:
    others = [one for one in header if one not in RECOGNISED]
    if target == FIRST_NAME:
        others = [one for one in others if normalized(one) not in _FAMILY]
    found = _similar(target, others)
    return None if found is None else found.strip()
