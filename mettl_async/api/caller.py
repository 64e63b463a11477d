"""The one way to call an endpoint, and what resources share."""

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from attrs import evolve, frozen

from mettl_async.api.belonging import belonging, check_addresses
from mettl_async.api.endpoint import Endpoint
from mettl_async.api.pager import MOST_PER_PAGE, AsyncPager, Page, check_page_size
from mettl_async.api.placeholders import PERSONAL
from mettl_async.config import ApiVersion, ClientOptions
from mettl_async.core.frames import forgetful
from mettl_async.core.multipart import FilePart
from mettl_async.core.pipeline import ApiResponse, Pipeline, Shared
from mettl_async.core.request import Placement, Request, RunContext, encoded_length, path_segment
from mettl_async.errors import ConfigurationError, InvalidInputError

R = TypeVar("R")
T = TypeVar("T")

SIGNATURE_ALLOWANCE = 300
"""Bytes that ak (128 at most), ts and asgn (44, three each when escaped) can add to a URL."""

_EVERYWHERE = {one.value: one for one in Placement}
"""Where `ClientOptions.post_parameters` has all parameters travel; "documented" is not among them."""


@frozen(kw_only=True)
class Caller:
    """What resources need of their client."""

    pipeline: Pipeline
    shared: Shared
    options: ClientOptions
    base_url: str
    version: ApiVersion

    @property
    def is_plain_http(self) -> bool:
        """Whether it speaks http without TLS: to this machine, or because its user allowed that."""
        return self.base_url.startswith("http:")

    async def call(
        self,
        endpoint: Endpoint[R],
        *,
        repeatable: bool | None = None,
        read: Callable[[ApiResponse], R] | None = None,
        **arguments: object,
    ) -> R:
        """Call an endpoint, and read what it returns.

        Args:
            endpoint: Which.
            repeatable: Beats the endpoint's own, where it depends on the arguments.
            read: Reads the answer instead of what the endpoint does.
            arguments: Values of the placeholders and of the endpoint's arguments, by name, and what the
                answer must be about beyond those.

        Raises:
            InvalidInputError: An argument is not of its form, or the URL would be too long.
            ConfigurationError: Not in this API version, closed client, second event loop.
            CallError: See `mettl_async.errors`.
        """
        row = endpoint.in_version(self.version)
        path, params, files = row.bind(arguments)
        decode = _of_the_question(row, read or row.returns.read, arguments)
        return await self.send(row, path, params, decode, files=files, repeatable=repeatable)

    def pages(
        self, endpoint: Endpoint[Page[T]], *, page_size: int = MOST_PER_PAGE, **arguments: object
    ) -> AsyncPager[T]:
        """Make a pager of an endpoint's list.

        Raises:
            InvalidInputError: An argument is not of its form.
        """
        row = endpoint.in_version(self.version)
        path, params, _ = row.bind(arguments)
        check_page_size(page_size)
        returns = row.returns
        documented = self.version in returns.documented
        read = _of_the_question(row, returns.read, arguments)

        def decode(answer: ApiResponse) -> Page[T]:
            if path:
                check_addresses(answer.payload.get("paging"), row.path, path)
            return read(answer)

        async def fetch(offset: int, limit: int) -> Page[T]:
            window = {"limit": str(limit), "offset": str(offset)} if documented or offset else {}
            page = await self.send(row, path, {**params, **window}, decode)
            # [assumed] Where no paging is described, only a "next" of the server's is a reason to go on.
            more = page.has_next if documented else bool(page.has_next)
            return evolve(page, offset=offset, has_next=more)

        return AsyncPager(
            fetch,
            self.shared.lifecycle,
            page_size=page_size,
            key=returns.identity,
            operation=row.operation,
        )

    async def send(
        self,
        endpoint: Endpoint[Any],
        path: Mapping[str, str],
        params: Mapping[str, str],
        decode: Callable[[ApiResponse], T],
        *,
        files: tuple[FilePart, ...] = (),
        repeatable: bool | None = None,
        run: RunContext | None = None,
    ) -> T:
        """Call an endpoint with arguments that are written already.

        Args:
            endpoint: Which.
            path: Values of the placeholders, unescaped.
            params: Decoded values, without ak, ts and asgn.
            decode: Makes the result of a success; may raise `MettlDecodeError`.
            files: Sent as a multipart body.
            repeatable: Beats the endpoint's own, where it depends on the arguments.
            run: The bulk run that it is part of; see `Request`.

        Raises:
            InvalidInputError: The URL would be longer than ``max_url_bytes``.
            ConfigurationError: Not in this API version, closed client, second event loop.
            CallError: See `mettl_async.errors`.
        """
        row = endpoint.in_version(self.version)
        url = self.url(row, path)
        placement = self.placement(row)
        if placement is Placement.QUERY:
            length = len(url) + SIGNATURE_ALLOWANCE + _length(params)
            if length > self.options.max_url_bytes:
                raise InvalidInputError(
                    row.operation,
                    f"needs a URL of about {length} bytes, over max_url_bytes"
                    f" ({self.options.max_url_bytes})",
                    "send less at once, or use ClientOptions(post_parameters='form')",
                )
        request = Request(
            operation=row.operation,
            method=row.method,
            url=url,
            template=f"/{self.version}{row.path}",
            params=params,
            placement=placement,
            files=files,
            version=self.version,
            repeatable=row.repeatable if repeatable is None else repeatable,
            payload_key=row.returns.payload,
            partial_success=row.partial_success,
            personal_params=row.personal_params,
            personal_values=tuple([path[name] for name in PERSONAL if name in path]),
            retry=self.options.retry if run is None else self.options.bulk_retry,
            run=run,
            request_id=self.shared.effects.new_id(),
        )
        return await self.pipeline.call(request, decode)

    def placement(self, endpoint: Endpoint[Any]) -> Placement:
        """Tell where the parameters of a call travel, by the client's options."""
        row = endpoint.in_version(self.version)
        if row.method != "POST":
            return row.placement
        return _EVERYWHERE.get(self.options.post_parameters, row.placement)

    def url(self, endpoint: Endpoint[Any], path: Mapping[str, str]) -> str:
        """Build the exact URL that is signed, without a query.

        Raises:
            ConfigurationError: The client's API version does not have this endpoint.
        """
        if self.version not in endpoint.versions:
            known = " and ".join(endpoint.versions)
            raise ConfigurationError(
                f"{endpoint.operation}: exists in {known} only; "
                f"use mettl.with_options(version={endpoint.versions[-1].value!r})"
            )
        escaped = {name: path_segment(value) for name, value in path.items()}
        template = endpoint.in_version(self.version).path
        return f"{self.base_url}/{self.version}{template.format_map(escaped)}"

    def max_rd_bytes(
        self, endpoint: Endpoint[Any], path: Mapping[str, str], fixed: Mapping[str, str]
    ) -> int | None:
        """Count the encoded bytes left for one more parameter's value, or None where there is no bound."""
        if self.placement(endpoint) is Placement.FORM:
            return None
        used = len(self.url(endpoint, path)) + SIGNATURE_ALLOWANCE + _length(fixed)
        return self.options.max_url_bytes - used - len("&rd=")


class Resource:
    """A group of endpoints of one client; a test may replace its methods."""

    def __init_subclass__(cls) -> None:
        for name, function in tuple(vars(cls).items()):
            if iscoroutinefunction(function) and not name.startswith("_"):
                setattr(cls, name, forgetful(function))

    def __init__(self, caller: Caller) -> None:
        self._caller = caller


def _of_the_question(
    row: Endpoint[R], read: Callable[[ApiResponse], R], given: Mapping[str, object]
) -> Callable[[ApiResponse], R]:
    return (lambda answer: belonging(read(answer), row.about, given)) if row.about else read


def _length(params: Mapping[str, str]) -> int:
    return sum([len(name) + 2 + encoded_length(value) for name, value in params.items()])
