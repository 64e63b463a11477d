"""The client: opens, closes, and has one attribute per resource."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Generic, Self, TypeVar, overload

import anyio
from attrs import evolve, fields

from mettl_async.api import custom
from mettl_async.api.account import Account
from mettl_async.api.assessments import Assessments
from mettl_async.api.caller import Caller
from mettl_async.api.candidates import Candidates
from mettl_async.api.pbts import Pbts
from mettl_async.api.results import Results
from mettl_async.api.schedules import Schedules
from mettl_async.config import (
    OWN_OPTIONS,
    TIME_LIMIT,
    ApiVersion,
    ClientOptions,
    Credentials,
    CredentialsProvider,
    KeyPair,
    Region,
    RetryPolicy,
    base_url_for,
    number,
    require,
    whole,
)
from mettl_async.core.admission import Admission, RateLimiter
from mettl_async.core.auth import ServerClock, SignatureAuth
from mettl_async.core.frames import forgetful
from mettl_async.core.lifecycle import CANCELLED_CLOSE_SECONDS, CLOSE_SECONDS
from mettl_async.core.middleware import Middleware, Middlewares, check_middleware
from mettl_async.core.multipart import FilePart
from mettl_async.core.pacing import Pacer
from mettl_async.core.pipeline import ApiResponse, Pipeline, Shared
from mettl_async.core.request import Placement
from mettl_async.core.retry import RetryQuota
from mettl_async.core.transports import TransportName, make_transport
from mettl_async.core.transports.injected import AsyncHttpClient
from mettl_async.errors import ConfigurationError

R = TypeVar("R")

MAX_RETRIES = 99
_CLOSE_TIMEOUT = number(0, 86_400)


class _Resource(Generic[R]):
    """A resource of the client, made when it is first used.

    On the class it is the resource's own class, so that ``unittest.mock.create_autospec(MettlClient)``
    knows its methods; on a client, a test can set something else in its place.
    """

    def __init__(self, cls: Callable[[Caller], R]) -> None:
        self.cls = cls

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, client: None, owner: type) -> Callable[[Caller], R]: ...
    @overload
    def __get__(self, client: MettlClient, owner: type) -> R: ...
    def __get__(self, client: MettlClient | None, owner: type) -> Callable[[Caller], R] | R:
        if client is None:
            return self.cls
        made = vars(client)[self._name] = self.cls(client._caller)  # noqa: SLF001 - our own
        return made


class MettlClient:
    """An account of Mercer | Mettl in one region; make one per process and event loop, and share it.

    Connections are opened when they are first needed. Several clients, for several accounts and
    regions, do not know of each other. Use it as ``async with``, or call `aclose` at the end.

    Args:
        credentials: `Credentials`, anything with the two keys, or a sync or async callable returning
            them, asked for each request (key rotation). By default they are read from the environment:
            ``METTL_PUBLIC_KEY`` and ``METTL_PRIVATE_KEY``.
        region: ``"india"`` (default) or ``"eu"``.
        base_url: Instead of a region: scheme and host (and a gateway's path), without the version.
            Plain http is for loopback only, unless `ClientOptions.allow_insecure_http`. Without region
            and base_url, ``METTL_REGION`` or ``METTL_BASE_URL`` of the environment counts.
        version: ``"v1"`` signs with HMAC-SHA1, ``"v2"`` and ``"v3"`` with HMAC-SHA256.
        options: Timeouts, retries, limits; see `ClientOptions`.
        auth: A middleware that signs instead of `SignatureAuth`.
        middleware: For each attempt, outermost first; `Middlewares` to fill both slots.
        http_client: An ``httpx.AsyncClient``, or one shaped like it, to send with. It stays yours: its
            timeouts and proxies apply, and it is not closed.
        transport: What carries the requests where no ``http_client`` does: ``"httpx"``, or the faster
            ``"aiohttp"`` (extra ``aiohttp``, asyncio only). Both keep the same promises.
        rate_limiter: Asked before each request: anything with ``async acquire()``, such as
            `mettl_async.redis_limiter.RedisRateLimiter`, which many processes share. If it has
            ``async pause(seconds)`` too, it is told of each pause that the server asks for.

    Raises:
        ConfigurationError: An argument cannot work; nothing was opened.
    """

    account = _Resource(Account)
    assessments = _Resource(Assessments)
    candidates = _Resource(Candidates)
    pbts = _Resource(Pbts)
    results = _Resource(Results)
    schedules = _Resource(Schedules)

    def __init__(
        self,
        credentials: KeyPair | CredentialsProvider | None = None,
        *,
        region: Region | str | None = None,
        base_url: str | None = None,
        version: ApiVersion | str = ApiVersion.V2,
        options: ClientOptions | None = None,
        auth: Middleware | None = None,
        middleware: Iterable[Middleware] | Middlewares = (),
        http_client: AsyncHttpClient | None = None,
        transport: TransportName = "httpx",
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        options = _checked_options(options if options is not None else ClientOptions())
        url = base_url_for(region, base_url, allow_insecure_http=options.allow_insecure_http)
        clock = ServerClock()
        if auth is None:
            if credentials is None:
                credentials = Credentials.from_env()
            auth = SignatureAuth(credentials, clock)
        elif credentials is not None:
            raise ConfigurationError("credentials and auth are both given; pass one of them")
        check_middleware(auth)
        self._shared = Shared(
            transport=make_transport(transport, http_client, url, options),
            base_url=url,
            admission=Admission(
                slots=options.max_concurrency,
                pacer=Pacer(
                    fixed=options.requests_per_second,
                    adaptive=options.adaptive,
                    max_pause=options.max_shared_pause,
                ),
                rate_limiter=_checked_limiter(rate_limiter),
            ),
            quota=RetryQuota(options.retry_quota),
            clock=clock,
        )
        self._owner, self._auth = True, auth
        self.middleware, self.options = _by_slot(middleware), options
        self.base_url, self.version = url, _version(version)
        self._caller = self._new_caller()

    def _new_caller(self) -> Caller:
        return Caller(
            pipeline=Pipeline(self._shared, self._auth, self.middleware),
            shared=self._shared,
            options=self.options,
            base_url=self.base_url,
            version=self.version,
        )

    def with_options(
        self,
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        options: ClientOptions | None = None,
        version: ApiVersion | str | None = None,
        middleware: Iterable[Middleware] | Middlewares | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> Self:
        """Copy the client with other options; connections, limits and clock are shared with this one.

        Closing the copy does nothing; it ends with the original.

        Args:
            timeout: Seconds for a single call as a whole, waiting and all attempts included; 0.001 to
                86,400. Batches of a bulk run keep ``options.bulk_retry``.
            max_retries: Requests of a single call after the first one; 0 to 99.
            options: Instead of the client's, before timeout and max_retries are applied.
            version: Of the API.
            middleware: Instead of the client's.
            rate_limiter: Instead of the client's. What the copy and the client have in flight together, and
                ``requests_per_second``, stay bounded as they are.

        Raises:
            ConfigurationError: A value is out of bounds, or ``options`` differ in what connections are
                made of.

        Example::

            hasty = mettl.with_options(timeout=2, max_retries=0)
            await hasty.account.get()
        """
        options = _checked_options(options if options is not None else self.options)
        for name in (one.name for one in fields(ClientOptions)):
            if name not in OWN_OPTIONS and getattr(options, name) != getattr(self.options, name):
                raise ConfigurationError(
                    f"{name}: belongs to the connections, which are shared; make a new MettlClient"
                )
        clone = copy.copy(self)
        for name, value in vars(self).items():
            # What a test has put in a resource's place is kept.
            if type(value) is getattr(type(self), name, None):
                delattr(clone, name)
        clone._owner = False  # noqa: SLF001 - our own clone
        if (limiter := _checked_limiter(rate_limiter)) is not None:
            admission = self._shared.admission.under(limiter)
            clone._shared = evolve(self._shared, admission=admission)  # noqa: SLF001 - same
        clone.options = evolve(options, retry=_retry(options.retry, timeout, max_retries))
        clone.version = self.version if version is None else _version(version)
        clone.middleware = self.middleware if middleware is None else _by_slot(middleware)
        clone._caller = clone._new_caller()  # noqa: SLF001 - same
        return clone

    @forgetful
    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        path_values: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        placement: Placement | str = Placement.QUERY,
        files: Iterable[FilePart] = (),
    ) -> ApiResponse:
        """Call an endpoint that has no method here: signed, retried and refused like any other.

        Args:
            method: ``GET``, ``POST``, ``DELETE`` or another.
            path: Below the version, with placeholders: ``"/schedules/{access_key}"``. Logs show it.
            params: Decoded text by name, without ak, ts and asgn.
            path_values: Text for the placeholders; it is escaped here.
            repeatable: Whether handling it twice does no harm; by default only for GET.
            placement: ``"query"`` or ``"form"``.
            files: Sent as a multipart body; not signed.

        Returns:
            The whole JSON object of the answer and the response it came in.

        Raises:
            InvalidInputError: An argument is not of its form.
            CallError: See `mettl_async.errors`.

        Example::

            answer = await mettl.request(
                "GET", "/schedules/{access_key}", path_values={"access_key": ACCESS_KEY}
            )
            print(answer.payload["schedule"]["name"])
        """
        return await custom.request(
            self._caller,
            method,
            path,
            params,
            path_values=path_values,
            repeatable=repeatable,
            placement=placement,
            files=files,
        )

    @property
    def is_closed(self) -> bool:
        """Whether the client takes no more calls: it is closed, or closing."""
        return self._shared.lifecycle.closing

    @property
    def rate_limiter(self) -> RateLimiter | None:
        """The rate that requests share with those of other processes, if one was passed in."""
        return self._shared.admission.rate_limiter

    async def aclose(self, *, timeout: float = CLOSE_SECONDS) -> None:  # noqa: ASYNC109 - a bound of others' work
        """Close: bulk runs read no further, requests in flight finish, connections are closed.

        What waits for its turn or for a free slot is not sent any more, and ends with `ClientClosedError`;
        so does any call from now on. May be called twice. An injected ``http_client`` stays open.

        A caller who is cancelled meanwhile leaves at once, and the client is closed all the same, in the
        background: requests in flight are cut off then, and end with `ConnectionLostError` (in bulk runs:
        as `Unknown`). A cancel scope of anyio or trio that was cancelled before waits as any caller does.
        Leaving ``async with`` by a cancellation waits for 5 seconds at most.

        Args:
            timeout: Seconds that requests in flight may take before they are cut off, 0 to 86,400.
                Recording and closing may take some seconds more.

        Raises:
            ConfigurationError: Called in another event loop than the client was used in, or the timeout is
                out of bounds.

        Example::

            await mettl.aclose(timeout=5)
        """
        require("timeout", timeout, _CLOSE_TIMEOUT)
        lifecycle = self._shared.lifecycle
        if self._owner and not lifecycle.closed:
            lifecycle.check_loop()
            await lifecycle.close(self._shared.transport.aclose, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        cancelled = isinstance(exc, anyio.get_cancelled_exc_class())
        await self.aclose(timeout=CANCELLED_CLOSE_SECONDS if cancelled else CLOSE_SECONDS)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url} {self.version}>"


def _checked_options(options: object) -> ClientOptions:
    if isinstance(options, ClientOptions):
        return options
    raise ConfigurationError("options: pass ClientOptions(...)")


def _retry(retry: RetryPolicy, timeout: float | None, max_retries: int | None) -> RetryPolicy:
    if timeout is not None:
        require("timeout", timeout, TIME_LIMIT)
        retry = evolve(retry, deadline=timeout)
    if max_retries is not None:
        require("max_retries", max_retries, whole(0, MAX_RETRIES))
        retry = evolve(retry, max_attempts=max_retries + 1)
    return retry


def _checked_limiter(limiter: object) -> RateLimiter | None:
    if limiter is None or isinstance(limiter, RateLimiter):
        return limiter
    raise ConfigurationError("rate_limiter: pass something with an async method acquire()")


def _by_slot(middleware: Iterable[Middleware] | Middlewares) -> Middlewares:
    if isinstance(middleware, Middlewares):
        return middleware
    return Middlewares(per_attempt=middleware)


def _version(version: ApiVersion | str) -> ApiVersion:
    try:
        return ApiVersion(version)
    except ValueError:
        raise ConfigurationError(f"version: not one of {', '.join(ApiVersion)}") from None
