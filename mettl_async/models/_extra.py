"""Further properties of a JSON parameter, by their wire names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check

if TYPE_CHECKING:
    from collections.abc import Collection

    from mettl_async.models._frozen_map import FrozenMap


def frozen(path: str, value: Mapping[str, Any], typed: Collection[str]) -> FrozenMap[Any]:
    """Freeze further properties, none of which may be one that has a typed attribute."""
    _check.instance(path, value, Mapping, optional=False)
    folded = {name.casefold() for name in typed}
    for name in value:
        here = _check.path_of(path, name)
        if isinstance(name, str) and name.casefold() in folded:
            raise InvalidInputError(here, "has its own attribute", "use that one")
        _check.text(here, name)
    entries: FrozenMap[Any] = _check.json_like(path, value)
    return entries
