"""Cell styles of XLSX: how each shows numbers and texts."""

from collections.abc import Callable
from datetime import datetime
from math import isfinite
from typing import IO, Final

from attrs import frozen

from mettl_async.cli.reading.workbooks.cell import NO_DATE, Cell
from mettl_async.cli.reading.workbooks.number_format import NumberFormat, number_format
from mettl_async.cli.reading.workbooks.sheet import DamagedError
from mettl_async.cli.reading.workbooks.xml_stream import feed, local, parser

# What has a meaning without standing in the file [doc: ECMA-376, 18.8.30]. Those with the currency of
# the machine (5-8, 42, 44) are left out: what they show is not known.
_BUILT_IN: Final = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%",
    11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "mm-dd-yy", 15: "d-mmm-yy", 16: "d-mmm",
    17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "m/d/yy h:mm", 37: "#,##0_);(#,##0)", 38: "#,##0_);[Red](#,##0)",
    39: "#,##0.00_);(#,##0.00)", 40: "#,##0.00_);[Red](#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    41: '_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)',
    43: '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)',
    30: "m/d/yy", 31: "yyyy-mm-dd",  # whole dates in each East Asian language
}  # fmt: skip
_EAST_ASIAN: Final = {
    **dict.fromkeys((27, 28, 29, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}
_REMEMBERED: Final = 1 << 14
_MOST_DIGITS: Final = 15
_1900: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - sheets know no zones
_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001 - same
_FIRST_OF_MARCH_1900: Final = 61


class NumberCells(dict[str, Cell]):
    """The cells that stored numbers become in one style; those met lately are remembered."""

    def __init__(self, format_: NumberFormat, *, since_1904: bool) -> None:
        super().__init__()
        self._format, self._since_1904 = format_, since_1904
        self._around = format_.around

    def __missing__(self, stored: str) -> Cell:
        if self._around is not None and _is_plain(stored):
            before, width, after = self._around
            return before + stored.zfill(width) + after
        if len(self) >= _REMEMBERED:
            self.clear()
        number = float(stored)  # a ValueError is a damaged file's
        if not isfinite(number):
            raise ValueError
        cell = self[stored] = self._format.show(number, since_1904=self._since_1904)
        return cell


def _is_plain(stored: str) -> bool:
    """Tell whether a stored number is a whole one as people write it, and short enough to be kept."""
    plain = len(stored) <= _MOST_DIGITS and stored.isdecimal() and stored.isascii()
    return plain and stored[0] != "0"


@frozen
class Style:
    """One of a workbook's cell styles.

    Attributes:
        numbers: Its cells by stored numbers.
        text: Its cells by texts; None if texts are as they are.
        shows_dates: Whether numbers are dates or times.
        since_1904: Whether days count from 1904.
    """

    numbers: NumberCells
    text: Callable[[str], Cell] | None
    shows_dates: bool
    since_1904: bool

    def date(self, stored: str) -> Cell:
        """Write a date that is stored as ISO 8601, as Strict Open XML has it."""
        stored = stored.strip().removesuffix("Z").removeprefix("T")
        clock = "-" not in stored
        try:
            moment = datetime.fromisoformat(f"1899-12-31T{stored}" if clock else stored)
        except ValueError:
            return NO_DATE
        moment = moment.replace(tzinfo=None)
        if not self.shows_dates:  # which programs show as a date nevertheless
            return (
                stored if clock else moment.isoformat(timespec="seconds").removesuffix("T00:00:00")
            )
        passed = moment - (_1904 if self.since_1904 and not clock else _1900)
        days = passed.days + passed.seconds / 86400
        if clock or (not self.since_1904 and days < _FIRST_OF_MARCH_1900):
            days -= 1  # Excel's 29 February 1900
        return self.numbers[repr(days)]


def styles_of(stream: IO[bytes] | None, *, since_1904: bool) -> list[Style]:
    """Read the cell styles in the order in which cells count them; without any, all is General.

    Raises:
        DamagedError: It is not XML.
    """
    codes: dict[int, str] = {}
    numbers: list[int] = []
    inside: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        inside.append(local(name))
        try:
            if inside[1:] == ["numFmts", "numFmt"]:
                codes[int(attributes["numFmtId"])] = attributes["formatCode"]
            elif inside[1:] == ["cellXfs", "xf"]:
                numbers.append(int(attributes.get("numFmtId", "0")))
        except (KeyError, ValueError):
            raise DamagedError from None

    def end(_: str) -> None:
        inside.pop()

    if stream is not None:
        for _ in feed(parser(start, end), stream):
            pass
    return [_style(_format(one, codes), since_1904=since_1904) for one in numbers or [0]]


def restyling(stream: IO[bytes]) -> frozenset[int]:
    """Tell which formats of rules, by their places, change what numbers show.

    Raises:
        DamagedError: It is not XML.
    """
    found: set[int] = set()
    place, inside = -1, False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal place, inside
        kind = local(name)
        if kind == "dxf":
            place += 1
        elif kind in {"dxfs", "tableStyles", "colors", "extLst"}:
            inside = kind == "dxfs"
        elif kind == "numFmt" and inside and attributes.get("formatCode") != "General":
            found.add(place)

    for _ in feed(parser(start), stream):
        pass
    return frozenset(found)


def _format(number: int, codes: dict[int, str]) -> NumberFormat:
    code = codes.get(number, _BUILT_IN.get(number))
    if code is not None:
        return number_format(code)
    unsure = number_format(_EAST_ASIAN.get(number, "General"))
    return NumberFormat(unsure.numbers, unsure.text, certain=False, readable=False)


def _style(format_: NumberFormat, *, since_1904: bool) -> Style:
    text = None if format_.leaves_text else format_.show_text
    return Style(NumberCells(format_, since_1904=since_1904), text, format_.shows_dates, since_1904)
