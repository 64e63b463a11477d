"""What an endpoint is: one row of data, from the path to the value it returns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from attrs import Factory, field, frozen

from mettl_async.api.pager import Page
from mettl_async.api.placeholders import CHECKS
from mettl_async.codec import dumps, from_wire, list_from_wire, read_int, to_params, to_wire
from mettl_async.config import ApiVersion
from mettl_async.core.multipart import FilePart
from mettl_async.core.request import Placement
from mettl_async.models import ImageFile, _check

if TYPE_CHECKING:
    from mettl_async.core.pipeline import ApiResponse

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Returns(Protocol[R_co]):
    """How the result is read from the answer."""

    @property
    def payload(self) -> str:
        """Key of the answer that holds it; empty where only the status is known."""
        ...

    def read(self, answer: ApiResponse) -> R_co:
        """Read the result of a success.

        Raises:
            MettlDecodeError: It is not there, or not of the expected form.
        """
        ...


@frozen
class One(Generic[T]):
    """One value; ``whole`` where its properties stand beside ``status`` in the answer itself."""

    cls: type[T]
    payload: str
    whole: bool = False

    def read(self, answer: ApiResponse) -> T:
        """Read the value."""
        if self.whole:
            return from_wire(self.cls, answer.payload, where="$")
        return from_wire(self.cls, answer.payload.get(self.payload), where=f"$.{self.payload}")


@frozen
class Items(Generic[T]):
    """A list in one answer; an item that cannot be read is left out."""

    cls: type[T]
    payload: str

    def read(self, answer: ApiResponse) -> tuple[T, ...]:
        """Read the list."""
        rows = answer.payload.get(self.payload)
        return tuple(list_from_wire(self.cls, rows, where=f"$.{self.payload}"))


@frozen
class Pages(Generic[T]):
    """A list that comes page by page.

    Attributes:
        cls: Class of an item.
        payload: Key of the answer that holds the list.
        identity: What tells two items apart; None of an item that nothing tells apart.
        documented: Versions whose page describes ``limit`` and ``offset``. In others the list is
            expected in one answer; if the server says that more follow, they are asked for [assumed].
    """

    cls: type[T]
    payload: str
    identity: Callable[[T], Hashable]
    documented: tuple[ApiVersion, ...] = tuple(ApiVersion)

    def read(self, answer: ApiResponse) -> Page[T]:
        """Read a page as the first one; the offset of another is known to its caller."""
        rows, paging = answer.payload.get(self.payload), answer.payload.get("paging")
        items = list_from_wire(self.cls, rows, where=f"$.{self.payload}")
        total, has_next = _read_paging(paging) if isinstance(paging, dict) else (None, None)
        return Page(
            items=tuple(items), offset=0, received=len(rows or ()), total=total, has_next=has_next
        )


def _read_paging(paging: dict[str, Any]) -> tuple[int | None, bool | None]:
    # The server's addresses of other pages are signed, so they are credentials: that there is one is
    # all that is kept.
    total, address = read_int(paging.get("totalRecords")), paging.get("next", 0)
    has_next = bool(address) if address is None or isinstance(address, str) else None
    return (total if total is not None and total >= 0 else None), has_next


@frozen
class Nothing:
    """Only the status of the answer is known."""

    payload: str = ""

    def read(self, _: ApiResponse) -> None:
        """Read nothing."""


@frozen
class WholeAnswer:
    """The answer as it is."""

    payload: str = ""

    def read(self, answer: ApiResponse) -> ApiResponse:
        """Give the answer."""
        return answer


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


@frozen(kw_only=True)
class Variant:
    """What differs in one version of the API; None for what does not."""

    path: str | None = None
    placement: Placement | None = None


@frozen(kw_only=True)
class Bound:
    """An endpoint's arguments, checked and written as they travel.

    Attributes:
        path: Values of the placeholders, unescaped.
        params: Decoded values, without ak, ts and asgn.
        files: Sent as a multipart body.
    """

    path: dict[str, str]
    params: dict[str, str]
    files: tuple[FilePart, ...] = ()


@frozen(kw_only=True, eq=False)
class Endpoint(Generic[R_co]):
    """One row of the API's table.

    Attributes:
        operation: Name of the method that calls it.
        method: HTTP method.
        path: Template below the version; `mettl_async.api.placeholders` checks what is put in.
        placement: Where the vendor's page has its parameters travel.
        placement_with_files: The same, where a call has files; None for no difference.
        arguments: What the method takes beyond the placeholders.
        returns: What the method gives.
        repeatable: Whether handling it twice does no harm.
        partial_success: Whether ``status: ERROR`` with the payload is a partial result.
        versions: Where it exists.
        variants: What differs in one of them.
    """

    operation: str
    method: str
    path: str
    placement: Placement = Placement.QUERY
    placement_with_files: Placement | None = None
    arguments: tuple[Argument, ...] = ()
    returns: Returns[R_co]
    repeatable: bool
    partial_success: bool = False
    versions: tuple[ApiVersion, ...] = (ApiVersion.V1, ApiVersion.V2)
    variants: Mapping[ApiVersion, Variant] = field(factory=dict)

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
    success_keys: tuple[str, ...] = field(
        init=False,
        default=Factory(
            lambda self: (self.returns.payload,) if self.returns.payload else (), takes_self=True
        ),
    )

    def path_in(self, version: ApiVersion) -> str:
        """Give the path template in a version."""
        variant = self.variants.get(version, _SAME)
        return self.path if variant.path is None else variant.path

    def placement_in(self, version: ApiVersion, *, with_files: bool = False) -> Placement:
        """Tell where the vendor has the parameters travel in a version."""
        variant = self.variants.get(version, _SAME)
        if with_files and self.placement_with_files is not None:
            return self.placement_with_files
        return self.placement if variant.placement is None else variant.placement

    def bind(self, given: Mapping[str, object]) -> Bound:
        """Check a method's arguments, and write them as they travel.

        Raises:
            InvalidInputError: One is not of its form.
        """
        path: dict[str, str] = {}
        params: dict[str, str] = {}
        files: list[FilePart] = []
        for name in self.placeholders:
            path[name] = CHECKS[name](given[name])
        for one in self.arguments:
            value = given[one.name]
            if value is None and one.optional:
                continue
            _check.instance(one.name, value, one.kind, optional=False)
            if one.wire is None:
                params |= to_params(value)
            elif isinstance(value, ImageFile):
                files.append(_file(one.wire, value))
            elif isinstance(value, str):
                params[one.wire] = value.value if isinstance(value, Enum) else value
            else:
                params[one.wire] = dumps(to_wire(value))
        return Bound(path=path, params=params, files=tuple(files))


_SAME: Final = Variant()


def _file(name: str, image: ImageFile) -> FilePart:
    return FilePart(
        name=name,
        filename=image.filename,
        content=image.content,
        content_type=image.content_type,
    )
