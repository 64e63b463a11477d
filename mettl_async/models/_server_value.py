"""What all values from the server have in common."""

from typing import Any, ClassVar

from attrs import field, frozen

from mettl_async.models._frozen_map import EMPTY, FrozenMap


@frozen(kw_only=True)
class ServerValue:
    """A value that the server sent.

    Attributes:
        extra: Properties of the JSON object that no attribute reads, by their wire names, frozen. They
            are not compared, and the repr does not show them. An object of which attributes read only
            a part is here as a whole.
        also_read: Wire names of properties that an attribute of another class reads.
        snake_case_on_wire: Whether properties have the attributes' very names on the wire.
    """

    also_read: ClassVar[tuple[str, ...]] = ()
    snake_case_on_wire: ClassVar[bool] = False

    extra: FrozenMap[Any] = field(default=EMPTY, repr=False, eq=False)
