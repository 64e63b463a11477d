"""Which proxy an address is reached through: the client's own, or one of the environment."""

import ipaddress
import re
from base64 import b64encode
from importlib.util import find_spec
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

from attrs import field, frozen

from mettl_async.config import ClientOptions
from mettl_async.errors import ConfigurationError
from mettl_async.host_names import host_and_port

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@frozen(kw_only=True)
class Proxy:
    """A proxy, in parts; ``host`` is without brackets."""

    scheme: str
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    @property
    def socks(self) -> bool:
        """Tell whether it speaks SOCKS instead of HTTP."""
        return self.scheme.startswith("socks")

    @property
    def authorization(self) -> str | None:
        """Return what authorizes us there: a value for ``Proxy-Authorization``."""
        if self.user is None:
            return None
        return f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode('ascii')}"


def bracketed(host: str) -> str:
    """Write a host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def proxy_of(url: str, options: ClientOptions) -> Proxy | None:
    """Choose the proxy for an address.

    Raises:
        ConfigurationError: It is none; the message names the option or the variable.
    """
    if options.proxy:
        return parse_proxy("proxy", options.proxy)
    if not options.trust_env:
        return None
    parts, proxies = urlsplit(url), getproxies_environment()
    name = parts.scheme if proxies.get(parts.scheme) else "all"
    address = proxies.get(name)
    if not address or passed_by(parts, proxies.get("no", "")):
        return None
    return parse_proxy(
        f"{name.upper()}_PROXY (environment)",
        address if "://" in address else f"http://{address}",
    )


def parse_proxy(source: str, url: str) -> Proxy:
    """Read a proxy's address.

    Raises:
        ConfigurationError: It cannot be one, or speaks SOCKS and what is needed is not installed.
    """
    try:
        parts = urlsplit(url)
        scheme = parts.scheme if parts.hostname else ""
    except ValueError:
        scheme = ""
    if scheme not in _PORTS:
        raise ConfigurationError(f"{source}: not a proxy's address; write http://host:port")
    host, port = host_and_port(source, parts)
    proxy = Proxy(
        scheme=scheme,
        host=host,
        port=port or _PORTS[scheme],
        user=None if parts.username is None else unquote(parts.username),
        password=unquote(parts.password or ""),
    )
    if proxy.socks and find_spec("socksio") is None:
        raise ConfigurationError(f"{source}: SOCKS needs `pip install httpx[socks]`")
    return proxy


def passed_by(parts: SplitResult, no_proxy: str) -> bool:
    """Tell whether ``NO_PROXY`` names an address's host.

    Entries are names (which mean all below them too), addresses, networks such as ``10.0.0.0/8`` or
    ``fd00::/8``, each but a network with a port if need be, or ``*``.
    """
    host = (parts.hostname or "").lower()
    port = parts.port or _PORTS.get(parts.scheme)
    address = _address(host)
    for entry in re.split(r"[\s,]+", no_proxy.lower().strip(" ,")):
        if not entry:
            continue
        name, _, wanted_port = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
        name = name.strip("[]").removeprefix("*.").lstrip(".")
        if wanted_port and wanted_port != str(port):
            continue
        if name in {"*", host} or (
            _is_within(address, name) if address else host.endswith(f".{name}")
        ):
            return True
    return False


def _has_port(entry: str) -> bool:
    return re.fullmatch(r"(\[[^\]]*\]|[^:]*):\d+", entry) is not None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
