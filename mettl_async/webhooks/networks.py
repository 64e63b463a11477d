"""Where deliveries may come from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from mettl_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAPPED = IPv6Network("::ffff:0:0/96")
_FIX = "give networks such as 203.0.113.0/24 or 2001:db8::/32, or single addresses"


class AllowedNetworks:
    """A list of networks that deliveries may come from.

    It protects against who knows URL and password but sits elsewhere, and only as far as the address of the
    peer is the sender's: behind a proxy it is the proxy's, unless the server takes it from a header that only
    this proxy can set. Mettl's addresses are in an article that its flow page links to, and may change.

    An IPv4 address in IPv6 form (``::ffff:203.0.113.7``), as a dual-stack socket gives it, counts as the
    IPv4 address. An empty list allows nobody.

    Args:
        networks: Such as ``203.0.113.0/24``; an address alone is a network of one.

    Raises:
        InvalidInputError: Not a network, or an address with bits beyond its mask.

    Source: integration flow page, "Live updation of scores and reports using a Webhook".
    """

    __slots__ = ("_networks",)

    def __init__(self, networks: Iterable[str]) -> None:
        if isinstance(networks, (str, bytes)):
            raise InvalidInputError("networks", "is a single text", "give a list of networks")
        self._networks = tuple(_network(place, one) for place, one in enumerate(networks))

    def allows(self, host: str | None) -> bool:
        """Tell whether an address is in one of the networks; what is no address never is.

        Args:
            host: Address of the peer without a port; None when there is none, as with a Unix socket.
        """
        if not isinstance(host, str):
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return False
        plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        return any(_contains(network, plain) for network in self._networks)

    def __len__(self) -> int:
        return len(self._networks)

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, map(str, self._networks)))}])"


def _contains(network: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address) -> bool:
    return network.version == address.version and address in network


def _network(place: int, text: object) -> IPv4Network | IPv6Network:
    problem = "is not text"
    if isinstance(text, str):
        try:
            network = ip_network(text.strip())
        except ValueError as error:
            # "has host bits set", or not a network at all; an address is no secret.
            problem = str(error)
        else:
            if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
                first = IPv4Address(int(network.network_address) & 0xFFFFFFFF)
                return IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))
            return network
    raise InvalidInputError(f"networks[{place}]", problem, _FIX)
