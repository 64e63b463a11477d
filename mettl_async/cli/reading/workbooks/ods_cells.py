"""Cells of ODS: what is shown is there as text, and what is stored beside it. Pure functions."""

import re
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Final

from attrs import evolve

from mettl_async.cli.reading.rows import number_text
from mettl_async.cli.reading.workbooks.cell import (
    ERROR,
    NO_DATE,
    NOT_COMPUTED,
    TOO_LONG,
    Cell,
    Unsure,
)

_PREFIX: Final = "urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE: Final = f"{_PREFIX}office:1.0 "
_FORMULA: Final = f"{_PREFIX}table:1.0 formula"
_LIBRE_OFFICE: Final = (
    "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 value-type"
)
_ERRORS: Final = re.compile(
    r"#(N/A|DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!)|(Err|Fehler|Erreur):[0-9]{3}"
)
_DURATION: Final = re.compile(r"PT([0-9]+)H([0-9]+)M([0-9]+)(?:[.,]([0-9]+))?S")
_CLOCK: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?")
_PARTS: Final = re.compile(r":[0-9]{2}[.,][0-9]")
_NUMBERS: Final = re.compile(r"[0-9]+")
_NEGATIVE: Final = frozenset("-(\u2212")
_TRUTHS: Final = {"1": "TRUE", "0": "FALSE"}
_TOO_LONG: Final = 1e15
_A_DAY: Final = 24


def cell_of(given: Mapping[str, str], shown: str | None) -> Cell:
    """Read a cell.

    Args:
        given: Attributes of the element, by ``namespace name``.
        shown: Its text; None if there is none.

    Raises:
        ValueError: It is damaged.
    """
    kind = given.get(f"{_OFFICE}value-type")
    formula = _FORMULA in given
    if given.get(_LIBRE_OFFICE) == "error" or (formula and _ERRORS.fullmatch(shown or "")):
        return evolve(ERROR, text=shown or "")
    if kind is None:
        return NOT_COMPUTED if formula and shown is None else shown or ""
    if kind in {"float", "percentage", "currency"}:
        return _number(given[f"{_OFFICE}value"], shown)
    if kind == "date":
        return _date(given[f"{_OFFICE}date-value"], shown)
    if kind == "time":
        return _time(given[f"{_OFFICE}time-value"], shown)
    if kind == "boolean":
        return "TRUE" if given.get(f"{_OFFICE}boolean-value") == "true" else "FALSE"
    return given.get(f"{_OFFICE}string-value", "") if shown is None else shown


def _number(stored: str, shown: str | None) -> Cell:
    number = float(stored)
    if not isfinite(number):
        raise ValueError
    plain = number_text(number)
    if abs(number) >= _TOO_LONG:
        return evolve(TOO_LONG, text=plain)
    if shown is None or shown.strip() in {plain, _TRUTHS.get(plain)}:
        return plain if shown is None else shown.strip()
    shown = shown.strip(" ")
    if shown == repr(number):  # of programs that show no formats
        return plain
    # All digits are there, whatever separates them, leads them or counts them by hundreds.
    digits = "".join(_NUMBERS.findall(shown)).strip("0")
    whole = digits == "".join(_NUMBERS.findall(plain)).strip("0") and "e" not in plain
    if number < 0 and not _NEGATIVE & set(shown):
        whole = False
    return shown if whole and digits else Unsure(shown, plain)


def _date(stored: str, shown: str | None) -> Cell:
    try:
        moment = datetime.fromisoformat(stored)
    except ValueError:
        return NO_DATE
    midnight = not (moment.hour or moment.minute or moment.second)
    day = moment.date().isoformat()
    iso = day if midnight else moment.isoformat(timespec="seconds")
    if shown is None:
        return iso
    numbers = [int(one) for one in _NUMBERS.findall(_CLOCK.sub(" ", shown))]
    named = any(character.isalpha() for character in shown)
    years = {moment.year, moment.year % 100}
    # Its day, its month by number or name, and its year are all there.
    whole = moment.day in numbers and bool(years & set(numbers)) and len(numbers) + named > 2  # noqa: PLR2004
    text = iso if ":" in shown else day  # the sheet shows no time
    return text if whole else Unsure(shown, iso)


def _time(stored: str, shown: str | None) -> Cell:
    found = _DURATION.fullmatch(stored)
    if found is None:
        return NO_DATE
    # As in XLSX: to whole seconds, which hides that days are stored as fractions, unless parts are shown.
    whole_hours, minutes, seconds, part = found.groups()
    parts = 1000 if shown and _PARTS.search(shown) else 1
    exact = int(whole_hours) * 3600 + int(minutes) * 60 + float(f"{seconds}.{part or 0}")
    total, rest = divmod(round(exact * parts), parts)
    hours, minute, second = total // 3600, total // 60 % 60, total % 60
    text = f"{hours:02}" if hours < _A_DAY else str(hours)
    text += f":{minute:02}:{second:02}" + (f".{rest:03}" if rest else "")
    whole = shown is None or hours < _A_DAY or shown.lstrip(" ").startswith(str(hours))
    return text if whole else Unsure(shown, text)
