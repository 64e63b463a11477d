"""Host and port of an address, checked before anything is connected to. Pure."""

import ipaddress
import re
from urllib.parse import SplitResult

from mettl_async.errors import ConfigurationError

_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_LONGEST_HOST, _LONGEST_LABEL = 253, 63  # RFC 1035


def host_and_port(field: str, parts: SplitResult) -> tuple[str, int | None]:
    """Return host (lower case, no brackets) and port of an address that could be connected to.

    Raises:
        ConfigurationError: It could not; the message names ``field``.
    """
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ConfigurationError(f"{field}: the port is not 1 to 65535; correct it or leave it out")
    host = (parts.hostname or "").lower()
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            host = ""
        if not host or "%" in host:
            raise ConfigurationError(f"{field}: what is in brackets is no IPv6 address; correct it")
        return host, port
    problem = _problem_of_name(host, parts)
    if problem is not None:
        raise ConfigurationError(f"{field}: {problem}")
    return host, port


def _problem_of_name(host: str, parts: SplitResult) -> str | None:
    labels = host.split(".")
    if not host.isascii():
        return "the host is not ASCII; write it in its IDNA form (xn--...)"
    if not _HOST.fullmatch(host) or "[" in parts.netloc:
        return "the host has characters that no host name has"
    if len(host) > _LONGEST_HOST or not all(0 < len(one) <= _LONGEST_LABEL for one in labels):
        return (
            "the host is too long or has an empty part; "
            f"each part between dots has 1 to {_LONGEST_LABEL} characters"
        )
    if labels[-1].isdecimal() and not _is_ipv4(host):
        return "the host ends in a number but is no IPv4 address; correct it"
    if any(one.startswith("xn--") for one in labels) and not _is_idna(host):
        return "the host is no name in IDNA form (xn--...); correct it"
    return None


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_idna(host: str) -> bool:
    import idna  # noqa: PLC0415 - few hosts need it

    try:
        idna.decode(host)
    except UnicodeError:
        return False
    return True
