"""Annotations of the values that users build say what is checked."""

from typing import Annotated, Literal

import pytest
from attrs import frozen

import mettl_async.client  # noqa: F401 - defines all of them
from mettl_async.errors import InvalidInputError
from mettl_async.models import Level
from mettl_async.models._user_value import UserValue, _checks_of


def all_below(cls):
    return {cls} | {one for child in cls.__subclasses__() for one in all_below(child)}


@pytest.mark.parametrize("cls", sorted(all_below(UserValue), key=lambda cls: cls.__name__))
def test_every_attribute_of_every_value_refuses_another_type(cls):
    for name, path, check, _ in _checks_of(cls):
        assert path == cls.field_prefix + name
        with pytest.raises(InvalidInputError) as caught:
            check(path, object())
        assert caught.value.field.startswith(path)


def even(path, value):
    if value % 2:
        raise InvalidInputError(path, "is odd", "give an even number")


@frozen(kw_only=True)
class Inner(UserValue):
    number: int = 0


@frozen(kw_only=True)
class Outer(UserValue):
    field_prefix = "outer."

    inner: Inner
    levels: tuple[Level, ...] = ()
    word: Literal["a", "b"] = "a"
    pair: Annotated[int, even] | None = None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"inner": None}, "outer.inner"),
        ({"levels": [Level.EASY]}, "outer.levels"),
        ({"levels": (Level.EASY, Level("new"))}, "outer.levels[1]"),
        ({"word": "c"}, "outer.word"),
        ({"pair": 3}, "outer.pair"),
    ],
)
def test_the_field_s_path_is_in_the_error(given, field):
    with pytest.raises(InvalidInputError) as caught:
        Outer(**{"inner": Inner()} | given)
    assert caught.value.field == field


def test_what_fits_is_taken():
    assert Outer(inner=Inner(number=2**63 - 1), levels=(Level.EASY,), word="b", pair=None)
    for number in (-1, 2**63, True, 1.0):
        with pytest.raises(InvalidInputError, match=r"^number: "):
            Inner(number=number)
