"""Endpoints that users describe themselves: ``mettl.request``."""

import re
from collections.abc import Iterable, Mapping
from functools import partial

from mettl_async.api.caller import Caller
from mettl_async.api.endpoint import Argument, Endpoint, Returns
from mettl_async.config import ApiVersion
from mettl_async.core.multipart import FilePart
from mettl_async.core.pipeline import ApiResponse
from mettl_async.core.request import Placement
from mettl_async.core.signing import SIGNATURE_PARAMETERS
from mettl_async.errors import InvalidInputError
from mettl_async.models import _check

_METHOD = re.compile(r"[A-Z]{3,10}")
_PATH = re.compile(r"(/([A-Za-z0-9_~-]+|\{[a-z_]+\}))+")


async def request(
    caller: Caller,
    method: str,
    path: str,
    params: Mapping[str, str] | None,
    *,
    path_values: Mapping[str, str] | None,
    repeatable: bool | None,
    placement: Placement | str,
    files: Iterable[FilePart],
) -> ApiResponse:
    """Call an endpoint that has no row; see `MettlClient.request`.

    Raises:
        InvalidInputError: An argument is not of its form.
        CallError: See `mettl_async.errors`.
    """
    texts = _texts("params", params)
    values = _texts("path_values", path_values)
    endpoint = _endpoint(method, path, placement, texts, repeatable=repeatable)
    if odd := set(endpoint.placeholders) ^ set(values):
        names = ", ".join(sorted(odd))
        raise InvalidInputError("path_values", f"does not fit the path ({names})", "give each once")
    parts = _check.as_tuple(files)
    _check.items("files", parts, partial(_check.instance, kind=FilePart))
    return await caller.send(endpoint, values, texts, endpoint.returns.read, files=parts)


def _endpoint(
    method: str,
    path: str,
    placement: Placement | str,
    params: Mapping[str, str],
    *,
    repeatable: bool | None,
) -> Endpoint[ApiResponse]:
    verb = method.upper() if isinstance(method, str) else ""
    if not _METHOD.fullmatch(verb):
        raise InvalidInputError("method", "is no HTTP method", "pass GET, POST or DELETE")
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise InvalidInputError(
            "path",
            "is no path of names and placeholders",
            "write it below the version, as in '/schedules/{access_key}', and pass path_values=",
        )
    try:
        where = Placement(placement)
    except ValueError:
        raise InvalidInputError("placement", "is unknown", "pass 'query' or 'form'") from None
    if where is Placement.FORM and verb == "GET":
        raise InvalidInputError(
            "placement", "is a form, for a GET", "GET parameters go in the query"
        )
    if repeatable is not None:
        _check.flag("repeatable", repeatable)
    return Endpoint(
        operation=f"request {verb} {path}",
        method=verb,
        path=path,
        placement=where,
        # Any of them may be personal: nobody but the caller knows what they hold.
        arguments=tuple(Argument(name, str, name, personal=True) for name in params),
        returns=Returns("", lambda answer: answer),
        repeatable=verb == "GET" if repeatable is None else repeatable,
        versions=tuple(ApiVersion),
    )


def _texts(field: str, values: Mapping[str, str] | None) -> dict[str, str]:
    if values is None:
        return {}
    _check.mapping(field, values)
    for name, value in values.items():
        _check.text(field, name)
        if not name.isidentifier() or name in SIGNATURE_PARAMETERS:
            raise InvalidInputError(field, "has a name that is reserved or no name", "leave it out")
        _check.text(f"{field}.{name}", value, blank=True)
    return dict(values)
