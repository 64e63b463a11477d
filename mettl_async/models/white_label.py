"""How the account's pages look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._extensible import Extensible
from mettl_async.models._wire import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLORS = (
    "header_background_color",
    "header_font_color",
    "button_color",
    "button_font_color",
)
_HEX = re.compile(r"[0-9A-Fa-f]{6}", re.ASCII)
_NUMBERS_AT_MOST = 2


def _color(value: str | None) -> str | None:
    return value.removeprefix("#") if isinstance(value, str) else value


def _numbers(value: Iterable[str]) -> tuple[str, ...]:
    path = "white_label.support_numbers"
    numbers = _check.sequence(path, value)
    for index, number in enumerate(numbers):
        _check.text(f"{path}[{index}]", number)
    if len(numbers) > _NUMBERS_AT_MOST:
        raise InvalidInputError(
            path, f"has {len(numbers)} numbers", f"give {_NUMBERS_AT_MOST} at most"
        )
    return numbers


@frozen(kw_only=True)
class WhiteLabel(Extensible):
    """How the account's pages look; only for accounts that the vendor has authorised.

    Checked when built; afterwards the colours have no ``#``. What is None is not sent. Written by the
    codec it is the parameter ``wl``; ``support_numbers`` travel in one of their own.

    Attributes:
        header_background_color: Six hexadecimal digits, with or without a ``#`` before them.
        header_font_color: The same.
        button_color: The same.
        button_font_color: The same.
        support_numbers: Telephone numbers, 2 at most.
        extra: Further properties by their wire names. One, for the address of tests, begins with ``c``; the
            page is cut off before the rest of its name.

    Raises:
        InvalidInputError: A rule is broken, or nothing is set.

    Vendor page: "Update White Label".
    """

    header_background_color: str | None = field(default=None, converter=_color)
    header_font_color: str | None = field(default=None, converter=_color)
    button_color: str | None = field(default=None, converter=_color)
    button_font_color: str | None = field(default=None, converter=_color)
    # A parameter of their own.
    support_numbers: tuple[str, ...] = field(default=(), converter=_numbers, metadata=wire())

    def __attrs_post_init__(self) -> None:
        colors = {name: getattr(self, name) for name in _COLORS}
        super().__attrs_post_init__()
        _check.something("white_label", self)
        for name, color in colors.items():
            if color is not None and not (isinstance(color, str) and _HEX.fullmatch(color)):
                raise InvalidInputError(
                    f"white_label.{name}",
                    f"is no colour ({_check.shape(color)})",
                    "give six hexadecimal digits, such as 1a2b3c",
                )
