"""How the account's pages look."""

import re
from typing import Annotated, TypeAlias

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._extensible import Extensible
from mettl_async.models._wire import wire

_HEX = re.compile(r"[0-9A-Fa-f]{6}", re.ASCII)
_NUMBERS_AT_MOST = 2


def _check_color(path: str, value: object) -> None:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise InvalidInputError(
            path,
            f"is no colour ({_check.shape(value)})",
            "give six hexadecimal digits, such as 1a2b3c",
        )


_Color: TypeAlias = Annotated[str, _check_color]


def _without_hash(value: str | None) -> str | None:
    return value.removeprefix("#") if isinstance(value, str) else value


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

    field_prefix = "white_label."

    header_background_color: _Color | None = field(default=None, converter=_without_hash)
    header_font_color: _Color | None = field(default=None, converter=_without_hash)
    button_color: _Color | None = field(default=None, converter=_without_hash)
    button_font_color: _Color | None = field(default=None, converter=_without_hash)
    # A parameter of their own.
    support_numbers: tuple[str, ...] = field(default=(), converter=_check.texts, metadata=wire())

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check.something("white_label", self)
        if len(self.support_numbers) > _NUMBERS_AT_MOST:
            raise InvalidInputError(
                "white_label.support_numbers",
                f"has {len(self.support_numbers)} numbers",
                f"give {_NUMBERS_AT_MOST} at most",
            )
