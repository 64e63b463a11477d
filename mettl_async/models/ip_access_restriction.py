"""From which addresses a test may be taken."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Self

from attrs import field, frozen

from mettl_async.errors import InvalidInputError
from mettl_async.models import _check
from mettl_async.models._open_enum import OpenStrEnum


class IpRestrictionType(OpenStrEnum):
    """One address, or ranges."""

    SINGLE = "SINGLE"
    RANGE = "RANGE"


def _address(path: str, value: IPv4Address | str) -> IPv4Address:
    if isinstance(value, IPv4Address):
        return value
    if isinstance(value, IPv6Address) or (isinstance(value, str) and ":" in value):
        raise InvalidInputError(path, "is an IPv6 address", "Mettl takes IPv4 only: give that one")
    found = None
    if isinstance(value, str):
        try:
            found = IPv4Address(value)
        except AddressValueError:
            found = None
    if found is None:
        raise InvalidInputError(
            path,
            f"is not an IPv4 address ({_check.shape(value)})",
            "give four numbers, as 192.0.2.7",
        )
    return found


def _start(value: IPv4Address | str) -> IPv4Address:
    return _address("ip_range.start", value)


def _end(value: IPv4Address | str) -> IPv4Address:
    return _address("ip_range.end", value)


def _ip(value: IPv4Address | str | None) -> IPv4Address | None:
    return None if value is None else _address("ip_access_restriction.ip", value)


@frozen(kw_only=True)
class IpRange:
    """IPv4 addresses from ``start`` to ``end``, both included.

    Raises:
        InvalidInputError: Not IPv4, or the end before the start.
    """

    start: IPv4Address = field(converter=_start)
    end: IPv4Address = field(converter=_end)

    def __attrs_post_init__(self) -> None:
        if self.end < self.start:
            raise InvalidInputError("ip_range.end", "is before start", "swap the two")


@frozen(kw_only=True)
class IpAccessRestriction:
    """From where a test may be taken; build it with `single`, `range` or `disabled`.

    Raises:
        InvalidInputError: Not IPv4, no range, or parts that do not belong together.

    Vendor page: "Create Schedule".
    """

    enabled: bool
    type: IpRestrictionType | None = None
    ip: IPv4Address | None = field(default=None, converter=_ip)
    ranges: tuple[IpRange, ...] = ()

    def __attrs_post_init__(self) -> None:
        _check.flag("ip_access_restriction.enabled", self.enabled, optional=False)
        _check.member("ip_access_restriction.type", self.type, IpRestrictionType)
        _check.instance("ip_access_restriction.ranges", self.ranges, tuple, optional=False)
        for index, one in enumerate(self.ranges):
            _check.instance(f"ip_access_restriction.ranges[{index}]", one, IpRange, optional=False)
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
        """Only from this address."""
        return cls(enabled=True, type=IpRestrictionType.SINGLE, ip=ip)

    @classmethod
    def range(cls, *ranges: IpRange) -> Self:
        """Only from these ranges; at least one."""
        return cls(enabled=True, type=IpRestrictionType.RANGE, ranges=ranges)

    @classmethod
    def disabled(cls) -> Self:
        """From anywhere."""
        return cls(enabled=False)
