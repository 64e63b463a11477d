"""From which addresses a test may be taken."""

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Annotated, Self, TypeAlias

from attrs import field, frozen
from attrs.converters import optional

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._open_enum import OpenStrEnum
from mettl_async.models._user_value import UserValue


class IpRestrictionType(OpenStrEnum):
    """One address, or ranges."""

    SINGLE = "SINGLE"
    RANGE = "RANGE"


def _parsed(value: IPv4Address | str) -> IPv4Address:
    try:
        return IPv4Address(value) if isinstance(value, str) else value
    except AddressValueError:
        return value  # type: ignore[return-value]  # refused below, by the path of its field


def _check_ipv4(path: str, value: object) -> None:
    if isinstance(value, IPv4Address):
        return
    if isinstance(value, IPv6Address) or (isinstance(value, str) and ":" in value):
        raise InvalidInputError(path, "is an IPv6 address", "Mettl takes IPv4 only: give that one")
    raise InvalidInputError(
        path, f"is not an IPv4 address ({_check.shape(value)})", "give four numbers, as 192.0.2.7"
    )


_Ipv4: TypeAlias = Annotated[IPv4Address, _check_ipv4]


@frozen(kw_only=True)
class IpRange(UserValue):
    """IPv4 addresses from ``start`` to ``end``, both included.

    Raises:
        InvalidInputError: Not IPv4, or the end before the start.
    """

    field_prefix = "ip_range."

    start: _Ipv4 = field(converter=_parsed)
    end: _Ipv4 = field(converter=_parsed)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.end < self.start:
            raise InvalidInputError("ip_range.end", "is before start", "swap the two")


@frozen(kw_only=True)
class IpAccessRestriction(UserValue):
    """From where a test may be taken; build it with `single`, `range` or `disabled`.

    Example::

        IpAccessRestriction.single("203.0.113.7")
        IpAccessRestriction.range(IpRange(start="203.0.113.0", end="203.0.113.63"))
        IpAccessRestriction.disabled()

    Raises:
        InvalidInputError: Not IPv4, no range, or parts that do not belong together.

    Vendor page: "Create Schedule".
    """

    field_prefix = "ip_access_restriction."

    enabled: bool
    type: IpRestrictionType | None = None
    ip: _Ipv4 | None = field(default=None, converter=optional(_parsed))
    ranges: tuple[IpRange, ...] = ()

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        single, ranged = self.ip is not None, bool(self.ranges)
        wanted = {
            None: (False, False),
            IpRestrictionType.SINGLE: (True, False),
            IpRestrictionType.RANGE: (False, True),
        }[self.type]
        if (single, ranged) != wanted or self.enabled is (self.type is None):
            raise InvalidInputError(
                "ip_access_restriction.type",
                "enabled, type, ip and ranges do not fit together",
                "use IpAccessRestriction.single(ip), .range(IpRange(...), ...) or .disabled()",
            )

    @classmethod
    def single(cls, ip: IPv4Address | str) -> Self:
        """Admit only this address."""
        return cls(enabled=True, type=IpRestrictionType.SINGLE, ip=ip)

    @classmethod
    def range(cls, *ranges: IpRange) -> Self:
        """Admit only these ranges, at least one."""
        return cls(enabled=True, type=IpRestrictionType.RANGE, ranges=ranges)

    @classmethod
    def disabled(cls) -> Self:
        """Admit any address."""
        return cls(enabled=False)
