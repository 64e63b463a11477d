"""What values that users build have in common, where their JSON may hold further properties."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._frozen_map import EMPTY, FrozenMap
from mettl_async.models._user_value import UserValue
from mettl_async.models._wire import names_of


def _freeze(value: Mapping[str, Any]) -> FrozenMap[Any]:
    _check.mapping("extra", value)
    entries: FrozenMap[Any] = _check.json_like("extra", value)
    return entries


@frozen(kw_only=True)
class Extensible(UserValue):
    """A value that takes properties which it has no attribute for.

    Attributes:
        extra: Further properties of the JSON object by their wire names, sent as they are.

    Raises:
        InvalidInputError: One cannot be written as JSON, or has its own attribute.
    """

    extra: FrozenMap[Any] = field(default=EMPTY, converter=_freeze)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.extra:
            typed = {name.casefold() for name in names_of(type(self))}
            for name in self.extra:
                here = _check.path_of("extra", name)
                _check.text(here, name)
                if name.casefold() in typed:
                    raise InvalidInputError(here, "has its own attribute", "use that one")
