"""Checks of who sends: credentials and networks."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from mettl_async.errors import InvalidInputError
from mettl_async.models.webhooks import BasicAuth

_MAX_AUTHORIZATION: Final = 8 * 1024  # bytes; servers rarely take a longer line either
_WITH_PORT: Final = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([^:]*):[0-9]{1,5}")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


class BasicAuthVerifier:
    """Check the ``authorization`` header against one or several credentials.

    The time it takes depends on the length of the header, never on how much of it is right, nor on which of
    the credentials it matches: digests are compared, all of them, in constant time. During a rotation give
    the new and the old credentials; drop the old ones when all schedules were edited.

    It protects against someone who knows the URL but not the password. It does not protect against
    someone who reads the traffic: use https.

    Credentials beyond ASCII are accepted in UTF-8 and, where they can be written in it, in Latin-1 [assumed].

    Example::

        verifier = BasicAuthVerifier([BasicAuth(username="mettl", password="the new one"),
                                      BasicAuth(username="mettl", password="the old one")])
        verifier.check("Basic bWV0dGw6dGhlIG9sZCBvbmU=")  # True

    Args:
        accepted: Credentials as in ``Webhooks(basic_auth=...)``, at least one.

    Raises:
        InvalidInputError: No credentials, or something else than `BasicAuth`.

    Source: vendor page "Create Schedule".
    """

    __slots__ = ("_digests",)

    def __init__(self, accepted: Iterable[BasicAuth] | BasicAuth) -> None:
        digests = []
        for one in _listed("auth", accepted, BasicAuth, "a BasicAuth or a list of them"):
            if not isinstance(one, BasicAuth):
                raise InvalidInputError(
                    "auth", f"has a {type(one).__name__}", "give a list of BasicAuth values"
                )
            digests += [_digest(b64encode(encoded)) for encoded in _encodings(one)]
        if not digests:
            raise InvalidInputError("auth", "is empty", "give the credentials of the schedules")
        self._digests = tuple(digests)

    def check(self, authorization: str | bytes | None) -> bool:
        """Tell whether the header has accepted credentials; a malformed header has none.

        Args:
            authorization: Value of the header, as text or as the bytes of ASGI; None when it is absent.
        """
        presented = _digest(_token(authorization))
        right = False
        for digest in self._digests:
            # No `or`, no return: all are compared.
            right |= hmac.compare_digest(digest, presented)
        return right

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class AllowedNetworks:
    """Networks that deliveries may come from.

    They protect against someone who knows URL and password but sits elsewhere, and only as far as the address
    of the peer is the sender's: behind a proxy it is the proxy's, unless the server takes it from a header
    that only this proxy can set. Mettl's addresses are in an article that its flow page links to, and may
    change.

    An IPv4 address in IPv6 form (``::ffff:203.0.113.7``), as a dual-stack socket gives it, counts as the
    IPv4 address. An empty list allows nobody.

    Example::

        networks = AllowedNetworks(["203.0.113.0/24"])
        networks.allows("203.0.113.7:443")  # True

    Args:
        networks: Texts such as ``203.0.113.0/24``; an address alone is a network of one.

    Raises:
        InvalidInputError: Not a network, or an address with bits beyond its mask.

    Source: integration flow page, "Live updation of scores and reports using a Webhook".
    """

    __slots__ = ("_networks",)

    def __init__(self, networks: Iterable[str]) -> None:
        listed = _listed("networks", networks, (), "a list such as ['203.0.113.0/24']")
        self._networks = tuple(_network(place, one) for place, one in enumerate(listed))

    def allows(self, host: str | None) -> bool:
        """Tell whether an address is in one of the networks; text that is no address never is.

        Args:
            host: Address of the peer, with or without a port (``203.0.113.7:443``, ``[2001:db8::7]:443``); None
                when there is none, as with a Unix socket.
        """
        address = address_of(host) if isinstance(host, str) else None
        if address is None:
            return False
        plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        return any(one.version == plain.version and plain in one for one in self._networks)

    def __len__(self) -> int:
        return len(self._networks)

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, map(str, self._networks)))}])"


def address_of(peer: str) -> IPv4Address | IPv6Address | None:
    """Read the address of a peer, with or without a port; None if it is none."""
    with suppress(ValueError):
        return ip_address(peer)
    with_port = _WITH_PORT.fullmatch(peer)
    if with_port is not None:
        with suppress(ValueError):
            return ip_address(with_port[1] or with_port[2])
    return None


def _listed(path: str, given: object, single: type | tuple[()], wanted: str) -> list[object]:
    """Make a list of one value or several."""
    if isinstance(given, single):
        return [given]
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidInputError(path, f"is a {type(given).__name__}", f"give {wanted}")
    return list(given)


def _encodings(one: BasicAuth) -> set[bytes]:
    text = f"{one.username}:{one.password}"
    encodings = {text.encode()}
    with suppress(UnicodeEncodeError):
        encodings.add(text.encode("latin-1"))
    return encodings


def _token(header: str | bytes | None) -> bytes:
    """Give the credentials, still in base64; empty, which is never right, if the header is malformed."""
    if isinstance(header, str):
        try:
            header = header.encode("latin-1")
        except UnicodeEncodeError:
            return b""
    if not header or len(header) > _MAX_AUTHORIZATION:
        return b""
    scheme, _, token = header.partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"basic" else b""


def _digest(content: bytes) -> bytes:
    # The token itself is compared: nothing of a stranger's is decoded.
    return hashlib.sha256(content).digest()


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
    raise InvalidInputError(
        f"networks[{place}]",
        problem,
        "give networks such as 203.0.113.0/24 or 2001:db8::/32, or single addresses",
    )
