"""What an endpoint is: one row of data, from the path to the value it returns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from string import Formatter
from typing import Any, Final, Generic, TypeVar

from attrs import Factory, evolve, field, frozen

from mettl_async.api.belonging import About
from mettl_async.api.pager import Page
from mettl_async.api.placeholders import CHECKS
from mettl_async.codec import dumps, from_wire, list_from_wire, read_int, to_params, to_wire
from mettl_async.config import ApiVersion
from mettl_async.core.multipart import FilePart
from mettl_async.core.pipeline import ApiResponse
from mettl_async.core.request import Placement
from mettl_async.models import ImageFile, _check

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


@frozen
class Returns(Generic[R_co]):
    """What an endpoint gives.

    Attributes:
        payload: Key of the answer that holds it; empty where only the status is known.
        read: Reads it from a success; raises `MettlDecodeError` if it is not of the expected form.
        identity: What tells two items of a list in pages apart; None of an item that nothing tells apart.
        documented: Versions whose page describes ``limit`` and ``offset``. In others the list is
            expected in one answer; if the server says that more follow, they are asked for [assumed].
    """

    payload: str
    read: Callable[[ApiResponse], R_co]
    identity: Callable[[Any], Hashable] = lambda _: None
    documented: tuple[ApiVersion, ...] = ()


def one(cls: type[T], payload: str, *, whole: bool = False) -> Returns[T]:
    """Return one value; ``whole`` where its properties stand beside ``status`` in the answer itself."""

    def read(answer: ApiResponse) -> T:
        if whole:
            return from_wire(cls, answer.payload, where="$")
        return from_wire(cls, answer.payload.get(payload), where=f"$.{payload}")

    return Returns(payload, read)


def items(cls: type[T], payload: str) -> Returns[tuple[T, ...]]:
    """Return a list in one answer; an item that cannot be read is left out."""
    where = f"$.{payload}"
    return Returns(
        payload,
        lambda answer: tuple(list_from_wire(cls, answer.payload.get(payload), where=where)),
    )


def pages(
    cls: type[T],
    payload: str,
    *,
    identity: Callable[[T], Hashable],
    documented: tuple[ApiVersion, ...] = tuple(ApiVersion),
) -> Returns[Page[T]]:
    """Return a list that comes page by page; see `Returns`."""
    whole = items(cls, payload)

    def read(answer: ApiResponse) -> Page[T]:
        paging = answer.payload.get("paging")
        total, has_next = _read_paging(paging) if isinstance(paging, dict) else (None, None)
        return Page(
            items=whole.read(answer),
            offset=0,  # that of a later page is known to its caller
            received=len(answer.payload[payload]),
            total=total,
            has_next=has_next,
        )

    return Returns(payload, read, identity, documented)


NOTHING: Final[Returns[None]] = Returns("", lambda _: None)
"""Only the status of the answer is known."""


def _read_paging(paging: dict[str, Any]) -> tuple[int | None, bool | None]:
    # [seen] The server's addresses of other pages are signed, so they are credentials: that there is one is
    # all that is kept.
    total, address = read_int(paging.get("totalRecords")), paging.get("next", 0)
    has_next = bool(address) if address is None or isinstance(address, str) else None
    return (total if total is not None and total >= 0 else None), has_next


@frozen
class Argument:
    """An argument of a resource's method, and the parameter it becomes.

    A model is sent as JSON, a word as itself, an image as a file.

    Attributes:
        name: Of the argument.
        kind: Its type, which is checked.
        wire: Name of the parameter; None where each attribute is a parameter of its own.
        optional: Whether it may be None, which is not sent.
        personal: Whether it holds candidates' data, which no log or error may show.
    """

    name: str
    kind: type
    wire: str | None
    optional: bool = False
    personal: bool = False


@frozen(kw_only=True, eq=False)
class Endpoint(Generic[R_co]):
    """One row of the API's table.

    Attributes:
        operation: Name of the method that calls it.
        method: HTTP method.
        path: Template below the version; `mettl_async.api.placeholders` checks what is put in.
        placement: Where its parameters travel: as the vendor's newest page or, where that is not known,
            clients that work have it. With files a form is multipart.
        arguments: What the method takes beyond the placeholders.
        returns: What the method gives.
        about: What the answer must repeat of the arguments; see `mettl_async.api.belonging`.
        repeatable: Whether handling it twice does no harm; as a GET does none.
        partial_success: Whether ``status: ERROR`` with the payload is a partial result.
        versions: Where it exists.
        variants: What differs in one of them, by attribute.
    """

    operation: str
    path: str
    method: str = "GET"
    placement: Placement = Placement.QUERY
    arguments: tuple[Argument, ...] = ()
    returns: Returns[R_co]
    about: tuple[About, ...] = ()
    repeatable: bool = field(default=Factory(lambda self: self.method == "GET", takes_self=True))
    partial_success: bool = False
    versions: tuple[ApiVersion, ...] = (ApiVersion.V1, ApiVersion.V2)
    variants: Mapping[ApiVersion, Mapping[str, Any]] = field(factory=dict)

    placeholders: tuple[str, ...] = field(
        init=False,
        default=Factory(
            lambda self: tuple(name for _, name, _, _ in Formatter().parse(self.path) if name),
            takes_self=True,
        ),
    )
    personal_params: tuple[str, ...] = field(
        init=False,
        default=Factory(
            lambda self: tuple(one.wire for one in self.arguments if one.personal), takes_self=True
        ),
    )

    def in_version(self, version: ApiVersion) -> Endpoint[R_co]:
        """Give the row as it is in a version."""
        changes = self.variants.get(version) if self.variants else None
        if not changes:
            return self
        if "method" in changes:  # a default that follows from another attribute is not copied
            changes = {"repeatable": changes["method"] == "GET", **changes}
        return evolve(self, **changes)

    def bind(
        self, given: Mapping[str, object]
    ) -> tuple[dict[str, str], dict[str, str], tuple[FilePart, ...]]:
        """Check a method's arguments, and write them as they travel.

        Returns:
            Values of the placeholders, unescaped; parameters; and files.

        Raises:
            InvalidInputError: One is not of its form.
        """
        path = {name: CHECKS[name](given[name]) for name in self.placeholders}
        params: dict[str, str] = {}
        files: list[FilePart] = []
        for argument in self.arguments:
            value = given[argument.name]
            if value is None and argument.optional:
                continue
            _check.instance(argument.name, value, argument.kind)
            if argument.wire is None:
                params |= to_params(value)
            elif isinstance(value, ImageFile):
                files.append(
                    FilePart(
                        name=argument.wire,
                        filename=value.filename,
                        content=value.content,
                        content_type=value.content_type,
                    )
                )
            elif isinstance(value, str):
                params[argument.wire] = value.value if isinstance(value, Enum) else value
            else:
                params[argument.wire] = dumps(to_wire(value))
        return path, params, tuple(files)
