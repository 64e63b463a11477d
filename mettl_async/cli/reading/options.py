"""A user's options for reading: the answers to what a file alone does not tell."""

import codecs
import io
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen
from attrs.converters import optional

from mettl_async.cli.problems import CommandError
from mettl_async.cli.reading.characters import clean_name
from mettl_async.cli.reading.columns import (
    UTF_8,
    Format,
    HiddenRows,
    MergedCells,
    Numbers,
    check_drop,
    parse_mapping,
)
from mettl_async.cli.reading.delimiter import DELIMITERS
from mettl_async.models._fold_email import fold_email

# Of which "text" is no text of people: escapes, and forms of domain names.
_NO_ENCODINGS = frozenset({"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"})


def _known_encoding(name: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), name).close()  # lookup() knows encodings of bytes too
        proper = codecs.lookup(name).name
    except (LookupError, ValueError, UnicodeError):
        proper = "undefined"
    if proper.replace("_", "-") in _NO_ENCODINGS:
        raise CommandError(f"--encoding {name!r}: there is no such encoding of text")
    return UTF_8 if proper == "utf-8" else proper


def _one_character(text: str) -> str:
    named = {called: character for character, called in DELIMITERS.items()}
    character = {**named, "\\t": "\t"}.get(text, text)
    if len(character) != 1 or character in '"\r\n\0':
        names = ", ".join(named)
        raise CommandError(f"--delimiter {text!r}: is not one character, nor one of {names}")
    return character


def _mapping(given: Iterable[str] | Mapping[str, str]) -> Mapping[str, str]:
    return given if isinstance(given, Mapping) else parse_mapping(given)


def _cleaned(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(clean_name, names))


def _folded(emails: Iterable[str]) -> frozenset[str]:
    return frozenset(fold_email(one.strip()) for one in emails)


@frozen(kw_only=True)
class ReadOptions:
    """A user's options for the input; what is None is detected, or asked for.

    Raises:
        CommandError: A value cannot work.
    """

    format: Format | None = None
    encoding: str | None = field(default=None, converter=optional(_known_encoding))
    delimiter: str | None = field(default=None, converter=optional(_one_character))
    sheet: str | None = None
    header_row: int | None = None
    hidden_rows: HiddenRows | None = field(default=None, converter=optional(HiddenRows))
    merged_cells: MergedCells | None = field(default=None, converter=optional(MergedCells))
    numbers: Numbers | None = field(default=None, converter=optional(Numbers))
    mapping: Mapping[str, str] = field(default=(), converter=_mapping)
    drop: frozenset[str] = field(default=(), converter=_cleaned)
    only: frozenset[str] = field(default=(), converter=_folded, repr=False)

    def __attrs_post_init__(self) -> None:
        check_drop(self.drop, self.mapping)

    def answered(self, option: str, value: str) -> "ReadOptions":
        """Give the options with the answer to a doubt.

        Raises:
            CommandError: The answer was given before, so that asking again would not end.
        """
        answer: dict[str, Any] = {option: value}
        answered = evolve(self, **answer)
        if answered == self:
            raise CommandError(f"--{option.replace('_', '-')} {value} does not tell how to read it")
        return answered
