"""Which addresses of reports may be fetched; pure.

The server gives them, so whoever can change an answer chooses what this machine asks for: without rules,
also a service of its own network.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from mettl_async.config import is_loopback
from mettl_async.errors import InvalidInputError

_MOST_NAME: Final = 253
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# Names that no public resolver knows: RFC 6761, 6762, 8375, and what ICANN keeps for private use.
_PRIVATE_NAME: Final = re.compile(r"[^.]*|.*\.(localhost|local|internal|home\.arpa)")
_NUMBER: Final = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)")
_PORTS: Final = {"http": 80, "https": 443}

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Protocol assignments (with Teredo), examples and relays of 6to4: what ``ipaddress`` says of their parts
# depends on its version.
_SPECIAL_4: Final = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
_SPECIAL_6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_ISATAP: Final = {0x0000_5EFE, 0x0200_5EFE}


@frozen
class Link:
    """An address that may be fetched, as far as it alone tells.

    Attributes:
        url: Exactly as it came.
        host: Name or IP address, in lower case.
        port: Of the host.
        is_own: Whether signed requests go to the same scheme, host and port.
    """

    url: str
    host: str
    port: int
    is_own: bool


def check_link(field: str, url: object, base_url: str) -> Link:
    """Refuse an address that is not fetched, whatever its name may resolve to.

    A client fetches from where its signed requests go, and over https at port 443 from public hosts: no
    report was seen at another port, where other services are. If its ``base_url`` is on this machine, it
    fetches from nowhere else than there.

    Args:
        field: What the address is, for the error.
        url: The address.
        base_url: Of the client.

    Raises:
        InvalidInputError: It is not fetched, or is none.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in _PORTS:
        raise _refused(field, "is no https address")
    own = urlsplit(base_url)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    is_own = (parts.scheme, host, port) == (
        own.scheme,
        own.hostname,
        own.port or _PORTS.get(own.scheme),
    )
    if not is_own:
        if is_loopback(own.hostname or ""):
            raise _refused(field, "is not at the client's base_url, which is on this machine")
        if parts.scheme != "https":
            raise _refused(field, "is no https address")
        if port != _PORTS["https"]:
            raise _refused(field, "is not at port 443")
        if not _may_be_public(host):
            raise _refused(field, "is not at a public host")
    return Link(str(url), host, port, is_own)


def check_addresses(field: str, addresses: list[str]) -> list[str]:
    """Refuse a host of which one address is not public; an honest one has no such.

    Raises:
        InvalidInputError: There is one.
    """
    if not all(map(is_public, addresses)):
        raise _refused(field, "is not at a public host")
    return addresses


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet, also inside of IPv6.

    ``ipaddress`` alone is not enough: it calls multicast global, and most of what is not assigned, and
    its versions differ.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast and not any(ip in net for net in _SPECIAL_4)
    if ip.scope_id is not None:
        return False
    if int(ip) >> 32 & 0xFFFF_FFFF in _ISATAP and not is_public(str(_last_32_bits(ip))):
        return False
    inner = _embedded(ip)
    if inner is not None:
        return is_public(str(inner))
    return ip in _GLOBAL_UNICAST and ip.is_global and not any(ip in net for net in _SPECIAL_6)


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return _last_32_bits(ip)
    return ip.ipv4_mapped or ip.sixtofour


def _last_32_bits(ip: IPv6Address) -> IPv4Address:
    return IPv4Address(int(ip) & 0xFFFF_FFFF)


def _split(url: object) -> SplitResult | None:
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.port == 0 or "@" in parts.netloc:
            return None
        if "[" in parts.netloc:
            IPv6Address(host)
            return parts
    except ValueError:
        return None
    # What every parser of URLs and every resolver reads alike.
    return parts if len(host) <= _MOST_NAME and _NAME.fullmatch(host) else None


def _may_be_public(host: str) -> bool:
    """Tell whether a host is a public IP address, or a name that may belong to one."""
    if ":" in host or _NUMBER.fullmatch(host):
        return is_public(host)  # the old forms, 0x7f.1 and 2130706433, are none
    return _PRIVATE_NAME.fullmatch(host) is None


def _refused(field: str, problem: str) -> InvalidInputError:
    return InvalidInputError(field, problem, "pass the link as the server gave it")
