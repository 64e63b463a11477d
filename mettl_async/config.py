"""Credentials, address and options: the values that a client is built from."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Annotated, Literal, Protocol, Self, TypeAlias, runtime_checkable
from urllib.parse import urlsplit

from attrs import field, frozen

from mettl_async.errors import ConfigurationError, InvalidInputError
from mettl_async.host_names import host_and_port
from mettl_async.models import Webhooks, _check
from mettl_async.models._user_value import AnyText, Check, UserValue

PUBLIC_KEY_VARIABLE = "METTL_PUBLIC_KEY"
PRIVATE_KEY_VARIABLE = "METTL_PRIVATE_KEY"
REGION_VARIABLE = "METTL_REGION"
BASE_URL_VARIABLE = "METTL_BASE_URL"

MAX_KEY_LENGTH = 128
"""Keys are UUIDs of 36 characters [doc]; the bound keeps room in URLs calculable."""

_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_BASE_PATH = re.compile(r"(/[A-Za-z0-9_~-]+)*")


class ApiVersion(StrEnum):
    """Version of the API; it decides the path and the hash of the signature."""

    V1 = "v1"
    V2 = "v2"
    V3 = "v3"


class Region(StrEnum):
    """The two hosts that are known; give ``base_url`` for any other."""

    INDIA = "india"
    EU = "eu"

    @property
    def base_url(self) -> str:
        """Scheme and host, without a version."""
        # The EU host is [seen], not [doc].
        return "https://api.mercermettl.eu" if self is Region.EU else "https://api.mettl.com"


@runtime_checkable
class KeyPair(Protocol):
    """Anything with the two keys: `Credentials`, or a sandbox's."""

    @property
    def public_key(self) -> str: ...  # noqa: D102 - a protocol's members are named by their use
    @property
    def private_key(self) -> str: ...  # noqa: D102 - same


@frozen(kw_only=True)
class _ClientValue(UserValue):
    """Values of a client, each of which must fit its annotation."""

    def __attrs_post_init__(self) -> None:
        try:
            super().__attrs_post_init__()
        except InvalidInputError as error:
            raise ConfigurationError(str(error)) from None


def _check_key(path: str, value: object) -> None:
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= MAX_KEY_LENGTH
        or not value.isascii()
        or not value.isprintable()
        or " " in value
    ):
        raise InvalidInputError(
            f"{path} (METTL_{path.upper()})",
            f"is not a key of 1 to {MAX_KEY_LENGTH} ASCII characters ({_check.shape(value)})",
            "copy it from the API settings of the Mettl account, without spaces or line ends",
        )


_Key: TypeAlias = Annotated[str, _check_key]


@frozen(kw_only=True)
class Credentials(_ClientValue):
    """The two keys of a Mettl account.

    Both are sent or used exactly as given. The private key never appears in a repr.

    Raises:
        ConfigurationError: A key is empty or holds spaces, line ends or non-ASCII characters.
    """

    public_key: _Key = field(repr=lambda _: "***")
    private_key: _Key = field(repr=lambda _: "***")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read ``METTL_PUBLIC_KEY`` and ``METTL_PRIVATE_KEY``.

        Raises:
            ConfigurationError: One of them is missing or malformed.

        Example::

            async with MettlClient(Credentials.from_env()) as client:
                await client.account.get()
        """
        for name in (PUBLIC_KEY_VARIABLE, PRIVATE_KEY_VARIABLE):
            if not environ.get(name):
                raise ConfigurationError(
                    f"credentials: {name} is not set; set it in the environment, "
                    "or pass Credentials(public_key=..., private_key=...)"
                )
        return cls(
            public_key=environ[PUBLIC_KEY_VARIABLE], private_key=environ[PRIVATE_KEY_VARIABLE]
        )


CredentialsProvider = Callable[[], KeyPair | Awaitable[KeyPair]]
"""Asked once per attempt, so a rotated key is used from the next request on; cache inside it."""


def normalise_base_url(base_url: str, *, allow_insecure_http: bool = False) -> str:
    """Return scheme, host and path prefix in the very form that is signed and sent.

    Raises:
        ConfigurationError: Not an absolute http(s) URL, carries a query, a user or an API version,
            or is plain http to a host other than loopback.
    """
    try:
        parts = urlsplit(base_url.strip())
    except (ValueError, AttributeError):
        raise ConfigurationError(
            "base_url: not a URL; write for example https://api.mettl.com"
        ) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            "base_url: needs a scheme and a host; write for example https://api.mettl.com"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError("base_url: a user, query or fragment is not allowed; remove it")
    host, port = host_and_port("base_url", parts)
    path = parts.path.rstrip("/")
    if re.search(r"/v\d+$", path):
        raise ConfigurationError(
            f"base_url: ends in an API version; leave out {path.rsplit('/', 1)[1]!r}, "
            "the version is given separately"
        )
    if not _BASE_PATH.fullmatch(path):
        raise ConfigurationError("base_url: the path may hold letters, digits, _ ~ - and / only")
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(host):
        raise ConfigurationError(
            "base_url: plain http would send candidates' data in the clear; use https, "
            "or ClientOptions(allow_insecure_http=True) if you must"
        )
    bracketed = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{bracketed}{f':{port}' if port not in {None, default} else ''}{path}"


def base_url_for(
    region: Region | str | None,
    base_url: str | None,
    *,
    allow_insecure_http: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """Choose the base URL from a region or an explicit URL, or else from the environment, or else India.

    Raises:
        ConfigurationError: Both are given, or one that cannot work.
    """
    if region is None and base_url is None:
        region = environ.get(REGION_VARIABLE) or None
        base_url = environ.get(BASE_URL_VARIABLE) or None
    if region is not None and base_url is not None:
        raise ConfigurationError(
            f"region ({REGION_VARIABLE}) and base_url ({BASE_URL_VARIABLE}) are both given; keep one"
        )
    if base_url is not None:
        return normalise_base_url(base_url, allow_insecure_http=allow_insecure_http)
    try:
        return Region(region.lower() if region is not None else Region.INDIA).base_url
    except (ValueError, AttributeError):
        raise ConfigurationError(
            f"region ({REGION_VARIABLE}): not one of {', '.join(Region)}; "
            f"give a base URL ({BASE_URL_VARIABLE}) for another host"
        ) from None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    return _LOOPBACK.fullmatch(host.lower()) is not None


def require(name: str, value: object, check: Check) -> None:
    """Refuse an argument that does not fit.

    Raises:
        ConfigurationError: It does not; the message names it.
    """
    try:
        check(name, value)
    except InvalidInputError as error:
        raise ConfigurationError(str(error)) from None


def whole(low: int, high: int) -> Check:
    """Give the check of a whole number within bounds."""
    return partial(_check.count, least=low, most=high)


def number(low: float, high: float) -> Check:
    """Give the check of a number within bounds."""
    return partial(_check.number, least=low, most=high)


def _header_text(path: str, value: object) -> None:
    _check.text(path, value, blank=True)
    if value and not (str(value).isascii() and str(value).isprintable()):
        raise InvalidInputError(path, "is not printable ASCII", "leave other characters out")


TIME_LIMIT = number(0.001, 86_400)

_TimeLimit: TypeAlias = Annotated[float, TIME_LIMIT]
_Pause: TypeAlias = Annotated[float, number(0, 3600)]


@frozen(kw_only=True)
class RetryPolicy(_ClientValue):
    """How often, how fast and for how long a call is tried again.

    The wait before attempt n+1 is random between 0 and ``min(backoff_cap, backoff_base * 2**(n-1))``
    seconds (full jitter); a ``Retry-After`` of the server replaces it when it is longer.

    Attributes:
        max_attempts: Requests per call at most, the first included, 1 to 100; 1 turns retries off.
            Signing again after a wrong clock was corrected, once, is not counted.
        backoff_base: Seconds, 0 to 3,600.
        backoff_cap: Seconds, 0 to 3,600.
        deadline: Seconds for the whole call (waiting for a slot, all attempts and the pauses between),
            0.001 to 86,400.
    """

    max_attempts: Annotated[int, whole(1, 100)] = 3
    backoff_base: _Pause = 0.25
    backoff_cap: _Pause = 8.0
    deadline: _TimeLimit = 90.0


@frozen(kw_only=True)
class ClientOptions(_ClientValue):
    """Everything about a client that has a default.

    Attributes:
        connect_timeout: Seconds to open a connection, TLS included.
        read_timeout: Seconds without a byte from the server.
        write_timeout: Seconds without progress in sending.
        retry: Attempts, pauses and deadline of a single call.
        bulk_retry: The same for one batch of ``register_many``: registering again is harmless [seen], so
            a run survives some minutes of trouble (30 attempts, pauses up to 30 s, 10 minutes). Make it
            smaller in tests against a failing sandbox.
        retry_quota: Retries that all calls of the client together may have outstanding, in units of
            5 a retry, given back by success: a dead server is not hammered. 0 turns retries off.
        max_concurrency: Requests in flight at once, and connections kept. Past 50 nothing is gained.
        max_response_bytes: No answer may be longer, as it comes or decompressed: 1,024 to 2**31. A longer
            one is a `MettlDecodeError`, and the connection is closed. What was read of JSON can take
            twenty times as much memory. Reports have a bound of their own.
        max_connection_age: Seconds, 1 to 86,400, after which a connection is not used again, because a
            name may mean another address by now. Of an injected client its own limits hold.
        requests_per_second: No more than so many are sent, evenly spaced; None for any number. Of this
            client alone: for several processes see ``MettlClient(rate_limiter=...)``.
        adaptive: Whether bulk runs slow down when the server refuses because there are too many requests
            (E509, E503, HTTP 429 and 503), and find by themselves how many a second it takes. Refusals
            that do not get fewer then are put up with. A pause the server asks for (``Retry-After``) is
            kept by the whole run either way.
        max_shared_pause: Seconds of such a pause at most that all calls keep, 0 to 3,600. Only the call
            that was asked to wait longer does so, or fails if its deadline is nearer; the others try
            again, so that no header silences a client.
        post_parameters: Where POST parameters travel: ``"documented"`` as the vendor's newest page of each
            endpoint says or, where none is known, as clients that work do [seen]: today all in the body;
            ``"form"`` all in the body, which keeps personal data out of access logs and has no length
            limit; ``"query"`` all in the URL, which the older pages have.
        max_url_bytes: No URL longer than this is sent; with ``"query"``, batches are cut earlier instead.
            The shortest common server limit is 8 kB; Mettl's own is not known [assumed].
        allow_insecure_http: Allow ``http://`` base URLs beyond loopback.
        trust_env: Honour HTTP(S)_PROXY, NO_PROXY and SSL_CERT_FILE from the environment.
        proxy: URL of an HTTP proxy for every request; beats the environment.
        ssl_context: Own certificates, for example behind an inspecting proxy.
        user_agent: Appended to the client's own, such as ``"acme-ats/3.1"``.
        webhooks: Set on every schedule that is created, where the schedule itself does not say otherwise;
            ``basic_auth`` not on one that has addresses at another host.
    """

    connect_timeout: _TimeLimit = 5.0
    read_timeout: _TimeLimit = 30.0
    write_timeout: _TimeLimit = 30.0
    retry: RetryPolicy = RetryPolicy()
    bulk_retry: RetryPolicy = RetryPolicy(max_attempts=30, backoff_cap=30.0, deadline=600.0)
    retry_quota: Annotated[int, whole(0, 1_000_000)] = 500
    max_concurrency: Annotated[int, whole(1, 1000)] = 50
    max_response_bytes: Annotated[int, whole(1024, 2**31)] = 64 * 2**20
    max_connection_age: Annotated[float, number(1, 86_400)] = 300.0
    requests_per_second: Annotated[float, number(0.01, 10_000)] | None = None
    adaptive: bool = True
    max_shared_pause: _Pause = 60.0
    post_parameters: Literal["documented", "form", "query"] = "documented"
    max_url_bytes: Annotated[int, whole(500, 60_000)] = 7_500
    allow_insecure_http: bool = False
    trust_env: bool = True
    proxy: AnyText | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False, eq=False)
    user_agent: Annotated[str, _header_text] = ""
    webhooks: Webhooks | None = None


OWN_OPTIONS = ("retry", "bulk_retry", "post_parameters", "max_url_bytes", "webhooks")
"""In these a clone of a client may differ; all others belong to the connections that it shares."""


def keys_or_provider(
    credentials: KeyPair | CredentialsProvider,
) -> Credentials | CredentialsProvider:
    """Check what was passed as credentials, and make it `Credentials` unless it is a callable.

    Raises:
        ConfigurationError: Neither keys nor a callable.
    """
    if isinstance(credentials, Credentials):
        return credentials
    if isinstance(credentials, KeyPair):
        return Credentials(public_key=credentials.public_key, private_key=credentials.private_key)
    if callable(credentials):
        return credentials
    raise ConfigurationError(
        "credentials: pass Credentials(public_key=..., private_key=...), or a callable returning them"
    )
