"""What carries the requests: our own connections by httpx or aiohttp, or an injected client."""

from typing import Literal

from mettl_async.config import ClientOptions
from mettl_async.core.transports.contract import Transport
from mettl_async.core.transports.httpx_lanes import LaneTransport
from mettl_async.core.transports.injected import AsyncHttpClient, InjectedTransport
from mettl_async.errors import ConfigurationError

TransportName = Literal["httpx", "aiohttp"]


def make_transport(
    name: TransportName,
    http_client: AsyncHttpClient | None,
    base_url: str,
    options: ClientOptions,
) -> Transport:
    """Make the transport of a client; nothing is opened yet.

    Raises:
        ConfigurationError: Not a transport, not installed, or an injected client beside it.
    """
    if name not in {"httpx", "aiohttp"}:
        raise ConfigurationError("transport: must be 'httpx' or 'aiohttp'")
    if http_client is not None:
        if name != "httpx":
            raise ConfigurationError(
                "transport and http_client are both given; an injected client is the transport"
            )
        return InjectedTransport(http_client, options)
    if name == "httpx":
        return LaneTransport(base_url, options)
    try:
        # A quarter of a second to import, so only when it is asked for.
        from mettl_async.core.transports.aiohttp_lanes import (  # noqa: PLC0415 - see above
            AiohttpTransport,
        )
    except ImportError:
        pass
    else:
        return AiohttpTransport(base_url, options)
    raise ConfigurationError(
        "transport: 'aiohttp' is not installed; run `pip install 'mettl-async[aiohttp]'`"
    )
