"""One section of a number format, such as ``"EMP-"00000``: its parts, and the number as it shows it.

Pure functions. What is not known for certain is None.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Final

from attrs import field, frozen

from mettl_async.cli.reading.rows import number_text

_PART: Final = re.compile(
    r'"(?P<quoted>[^"]*)"?'
    r"|\\(?P<escaped>.)"
    r"|_(?P<pad>.)"
    r"|\*(?P<fill>.)"
    r"|\[(?P<bracket>[^\]]*)\]"
    r"|(?P<general>general)"
    r"|(?P<noon>am/pm|a/p|上午/下午)"
    r"|(?P<exponent>e[+-](?=[0#?]))"
    r"|(?P<date>y+|m+|d+|h+|s+|e+|g+|b+)"
    r"|(?P<digit>[0#?])"
    r"|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)|(?P<slash>/)|(?P<text>@)|(?P<end>;)"
    r"|(?P<plain>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION: Final = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[0-9]+(?:\.[0-9]+)?)")
_COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le, ">=": operator.ge, "<>": operator.ne,
    "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip
_ELAPSED: Final = re.compile(r"h+|m+|s+", re.IGNORECASE)
_COLOUR: Final = re.compile(
    r"black|blue|cyan|green|magenta|red|white|yellow|color ?[0-9]{1,2}", re.IGNORECASE
)
# [$€-407]: a currency sign, and a language; the digits before its last four name other numerals.
_LOCALE: Final = re.compile(r"\$([^-]*)(?:-(.*))?", re.DOTALL)
_PLAIN_LOCALE: Final = re.compile(
    r"0*[0-9a-f]{0,4}|01[0-9a-f]{6}|[a-z]{2,3}(-[a-z0-9]+)*", re.IGNORECASE
)
_SYSTEM_DATES: Final = {
    "f800": "yyyy-mm-dd", "x-sysdate": "yyyy-mm-dd", "f400": "hh:mm:ss", "x-systime": "hh:mm:ss",
}  # fmt: skip
_MOST_LETTERS: Final = 255  # of a format [doc: Excel's limits]
_EXACT: Final = Context(prec=300, rounding=ROUND_HALF_UP)


@frozen
class Part:
    """A piece of a format: its kind and its text."""

    kind: str
    text: str


@frozen
class Section:
    """What stands between semicolons.

    Attributes:
        parts: In their order; colours, conditions and languages are none.
        certain: False if there is anything in it whose effect on numbers is not known.
        readable: False if there are letters in it that no program documents.
        condition: The numbers that it is for; None for those that its place gives it.
        equals: Whether the condition is met by one number only.
        locale: Language, as in ``[$-409]``; empty for none.
    """

    parts: tuple[Part, ...]
    certain: bool = True
    readable: bool = True
    condition: Callable[[float], bool] | None = field(default=None, eq=False)
    equals: bool = False
    locale: str = ""

    def has(self, *kinds: str) -> bool:
        """Tell whether there is a part of one of the kinds."""
        return any(part.kind in kinds for part in self.parts)

    @property
    def literals(self) -> str:
        """All that is shown whatever the number is."""
        return "".join(part.text for part in self.parts if part.kind == "literal")


def sections_of(code: str) -> list[Section]:
    """Split a whole number format; one that is longer than any program allows is uncertain."""
    sections, builder = [], _Builder()
    for found in _PART.finditer(code[: _MOST_LETTERS + 1]):
        if found.lastgroup == "end":
            sections.append(builder.section())
            builder = _Builder()
        else:
            builder.add(found.lastgroup or "", found[found.lastgroup or 0], found[0])
    builder.readable &= len(code) <= _MOST_LETTERS
    return [*sections, builder.section()]


class _Builder:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.certain = self.readable = True
        self.condition: Callable[[float], bool] | None = None
        self.equals = False
        self.locale = ""

    def section(self) -> Section:
        certain = self.certain and self.readable
        return Section(
            tuple(self.parts), certain, self.readable, self.condition, self.equals, self.locale
        )

    def add(self, kind: str, text: str, whole: str) -> None:
        if kind in {"quoted", "escaped"}:
            self.parts.append(Part("literal", text))
        elif kind == "plain":
            # Letters without quotes are no format of Excel's; other signs, and other scripts', are.
            self.readable &= not (text.isascii() and text.isalpha())
            self.parts.append(Part("literal", text))
        elif kind == "fill":
            self.certain &= text == " "  # others fill the width of the column
        elif kind == "bracket":
            self._bracket(text)
        elif kind in {"date", "noon"}:
            self.parts.append(Part(kind, text.lower()))
        else:
            self.parts.append(Part(kind, text if kind != "exponent" else whole.upper()))

    def _bracket(self, text: str) -> None:
        if _ELAPSED.fullmatch(text):
            self.parts.append(Part("elapsed", text.lower()))
        elif condition := _CONDITION.fullmatch(text.strip()):
            compare, limit = _COMPARED[condition[1]], float(condition[2])
            self.certain &= self.condition is None
            self.condition, self.equals = lambda number: compare(number, limit), condition[1] == "="
        elif locale := _LOCALE.fullmatch(text):
            self.locale = (locale[2] or "").lower()
            if locale[1]:
                self.parts.append(Part("literal", locale[1]))
            if self.locale in _SYSTEM_DATES:
                self.parts += sections_of(_SYSTEM_DATES[self.locale])[0].parts
            else:
                self.certain &= _PLAIN_LOCALE.fullmatch(self.locale) is not None
        else:
            self.certain &= _COLOUR.fullmatch(text) is not None and not self.parts


def show_number(section: Section, number: float) -> tuple[str | None, bool]:
    """Write a number that is not negative; tell, too, whether all of it can be seen.

    None is what cannot be known: fractions, other numerals, parts that no program documents.
    """
    if not section.certain or section.has("text", "slash", "date", "elapsed", "noon"):
        return None, False
    if section.has("general"):
        if section.has("digit", "percent", "exponent"):
            return None, False
        shown = [
            number_text(number) if part.kind == "general" else _literal(part)
            for part in section.parts
        ]
        return "".join(shown), True
    if not section.has("digit"):
        return "".join(map(_literal, section.parts)), False
    if section.has("exponent"):
        return _scientific(section, number)
    return _decimal(section.parts, _EXACT.create_decimal(format(number, ".15g")))


def _literal(part: Part) -> str:
    return " " if part.kind == "pad" else part.text


def zeros_around(section: Section) -> tuple[str, int, str] | None:
    """Take apart a section that adds only zeros and texts to positive whole numbers."""
    kinds = "".join(
        {"digit": "d", "literal": "x", "pad": "x"}.get(p.kind, "?") for p in section.parts
    )
    if not section.certain or not re.fullmatch("x*d+x*", kinds):
        return None
    first, last = kinds.index("d"), kinds.rindex("d")
    signs = "".join(part.text for part in section.parts[first : last + 1])
    if not re.fullmatch("#*0*", signs):
        return None
    before, after = (
        "".join(map(_literal, parts))
        for parts in (section.parts[:first], section.parts[last + 1 :])
    )
    width = max(1, signs.count("0"))
    return before.lstrip(" "), width, after.rstrip(" ")


@frozen
class _Layout:
    """The digits of a section: before the point and from it on, and what is done to the number."""

    whole: tuple[Part, ...]
    rest: tuple[Part, ...]
    thousands: bool
    power: int
    places: int
    ends_open: bool


@lru_cache(maxsize=4096)
def _layout(parts: tuple[Part, ...]) -> _Layout | None:
    parts, thousands, scale = _without_commas(parts)
    kinds = [part.kind for part in parts]
    if "comma" in kinds or kinds.count("point") > 1:
        return None
    point = kinds.index("point") if "point" in kinds else len(parts)
    whole, rest = parts[:point], parts[point:]
    if thousands and _is_broken_up(whole):  # programs differ in where the comma goes
        return None
    places = sum(part.kind == "digit" for part in rest)
    signs = "".join(part.text for part in whole if part.kind == "digit")
    power = 2 * kinds.count("percent") - 3 * scale
    return _Layout(whole, rest, thousands, power, places, "0#" in signs)


def _decimal(parts: tuple[Part, ...], number: Decimal) -> tuple[str | None, bool]:
    layout = _layout(parts)
    if layout is None:
        return None, False
    scaled = number.scaleb(layout.power, _EXACT)
    rounded = scaled.quantize(Decimal(1).scaleb(-layout.places), context=_EXACT)
    before, _, after = format(rounded, "f").partition(".")
    before, whole = before.lstrip("0"), layout.whole
    if not before and layout.ends_open:  # programs differ in whether there is a digit for the "#"
        return None, False
    if not any(part.kind == "digit" for part in whole):  # as in ".00"
        whole = (*whole, Part("literal", before))
    tail = _after_point(layout.rest, after)
    # Excel shows the point of "0." and "0.##" without digits behind it, LibreOffice does not.
    bare = tail.startswith(".") and not tail[1:2].isdigit()
    shown = _before_point(whole, before, thousands=layout.thousands) + tail
    return shown, rounded == scaled and not bare


def _is_broken_up(parts: Sequence[Part]) -> bool:
    kinds = "".join("d" if part.kind == "digit" else "x" for part in parts)
    return "x" in kinds.strip("x")


def _without_commas(parts: Sequence[Part]) -> tuple[tuple[Part, ...], bool, int]:
    """Take out the commas that separate thousands, and those that leave thousands out."""
    kinds = [part.kind for part in parts]
    end = kinds.index("point") if "point" in kinds else len(kinds)
    digits = [place for place, kind in enumerate(kinds) if kind == "digit"]
    last = max((place for place in digits if place < end), default=-1)
    kept: list[Part] = []
    thousands, scale = False, 0
    for place, part in enumerate(parts):
        after_digit = bool(kept) and kept[-1].kind == "digit"
        if part.kind != "comma" or not after_digit:
            kept.append(part)
        elif place < last:
            thousands = True
        elif place < end or place > digits[-1]:
            scale += 1
        else:
            kept.append(part)
    return tuple(kept), thousands, scale


def _before_point(parts: Sequence[Part], digits: str, *, thousands: bool) -> str:
    left = sum(part.kind == "digit" for part in parts)
    shown = ""
    first = True
    for part in parts:
        if part.kind != "digit":
            shown += _literal(part)
            continue
        # The first one takes all that are too many.
        wanted = range(max(left, len(digits)) if first else left, left - 1, -1)
        first, left = False, left - 1
        for place in wanted:
            one = (
                digits[-place] if place <= len(digits) else {"0": "0", "?": " "}.get(part.text, "")
            )
            comma = thousands and one and place > 1 and place % 3 == 1
            shown += one + ("," if comma and one != " " else "")
    return shown


def _after_point(parts: Sequence[Part], digits: str) -> str:
    shown = ""
    zeros = [place for place, part in enumerate(parts) if part == Part("digit", "0")]
    last = zeros[-1] if zeros else -1
    for place, part in enumerate(parts):
        if part.kind != "digit":
            shown += _literal(part)
        elif digits.strip("0") or place <= last:
            shown += digits[:1]
            digits = digits[1:]
        else:
            shown += " " if part.text == "?" else ""
            digits = digits[1:]
    return shown


def _scientific(section: Section, number: float) -> tuple[str | None, bool]:
    kinds = [part.kind for part in section.parts]
    cut = kinds.index("exponent")
    before, after = section.parts[:cut], section.parts[cut + 1 :]
    point = kinds.index("point") if "point" in kinds[:cut] else cut
    # More than one digit before the point: the exponent goes by threes, and programs differ.
    if kinds[:point].count("digit") != 1 or "percent" in kinds or "comma" in kinds:
        return None, False
    if any(part.kind not in {"digit", "literal", "pad"} for part in after):
        return None, False
    value = _EXACT.create_decimal(format(number, ".15g"))
    power = value.adjusted() if value else 0
    places = kinds[point:cut].count("digit")
    mantissa = value.scaleb(-power, _EXACT)
    rounded = mantissa.quantize(Decimal(1).scaleb(-places), context=_EXACT)
    if rounded >= 10:  # noqa: PLR2004 - a digit more
        rounded, power = (rounded / 10).quantize(Decimal(1).scaleb(-places)), power + 1
    text, _ = _decimal(before, rounded)
    if text is None:
        return None, False
    sign = "-" if power < 0 else "+" if section.parts[cut].text.endswith("+") else ""
    width = sum(part.kind == "digit" and part.text == "0" for part in after)
    tail = "".join(_literal(part) for part in after if part.kind != "digit")
    return f"{text}E{sign}{abs(power):0{width}}{tail}", rounded == mantissa
