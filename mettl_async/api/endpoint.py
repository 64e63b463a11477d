"""What an endpoint is, and the one way to call it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen

from mettl_async.api.pager import Page
from mettl_async.codec import from_wire, list_from_wire
from mettl_async.config import ApiVersion, ClientOptions
from mettl_async.core.pipeline import Effects, Pipeline, Shared
from mettl_async.core.request import Placement, Request, RunContext, encoded_length, path_segment
from mettl_async.errors import ConfigurationError, InvalidInputError, MettlDecodeError
from mettl_async.models import Paging

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mettl_async.core.lifecycle import Lifecycle
    from mettl_async.core.limits import Slots
    from mettl_async.core.multipart import FilePart
    from mettl_async.core.pipeline import ApiResponse
    from mettl_async.core.transport import Transport

T = TypeVar("T")

SIGNATURE_ALLOWANCE = 300
"""Bytes that ak (128 at most), ts and asgn (44, three each when escaped) can add to a URL."""

PERSONAL_PLACEHOLDERS = ("email",)
"""Placeholders of paths whose values are candidates' data."""

_MAX_ID = 2**63 - 1

_EVERYWHERE = {one.value: one for one in Placement}
"""Where `ClientOptions.post_parameters` has all parameters travel; "documented" is not among them."""

_ACCESS_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@frozen(kw_only=True)
class Endpoint:
    """One row of the API's table: api.md section 6.

    Attributes:
        operation: Name of the method that calls it.
        method: HTTP method.
        path: Template below the version.
        placement: Where the vendor's page has its parameters travel.
        payload: Key of the answer that holds the result; empty where only the status is known.
        partial_success: Whether ``status: ERROR`` with the payload is a partial result.
        repeatable: Whether handling it twice does no harm.
        personal_params: Parameters that hold candidates' data.
        versions: Where it exists.
    """

    operation: str
    method: str
    path: str
    placement: Placement
    payload: str
    repeatable: bool
    partial_success: bool = False
    personal_params: tuple[str, ...] = ()
    versions: tuple[ApiVersion, ...] = (ApiVersion.V1, ApiVersion.V2)


@frozen(kw_only=True)
class Caller:
    """What resources need of their client."""

    pipeline: Pipeline
    shared: Shared
    options: ClientOptions
    base_url: str
    version: ApiVersion

    @property
    def lifecycle(self) -> Lifecycle:
        """When the client ends, and what ends with it."""
        return self.shared.lifecycle

    @property
    def effects(self) -> Effects:
        """Clock, pauses and chance."""
        return self.shared.effects

    @property
    def slots(self) -> Slots:
        """How many requests may be in flight."""
        return self.shared.slots

    @property
    def transport(self) -> Transport:
        """What sends; for requests that are not signed."""
        return self.shared.transport

    def placement(self, endpoint: Endpoint) -> Placement:
        """Where the parameters of a call travel, by the client's options."""
        if endpoint.method != "POST":
            return endpoint.placement
        return _EVERYWHERE.get(self.options.post_parameters, endpoint.placement)

    def url(self, endpoint: Endpoint, path: Mapping[str, str]) -> str:
        """The exact URL that is signed, without a query.

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
        return f"{self.base_url}/{self.version}{endpoint.path.format_map(escaped)}"

    def room(
        self, endpoint: Endpoint, path: Mapping[str, str], fixed: Mapping[str, str]
    ) -> int | None:
        """Encoded bytes left for one more parameter's value, or None where there is no bound."""
        if self.placement(endpoint) is Placement.FORM:
            return None
        used = len(self.url(endpoint, path)) + SIGNATURE_ALLOWANCE + _length(fixed)
        return self.options.max_url_bytes - used - len("&rd=")

    async def call(
        self,
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Mapping[str, str],
        decode: Callable[[ApiResponse], T],
        *,
        files: tuple[FilePart, ...] = (),
        placement: Placement | None = None,
        repeatable: bool | None = None,
        contact: RunContext | None = None,
    ) -> T:
        """Call an endpoint.

        Args:
            endpoint: Which.
            path: Values of the placeholders, unescaped.
            params: Decoded values, without ak, ts and asgn.
            decode: Makes the result of a success; may raise `MettlDecodeError`.
            files: Sent as a multipart body.
            placement: Beats the endpoint's documented one, unless the client's options say otherwise.
            repeatable: Beats the endpoint's own, where it depends on the arguments.
            contact: Of the bulk run that it is part of; see `Request`.

        Raises:
            InvalidInputError: The URL would be longer than ``max_url_bytes``.
            ConfigurationError: Not in this API version, closed client, second event loop.
            CallError: See `mettl_async.errors`.
        """
        url = self.url(endpoint, path)
        if placement is None or self.options.post_parameters != "documented":
            placement = self.placement(endpoint)
        if placement is Placement.QUERY:
            length = len(url) + SIGNATURE_ALLOWANCE + _length(params)
            if length > self.options.max_url_bytes:
                raise InvalidInputError(
                    endpoint.operation,
                    f"needs a URL of about {length} bytes, over max_url_bytes"
                    f" ({self.options.max_url_bytes})",
                    "send less at once, or use ClientOptions(post_parameters='form')",
                )
        request = Request(
            operation=endpoint.operation,
            method=endpoint.method,
            url=url,
            template=f"/{self.version}{endpoint.path}",
            params=params,
            placement=placement,
            files=files,
            version=self.version,
            repeatable=endpoint.repeatable if repeatable is None else repeatable,
            success_keys=(endpoint.payload,) if endpoint.payload else (),
            partial_success=endpoint.partial_success,
            personal_params=endpoint.personal_params,
            personal_values=tuple([path[name] for name in PERSONAL_PLACEHOLDERS if name in path]),
            retry=self.options.retry if contact is None else self.options.bulk_retry,
            contact=contact,
            request_id=self.effects.new_id(),
        )
        return await self.pipeline.call(request, decode)


def _length(params: Mapping[str, str]) -> int:
    return sum([len(name) + 2 + encoded_length(value) for name, value in params.items()])


def payload_list(answer: ApiResponse, key: str) -> list[Any]:
    """The list that an answer must have.

    Raises:
        MettlDecodeError: Missing, or not a list.
    """
    items = answer.payload.get(key)
    if not isinstance(items, list):
        shape = "null" if items is None else type(items).__name__
        raise MettlDecodeError(f"$.{key}: expected a list, got {shape}")
    return items


def page_reader(
    cls: type[T], payload: str, offset: int, *, where: str = "$"
) -> Callable[[ApiResponse], Page[T]]:
    """Make a function that reads one page of a list; items that cannot be read are left out."""

    def read(answer: ApiResponse) -> Page[T]:
        rows = payload_list(answer, payload)
        items, _ = list_from_wire(cls, rows, where=f"{where}.{payload}")
        paging = answer.payload.get("paging")
        known = from_wire(Paging, paging, where="$.paging") if isinstance(paging, dict) else None
        return Page(
            items=tuple(items),
            offset=offset,
            received=len(rows),
            total=known.total_records if known else None,
            has_next=known.has_next if known else None,
        )

    return read


def expect(field: str, value: object, kind: type) -> None:
    """Refuse an argument of another type.

    Raises:
        InvalidInputError: It is not a ``kind``.
    """
    if not isinstance(value, kind):
        raise InvalidInputError(field, f"is a {type(value).__name__}", f"pass a {kind.__name__}")


def checked_email(email: object) -> str:
    """Refuse what cannot be a candidate's email in a path.

    Raises:
        InvalidInputError: No text with one "@" inside, or with spaces or control characters.
    """
    if (
        isinstance(email, str)
        and 0 < email.find("@") < len(email) - 1
        and email.isprintable()
        and " " not in email
    ):
        return email
    shape = f"{len(email)} characters" if isinstance(email, str) else "not text"
    raise InvalidInputError("email", f"is no email address ({shape})", "pass the candidate's email")


def checked_access_key(access_key: object) -> str:
    """Refuse what cannot be the access key of a schedule.

    Raises:
        InvalidInputError: Not 1 to 64 letters and digits.
    """
    # Letters and digits [doc]; "-" and "_" are let through in case new keys have them [assumed].
    if isinstance(access_key, str) and _ACCESS_KEY.fullmatch(access_key):
        return access_key
    shape = f"{len(access_key)} characters" if isinstance(access_key, str) else "not text"
    raise InvalidInputError(
        "access_key",
        f"is no access key ({shape})",
        "pass the letters and digits at the end of the schedule's link",
    )


def checked_id(value: object, field: str) -> str:
    """Refuse what cannot be an identifier of Mettl's.

    Raises:
        InvalidInputError: Not a positive whole number.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_ID:
        return str(value)
    shape = "out of bounds" if type(value) is int else f"a {type(value).__name__}"
    raise InvalidInputError(field, f"is {shape}", "pass a whole number above 0")
