"""A client that the caller made, as a transport."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol

from mettl_async.config import ClientOptions
from mettl_async.core.redaction import guard_http_loggers, guarded
from mettl_async.core.request import Response, SignedRequest
from mettl_async.core.transports.body import too_long, unpacked, whole
from mettl_async.core.transports.common import (
    joined,
    link_parts,
    make_response,
    target_of,
    user_agent,
)
from mettl_async.core.transports.contract import Download, Resolver
from mettl_async.core.transports.httpx_connection import buffers
from mettl_async.core.transports.httpx_lanes import LIBRARY
from mettl_async.core.transports.proxies import bracketed
from mettl_async.core.transports.translation import translate, translated, translated_chunks
from mettl_async.errors import CallError, ConfigurationError, ConnectError

_BELOW: Final = ("_stream", "_httpcore_stream", "_connection")
_MOST_LAYERS: Final = 10
_NOT_CONNECTED: Final = {"ConnectError", "ConnectTimeout"}
_LIBRARIES: Final = {"httpx", "httpx2"}


class AsyncHttpClient(Protocol):
    """What is used of an injected client: ``httpx.AsyncClient`` and ``httpx2.AsyncClient`` have it."""

    def build_request(
        self, method: str, url: str, *, content: Any = ..., headers: Any = ...
    ) -> Any:
        """Make a request from an already encoded URL."""
        ...

    async def send(
        self, request: Any, *, stream: bool = ..., auth: Any = ..., follow_redirects: Any = ...
    ) -> Any:
        """Send it."""
        ...


class InjectedTransport:
    """A client that the caller made and will close; its own timeouts, proxies and hooks apply."""

    def __init__(self, client: AsyncHttpClient, options: ClientOptions) -> None:
        for name in ("build_request", "send"):
            if not callable(getattr(client, name, None)):
                raise ConfigurationError(
                    f"http_client: has no {name}(); pass an httpx.AsyncClient or one shaped like it"
                )
        if not inspect.iscoroutinefunction(client.send):
            raise ConfigurationError("http_client: send() is not async; pass an httpx.AsyncClient")
        guard_http_loggers()
        self._client, self._max_bytes = client, options.max_response_bytes
        self._headers = {
            "User-Agent": user_agent(options.user_agent, LIBRARY),
            "Accept": "application/json",
            # Not the client's own: it offers what it can decompress itself, such as br.
            "Accept-Encoding": "gzip, deflate",
        }

    async def send(self, request: SignedRequest) -> Response:
        """See `Transport`."""
        built = self._build(request)
        with guarded():
            return await self._send(built)

    async def _send(self, built: Any) -> Response:
        failure: CallError | ConfigurationError | None = None
        try:
            return await self._read(
                await self._client.send(built, auth=None, follow_redirects=False, stream=True)
            )
        except Exception as exc:
            raw = getattr(exc, "response", None)
            if type(exc).__name__ != "HTTPStatusError" or raw is None:
                failure = self._meaning(exc)
                if failure is None:
                    raise
        if failure is None:
            # An event hook raised for the status: it is a response all the same.
            return await translated(self._read(raw))
        raise failure

    async def _read(self, raw: Any) -> Response:
        """Read an answer within its bound; of what a hook has read already, look at the length.

        A connection that received more than the answer is closed, for the rest would be taken for the
        answer to its next request. This is seen on connections of httpx's and httpx2's own transports,
        over HTTP/1.1; of any other transport's the insides are unknown. After a hook that reads answers
        it is seen a moment late, when a request that waited for a connection may have it already.
        """
        limit, pairs, content = self._max_bytes, raw.headers.multi_items(), b""
        connection = _connection(raw)
        if not getattr(raw, "is_stream_consumed", True):
            try:
                if connection is not None and not raw.is_closed:
                    # Not by aiter_raw(), which gives the connection to the next request at once.
                    content = await whole(aiter(raw.stream), limit)
                    if _has_more(connection):
                        connection._h11_state.send_failed()  # noqa: SLF001 - it is closed then, not kept
                elif not raw.is_closed:
                    content = await whole(raw.aiter_raw(), limit)
            finally:
                await raw.aclose()
            response = make_response(raw.status_code, pairs, content, _closing(raw))
            packed = "content-encoding" in response.headers
            return await unpacked(response, limit) if packed else response
        if connection is not None and connection.is_idle() and _has_more(connection):
            with suppress(Exception):  # what it says in its end concerns nobody
                await connection.aclose()
        if len(raw.content) > limit:
            raise too_long(limit)
        return make_response(raw.status_code, pairs, raw.content)

    def _meaning(self, exc: Exception) -> CallError | ConfigurationError | None:
        if getattr(self._client, "is_closed", False) is True:
            return ConfigurationError("http_client: it is closed; keep it open for the client")
        return translate(exc)

    def _build(self, request: SignedRequest) -> Any:
        # A real URL, for its transport may ignore httpx's target extension and lose the parameters.
        _, mark, query = request.target.partition(b"?")
        failure: CallError | None = None
        try:
            built = self._client.build_request(
                request.method,
                request.url + (mark + query).decode("ascii"),
                content=request.body,
                headers={**self._headers, **request.headers},
            )
            unchanged = built.url.raw_path == request.target
        except Exception as exc:
            failure = translate(exc)
            if failure is None:
                raise
        if failure is not None:
            raise ConfigurationError(
                f"http_client: it cannot build the request ({failure.problem}); look at the middleware"
            )
        if not unchanged:
            raise ConfigurationError(
                "http_client: it changes the URL, which would break the signature; "
                "make it without params= and base_url="
            )
        return built

    async def _open(self, url: str, address: str | None) -> Any:
        parts = link_parts(url)
        headers = {
            "User-Agent": self._headers["User-Agent"],
            "Accept-Encoding": "identity",
            # A connection to an address must serve no other name of the same address.
            "Connection": "close",
        }
        if address:
            headers["Host"] = parts.netloc
            port = f":{parts.port}" if parts.port else ""
            target = target_of(url, parts.netloc)
            url = f"{parts.scheme}://{bracketed(address)}{port}{target}"
        try:
            built = self._client.build_request("GET", url, headers=headers)
            if address:
                # TLS names this host, and the certificate must be of it.
                built.extensions["sni_hostname"] = parts.hostname
        except Exception:  # noqa: BLE001 - its text holds the link
            built = None
        if built is None:
            raise ConnectError("the link cannot be fetched")
        failure: CallError | None = None
        try:
            return await self._client.send(built, auth=None, follow_redirects=False, stream=True)
        except Exception as exc:
            if address and type(exc).__name__ in _NOT_CONNECTED:
                # Its transport is the library's own, so that this is certain: others may be tried.
                failure = translate(exc, built.extensions.get("timeout"))
            if failure is None:
                raise
        raise failure

    def resolver(self, url: str) -> Resolver:
        """See `Transport`; see `resolver_of` for what is known of an injected client."""
        try:
            return resolver_of(self._client, self._client.build_request("GET", url).url)
        except Exception:  # noqa: BLE001 - its insides are other ones
            return Resolver.UNKNOWN

    @asynccontextmanager
    async def stream(self, url: str, address: str | None = None) -> AsyncGenerator[Download]:
        """See `Transport`."""
        with guarded("link"):
            raw = await translated(self._open(url, address))
        try:
            chunks = translated_chunks(raw.aiter_bytes())
            yield Download(raw.status_code, joined(raw.headers.multi_items()), chunks)
        finally:
            await translated(raw.aclose())

    async def aclose(self) -> None:
        """Do nothing: the client belongs to the caller."""


def resolver_of(client: Any, url: Any) -> Resolver:
    """Tell who finds the address of a URL's host for a client of httpx's or httpx2's.

    It takes an address from us if it has the library's own transport for all URLs, over TCP and HTTP/1.1
    alone: an HTTP/2 connection to an address would be used for other names of this address too, whose
    certificates nobody checked then.

    Raises:
        AttributeError: It is not known how it is made.
    """
    transport = client._transport_for_url(url)  # noqa: SLF001 - told nowhere else
    kind, pool = type(transport), transport._pool  # noqa: SLF001 - same
    if kind.__name__ != "AsyncHTTPTransport" or kind.__module__.partition(".")[0] not in _LIBRARIES:
        return Resolver.UNKNOWN
    if pool._proxy is not None or hasattr(pool, "_proxy_url"):  # noqa: SLF001 - same
        return Resolver.PROXY
    elsewhere = any(client._mounts.values()) or pool._uds or pool._http2  # noqa: SLF001 - same
    return Resolver.UNKNOWN if elsewhere else Resolver.OWN


def _connection(raw: Any) -> Any:
    """Find the connection of httpcore's that an answer came by; None where there is none, or over HTTP/2."""
    layer = getattr(raw, "stream", None)
    for _ in range(_MOST_LAYERS):
        if layer is None or hasattr(layer, "_h11_state"):
            return layer
        layer = next((getattr(layer, name) for name in _BELOW if hasattr(layer, name)), None)
    return None


def _has_more(connection: Any) -> bool:
    # The socket itself is looked at by the client's pool, before it uses a connection again.
    with suppress(AttributeError):
        http, stream = connection._h11_state, connection._network_stream  # noqa: SLF001 - told nowhere else
        return any(look() for look in buffers(http, stream))
    return False


def _closing(raw: Any) -> Callable[[], Awaitable[None]] | None:
    """Give what closes an answer's connection; None where it cannot be, or others' answers are apart on it."""
    extensions = getattr(raw, "extensions", {})
    close = getattr(extensions.get("network_stream"), "aclose", None)
    if close is None or extensions.get("http_version") == b"HTTP/2":
        return None

    async def abandon() -> None:
        with suppress(Exception):  # it concerns nobody any more
            await close()

    return abandon
